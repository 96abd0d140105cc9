"""Amount, direction and currency out of the cells of one amount, or of a debit and a credit column.

A cell that cannot be read is handed on so that the monitor rejects its row as `bad-amount`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from monitor.core.money import DECIMAL, EXPONENT, EXPONENT_MAX
from monitor.core.table_reader import TableReader, is_whole
from monitor.core.transaction import CREDIT, DEBIT
from streams.feed.maps.money import (
    MARKS,
    PLAIN_WRITING,
    SIGNS,
    AmountReader,
    Notation,
    Written,
    writing_of,
)
from streams.feed.maps.source import Column, FieldSource, FileRows, find, names_of

AMOUNT_KEYS: Final = ("number", "signs", "debit_marks", "credit_marks", "minor_units")
"""The keys beside an amount's column that say how its cells are written."""

BY_CURRENCY: Final = "currency"
_PAIR: Final = ("debit", "credit")
_MADE: Final = ("amount", "direction", "currency")


_new: Final = tuple.__new__


class CellAmount(NamedTuple):
    """One amount of a file: its cell or cells, and what was read; in a column of its own, or not.

    `cell` is None if there is nothing; `written` is None if it cannot be read.
    """

    cell: str | None
    written: Written | None
    direction: str | None


class AmountCells:
    """The amounts of a table, read once for the fields that are made of them."""

    def __init__(
        self,
        columns: Sequence[tuple[str, ...]],
        read: AmountReader,
        *,
        takes_minus: bool,
    ) -> None:
        self.columns = tuple(columns)
        self._read = read
        self._takes_minus = takes_minus
        self._last: tuple[FileRows, list[CellAmount]] | None = None

    def of(self, table: FileRows) -> list[CellAmount]:
        """Return the amount of each row."""
        if self._last is None or self._last[0] is not table:
            cells = [find(table, names) for names in self.columns]
            made = self._of_pair(*cells) if len(cells) > 1 else self._of_column(*cells)
            self._last = table, made
        return self._last[1]

    def _of_column(self, cells: Column) -> list[CellAmount]:
        read = self._read
        nothing = CellAmount(None, None, None)
        # A NamedTuple's own constructor costs twice as much as this.
        return [
            _new(CellAmount, (cell, read(cell), None)) if cell and not cell.isspace() else nothing
            for cell in cells
        ]

    def _of_pair(self, debits: Column, credits_: Column) -> list[CellAmount]:
        return [
            self._of_two((debit or "").strip(), (credit or "").strip())
            for debit, credit in zip(debits, credits_, strict=True)
        ]

    def _of_two(self, debit: str, credit: str) -> CellAmount:
        """Return the amount of which one of two columns has a size."""
        shown = " | ".join(filter(None, (debit, credit))) or None
        read = [
            (direction, self._read(cell))
            for direction, cell in ((DEBIT, debit), (CREDIT, credit))
            if cell
        ]
        if len(read) > 1:
            read = [
                (direction, written)
                for direction, written in read
                if written is None or written.text.strip("0.")
            ]
        if len(read) != 1:  # nothing, both, or two zeros
            return CellAmount(shown, None, None)
        ((direction, written),) = read
        if written is None or written.mark not in (None, direction):
            return CellAmount(shown, None, None)
        if written.is_negative and not (self._takes_minus and direction == DEBIT):
            return CellAmount(shown, None, None)
        return CellAmount(shown, written._replace(is_negative=False, mark=None), direction)


def amount_sources(
    columns: Mapping[str, Any], document: TableReader
) -> dict[str, FieldSource | None]:
    """Return the sources of the fields that are made of amounts' cells, of a map's [columns].

    No field if the amount is stated as an ordinary column. A field with a problem, which is noted,
    has no source.
    """
    amount, direction, currency = (_table(columns, name) for name in _MADE)
    if not {*AMOUNT_KEYS, *_PAIR} & amount.keys():
        refused: dict[str, FieldSource | None] = {}
        for name, stated, keys in (
            ("direction", direction, _PAIR),
            ("currency", currency, ("currency_of",)),
        ):
            if {*keys} & stated.keys():
                refused[name] = None
                document.refuse(
                    f"columns.{name} is read from an amount: give columns.amount the same column"
                    ' and its number, e.g. number = "1,234.50"'
                )
        return refused
    made: dict[str, FieldSource | None] = {"amount": None}
    if {*_PAIR, "sign_of"} & direction.keys():
        made["direction"] = None
    if "currency_of" in currency:
        made["currency"] = None
    before = len(document.problems)
    names = _amount_columns(amount, document)
    reading = _reading(amount, document)
    is_of_cells = _is_of_cells(direction, names, document)
    takes_off = bool(amount.get("absolute", False))
    if len(document.problems) > before:
        return made
    cells = AmountCells(names, AmountReader(reading), takes_minus=takes_off)
    made.pop("direction", None)
    if is_of_cells:
        made["direction"] = FieldSource(names, _directions(cells, direction))
    if "currency_of" in currency:
        made["currency"] = _currency(currency, cells, document)
    texts = _Amounts(
        cells,
        reading.writing.example,
        amount.get("minor_units"),
        drops_sign=takes_off or is_of_cells,
        drops_mark=is_of_cells,
        currencies=None,
    )
    return made | {"amount": FieldSource(names, texts)}


def with_currencies(sources: Mapping[str, FieldSource]) -> dict[str, FieldSource]:
    """Let an amount whose cell names a currency be held against the currency of its row."""
    found = dict(sources)
    amount, currency = found.get("amount"), found.get("currency")
    if amount is not None and currency is not None and isinstance(amount.make, _Amounts):
        needs = tuple(dict.fromkeys((*amount.needs, *currency.needs)))
        found["amount"] = FieldSource(needs, amount.make.beside(currency))
    return found


class _Amounts:
    """Makes the texts of amounts; a cell that contradicts its row is spoiled."""

    def __init__(
        self,
        cells: AmountCells,
        example: str,
        minor_units: int | str | None,
        *,
        drops_sign: bool,
        drops_mark: bool,
        currencies: FieldSource | None,
    ) -> None:
        self._cells = cells
        self._example = example
        self._minor_units = minor_units
        self._drops_sign = drops_sign
        self._drops_mark = drops_mark
        self._currencies = currencies

    def beside(self, currencies: FieldSource) -> "_Amounts":
        """Return the same of a map whose currency is known."""
        return _Amounts(
            self._cells,
            self._example,
            self._minor_units,
            drops_sign=self._drops_sign,
            drops_mark=self._drops_mark,
            currencies=currencies,
        )

    def __call__(self, table: FileRows) -> Column:
        entries = self._cells.of(table)
        asks = self._minor_units == BY_CURRENCY or any(
            entry.written is not None and entry.written.code for entry in entries
        )
        currencies: Column = [None] * len(entries)
        if asks and self._currencies is not None:
            currencies = self._currencies.make(table)
        if self._minor_units is None and self._drops_mark:  # and so the sign
            return [
                written.text
                if written is not None and written.code is None
                else self._text(entry, currency)
                for entry, written, currency in zip(
                    entries, (entry.written for entry in entries), currencies, strict=True
                )
            ]
        return [
            self._text(entry, currency) for entry, currency in zip(entries, currencies, strict=True)
        ]

    def _text(self, entry: CellAmount, currency: str | None) -> str | None:
        cell, written, _ = entry
        if cell is None:
            return None
        if written is None or (written.mark and not self._drops_mark):
            return _spoiled(cell, self._example)
        if written.code and written.code != (currency or "").strip():
            return f"{cell}: is not {currency}"
        text: str | None = written.text
        if self._minor_units is not None:
            text = _scaled(written.text, self._decimals(currency))
        if text is None:
            return _spoiled(cell, "a whole number of minor units")
        return text if self._drops_sign or not written.is_negative else f"-{text}"

    def _decimals(self, currency: str | None) -> int:
        if isinstance(self._minor_units, int):
            return self._minor_units
        return EXPONENT.get((currency or "").strip(), 0)


def _spoiled(cell: str, meant: str) -> str:
    """Return a cell so that no one reads it as a number."""
    return f"{cell}: is not {meant}" if DECIMAL.fullmatch(cell) else cell


def _scaled(text: str, decimals: int) -> str | None:
    if "." in text:
        return None
    digits = text.rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


def _directions(cells: AmountCells, stated: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a source
    positive, negative = stated.get("positive", DEBIT), stated.get("negative", CREDIT)
    is_pair = len(cells.columns) > 1

    def make(table: FileRows) -> Column:
        if is_pair:
            # Where the cells say nothing, the amount is what the row is rejected for.
            return [entry.direction or (DEBIT if entry.cell else None) for entry in cells.of(table)]
        return [
            positive
            if written is None
            else written.mark or (negative if written.is_negative else positive)
            for _, written, _ in cells.of(table)
        ]

    return make


def _currency(stated: Mapping[str, Any], cells: AmountCells, document: TableReader) -> FieldSource:
    column = document.reader(stated, "columns.currency.")
    column.refuse_unknown(("currency_of", "otherwise"))
    names = names_of(stated["currency_of"], "columns.currency.currency_of", document)
    if names and names not in cells.columns:
        column.refuse("currency_of must be the column of amount, whose cells are read once")
    otherwise = stated.get("otherwise")
    if otherwise is not None and otherwise not in EXPONENT:
        column.refuse(f"otherwise is {otherwise!r}: write a code of ISO 4217")

    def make(table: FileRows) -> Column:
        return [
            (written.code if written is not None else None) or otherwise
            for _, written, _ in cells.of(table)
        ]

    return FieldSource(cells.columns, make)


def _amount_columns(
    amount: Mapping[str, Any], document: TableReader
) -> tuple[tuple[str, ...], ...]:
    column = document.reader(amount, "columns.amount.")
    kinds = _PAIR if {*_PAIR} & amount.keys() else ("column",)
    column.refuse_unknown((*kinds, *AMOUNT_KEYS, "absolute"))
    missing = [key for key in kinds if key not in amount]
    for key in missing:
        column.refuse(f"{key} is missing")
    if not isinstance(amount.get("absolute", False), bool):
        column.refuse(f"absolute is {amount['absolute']!r}: write true or false")
    if missing:
        return ()
    return tuple(names_of(amount[key], f"columns.amount.{key}", document) for key in kinds)


def _reading(amount: Mapping[str, Any], document: TableReader) -> Notation:
    column = document.reader(amount, "columns.amount.")
    writing = writing_of(amount["number"]) if "number" in amount else PLAIN_WRITING
    if writing is None:
        column.refuse(
            f"number is {amount['number']!r}: write an example with decimals that can be read in"
            ' one way, e.g. "1.234,50", "1,234.50", "1 234,50" or "1234.50"'
        )
    signs = amount.get("signs", {})
    if not isinstance(signs, dict) or not all(_is_sign(*item) for item in signs.items()):
        column.refuse(
            f'signs is {signs!r}: write a table of codes of ISO 4217, e.g. {{ "$" = "USD" }}'
        )
        signs = {}
    minor = amount.get("minor_units", 0)
    if minor != BY_CURRENCY and not (is_whole(minor) and 0 <= minor <= EXPONENT_MAX):
        column.refuse(
            f"minor_units is {minor!r}: write the decimals that the number has not, from 0 to"
            f' {EXPONENT_MAX}, or "currency"'
        )
    marks: dict[str, str] = {}
    for key, direction in (("debit_marks", DEBIT), ("credit_marks", CREDIT)):
        words = amount.get(key, [])
        words = words if isinstance(words, list) else [words]
        if not all(isinstance(word, str) and word.isalpha() for word in words):
            column.refuse(f'{key} is {amount[key]!r}: write letters, e.g. "H", or a list of such')
            continue
        for word in words:
            if marks.get(word, direction) != direction:
                column.refuse(f"{key} has {word!r}, which is a mark of the other direction, too")
            marks[word] = direction
    return Notation(writing or PLAIN_WRITING, {**SIGNS, **signs}, marks or MARKS)


def _is_sign(sign: object, code: object) -> bool:
    return (
        isinstance(sign, str)
        and sign != ""
        and not any(character.isdigit() or character.isspace() for character in sign)
        and isinstance(code, str)
        and code in EXPONENT
    )


def _is_of_cells(
    direction: Mapping[str, Any], names: Sequence[tuple[str, ...]], document: TableReader
) -> bool:
    """Say whether a direction comes from the cells of the amount. Problems are noted."""
    column = document.reader(direction, "columns.direction.")
    if {*_PAIR} & direction.keys():
        column.refuse_unknown(_PAIR)
        stated = tuple(
            names_of(direction[key], f"columns.direction.{key}", document)
            for key in _PAIR
            if key in direction
        )
        if stated != tuple(names):
            column.refuse("debit and credit must be the two columns of amount")
        return True
    if len(names) > 1:
        column.refuse("it must come from the two columns of amount: write debit and credit")
        return False
    if "sign_of" not in direction:
        return False
    stated = (names_of(direction["sign_of"], "columns.direction.sign_of", document),)
    if stated != tuple(names):
        return False
    column.refuse_unknown(("sign_of", "positive", "negative"))
    for key in ("positive", "negative"):
        if direction.get(key, DEBIT) not in (DEBIT, CREDIT):
            column.refuse(f"{key} is {direction[key]!r}: write debit or credit")
    return True


def _table(columns: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    stated = columns.get(name)
    return stated if isinstance(stated, dict) else {}
