"""A first map of a file, with what is sure and unsure about it as comments."""

import json
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from monitor.core.money import EXPONENT
from streams.feed.formats.kinds import kind_of
from streams.feed.formats.packed import plain_stem, plain_suffix
from streams.feed.formats.reading import CSV, LINES, PARQUET, STATEMENTS, WORKBOOK
from streams.feed.mapping import FeedError
from streams.feed.maps.evidence import SAMPLE, DateCells, Evidence, NumberCells, evidence_of
from streams.feed.maps.json_lines import leaves_of
from streams.feed.maps.look import FileLook, look_at

_CONTENT_MAX: Final = 6
"""Columns beside the time and the amount that make an id."""

_CSV_ENDS: Final = (".csv", ".asc", ".tsv", ".txt")

_HINTS: Final[dict[str, re.Pattern[str]]] = {
    name: re.compile(words, re.IGNORECASE)
    for name, words in {
        "id": r"trans[a-z]*.?id|^id$|\bref|referen|uetr|transaktions|volgnr|\bnr\b|number$|seq",
        "account": r"account|acct|iban|konto|card.?n|compte|cuenta|rekening|conto",
        "booked": r"book|buch|post|trans|date|datum|dato|data|fecha|jour|day|when|time",
        "value": r"valut|value|interest|rente|effective",
        "time": r"time|zeit|uhr|tijd|heure|hora|ora|klokk",
        "amount": r"amount|betrag|bedrag|bel[oø]p|montant|importe|importo|kwota|sum|size|value",
        "balance": r"balance|saldo|solde|bilan",
        "debit": r"d[eé]bit|soll|out|withdraw|belast|uit|ausgang|lastschr|cargo|paid|af\b|spent",
        "credit": r"cr[eé]dit|haben|\bin\b|inflow|deposit|gutschr|eingang|abono|bij|received",
        "payee": r"payee|merchant|beneficiary|empf|counter|tegen|name|partner|recipient|creditor"
        r"|beg[uü]e?nst|zahlungspfl",
        "currency": r"curr|währ|waehr|munt|valuta|devise|moneda|ccy",
    }.items()
}
_IN_NAME: Final = re.compile(r"\b([A-Z]{3})\b")


def _quoted(text: str | Sequence[str]) -> str:
    """Return a text, or a list of them, as TOML writes it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _seen(text: str) -> str:
    """Return a note that stays in its line, whatever text of a file it quotes."""
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in text)


class Draft(NamedTuple):
    """A map, and what is said about it: `unsure` are the notes that a person should look at."""

    text: str
    sure: list[str]
    unsure: list[str]


class _Columns:
    """The columns of a file, with their evidence; each is taken for one field."""

    def __init__(self, evidence: Sequence[Evidence], refs: Sequence[str]) -> None:
        self.all = list(evidence)
        self.refs = list(refs)  # how a map names each: a text in quotes, or a number
        self.free = set(range(len(self.all)))

    def hinted(
        self, fits: Callable[[Evidence], bool], hint: str, unless: str | None = None
    ) -> int | None:
        """Take the first free column that fits, and whose name gives a hint."""
        return self.first(
            lambda column: (
                fits(column)
                and bool(_HINTS[hint].search(column.name))
                and not (unless is not None and _HINTS[unless].search(column.name))
            )
        )

    def first(self, fits: Callable[[Evidence], bool]) -> int | None:
        """Take the first free column that fits."""
        for place in sorted(self.free):
            if fits(self.all[place]):
                return self.taken(place)
        return None

    def taken(self, place: int) -> int:
        """Take a column."""
        self.free.discard(place)
        return place

    def shown(self, place: int) -> str:
        """Return how a note names a column."""
        return self.all[place].name or f"number {place + 1}"


class _Notes:
    """The lines of [columns], and what is said about them."""

    def __init__(self, columns: _Columns, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self.lines: list[str] = []
        self.sure: list[str] = []
        self.unsure: list[str] = []

    def line(self, text: str, *, sure: str = "", unsure: str = "") -> None:
        """Add a line of the map, below what is said about it."""
        for mark, said, kept in (("sure", sure, self.sure), ("UNSURE", unsure, self.unsure)):
            note = _seen(said)
            if note:
                self.lines.append(f"# {mark}: {note}")
                kept.append(f"{text.partition(' = ')[0]}: {note}")
        self.lines.append(text)


def draft_of(path: Path) -> Draft:
    """Return a first map of a CSV or JSON Lines file.

    Raises FeedError if it shows no table, or is of another format; OSError.
    """
    kind = kind_of(path, None)
    if kind in STATEMENTS:
        problem = (
            f"it is a statement ({kind}), which needs no map: weir replay and weir send read it as"
            " it stands"
        )
        raise FeedError([problem], str(path))
    if kind in {PARQUET, WORKBOOK}:
        problem = (
            f"a first map is made of CSV or JSON Lines, and it is {kind}: write its [columns] by"
            " hand (docs/data.md), then try them by --check"
        )
        raise FeedError([problem], str(path))
    if kind == LINES:
        return _draft_of_lines(path)
    look = look_at(path)
    names = look.header or [""] * look.width
    evidence = [
        evidence_of(name, (row[place] for row in islice(look.rows, SAMPLE)))
        for place, name in enumerate(names)
    ]
    refs = [
        _quoted(name) if look.header and name and names.count(name) == 1 else str(place)
        for place, name in enumerate(names, 1)
    ]
    notes = _Notes(_Columns(evidence, refs), min(len(look.rows), SAMPLE))
    top = _top_of(path, look, names, notes)
    _fields(path, look.rows, notes)
    return _made(path, top, notes)


def _draft_of_lines(path: Path) -> Draft:
    leaves = leaves_of(path, SAMPLE)
    if not leaves:
        raise FeedError(["no line of it is a JSON object"], str(path))
    names = list(leaves)
    evidence = [evidence_of(name, leaves[name]) for name in names]
    refs = [_quoted(name) for name in names]
    rows = [list(row) for row in zip(*leaves.values(), strict=True)]
    notes = _Notes(_Columns(evidence, refs), len(rows))
    _fields(path, [[cell or "" for cell in row] for row in rows], notes)
    return _made(path, [], notes)


def _made(path: Path, top: list[str], notes: _Notes) -> Draft:
    head = [
        f"# A first map of {_seen(path.name)}, made of {notes.rows:,} rows.",
        "# Look at each UNSURE, then check it: weir map FILE --check THIS",
    ]
    text = "\n".join([*head, *top, "", "[columns]", *notes.lines, ""])
    return Draft(text, notes.sure, notes.unsure)


def _top_of(path: Path, look: FileLook, names: Sequence[str], notes: _Notes) -> list[str]:
    """Return the lines of the map about the file."""
    top = [f"# UNSURE: {note}" for note in look.notes]
    notes.unsure.extend(look.notes)
    if plain_suffix(path) not in _CSV_ENDS:
        top.append(f'kind = "{CSV}"')
    top += [f'encoding = "{look.encoding}"', f"delimiter = {_quoted(look.delimiter)}"]
    if look.header is None:
        top.append("# sure: its first row has numbers or dates, so it has no header")
        if look.above:
            top.append(f"skip_lines = {look.above}")
        top.append("header = false")
    elif look.above:
        telling = [name for name in names if name and names.count(name) == 1][:3]
        top.append(f"# sure: the table begins below {look.above} other lines")
        top.append(f"header = {{ contains = {_quoted(telling)} }}")
    if look.footer:
        note = f"footer: {len(look.footer)} lines below the table: {look.footer[0][:60]!r}"
        notes.unsure.append(note)
        top += [f"# UNSURE: {_seen(note)}", f"footer = {{ lines = {len(look.footer)} }}"]
    return top


def _fields(path: Path, rows: Sequence[Sequence[str]], notes: _Notes) -> None:
    columns = notes.columns
    when = _booked_at(notes)
    amount, direction = _amount(rows, notes)
    code = columns.hinted(lambda column: column.is_currency, "currency")
    if code is None:
        code = columns.first(lambda column: column.is_currency)
    _transaction_id(notes, [when, *amount])
    _account_id(path, notes)
    _booked_line(when, notes)
    _amount_line(amount, notes)
    _direction_line(amount, direction, notes)
    _currency_line(amount, code, notes)
    payee = columns.hinted(lambda column: column.distinct > 1 and column.numbers is None, "payee")
    if payee is not None:
        notes.line(
            f"counterparty_id = {columns.refs[payee]}",
            unsure=f"{columns.shown(payee)} is taken for who was paid, or paid, by its name",
        )
    rest = [columns.shown(place) for place in sorted(columns.free)]
    if rest:
        notes.lines.append(_seen(f"# columns that are not used: {', '.join(rest)}"))


def _booked_at(notes: _Notes) -> int | None:
    columns = notes.columns
    found = columns.hinted(lambda column: column.dates is not None, "booked", unless="value")
    return columns.first(lambda column: column.dates is not None) if found is None else found


def _booked_line(place: int | None, notes: _Notes) -> None:
    columns = notes.columns
    if place is None:
        notes.line(
            'booked_at = "booked_at"', unsure="no column reads as a date: write it here by hand"
        )
        return
    found = columns.all[place]
    dates = found.dates
    assert dates is not None
    others = [columns.shown(at) for at in sorted(columns.free) if columns.all[at].dates]
    keys = [f"column = {columns.refs[place]}"]
    if dates.epoch:
        keys.append(f'epoch = "{dates.epoch}"')
    elif dates.format:
        keys.append(f'format = "{dates.format}"')
    unsure = []
    if not dates.has_time:
        of_day = columns.hinted(lambda column: column.of_day is not None, "time")
        if of_day is not None:
            keys.append(f"time_column = {columns.refs[of_day]}")
            if dates.format is None:
                keys.append('format = "%Y-%m-%d"')
            keys.append(f'time_format = "{columns.all[of_day].of_day}"')
        else:
            keys.append('time = "12:00"')
            unsure.append("it has days alone, so noon is meant")
    if not dates.epoch and dates.format is not None:
        keys.append('time_zone = "UTC"')
        unsure.append("the zone of its clock is not in the file: write e.g. Europe/Berlin")
    if others:
        unsure.append(f"{', '.join(others)} has dates, too")
    sure, doubt = _date_evidence(found, dates)
    notes.line(
        f"booked_at = {{ {', '.join(keys)} }}", sure=sure, unsure="; ".join([*doubt, *unsure])
    )


def _date_evidence(found: Evidence, dates: DateCells) -> tuple[str, list[str]]:
    how = dates.format or (f"an epoch in {dates.epoch}" if dates.epoch else "ISO 8601")
    said = f"{dates.read:,} of {found.filled:,} cells read as {how}"
    if dates.rival is None:
        return said, []
    if dates.told_apart:
        return f"{said}; {dates.told_apart:,} of them cannot be {dates.rival}", []
    return "", [f"{said}, and all of them as {dates.rival}, too: ask which it is"]


def _amount(rows: Sequence[Sequence[str]], notes: _Notes) -> tuple[list[int], int | None]:
    """Return the columns of the amount (two, if of debits and credits), and of the direction."""
    columns = notes.columns
    numbers = [at for at in sorted(columns.free) if _is_amount(columns.all[at])]
    words = columns.first(lambda column: column.words is not None)
    numbers = [at for at in numbers if at in columns.free]
    plain = [at for at in numbers if not _HINTS["balance"].search(columns.all[at].name)] or numbers
    for first in plain:
        for second in plain:
            if first < second and _is_pair(rows, first, second):
                return [columns.taken(first), columns.taken(second)], None
    by_hint = [at for at in plain if _HINTS["amount"].search(columns.all[at].name)]
    with_decimals = [at for at in plain if _numbers(columns.all[at]).has_decimals]
    both = [at for at in by_hint if at in with_decimals]
    found = next((group for group in (both, with_decimals, by_hint, plain) if group), [])
    return [columns.taken(at) for at in found[:1]], words


def _is_amount(found: Evidence) -> bool:
    return found.numbers is not None and found.dates is None and found.filled > 0


def _numbers(found: Evidence) -> NumberCells:
    assert found.numbers is not None
    return found.numbers


def _is_pair(rows: Sequence[Sequence[str]], first: int, second: int) -> bool:
    """Say whether each row has an amount in one of two columns, and each column has some."""
    of_first = of_second = 0
    sample = rows[:5000]
    for row in sample:
        column, other = (bool(row[at].strip(" 0.,")) for at in (first, second))
        if column == other:
            return False
        of_first, of_second = of_first + column, of_second + other
    return of_first > 0 and of_second > 0


def _amount_line(amount: Sequence[int], notes: _Notes) -> None:
    columns = notes.columns
    if not amount:
        notes.line('amount = "amount"', unsure="no column reads as numbers: write it here by hand")
        return
    found = [columns.all[at] for at in amount]
    numbers = max((_numbers(column) for column in found), key=lambda column: column.has_decimals)
    keys = [f"{key} = {ref}" for key, ref in _amount_refs(amount, notes)]
    keys.append(f'number = "{numbers.number}"')
    signs = {sign: code for column in found for sign, code in _numbers(column).signs.items()}
    if signs:
        inner = ", ".join(f'{_quoted(sign)} = "{code}"' for sign, code in signs.items())
        keys.append(f"signs = {{ {inner} }}")
    if len(amount) > 1 and any(_numbers(column).negative for column in found):
        keys.append("absolute = true")
    read = sum(_numbers(column).read for column in found)
    said = f"{read:,} of {sum(column.filled for column in found):,} cells read as {numbers.number}"
    unsure = []
    if numbers.rival and not numbers.told_apart:
        unsure.append(f"{said}, and all of them as {numbers.rival}, too, which is another number")
    elif numbers.rival:
        said += f"; {numbers.told_apart:,} of them cannot be {numbers.rival}"
    if signs:
        unsure.append(f"the currency of {', '.join(signs)} is a guess")
    if not numbers.has_decimals:
        unsure.append("no cell has decimals: if it is in minor units, write minor_units = 2")
    if len(amount) > 1 and not _hints_of_pair(amount, notes):
        unsure.append("which of the two columns is the debit is a guess")
    sure = said if not unsure or said not in unsure[0] else ""
    notes.line(f"amount = {{ {', '.join(keys)} }}", sure=sure, unsure="; ".join(unsure))


def _hints_of_pair(amount: Sequence[int], notes: _Notes) -> tuple[int, int] | None:
    """Return the columns of debits and credits, if their names say it."""
    first, second = amount
    for debit, credit in ((first, second), (second, first)):
        names = notes.columns.all[debit].name, notes.columns.all[credit].name
        if _HINTS["debit"].search(names[0]) and _HINTS["credit"].search(names[1]):
            return debit, credit
    return None


def _amount_refs(amount: Sequence[int], notes: _Notes) -> list[tuple[str, str]]:
    refs = notes.columns.refs
    if len(amount) == 1:
        return [("column", refs[amount[0]])]
    debit, credit = _hints_of_pair(amount, notes) or amount
    return [("debit", refs[debit]), ("credit", refs[credit])]


def _direction_line(amount: Sequence[int], words: int | None, notes: _Notes) -> None:
    columns = notes.columns
    if len(amount) > 1:
        keys = ", ".join(f"{key} = {ref}" for key, ref in _amount_refs(amount, notes))
        notes.line(f"direction = {{ {keys} }}", sure="each row has an amount in one of two columns")
        return
    if words is not None and (said := columns.all[words].words) is not None:
        values = ", ".join(f'{_quoted(word)} = "{way}"' for word, way in said[0].items())
        notes.line(
            f"direction = {{ column = {columns.refs[words]}, values = {{ {values} }} }}",
            sure=f"{said[1]:,} cells have these words",
        )
        return
    numbers = _numbers(columns.all[amount[0]]) if amount else None
    if numbers is not None and (numbers.negative or numbers.marks):
        notes.line(
            f"direction = {{ sign_of = {columns.refs[amount[0]]},"
            ' positive = "credit", negative = "debit" }',
            unsure=f"{numbers.negative:,} of {numbers.read:,} cells have a minus, which is money"
            " that leaves an account; on statements of cards it is often the other way round",
        )
        return
    notes.line(
        'direction = { constant = "debit" }',
        unsure="nothing in the file says a direction: all rows are debits here",
    )


def _currency_line(amount: Sequence[int], code: int | None, notes: _Notes) -> None:
    columns = notes.columns
    if code is not None:
        notes.line(
            f"currency = {columns.refs[code]}",
            sure=f"{columns.all[code].filled:,} cells are codes of ISO 4217",
        )
        return
    of_cells = [code for at in amount for code in _numbers(columns.all[at]).codes]
    if of_cells:
        ref = columns.refs[amount[0]]
        notes.line(
            f'currency = {{ currency_of = {ref}, otherwise = "{of_cells[0]}" }}',
            unsure=f"cells name {', '.join(dict.fromkeys(of_cells))}; those that name none are"
            f" taken for {of_cells[0]}",
        )
        return
    named = [
        word for column in columns.all for word in _IN_NAME.findall(column.name) if word in EXPONENT
    ]
    notes.line(
        f'currency = {{ constant = "{named[0] if named else "EUR"}" }}',
        unsure="a column's name says so" if named else "nothing in the file says a currency",
    )


def _transaction_id(notes: _Notes, content: Sequence[int | None]) -> None:
    columns = notes.columns
    place = columns.hinted(
        lambda column: (
            column.distinct == column.filled == notes.rows > 1
            and (column.dates is None)
            and not (column.numbers is not None and column.numbers.has_decimals)
        ),
        "id",
    )
    if place is not None:
        notes.line(
            f"transaction_id = {columns.refs[place]}",
            sure=f"its {columns.all[place].filled:,} cells are all different",
        )
        return
    named = [at for at in range(len(columns.all)) if columns.all[at].distinct > 1]
    named = [at for at in named if not _HINTS["balance"].search(columns.all[at].name)]
    texts = [at for at in named if at not in content and columns.all[at].numbers is None]
    chosen = sorted([*(at for at in content if at is not None), *texts[:_CONTENT_MAX]]) or [0]
    refs = ", ".join(columns.refs[at] for at in chosen)
    notes.line(
        f"transaction_id = {{ content = [{refs}] }}",
        unsure="no column has another cell in every row and a name of an id, so ids are made of the"
        " content",
    )


def _account_id(path: Path, notes: _Notes) -> None:
    columns = notes.columns
    place = columns.hinted(
        lambda column: (
            column.filled == notes.rows and column.dates is None and column.distinct < notes.rows
        ),
        "account",
    )
    if place is None:
        place = columns.first(lambda column: column.is_iban and column.filled == notes.rows)
    if place is not None:
        notes.line(
            f"account_id = {columns.refs[place]}",
            unsure=f"{columns.shown(place)} is taken for the account (different values:"
            f" {columns.all[place].distinct:,})",
        )
        return
    notes.line(
        f"account_id = {{ constant = {_quoted(plain_stem(path)[:100])} }}",
        unsure="no column names an account: write the account of this file",
    )
