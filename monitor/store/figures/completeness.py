"""Completeness: what partitions received and decided by the hour, and what was decided late.

A store has the counts that workers tell. It adds none of its own, and shows what is missing: hours
in which a partition received nothing, and offsets that nobody counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Table, func, select

from monitor.core.business_day import event_time_of
from monitor.store.records import Read
from monitor.store.schema import counted_hours, counted_offsets, not_monitored
from monitor.store.store import upsert

HOUR: Final = "hour"
NOT_MONITORED: Final = "not-monitored"
OFFSET_MAX: Final = (1 << 63) - 1

_COUNTS: Final = ("received", "decided", "rejected", "skipped")
_NUMBERS: Final = {
    HOUR: (*_COUNTS, "counted_from", "counted_to", "records"),
    NOT_MONITORED: ("records", "accounts"),
}
_TIMES: Final = {
    HOUR: ("hour",),
    NOT_MONITORED: ("written_from", "written_to", "decided_from", "decided_to"),
}


def completeness_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of the completeness topic, its times in microseconds.

    Raises ValueError if it must be refused.
    """
    kind = fields.get("kind")
    if kind not in _NUMBERS:
        raise ValueError(f"its kind must be {HOUR} or {NOT_MONITORED}, not {str(kind)[:40]!r}")
    found: dict[str, Any] = {"kind": kind}
    for name in ("partition", "term", "offset", "next_offset", *_NUMBERS[kind]):
        number = fields.get(name)
        if type(number) is not int or not 0 <= number <= OFFSET_MAX:
            raise ValueError(f"{name} must be a whole number from 0 on, not {str(number)[:40]!r}")
        found[name] = number
    for name in _TIMES[kind]:
        text = fields.get(name)
        moment = event_time_of(text) if isinstance(text, str) else None
        if moment is None:
            raise ValueError(f"{name} must be a time, not {str(text)[:40]!r}")
        found[name] = moment
    return found


def take_completeness(connection: Connection, read: Sequence[Read]) -> None:
    """Keep the counts of the latest term, and of that the last ones."""
    values = [item.value for item in read]
    hours = [value for value in values if value["kind"] == HOUR]
    _take(connection, counted_hours, hours)
    _take(
        connection,
        counted_offsets,
        [
            {**value, "offset": value["counted_from"], "next_offset": value["counted_to"]}
            for value in hours
        ],
    )
    _take(connection, not_monitored, [its for its in values if its["kind"] == NOT_MONITORED])


def _take(connection: Connection, table: Table, values: Iterable[Mapping[str, Any]]) -> None:
    """Write rows, unless one of a later term is there, or one that goes further."""
    keys = [column.name for column in table.primary_key]
    last: dict[tuple[int, ...], Mapping[str, Any]] = {}
    for value in values:
        key = tuple(value[name] for name in keys)
        if key not in last or _age(last[key]) <= _age(value):
            last[key] = value
    if not last:
        return
    partitions = {key[0] for key in last}
    known = {
        tuple(getattr(row, name) for name in keys): (row.term, row.next_offset)
        for row in connection.execute(
            select(*table.primary_key, table.c.term, table.c.next_offset).where(
                table.c.partition.in_(partitions),
                table.c.offset >= min(value["offset"] for value in last.values()),
            )
        )
    }
    rows = [
        {column.name: value[column.name] for column in table.columns}
        for key, value in sorted(last.items())
        if key not in known or known[key] <= _age(value)
    ]
    upsert(connection, table, rows)


def _age(value: Mapping[str, Any]) -> tuple[int, int]:
    return value["term"], value["next_offset"]


class HourReport(NamedTuple):
    """What records written in an hour have come to, over all partitions.

    `silent` are the partitions that received nothing in it.
    """

    hour: int
    received: int
    decided: int
    rejected: int
    skipped: int
    silent: tuple[int, ...]

    @property
    def unaccounted(self) -> int:
        """How many came to nothing: it must be 0."""
        return self.received - self.decided - self.rejected - self.skipped


class Gap(NamedTuple):
    """Offsets of a partition that nobody counted, from `offset` on and before `next_offset`."""

    partition: int
    offset: int
    next_offset: int


class CompletenessReport(NamedTuple):
    """The latest hours, the gaps between counted offsets, and the latest notices."""

    hours: Sequence[HourReport]
    gaps: Sequence[Gap]
    not_monitored: Sequence[Row[Any]]


def completeness(connection: Connection, hours: int = 24, notices: int = 20) -> CompletenessReport:
    """Return what the page of health shows."""
    columns = not_monitored.c
    latest = select(not_monitored).order_by(columns.decided_to.desc(), *not_monitored.primary_key)
    return CompletenessReport(
        _hours(connection, hours),
        _gaps(connection),
        connection.execute(latest.limit(notices)).all(),
    )


def _hours(connection: Connection, limit: int) -> list[HourReport]:
    columns = counted_hours.c
    latest = select(columns.hour).distinct().order_by(columns.hour.desc()).limit(limit)
    wanted = connection.execute(latest).scalars().all()
    known = {*connection.execute(select(columns.partition).distinct()).scalars()}
    sums = select(
        columns.hour, columns.partition, *(func.sum(columns[name]) for name in _COUNTS)
    ).where(columns.hour.in_(wanted))
    grouped = sums.group_by(columns.hour, columns.partition).order_by(columns.hour.desc())
    reports = []
    for hour, of_hour in groupby(connection.execute(grouped).all(), key=lambda row: row.hour):
        rows = list(of_hour)
        received, decided, rejected, skipped = (
            sum(int(row[place]) for row in rows) for place in range(2, 2 + len(_COUNTS))
        )
        silent = tuple(sorted(known - {row.partition for row in rows}))
        reports.append(HourReport(hour, received, decided, rejected, skipped, silent))
    return reports


def _gaps(connection: Connection) -> list[Gap]:
    """Return the offsets between one row of counted offsets of a partition and the next."""
    rows = connection.execute(select(counted_offsets).order_by(*counted_offsets.primary_key)).all()
    return [
        Gap(before.partition, before.next_offset, after.offset)
        for before, after in pairwise(rows)
        if before.partition == after.partition and before.next_offset < after.offset
    ]
