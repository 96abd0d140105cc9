"""Made alerts for a bench of the console: as many as a bank has in a year, each by its number.

Everything about an alert follows from its number and the seed, so none is kept in memory.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from monitor.core.alert import Kind, Status
from monitor.core.business_day import MICROSECONDS, event_time_text
from monitor.dispositions.disposition import Disposition
from monitor.store.intake import Read, RecordSort
from monitor.store.standing import Action, Does

ALERTS_A_DAY: Final = 4000
DAYS_LEAST: Final = 5
SEGMENTS: Final = tuple(f"segment-{number}" for number in range(8))
SEVERITIES: Final = ("low",) * 6 + ("medium",) * 9 + ("high",) * 4 + ("critical",)
KINDS: Final = (
    (Kind.DAILY_AMOUNT,) * 12 + (Kind.DAILY_COUNT,) * 3 + (Kind.OUTLIER,) * 3 + (Kind.REVIEW,) * 2
)
RESTATED_AFTER: Final = 1500
"""Alerts that come between an alert and its second revision."""

ACCOUNT_DAYS: Final = 90
ANALYSTS: Final = ("ana", "bob", "cid", "dora")
SECONDS_A_DAY: Final = 86_400
_MASK: Final = 2**128 - 1
_ODD: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835


class Draw:
    """Numbers that look random, and follow from a number: the bits of one long hash."""

    __slots__ = ("_left",)

    def __init__(self, seed: int, number: int) -> None:
        mixed = ((number + 1) * _ODD + seed * 0x632BE59BD9B4E019) & _MASK
        mixed ^= mixed >> 67
        mixed = (mixed * _ODD) & _MASK
        self._left = mixed ^ (mixed >> 61)

    def below(self, most: int) -> int:
        """Return a whole number from 0 to below `most`; each call takes some of the bits."""
        self._left, drawn = divmod(self._left, most)
        return drawn


class MadeAlerts(NamedTuple):
    """A made year of so many alerts over so many accounts, up to `end` (microseconds)."""

    alerts: int
    accounts: int
    seed: int
    end: int

    @property
    def days(self) -> int:
        """How many business days the alerts are spread over."""
        return max(DAYS_LEAST, self.alerts // ALERTS_A_DAY)

    @property
    def per_day(self) -> int:
        """Alerts of one business day, the last of which is systemic."""
        return max(2, self.alerts // self.days)

    def account_of(self, number: int) -> str:
        """Return the account of an alert: half of the alerts are of few accounts."""
        draw = Draw(self.seed + 1, number)
        share = draw.below(1 << 20) / (1 << 20)
        return account_name(int(self.accounts * (share if draw.below(2) else share * share)))

    def id_of(self, number: int) -> str:
        """Return the id of an alert, spread as UUIDs are."""
        text = f"{Draw(self.seed + 2, number).below(1 << 128):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def day_of(self, number: int) -> int:
        """Return the business day of an alert, counted from the first one."""
        return number // self.per_day

    def is_incident(self, number: int) -> bool:
        """Return whether the alert is the systemic one of its day."""
        return number % self.per_day == self.per_day - 1

    def kind_of(self, number: int) -> Kind:
        """Return what the alert is about."""
        if self.is_incident(number):
            return Kind.SYSTEMIC
        return KINDS[Draw(self.seed + 3, number).below(len(KINDS))]

    def date_of(self, number: int) -> str:
        """Return the business day of an alert as text."""
        last = datetime.fromtimestamp(self.end / MICROSECONDS, UTC).date()
        return (last - timedelta(days=self.days - self.day_of(number))).isoformat()

    def told_at(self, number: int) -> int:
        """Return when an alert was reported (microseconds)."""
        step = SECONDS_A_DAY * MICROSECONDS // self.per_day
        return self.end - (self.alerts - number) * step

    def second_of(self, number: int) -> Status | None:
        """Return the status of the second revision of an alert; None if it has only one."""
        drawn = Draw(self.seed + 4, number).below(100)
        if drawn < 10:  # noqa: PLR2004 - one in ten
            return Status.WITHDRAWN if drawn == 0 else Status.RESTATED
        return None

    def records(self, begin: int, end: int, offset: int) -> Iterator[Read]:
        """Yield the alerts of numbers as the archive reads them, with the revisions that fall due.

        `offset` is that of the first.
        """
        for number in range(begin, end):
            yield self._read(number, 1, Status.RAISED, self.told_at(number), offset)
            offset += 1
            earlier = number - RESTATED_AFTER
            status = None if earlier < 0 else self.second_of(earlier)
            if status is not None:
                yield self._read(earlier, 2, status, self.told_at(number), offset)
                offset += 1

    def _read(self, number: int, revision: int, status: Status, told_at: int, offset: int) -> Read:
        record = self.record(number, revision, status)
        return Read(RecordSort.ALERT, "bench.alerts", 0, offset, told_at, record)

    def record(self, number: int, revision: int, status: Status) -> dict[str, Any]:
        """Return what a revision of an alert says, as the topic has it."""
        draw, kind, day = Draw(self.seed, number), self.kind_of(number), self.date_of(number)
        severity = SEVERITIES[draw.below(len(SEVERITIES))]
        segment = SEGMENTS[draw.below(len(SEGMENTS))]
        said: dict[str, Any] = {
            "alert_id": self.id_of(number),
            "revision": revision,
            "kind": kind.value,
            "status": status.value,
            "severity": severity,
            "business_day": day,
            "segment": segment,
            "policy_version": 1,
            "event_time": event_time_text(self.told_at(number)),
            "partition": draw.below(6),
            "offset": number,
        }
        if kind is Kind.SYSTEMIC:
            return {**said, **_systemic(day, self.per_day)}
        limit, times = 200_000 + 1000 * draw.below(800), 100 + draw.below(900) + revision
        said |= {
            "account_id": self.account_of(number),
            "threshold_id": kind.value,
            "direction": "debit",
            "value_before": None if revision == 1 else _money(limit),
            "score": None,
            "transaction_id": f"T{number:012d}",
        }
        return {**said, **_of_kind(kind, day, limit, times)}

    def account_days(self, accounts: list[str], offset: int) -> Iterator[Read]:
        """Yield the latest days of accounts, as the archive reads them."""
        last = datetime.fromtimestamp(self.end / MICROSECONDS, UTC).date()
        for name in accounts:
            for back in range(ACCOUNT_DAYS, 0, -1):
                draw = Draw(self.seed + 5, offset)
                value = {
                    "account_id": name,
                    "business_day": (last - timedelta(days=back)).isoformat(),
                    "segment": SEGMENTS[draw.below(len(SEGMENTS))],
                    "branch": "B09",
                    "product": "current",
                    "peer_group": "C1",
                    "breaches": [],
                    "score": None,
                    "policy_version": 1,
                    "totals": _totals(draw.below(300_000)),
                }
                yield Read(RecordSort.ACCOUNT_DAY, "bench.account-days", 0, offset, self.end, value)
                offset += 1

    def closings(self, begin: int, end: int, offset: int) -> Iterator[Read]:
        """Yield what people did with the alerts of numbers: nearly all are closed by it."""
        for number in range(begin, end):
            draw = Draw(self.seed + 6, number)
            drawn, name, at = draw.below(1000), ANALYSTS[draw.below(4)], self.told_at(number)
            if drawn < 100:  # noqa: PLR2004 - one in ten
                action = Action(
                    self.id_of(number), Does.ASSIGN, name, at + 1, 1, {"assignee": name}
                )
                yield Read(RecordSort.ACTION, "bench.actions", 0, offset, at, action)
                offset += 1
            does, detail = self._closing(drawn, draw)
            action = Action(self.id_of(number), does, name, at + 2, 1, detail)
            yield Read(RecordSort.ACTION, "bench.actions", 0, offset, at, action)
            offset += 1

    def _closing(self, drawn: int, draw: Draw) -> tuple[Does, dict[str, Any]]:
        reasons = list(Disposition)
        closing = {"disposition": reasons[draw.below(len(reasons))].value, "note": "looked at"}
        if drawn in {0, 1}:
            return Does.COMMENT, {"note": "asked the branch"}
        if drawn in {2, 3, 4}:
            return Does.PROPOSE, closing
        if drawn in {5, 6, 7, 8, 9}:
            days = 30 if drawn < 9 else -30  # noqa: PLR2004 - one in five has ended
            until = event_time_text(self.end + days * SECONDS_A_DAY * MICROSECONDS)
            return Does.SNOOZE, {"until": until, "note": None}
        return Does.DISPOSE, closing


def account_name(number: int) -> str:
    """Return the id of an account."""
    return f"DE{number * 7919 % 97:02d}{number:018d}"


def _money(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _totals(minor: int) -> list[dict[str, Any]]:
    return [
        {
            "currency": "EUR",
            "debit_count": 3,
            "debit_amount": _money(minor),
            "credit_count": 1,
            "credit_amount": _money(minor // 3),
        }
    ]


def _systemic(day: str, grouped: int) -> dict[str, Any]:
    return {
        "account_id": None,
        "threshold_id": Kind.DAILY_AMOUNT.value,
        "verdict": "population-shift",
        "cause": None,
        "limit_ratio": None,
        "suggested_limit": None,
        "decided_by": {"name": "counterfactual_probability", "number": 2.5e-06},
        "grouped": grouped,
        "members": [],
        "members_total": grouped,
        "evidence": {
            "breaches": grouped,
            "account_days": 20 * grouped,
            "expected": 12.5,
            "days": [day],
            "counterfactual": {"breaches": 31, "probability": 2.5e-06},
        },
    }


def _of_kind(kind: Kind, day: str, limit: int, times: int) -> dict[str, Any]:
    value = limit * times // 100
    if kind is Kind.OUTLIER:
        reasons = [
            f"amount {_money(value)} is {times / 100:.1f}x the account's median",
            "the counterparty is new to the account, and rare in its peer group",
            "the hour of the day is one in which the account had no transaction before",
        ]
        strange = [{"business_day": day, "one_in": times, "reasons": reasons}]
        return {
            "currency": None,
            "value": times,
            "limit": 63,
            "score": 1 / times,
            "evidence": {
                "reasons": reasons,
                "one_in": times,
                "days": 1,
                "strange_days": strange,
                "model": f"half-space-trees-ed8db4ee@{day}",
            },
        }
    if kind is Kind.REVIEW:
        days = [
            {
                "business_day": day,
                "kind": "breach",
                "threshold_id": "daily-amount",
                "currency": "EUR",
                "value": _money(value + number),
                "limit": _money(limit),
                "times_limit": f"{times / 100:.2f}",
            }
            for number in range(3 + times % 6)
        ]
        return {
            "currency": None,
            "value": len(days),
            "limit": 2,
            "evidence": {
                "days": days,
                "breach_days": len(days),
                "near_days": 0,
                "window_days": 10,
                "reading": ("suspicion", "limit")[times % 2],
                "reasons": [f"its greatest day is {times / 100:.1f} times the limit"],
            },
        }
    is_count = kind is Kind.DAILY_COUNT
    return {
        "currency": None if is_count else "EUR",
        "value": times if is_count else _money(value),
        "limit": 100 if is_count else _money(limit),
        "evidence": {
            "totals": _totals(value),
            "over_by": _money(value - limit),
            "times_limit": f"{times / 100:.2f}",
            "origin": {
                "institution": f"BANK{times % 9}",
                "branch": "B09",
                "channel": "api",
                "counterparty": f"C{times}",
            },
        },
    }
