"""Takes what the topics hold into the store: every record once, whatever comes twice.

A batch and how far it goes are one transaction of the database. After a crash the topics are read
on from there, so nothing is taken twice and nothing is left out.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, select, update

from monitor.core.alert import Kind, Status
from monitor.core.business_day import MICROSECONDS
from monitor.review.membership import is_member
from monitor.store.proposals import ProposalStep
from monitor.store.schema import (
    OF_TOPICS,
    account_days,
    actions,
    alerts,
    policies,
    progress,
    proposal_steps,
    rejection_counts,
    rejections,
    revisions,
)
from monitor.store.sealing import sweep
from monitor.store.standing import Action, Does, Revision, Standing, State, standing_of
from monitor.store.store import Store, in_pieces, insert_into, insert_new, upsert

HOUR: Final = 3600 * MICROSECONDS
SAMPLES_MAX: Final = 100
"""Rejections of each reason that are kept whole."""

_LIMIT_KINDS: Final = (Kind.DAILY_AMOUNT.value, Kind.DAILY_COUNT.value)

Fields = Mapping[str, Any]


class RecordSort(StrEnum):
    """What a record of a topic is."""

    ALERT = "alert"
    ACTION = "action"
    REJECTION = "rejection"
    ACCOUNT_DAY = "account-day"
    POLICY = "policy"
    PROPOSAL_STEP = "proposal-step"
    PASSED_OVER = "passed-over"  # no such record: it counts as read


class Read(NamedTuple):
    """A record that was read: where it stands, when it was written (microseconds), and what it is.

    `value` is an Action of the sort ACTION, a ProposalStep of the sort PROPOSAL_STEP, a text of the
    sort POLICY, else the record's fields.
    """

    sort: RecordSort
    topic: str
    partition: int
    offset: int
    told_at: int
    value: Any


class Intake:
    """Writes records into a store. One at a time of a store: the archive's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def positions(self) -> dict[tuple[str, int], int]:
        """Return how far each partition was taken: the offset that is next."""
        with self._store.reading() as connection:
            return _positions(connection)

    def forget(self) -> None:
        """Empty what follows from the topics, so that it is made again from their beginnings."""
        with self._store.begin() as connection:
            for table in OF_TOPICS:
                connection.execute(delete(table))
        sweep(self._store)

    def take(self, records: Sequence[Read]) -> list[str]:
        """Take records in, and keep how far they go; return the ids of alerts that changed.

        Those that were taken before are passed over.
        """
        with self._store.begin() as connection:
            known = _positions(connection)
            new = [
                read
                for read in records
                if read.offset >= known.get((read.topic, read.partition), 0)
            ]
            by_sort: dict[RecordSort, list[Read]] = {sort: [] for sort in RecordSort}
            for read in new:
                by_sort[read.sort].append(read)
            changed = self._take_alerts(connection, by_sort[RecordSort.ALERT])
            changed |= take_actions(connection, [read.value for read in by_sort[RecordSort.ACTION]])
            _take_rejections(connection, by_sort[RecordSort.REJECTION])
            _take_account_days(connection, by_sort[RecordSort.ACCOUNT_DAY])
            _take_policies(connection, by_sort[RecordSort.POLICY])
            take_steps(connection, [read.value for read in by_sort[RecordSort.PROPOSAL_STEP]])
            _keep_positions(connection, new)
        return sorted(changed)

    def _take_alerts(self, connection: Connection, read: Sequence[Read]) -> set[str]:
        if not read:
            return set()
        insert_new(connection, revisions, [_revision_row(item) for item in read])
        incidents = {record["alert_id"]: record for record in _systemic_records(connection)}
        days: set[str] = set()
        for item in read:
            if item.value["kind"] == Kind.SYSTEMIC.value:
                before = incidents.get(item.value["alert_id"])
                days |= _days_of(before) | _days_of(item.value)
                if before is None or before["revision"] <= item.value["revision"]:
                    incidents[item.value["alert_id"]] = item.value
        ids = sorted({item.value["alert_id"] for item in read})
        _restate(connection, ids, incidents)
        return {*ids, *_group(connection, days, incidents)}


def take_actions(connection: Connection, done: Sequence[Action]) -> set[str]:
    """Add actions, and let their alerts stand as they say; return the ids of these alerts.

    An action of an alert that is not there yet is kept, and counts once the alert comes.
    """
    if not done:
        return set()
    insert_new(connection, actions, [_action_row(action) for action in done])
    ids = sorted({action.alert_id for action in done})
    for alert_id, standing in _standings(connection, ids).items():
        connection.execute(
            update(alerts).where(alerts.c.alert_id == alert_id).values(_standing_values(standing))
        )
    return set(ids)


def priority_of(record: Fields, incident_id: str | None) -> int:
    """Return how much an alert matters, from 0 to 100, across kinds.

    The severity is its base; how far it is over its limit adds the logarithm of that, a review that
    reads suspicion and a systemic alert add their own; what a systemic alert explains is worth
    less by itself.
    """
    base = {"low": 10, "medium": 25, "high": 40, "critical": 55}[record["severity"]]
    evidence = record["evidence"]
    times = evidence.get("times_limit")
    over = min(20.0, 10 * math.log10(max(float(times), 1.0))) if times else 0.0
    kind = {Kind.REVIEW.value: 10, Kind.SYSTEMIC.value: 20}.get(record["kind"], 0)
    reading = 15 if evidence.get("reading") == "suspicion" else 0
    explained = 30 if incident_id else 0
    return max(0, min(100, round(base + over + kind + reading - explained)))


def _json(fields: Fields) -> str:
    return msgspec.json.encode(fields).decode()


def _positions(connection: Connection) -> dict[tuple[str, int], int]:
    rows = connection.execute(select(progress)).all()
    return {(row.topic, row.partition): row.next_offset for row in rows}


def _keep_positions(connection: Connection, read: Iterable[Read]) -> None:
    last: dict[tuple[str, int], int] = {}
    for item in read:
        place = item.topic, item.partition
        last[place] = max(item.offset + 1, last.get(place, 0))
    upsert(
        connection,
        progress,
        [
            {"topic": topic, "partition": number, "next_offset": offset}
            for (topic, number), offset in sorted(last.items())
        ],
    )


def _revision_row(read: Read) -> dict[str, Any]:
    record = read.value
    return {
        "alert_id": record["alert_id"],
        "revision": record["revision"],
        "told_at": read.told_at,
        "status": record["status"],
        "severity": record["severity"],
        "value": _value_of(record),
        "record": _json(record),
    }


def _value_of(record: Fields) -> str | None:
    value = record.get("value")
    return None if value is None else str(value)


def _restate(connection: Connection, ids: Sequence[str], incidents: Mapping[str, Fields]) -> None:
    """Write alerts as their last revisions say, and as people's actions let them stand."""
    for piece in in_pieces(ids):
        told = connection.execute(
            select(revisions).where(revisions.c.alert_id.in_(piece)).order_by(revisions.c.revision)
        ).all()
        of_alert: dict[str, list[Any]] = {}
        for row in told:
            of_alert.setdefault(row.alert_id, []).append(row)
        standings = _standings_of(connection, of_alert)
        rows = []
        for alert_id, its in of_alert.items():
            last, record = its[-1], msgspec.json.decode(its[-1].record)
            incident_id = _incident_of(record, incidents)
            rows.append(
                {
                    "alert_id": alert_id,
                    "revision": last.revision,
                    "kind": record["kind"],
                    "status": last.status,
                    "severity": last.severity,
                    "account_id": record.get("account_id"),
                    "business_day": record["business_day"],
                    "segment": record.get("segment"),
                    "threshold_id": record.get("threshold_id"),
                    "value": last.value,
                    "currency": record.get("currency"),
                    "priority": priority_of(record, incident_id),
                    "incident_id": incident_id,
                    "raised_at": its[0].told_at,
                    "told_at": last.told_at,
                    "record": last.record,
                    **_standing_values(standings[alert_id]),
                }
            )
        upsert(connection, alerts, rows)


def _standings(connection: Connection, ids: Sequence[str]) -> dict[str, Standing]:
    """Return how alerts stand that have any revision."""
    standings: dict[str, Standing] = {}
    for piece in in_pieces(ids):
        told: dict[str, list[Any]] = {}
        chosen = select(
            revisions.c.alert_id,
            revisions.c.revision,
            revisions.c.told_at,
            revisions.c.status,
            revisions.c.severity,
            revisions.c.value,
        ).where(revisions.c.alert_id.in_(piece))
        for row in connection.execute(chosen):
            told.setdefault(row.alert_id, []).append(row)
        standings |= _standings_of(connection, told)
    return standings


def _standings_of(connection: Connection, told: Mapping[str, Sequence[Any]]) -> dict[str, Standing]:
    """Return how alerts stand whose revisions were read, as many as a statement takes."""
    done: dict[str, list[Action]] = {}
    for row in connection.execute(select(actions).where(actions.c.alert_id.in_(told))):
        done.setdefault(row.alert_id, []).append(stored_action(row))
    return {
        alert_id: standing_of(
            [
                Revision(row.revision, row.told_at, row.status, row.severity, row.value)
                for row in its
            ],
            done.get(alert_id, ()),
        )
        for alert_id, its in told.items()
    }


def _standing_values(standing: Standing) -> dict[str, Any]:
    return {**standing._asdict(), "state": standing.state.value}


def _action_row(action: Action) -> dict[str, Any]:
    return {
        "action_id": action.action_id,
        "alert_id": action.alert_id,
        "action": action.does.value,
        "by": action.by,
        "at": action.at,
        "revision": action.revision,
        "detail": _json(action.detail),
    }


def stored_action(row: Any) -> Action:  # noqa: ANN401 - a row of the table
    """Return the action that a row of `actions` has."""
    detail = msgspec.json.decode(row.detail)
    return Action(row.alert_id, Does(row.action), row.by, row.at, row.revision, detail)


# -- which systemic alert explains an alert --------------------------------------------------------


def _systemic_records(connection: Connection) -> list[Fields]:
    of_kind = alerts.c.kind == Kind.SYSTEMIC.value
    rows = connection.execute(select(alerts.c.record).where(of_kind)).all()
    return [msgspec.json.decode(row.record) for row in rows]


def _days_of(incident: Fields | None) -> set[str]:
    return set() if incident is None else {*incident["evidence"]["days"]}


def _incident_of(record: Fields, incidents: Mapping[str, Fields]) -> str | None:
    """Return the id of the first systemic alert that explains an alert of a limit."""
    if record["kind"] not in _LIMIT_KINDS or record["status"] == Status.WITHDRAWN.value:
        return None
    for incident_id in sorted(incidents):
        incident = incidents[incident_id]
        if record["business_day"] in incident["evidence"]["days"] and is_member(incident, record):
            return incident_id
    return None


def _group(
    connection: Connection, days: Iterable[str], incidents: Mapping[str, Fields]
) -> set[str]:
    """Let alerts of days say which systemic alert explains them; return those that changed."""
    changed: set[str] = set()
    for day in sorted(days):
        rows = connection.execute(
            select(alerts.c.alert_id, alerts.c.incident_id, alerts.c.record).where(
                alerts.c.business_day == day, alerts.c.kind.in_(_LIMIT_KINDS)
            )
        ).all()
        for row in rows:
            record = msgspec.json.decode(row.record)
            incident_id = _incident_of(record, incidents)
            if incident_id != row.incident_id:
                changed.add(row.alert_id)
                connection.execute(
                    update(alerts)
                    .where(alerts.c.alert_id == row.alert_id)
                    .values(incident_id=incident_id, priority=priority_of(record, incident_id))
                )
    return changed


# -- rejections and account-days -------------------------------------------------------------------


def _take_rejections(connection: Connection, read: Sequence[Read]) -> None:
    if not read:
        return
    insert_new(
        connection,
        rejections,
        [
            {
                "topic": item.topic,
                "partition": item.partition,
                "offset": item.offset,
                "told_at": item.told_at,
                "reason": item.value["reason"],
                "record": _json(item.value),
            }
            for item in read
        ],
    )
    counts = Counter((item.told_at - item.told_at % HOUR, item.value["reason"]) for item in read)
    statement = insert_into(connection, rejection_counts)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["hour", "reason"],
            set_={"rejected": rejection_counts.c.rejected + statement.excluded.rejected},
        ),
        [
            {"hour": hour, "reason": reason, "rejected": number}
            for (hour, reason), number in sorted(counts.items())
        ],
    )
    for reason in {item.value["reason"] for item in read}:
        of_reason = rejections.c.reason == reason
        oldest = connection.execute(
            select(rejections.c.told_at)
            .where(of_reason)
            .order_by(rejections.c.told_at.desc())
            .offset(SAMPLES_MAX - 1)
            .limit(1)
        ).scalar()
        if oldest is not None:
            connection.execute(delete(rejections).where(of_reason, rejections.c.told_at < oldest))


def _take_account_days(connection: Connection, read: Sequence[Read]) -> None:
    """Keep the last record of each account-day: a later one replaces it."""
    last = {(item.value["account_id"], item.value["business_day"]): item.value for item in read}
    upsert(
        connection,
        account_days,
        [
            {
                "account_id": account_id,
                "business_day": day,
                "segment": record.get("segment"),
                "record": _json(record),
            }
            for (account_id, day), record in sorted(last.items())
        ],
    )


# -- policies, and proposals of other limits -------------------------------------------------------


def _take_policies(connection: Connection, read: Sequence[Read]) -> None:
    rows = [{"offset": item.offset, "told_at": item.told_at, "text": item.value} for item in read]
    insert_new(connection, policies, rows)


def take_steps(connection: Connection, steps: Sequence[ProposalStep]) -> None:
    """Add what people did with proposals; one that is there already is left as it is."""
    rows = [
        {
            "step_id": step.step_id,
            "proposal_id": step.proposal_id,
            "step": step.step.value,
            "by": step.by,
            "at": step.at,
            "detail": _json(step.detail),
        }
        for step in steps
    ]
    insert_new(connection, proposal_steps, rows)


__all__ = [
    "Intake",
    "Read",
    "RecordSort",
    "State",
    "priority_of",
    "stored_action",
    "take_actions",
    "take_steps",
]
