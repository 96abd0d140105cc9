"""The [rates] of a policy: rates of exchange as the ECB publishes them, stated in it or beside it.

As with lists, a file that a policy names is put into its text when the policy is read from its own
file: so a version of the policy fixes the rates that hold.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from hashlib import sha256
from typing import Final, NamedTuple

from monitor.core.business_day import day_text
from monitor.core.money import EXPONENT
from monitor.core.table_reader import TableReader, day_stated, shown
from monitor.gauges.rates import Rate, Rates

RATE_KEYS: Final = ("base", "at_most_old", "since", "file", "csv")

DAYS_MOST: Final = 31
"""A rate holds for so many days at most."""

_DAYS_MOST_DEFAULT: Final = "5d"
_INLINED: Final = "inlined"
_OF_INLINED: Final = ("file", "sha256", "csv")
_DAYS: Final = re.compile(r"([0-9]{1,2})d")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_RATE: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,10})?")
_NO_RATE: Final = ("", "N/A")
_LINE: Final = re.compile(
    r"^[ \t]*file[ \t]*=[ \t]*(\"[^\"\\\n]*\"|'[^'\n]*')[ \t]*(?:\#[^\n]*?)?(?=\r?$)",
    re.MULTILINE,
)
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class RatesFileError(ValueError):
    """A file of rates that cannot be put into a policy: the message says why."""


class _Table(NamedTuple):
    """Rates by their days and then by currency, as texts; the days in any order."""

    rows: Mapping[int, Mapping[str, str]]

    def csv(self) -> str:
        """Return them as the ECB writes them, the newest first and without what has no rate."""
        currencies = sorted({currency for row in self.rows.values() for currency in row})
        lines = [",".join(["Date", *currencies])]
        for day in sorted(self.rows, reverse=True):
            row = self.rows[day]
            lines.append(",".join([day_text(day), *(row.get(each, "") for each in currencies)]))
        return "\n".join(lines) + "\n"

    def published(self) -> dict[str, tuple[Rate, ...]]:
        """Return them by currency, in the order of their days."""
        found: dict[str, list[Rate]] = {}
        for day in sorted(self.rows):
            for currency, text in self.rows[day].items():
                found.setdefault(currency, []).append(Rate(day, text))
        return {currency: tuple(rates) for currency, rates in found.items()}


def rates_stated(document: TableReader) -> Rates | None:
    """Return the rates that a policy states; None without any, or if they cannot be read."""
    if "rates" not in document.table:
        return None
    stated = document.get("rates")
    if not isinstance(stated, dict):
        document.refuse('rates is not a table: write [rates] with base = "EUR" and a file')
        return None
    table = document.reader(stated, "rates.", "rates")
    table.refuse_unknown((*RATE_KEYS, _INLINED))
    base = table.get("base")
    if not (isinstance(base, str) and base in EXPONENT):
        table.refuse(f"base is {shown(base)}: not a code of ISO 4217")
        base = ""
    days_most = _days_most(table)
    since = _since(table)
    rows = _rows(table, base, since)
    if rows is None or not table.is_good:
        return None
    inlined = stated.get(_INLINED)
    file = str(inlined["file"]) if isinstance(inlined, dict) else None
    return Rates(base, days_most, rows.published(), _digest(rows), file)


def rate_notes(rates: Rates | None, asking: Sequence[str], today: int) -> list[str]:
    """Return what is odd of rates and no mistake: nothing asks for them, or they have run out.

    `asking` are the ids of the limits that ask for them.
    """
    if rates is None:
        return []
    if not asking:
        return ['rates are stated that nothing asks for: write currency = "*" in a limit']
    _, last = rates.days
    notes = []
    if last < today - rates.days_most:
        notes.append(
            f"the last rates are of {day_text(last)}, and hold for {rates.days_most} days: limit"
            f" {asking[0]} has none today; set a version with later ones"
        )
    ended = [
        f"{currency} on {day_text(published[-1].day)}"
        for currency, published in sorted(rates.published.items())
        if published[-1].day < last - rates.days_most
    ]
    if ended:
        notes.append(f"rates end before the others: {', '.join(ended)}")
    return notes


def _days_most(table: TableReader) -> int:
    value = table.get("at_most_old", _DAYS_MOST_DEFAULT)
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if match is not None and int(match[1]) <= DAYS_MOST:
        return int(match[1])
    table.refuse(f"at_most_old is {shown(value)}: write a whole number and d, at most {DAYS_MOST}d")
    return 0


def _since(table: TableReader) -> int:
    value = table.get("since", None)
    day = 0 if value is None else day_stated(value)
    if day is None:
        table.refuse(f"since is {shown(value)}: write a date, e.g. 2026-01-01")
    return day or 0


def _rows(table: TableReader, base: str, since: int) -> _Table | None:
    ways = [key for key in ("file", "csv", _INLINED) if key in table.table]
    if len(ways) != 1:
        said = f"{' and '.join(ways)} are both stated" if ways else "file is missing"
        table.refuse(f'{said}: state one file = "eurofxref-hist.csv", or the rates as csv')
        return None
    if ways == ["file"]:
        table.refuse(
            "file is for the policy's own file: read by weir policy set FILE, which puts the rates"
            " into the policy; elsewhere write csv"
        )
        return None
    if ways == ["csv"]:
        text = table.get("csv")
        try:
            return _table_of(text if isinstance(text, str) else "", base, since)
        except ValueError as error:
            table.refuse(f"csv {error}")
        return None
    return _inlined_rows(table, base)


def _inlined_rows(table: TableReader, base: str) -> _Table | None:
    stated = table.get(_INLINED)
    if isinstance(stated, dict) and set(stated) == set(_OF_INLINED):
        text = stated["csv"]
        with suppress(ValueError):
            rows = _table_of(text if isinstance(text, str) else "", base, 0)
            if _digest(rows) == stated["sha256"]:
                return rows
    table.refuse(
        "inlined is not as it was written, its sha256 differs: change the file of the rates, and"
        " set the policy by its own file again"
    )
    return None


def _digest(rows: _Table) -> str:
    return sha256(rows.csv().encode()).hexdigest()


def _table_of(text: str, base: str, since: int) -> _Table:
    """Return the rates that a CSV text has, from a day on.

    Raises ValueError with what is wrong with which line.
    """
    lines = [line.strip() for line in text.split("\n")]
    header, *others = [*lines, ""]
    first, *currencies = [cell.strip() for cell in header.rstrip(",").split(",")]
    if first != "Date" or not currencies or not all(map(_CURRENCY.fullmatch, currencies)):
        raise ValueError(f"must begin with Date,USD,JPY,... not with {shown(header[:40])}")
    if len(set(currencies)) < len(currencies) or base in currencies:
        raise ValueError(f"must have each currency once, and not the base {base} (its rate is 1)")
    rows: dict[int, dict[str, str]] = {}
    for number, line in enumerate(others, 2):
        if not line:
            continue
        written, *cells = [cell.strip() for cell in line.split(",")]
        while len(cells) > len(currencies) and not cells[-1]:
            cells.pop()  # the ECB ends each line with a comma
        day = _day_of(written)
        if day is None or day in rows or len(cells) != len(currencies):
            raise ValueError(
                f"line {number} must be a date that no other line has and a rate for each currency,"
                f" not {shown(line[:40])}"
            )
        rates = dict(zip(currencies, cells, strict=True))
        for currency, rate in rates.items():
            if rate not in _NO_RATE and not (_RATE.fullmatch(rate) and rate.strip("0.")):
                raise ValueError(
                    f"line {number} has {shown(rate[:40])} for {currency}: write a decimal number"
                    " greater than 0, or N/A"
                )
        rows[day] = {
            currency: rate
            for currency, rate in rates.items()
            if rate not in _NO_RATE and currency in EXPONENT
        }
    found = {day: row for day, row in rows.items() if row and day >= since}
    if not found:
        raise ValueError("has no rates" + (f" since {day_text(since)}" if since else ""))
    return _Table(found)


def _day_of(written: str) -> int | None:
    """Return a day as one of the ECB's files has it: 2026-03-02, or 02 March 2026."""
    parts = written.split(" ")
    with suppress(ValueError):
        if len(parts) == 3 and parts[1] in _MONTHS:  # noqa: PLR2004 - day, month and year
            month = _MONTHS.index(parts[1]) + 1
            return date(int(parts[2]), month, int(parts[0])).toordinal()
    return day_stated(written)


def with_rates(text: str, read: Callable[[str], bytes]) -> str:
    """Return a policy's text with the rates of the file that it states.

    `read` gives the bytes of a file by the path that the policy has. A text that states no such
    file, or is no TOML, is returned as it is. Raises RatesFileError if it cannot be read or used.
    """
    try:
        stated = tomllib.loads(text).get("rates", {})
    except (ValueError, RecursionError):
        return text  # whoever reads the policy says what is wrong with it
    if not isinstance(stated, dict) or not isinstance(stated.get("file"), str):
        return text
    base, since = stated.get("base"), day_stated(stated.get("since"))
    found: list[str] = []

    def inlined(line: re.Match[str]) -> str:
        path = line[1][1:-1]
        if path != stated["file"]:
            return line[0]
        found.append(path)
        rows = _rows_of_file(path, read, base if isinstance(base, str) else "", since or 0)
        csv, digest = rows.csv(), _digest(rows)
        return f"{_INLINED} = {{ file = {line[1]}, sha256 = \"{digest}\", csv = '''\n{csv}''' }}"

    made = _LINE.sub(inlined, text)
    if len(found) != 1:
        raise RatesFileError(
            "the file of the rates must stand on a line of its own under [rates], as"
            ' file = "eurofxref-hist.csv"'
        )
    return made


def _rows_of_file(path: str, read: Callable[[str], bytes], base: str, since: int) -> _Table:
    try:
        return _table_of(read(path).decode("utf-8-sig"), base, since)
    except OSError as error:
        raise RatesFileError(
            f"the file of rates {shown(path)} cannot be read ({error.strerror or error}):"
            " its path begins at the policy's folder"
        ) from None
    except UnicodeDecodeError as error:
        raise RatesFileError(f"the file of rates {shown(path)} must be UTF-8: {error}") from None
    except ValueError as error:
        raise RatesFileError(f"the file of rates {shown(path)} {error}") from None
