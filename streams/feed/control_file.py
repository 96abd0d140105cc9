"""A ledger's own control totals, from a CSV file: a row a business day and currency, or account."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from monitor.core.business_day import is_day_text
from monitor.core.currency import CURRENCIES
from monitor.core.money import minor_units
from monitor.store.figures.control_totals import ControlKey, ControlTotals
from streams.feed.mapping import FeedError

NEEDED: Final = ("business_day", "currency", *ControlTotals._fields)


def control_totals_of(path: Path) -> dict[ControlKey, ControlTotals]:
    """Return the totals of a file, by account if it has a column `account_id`.

    Raises FeedError with every line that cannot be used, and those whose totals came before.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(csv.DictReader(file, strict=True), str(path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FeedError([f"it is no CSV in UTF-8: {error}"], str(path)) from error


def _read(rows: "csv.DictReader[str]", source: str) -> dict[ControlKey, ControlTotals]:
    columns = rows.fieldnames or ()
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise FeedError(
            [f"it must have the columns {', '.join(NEEDED)}: there is no {', no '.join(missing)}"],
            source,
        )
    found: dict[ControlKey, ControlTotals] = {}
    problems: list[str] = []
    for row in rows:
        where = f"line {rows.line_num}"
        of_row = [f"{where}: {problem}" for problem in _problems(row, "account_id" in columns)]
        problems += of_row
        if of_row:
            continue
        key, totals = _totals(row)
        if key in found:
            problems.append(f"{where}: {' '.join(filter(None, key))} comes twice")
        found[key] = totals
    if not found and not problems:
        problems = ["it has no totals"]
    if problems:
        raise FeedError(problems, source)
    return found


def _text(row: Mapping[str, str | None], name: str) -> str:
    return (row.get(name) or "").strip()


def _problems(row: Mapping[str, str | None], has_accounts: bool) -> Iterator[str]:  # noqa: FBT001 - of the file
    day, currency = _text(row, "business_day"), _text(row, "currency")
    if not is_day_text(day):
        yield f"business_day must be a day as 2026-01-05, not {day!r}"
    if has_accounts and not _text(row, "account_id"):
        yield "account_id is empty"
    if currency not in CURRENCIES:
        yield f"there is no currency {currency!r}"
        return
    for name in ControlTotals._fields:
        text = _text(row, name)
        if name.endswith("count") and not (text.isascii() and text.isdigit()):
            yield f"{name} must be a whole number, not {text!r}"
        elif minor_units(text, CURRENCIES[currency].exponent) is None:
            yield f"{name} must be an amount of {currency} as it is written, not {text!r}"


def _totals(row: Mapping[str, str | None]) -> tuple[ControlKey, ControlTotals]:
    """Return a row that has no problems."""
    currency = _text(row, "currency")
    numbers = [
        int(_text(row, name))
        if name.endswith("count")
        else minor_units(_text(row, name), CURRENCIES[currency].exponent) or 0
        for name in ControlTotals._fields
    ]
    key = ControlKey(_text(row, "business_day"), _text(row, "account_id"), currency)
    return key, ControlTotals(*numbers)
