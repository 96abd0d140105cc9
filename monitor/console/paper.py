"""The working paper of an account: what a suspicion report is written from, all in one place. Pure.

It is put together from records as the store and the topic have them: amounts from the closed
account-days that the chosen alerts are about, exact and as decimal text; what cannot be read is
counted and said.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeGuard

from monitor.console import why, words
from monitor.console.language.catalogue import gettext as _
from monitor.console.transactions import FoundTransactions, lines_of, partners_of
from monitor.core.alert import LIMIT_KINDS, Kind
from monitor.core.business_day import Calendar, event_time_text
from monitor.core.money import EXPONENT, amount_text
from monitor.store.standing import Action

DIRECTIONS: Final = ("debit", "credit")
_AMOUNT: Final = re.compile(r"([0-9]{1,60})(?:\.([0-9]{1,9}))?", re.ASCII)


class PaperAlert(NamedTuple):
    """A chosen alert: how it stands, all revisions (the first one first), and what people did."""

    alert_id: str
    kind: str
    business_day: str
    state: str
    disposition: str | None
    revisions: Sequence[tuple[int, Mapping[str, Any]]]  # told at, what it said
    actions: Sequence[Action]

    @property
    def record(self) -> Mapping[str, Any]:
        """What it says now."""
        return self.revisions[-1][1]

    def days(self) -> set[str]:
        """Return the business days that it is about, as texts: those that it lists, if it does."""
        rows = words.rows_of(words.evidence(self.record).get(_LISTED.get(self.kind, "")))
        found = {day for row in rows if _is_day(day := row.get("business_day"))}
        return found or {self.business_day}

    def is_about(self, day: str) -> bool:
        """Whether a business day is one of its own."""
        return day in self.days()


_LISTED: Final = {Kind.REVIEW.value: "days", Kind.OUTLIER.value: "strange_days"}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _is_day(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and _DAY.fullmatch(text) is not None


def days_about(alerts: Sequence[PaperAlert], days: Iterable[str]) -> list[str]:
    """Return those of some business days (texts) that any of the alerts is about, by day."""
    return sorted({day for day in days if any(alert.is_about(day) for alert in alerts)})


def amounts_of(records: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return the sums of account-days by currency and direction, and how many were left out.

    Money is decimal text with all decimals of its currency. A total is left out if its currency is
    not known, or its amount or count cannot be read.
    """
    sums: dict[tuple[str, str], list[int]] = {}
    left_out = 0
    for record in records:
        for total in words.rows_of(record.get("totals")):
            currency = total.get("currency")
            for direction in DIRECTIONS:
                minor = _minor(total.get(f"{direction}_amount"), currency)
                count = total.get(f"{direction}_count")
                if minor is None or type(count) is not int or count < 0:
                    left_out += 1
                    continue
                held = sums.setdefault((str(currency), direction), [0, 0])
                held[0] += count
                held[1] += minor
    rows = [
        {
            "currency": currency,
            "direction": direction,
            "transactions": count,
            "amount": amount_text(minor, EXPONENT[currency]),
        }
        for (currency, direction), (count, minor) in sorted(sums.items())
    ]
    return [row for row in rows if row["transactions"]], left_out


def _minor(text: object, currency: object) -> int | None:
    """Return an amount of the topic in minor units, however great; None if it is no amount."""
    exponent = EXPONENT.get(currency) if isinstance(currency, str) else None
    found = _AMOUNT.fullmatch(text) if isinstance(text, str) else None
    if exponent is None or found is None or len(found[2] or "") != exponent:
        return None
    return int(found[1] + (found[2] or ""))


def day_closed(record: Mapping[str, Any], days: Iterable[Mapping[str, Any]]) -> str | None:
    """Return what the business day of a limit's alert came to in the end, as a sentence.

    `days` are closed account-days of its account; without its own, the day may still have grown.
    None for an alert of another kind.
    """
    kind, currency = record.get("kind"), record.get("currency")
    if kind not in LIMIT_KINDS:
        return None
    day = next((day for day in days if day.get("business_day") == record.get("business_day")), None)
    rows, left_out = amounts_of([day] if day is not None else [])
    if day is None or left_out:
        return _("The day may have grown since: it is not known what it came to in the end.")
    its = [
        row
        for row in rows
        if record.get("direction") in (row["direction"], "both")
        and currency in (row["currency"], None)
    ]
    if kind == Kind.DAILY_COUNT.value:
        value = str(sum(row["transactions"] for row in its))
    elif not isinstance(currency, str) or currency not in EXPONENT:
        return None
    else:
        minor = sum(_minor(row["amount"], currency) or 0 for row in its)
        value = amount_text(minor, EXPONENT[currency])
    return _("The day closed at %(amount)s.", amount=words.amount({**record, "value": value}))


def why_of(record: Mapping[str, Any], days: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return why an alert was raised, and what its day came to, as sentences; as `day_closed`."""
    closed = day_closed(record, days)
    return why.why_of_alert(record) if closed is None else [*why.why_of_alert(record), closed]


def alert_fields(alert: PaperAlert, days: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a chosen alert: what was known first, what is known now, and why, in words.

    `days` are closed account-days of its account.
    """
    (first_at, first), (last_at, last) = alert.revisions[0], alert.revisions[-1]
    return {
        "alert_id": alert.alert_id,
        "kind": alert.kind,
        "business_day": alert.business_day,
        "state": alert.state,
        "disposition": alert.disposition,
        "known_then": _known(first_at, first),
        "known_now": _known(last_at, last),
        "why": why_of(last, days),
        "figures": [{"name": name, "value": value} for name, value in words.figures(last)],
    }


def _known(at: int, record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": event_time_text(at),
        "revision": record.get("revision"),
        "status": str(record.get("status")),
        "value": words.amount(record),
    }


def chronology(alerts: Iterable[PaperAlert]) -> list[dict[str, Any]]:
    """Return each report of the alerts in the order of time, and what it changed."""
    found: list[tuple[int, str, int, dict[str, Any]]] = []
    for alert in alerts:
        before: Mapping[str, Any] | None = None
        for at, record in alert.revisions:
            changed = [] if before is None else words.changes(before, record)
            known = _known(at, record)
            about = {"alert_id": alert.alert_id, "kind": alert.kind, "changes": changed}
            found.append((at, alert.alert_id, len(found), {**known, **about}))
            before = record
    return [fields for *_, fields in sorted(found, key=lambda entry: entry[:3])]


def decisions(alerts: Iterable[PaperAlert]) -> list[dict[str, Any]]:
    """Return what people did with the alerts, in the order of time: who, when, what and why."""
    actions = [action for alert in alerts for action in alert.actions]
    ordered = sorted(actions, key=lambda action: (action.at, action.action_id))
    return [action.fields() for action in ordered]


def transaction_fields(
    alerts: Sequence[PaperAlert],
    found: Mapping[int, Sequence[FoundTransactions]],
    calendar: Calendar,
) -> dict[str, Any]:
    """Return the transactions of the alerts' days, with whom they were, and what was read.

    `found` has what was read, by partition; a record that was read twice is there once.
    """
    places = {(alert.record.get("partition"), alert.record.get("offset")) for alert in alerts}
    items: list[dict[str, Any]] = []
    kept = []
    for partition, read in sorted(found.items()):
        held = {seen.offset: seen for part in read for seen in part.transactions}
        lines = lines_of([held[offset] for offset in sorted(held)], calendar, "", -1)
        for line in reversed(lines):
            if not any(alert.is_about(line["business_day"]) for alert in alerts):
                continue
            line.pop("is_of_day")
            is_cause = (partition, line["offset"]) in places
            items.append({"partition": partition, **line, "is_cause": is_cause})
            if not line["is_again"]:
                kept.append(held[line["offset"]])
    return {
        "transactions": items,
        "counterparties": [partner._asdict() for partner in partners_of(kept)],
        "records_read": [
            {"partition": partition, "first_offset": part.first, "last_offset": part.last}
            for partition, read in sorted(found.items())
            for part in read
        ],
    }
