"""Alerts as a table with a row each: CSV and Parquet, for whoever has no use for nested JSON."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from monitor.core.alert import SUPPRESSED
from monitor.core.money import EXPONENT_MAX
from streams.topics.alert_list import AlertListError

Written = Mapping[str, Any]

AMOUNT_DIGITS: Final = 38
"""Of a decimal in Parquet: what Arrow has at most, and more than any sum needs."""


class Column(NamedTuple):
    """A column: its name, its sort (text, whole, amount, number, day or time), and its cell."""

    name: str
    sort: str
    cell: Callable[[Written], Any]


def _field(name: str, sort: str = "text") -> Column:
    return Column(name, sort, lambda alert: alert.get(name))


def _evidence(name: str, sort: str = "text") -> Column:
    return Column(name, sort, lambda alert: alert["evidence"].get(name))


def _within(outer: str, name: str, column: str, sort: str = "text") -> Column:
    return Column(column, sort, lambda alert: (alert.get(outer) or {}).get(name))


COLUMNS: Final = (
    _field("told_at", "time"),
    _field("alert_id"),
    _field("revision", "whole"),
    _field("kind"),
    _field("status"),
    _field("severity"),
    _field("account_id"),
    _field("business_day", "day"),
    _field("segment"),
    _field("threshold_id"),
    _field("direction"),
    _field("currency"),
    _field("value", "amount"),
    _field("limit", "amount"),
    _evidence("times_limit", "amount"),
    _field("value_before", "amount"),
    _field("score", "number"),
    _evidence("reading"),
    _evidence("breach_days", "whole"),
    _evidence("near_days", "whole"),
    _field("verdict"),
    _within("cause", "type", "cause_type"),
    _within("cause", "value", "cause_value"),
    _within("cause", "lift", "cause_lift", "number"),
    _field("limit_ratio", "number"),
    _field("suggested_limit", "amount"),
    _field("grouped", "whole"),
    _within("disposition", "disposition", "disposition"),
    _within("disposition", "by", "disposed_by"),
    _within("disposition", "at", "disposed_at", "time"),
    _within("disposition", "note", "disposition_note"),
    Column("dispositions", "whole", lambda alert: len(alert.get("dispositions") or ())),
    _field("policy_version", "whole"),
    _within(SUPPRESSED, "until", "suppressed_until", "day"),
    _within(SUPPRESSED, "reason", "suppression_reason"),
    _field("transaction_id"),
    _field("event_time", "time"),
    _field("partition", "whole"),
    _field("offset", "whole"),
    Column("evidence", "text", lambda alert: json.dumps(alert["evidence"], ensure_ascii=False)),
)
"""The columns. `evidence` is JSON: so nothing of an alert is lost in a table."""


def texts_of(alert: Written) -> dict[str, str | None]:
    """Return the cells of an alert as text, by column; None if it has nothing there."""
    cells = {column.name: column.cell(alert) for column in COLUMNS}
    return {name: None if cell is None else str(cell) for name, cell in cells.items()}


def write_csv(alerts: Iterable[Written], file: IO[bytes]) -> None:
    """Write alerts as CSV (RFC 4180, UTF-8, a header, decimals with a point)."""
    text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([column.name for column in COLUMNS])
    rows.writerows(texts_of(alert).values() for alert in alerts)
    text.detach()


def write_parquet(alerts: Sequence[Written], file: IO[bytes]) -> None:
    """Write alerts as Parquet: amounts as decimals, days as dates, times in UTC.

    Raises AlertListError if a field of an alert is not of its sort.
    """
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import parquet  # noqa: PLC0415 - heavy

    types = {
        "text": pa.string(),
        "whole": pa.int64(),
        "amount": pa.decimal128(AMOUNT_DIGITS, EXPONENT_MAX),
        "number": pa.float64(),
        "day": pa.date32(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    arrays = []
    for column in COLUMNS:
        cells = [_typed(column, alert) for alert in alerts]
        try:
            arrays.append(pa.array(cells, type=types[column.sort]))
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise AlertListError(f"column {column.name} of the alerts: {error}") from None
    names = [column.name for column in COLUMNS]
    parquet.write_table(pa.Table.from_arrays(arrays, names=names), file)


def _typed(column: Column, alert: Written) -> object:
    cell = column.cell(alert)
    if cell is None:
        return None
    make = _MAKES.get(column.sort)
    try:
        return cell if make is None else make(str(cell))
    except (ValueError, InvalidOperation):
        raise AlertListError(
            f"alert {alert['alert_id']}: {column.name} must be {_SAID[column.sort]}, not {cell!r}"
        ) from None


_MAKES: Final[dict[str, Callable[[str], object]]] = {
    "amount": Decimal,
    "day": date.fromisoformat,
    "time": datetime.fromisoformat,
}

_SAID: Final = {
    "amount": "a decimal",
    "day": "a day as YYYY-MM-DD",
    "time": "a time as 2026-01-05T09:00:00Z",
}


WRITERS: Final[dict[str, Callable[[Sequence[Written], IO[bytes]], None]]] = {
    ".csv": write_csv,
    ".parquet": write_parquet,
}
"""What writes a table of alerts, by the ending of the file."""


def ending_of(path: Path) -> str:
    """Return the ending of a file of alerts that is to be written: .jsonl, .csv or .parquet.

    `-` is stdout and takes JSON Lines, and so does a device or a pipe. Raises AlertListError if
    a name ends otherwise.
    """
    if str(path) == "-" or (path.exists() and not path.is_file()):
        return ".jsonl"
    ending = path.suffix.lower()
    if ending != ".jsonl" and ending not in WRITERS:
        raise AlertListError(
            f"{path} must end in .jsonl, .csv or .parquet: the ending says what is written"
        )
    return ending
