"""A segment-day as a partition tells it: plain fields, for a topic or a file."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from models.sketches.histogram import Sketch
from monitor.core.business_day import day_of_text, day_text
from monitor.core.transaction import Origin
from monitor.systemic.segment_day import Breach, LimitDay, SegmentDay

PART_BYTES_MAX: Final = 800_000
"""Bytes of a record's JSON at most: a broker takes a megabyte, unless it is told otherwise."""

_HEAD_BYTES: Final = 5_000  # of the fields beside the lists, with a name of 256 characters
_BUCKET_BYTES: Final = 26  # of a spread: its number and its count
_ROW_BYTES: Final = 200
_CHARACTER_BYTES: Final = 6  # an escaped one


class SegmentRecord(NamedTuple):
    """What one partition tells of one segment on one day.

    A partition writes `segments` records of the day, one for each segment: so whoever reads them
    knows when it has all. A segment-day that outgrows a record is in several, `part` 0 first: they
    add up (`merged`), as those of several partitions do.
    """

    partition: int
    segments: int
    segment_day: SegmentDay
    part: int = 0

    @property
    def key(self) -> bytes:
        """The key of its record: the segment, empty for none."""
        return (self.segment_day.segment or "").encode()

    def fields(self) -> dict[str, object]:
        """Return it as it is written: limits in minor units or transactions, spreads by bucket."""
        segment_day = self.segment_day
        return {
            "partition": self.partition,
            "segments": self.segments,
            "part": self.part,
            "business_day": day_text(segment_day.day),
            "segment": segment_day.segment,
            "account_days": segment_day.account_days,
            "limits": [_limit_fields(name, limit) for name, limit in segment_day.limits.items()],
            "known": segment_day.known,
            "hot": segment_day.hot,
            "hot_payers": _counts(segment_day.hot_payers, ("type", "value")),
            "rejections": _counts(segment_day.rejections, ("reason", "branch")),
        }


def segment_records_of(partition: int, of_day: tuple[SegmentDay, ...]) -> list[SegmentRecord]:
    """Return the records of what a partition tells of a day."""
    parts = [
        (number, part)
        for segment_day in of_day
        for number, part in enumerate(parts_of(segment_day))
    ]
    return [SegmentRecord(partition, len(parts), part, number) for number, part in parts]


def parts_of(segment_day: SegmentDay, bytes_max: int = PART_BYTES_MAX) -> list[SegmentDay]:
    """Return a segment-day in parts, each of which is at most so many bytes as JSON.

    `merged` of them is the segment-day. The first has all that is one number.
    """
    empty = segment_day._replace(
        account_days=0, limits={}, known=0, hot=0, hot_payers={}, rejections={}
    )  # fmt: skip
    parts = [segment_day._replace(limits={}, hot_payers={}, rejections={})]
    size = _HEAD_BYTES
    for kind, name, row in _rows_of(segment_day):
        row_bytes = _row_bytes(segment_day, name, row)
        if size + row_bytes > bytes_max:
            parts.append(empty._replace(limits={}, hot_payers={}, rejections={}))
            size = _HEAD_BYTES
        size += row_bytes
        _add(parts[-1], segment_day, kind, name, row)
    return parts


def _rows_of(segment_day: SegmentDay) -> Iterator[tuple[str, str, tuple[str, str] | None]]:
    """Yield what a segment-day is made of: (field, threshold_id, key); None is the limit itself."""
    for threshold_id, limit in segment_day.limits.items():
        yield "limits", threshold_id, None
        for cause in limit.causes:
            yield "limits", threshold_id, cause
    for payer in segment_day.hot_payers:
        yield "hot_payers", "", payer
    for rejection in segment_day.rejections:
        yield "rejections", "", rejection


def _row_bytes(segment_day: SegmentDay, name: str, row: tuple[str, str] | None) -> int:
    if row is None:
        buckets = int(np.count_nonzero(segment_day.limits[name].values.counts))
        return _ROW_BYTES + _BUCKET_BYTES * buckets + _CHARACTER_BYTES * len(name)
    # A limit's further causes may begin a part: then its name and an empty spread stand there, too.
    return _ROW_BYTES + _CHARACTER_BYTES * (len(name) + sum(map(len, row)))


def _add(
    part: SegmentDay, whole: SegmentDay, kind: str, name: str, row: tuple[str, str] | None
) -> None:
    """Add to a part what it has of the whole."""
    if kind == "hot_payers" and row is not None:
        part.hot_payers[row] = whole.hot_payers[row]
    elif kind == "rejections" and row is not None:
        part.rejections[row] = whole.rejections[row]
    else:
        limit = whole.limits[name]
        if row is None:
            part.limits[name] = limit._replace(causes={})
            return
        if name not in part.limits:
            nothing = Sketch(limit.values.relative_error)
            part.limits[name] = LimitDay(limit.above, 0, nothing, {})
        part.limits[name].causes[row] = limit.causes[row]


def segment_record_of(fields: Mapping[str, Any]) -> SegmentRecord:
    """Return what the fields of a record say. Raises KeyError or ValueError where they are none."""
    return SegmentRecord(
        fields["partition"],
        fields["segments"],
        SegmentDay(
            day=day_of_text(fields["business_day"]),
            segment=fields["segment"],
            account_days=fields["account_days"],
            limits={limit["threshold_id"]: _limit_day(limit) for limit in fields["limits"]},
            known=fields["known"],
            hot=fields["hot"],
            hot_payers=_counted(fields["hot_payers"], ("type", "value")),
            rejections=_counted(fields["rejections"], ("reason", "branch")),
        ),
        fields.get("part", 0),
    )


def _limit_fields(threshold_id: str, limit: LimitDay) -> dict[str, object]:
    counts = limit.values.counts
    buckets = np.flatnonzero(counts)
    return {
        "threshold_id": threshold_id,
        "above": limit.above,
        "breaches": limit.breaches,
        "values": {
            "relative_error": limit.values.relative_error,
            "buckets": buckets.tolist(),
            "counts": counts[buckets].tolist(),
        },
        "causes": _counts(limit.causes, ("type", "value")),
        "accounts": [breach_fields(breach) for breach in limit.accounts],
    }


def _limit_day(fields: Mapping[str, Any]) -> LimitDay:
    kept = fields["values"]
    values = Sketch(kept["relative_error"])
    counts = np.zeros(max(kept["buckets"], default=-1) + 1, np.int64)
    counts[kept["buckets"]] = kept["counts"]
    values.add_counts(counts)
    causes = _counted(fields["causes"], ("type", "value"))
    accounts = tuple(_breach(breach) for breach in fields.get("accounts", ()))
    return LimitDay(fields["above"], fields["breaches"], values, causes, accounts)


def breach_fields(breach: Breach) -> dict[str, object]:
    """Return an account over a limit as it is written, without what its origin does not name."""
    origin = {} if breach.origin is None else breach.origin._asdict()
    return {"account_id": breach.account_id} | {k: v for k, v in origin.items() if v is not None}


def _breach(fields: Mapping[str, Any]) -> Breach:
    origin = Origin(*map(fields.get, Origin._fields))
    return Breach(fields["account_id"], origin if any(origin) else None)


def _counts(counts: Mapping[tuple[str, str], int], names: tuple[str, str]) -> list[dict[str, Any]]:
    first, second = names
    return [
        {first: first_value, second: other, "count": n}
        for (first_value, other), n in counts.items()
    ]


def _counted(
    rows: Iterable[Mapping[str, Any]], names: tuple[str, str]
) -> dict[tuple[str, str], int]:
    first, second = names
    return {(row[first], row[second]): row["count"] for row in rows}
