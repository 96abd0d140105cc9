"""A segment-day as a partition tells it: plain fields, for a topic or a file."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from models.sketch import Sketch
from monitor.core.business_day import day_of_text, day_text
from monitor.core.transaction import Origin
from monitor.systemic.segment_day import Breach, LimitDay, SegmentDay


class SegmentRecord(NamedTuple):
    """What one partition tells of one segment on one day.

    A partition tells of `segments` segments on the day, each in a record of its own: so whoever
    reads them knows when it has all.
    """

    partition: int
    segments: int
    segment_day: SegmentDay

    @property
    def key(self) -> bytes:
        """The key of its record: the segment, empty for none."""
        return (self.segment_day.segment or "").encode()

    def fields(self) -> dict[str, object]:
        """Return it as it is written: limits in minor units or transactions, spreads by bucket."""
        of = self.segment_day
        return {
            "partition": self.partition,
            "segments": self.segments,
            "business_day": day_text(of.day),
            "segment": of.segment,
            "account_days": of.account_days,
            "limits": [_limit_fields(name, limit) for name, limit in of.limits.items()],
            "known": of.known,
            "hot": of.hot,
            "hot_payers": _counts(of.hot_payers, ("type", "value")),
            "rejections": _counts(of.rejections, ("reason", "branch")),
        }


def segment_records_of(partition: int, of_day: tuple[SegmentDay, ...]) -> list[SegmentRecord]:
    """Return the records of what a partition tells of a day."""
    return [SegmentRecord(partition, len(of_day), one) for one in of_day]


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
    accounts = tuple(_breach(of) for of in fields.get("accounts", ()))
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
    return [{first: one, second: other, "count": n} for (one, other), n in counts.items()]


def _counted(
    rows: Iterable[Mapping[str, Any]], names: tuple[str, str]
) -> dict[tuple[str, str], int]:
    first, second = names
    return {(row[first], row[second]): row["count"] for row in rows}
