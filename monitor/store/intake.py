"""Takes what the topics hold into the store: every record once, whatever comes twice.

A batch and how far it goes are one transaction of the database. After a crash the topics are read
on from there, so nothing is taken twice and nothing is left out.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, select, update

from monitor.core.alert import LIMIT_KINDS, SUPPRESSED, Kind, Status
from monitor.review.membership import is_member
from monitor.store.figures.completeness import take_completeness
from monitor.store.figures.standings import CountedStanding, counted_among, counted_by, move
from monitor.store.groups import GroupMember, last_day_of, place_changes, write_places
from monitor.store.keeping.erased import Erased, erased_of, replaced
from monitor.store.programs.webhooks import ToldAlert, enqueue
from monitor.store.records import (
    Read,
    RecordSort,
    json_of,
    take_account_days,
    take_policies,
    take_rejections,
    take_segment_days,
    take_steps,
    take_task_steps,
)
from monitor.store.schema import (
    IS_SYSTEMIC,
    OF_TOPICS,
    actions,
    alerts,
    progress,
    revisions,
)
from monitor.store.sealing import hold_days, sweep
from monitor.store.standing import Action, Does, Revision, Standing, State, standing_of
from monitor.store.store import (
    Store,
    in_pieces,
    insert_new,
    is_among,
    take_turns,
    upsert,
    write_many,
)

_LOCK: Final = 7353716
"""Whoever lets alerts stand otherwise has it: groups follow from several alerts."""


Fields = Mapping[str, Any]


class Intake:
    """Writes records into a store. One at a time of a store: the archive's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._incidents: _Incidents | None = None  # None: to be read
        self._erased = frozenset[str]()  # as the incidents were read

    def positions(self) -> dict[tuple[str, int], int]:
        """Return how far each partition was taken: the offset that is next."""
        with self._store.reading() as connection:
            return _positions(connection)

    def forget(self) -> None:
        """Empty what follows from the topics, so that it is made again from their beginnings."""
        self._incidents = None
        with self._store.begin() as connection:
            for table in OF_TOPICS:
                connection.execute(delete(table))
        sweep(self._store)

    def take(self, records: Sequence[Read]) -> list[str]:
        """Take records in, and keep how far they go; return the ids of alerts that changed.

        Those that were taken before are passed over.
        """
        try:
            with self._store.begin() as connection:
                changed = sorted(self._take(connection, records))
        except BaseException:
            self._incidents = None  # it may have some that were undone
            raise
        self._store.shorten_log()
        return changed

    def _take(self, connection: Connection, records: Sequence[Read]) -> set[str]:
        hold_alerts(connection)
        if any(read.sort is RecordSort.ACCOUNT_DAY for read in records):
            hold_days(connection)  # whoever seals their day would take away what it did not read
        known = _positions(connection)
        new = [
            read for read in records if read.offset >= known.get((read.topic, read.partition), 0)
        ]
        erased = erased_of(connection)
        if erased is not None and erased.accounts != self._erased:
            self._erased, self._incidents = erased.accounts, None
        by_sort: dict[RecordSort, list[Read]] = {sort: [] for sort in RecordSort}
        for read in new if erased is None else erased.without(connection, new):
            by_sort[read.sort].append(read)
        changed = self._take_alerts(connection, by_sort[RecordSort.ALERT])
        done = [read.value for read in by_sort[RecordSort.ACTION]]
        changed |= _take_actions(connection, done, erased)
        rejected = by_sort[RecordSort.REJECTION]
        sampled = [read for read in rejected if erased is None or not erased.holds(read.value)]
        take_rejections(connection, rejected, sampled)
        take_account_days(connection, by_sort[RecordSort.ACCOUNT_DAY])
        take_segment_days(connection, by_sort[RecordSort.SEGMENT_DAY])
        take_completeness(connection, by_sort[RecordSort.COMPLETENESS])
        take_policies(connection, by_sort[RecordSort.POLICY])
        take_steps(connection, [read.value for read in by_sort[RecordSort.PROPOSAL_STEP]])
        take_task_steps(connection, [read.value for read in by_sort[RecordSort.TASK_STEP]])
        _keep_positions(connection, new)
        return changed

    def _take_alerts(self, connection: Connection, read: Sequence[Read]) -> set[str]:
        if not read:
            return set()
        if self._incidents is None:
            self._incidents = _Incidents(_systemic_records(connection))
        incidents, days = self._incidents, set[str]()
        for item in read:
            if item.value["kind"] == Kind.SYSTEMIC.value:
                days |= incidents.take(item.value)
        ids = sorted({item.value["alert_id"] for item in read})
        _restate(connection, read, incidents)
        return {*ids, *_group(connection, days, incidents)}


def hold_alerts(connection: Connection) -> None:
    """Let nobody else change alerts until the end of this transaction."""
    take_turns(connection, _LOCK)


def take_actions(connection: Connection, done: Sequence[Action]) -> set[str]:
    """Add actions, and let their alerts stand as they say; return the ids of these alerts.

    An action of an alert that is not there yet is kept, and counts once the alert comes.
    """
    if not done:
        return set()
    hold_alerts(connection)
    return _take_actions(connection, done, erased_of(connection))


def _take_actions(
    connection: Connection, done: Sequence[Action], erased: Erased | None
) -> set[str]:
    insert_new(connection, actions, [_action_row(action, erased) for action in done])
    ids = sorted({action.alert_id for action in done})
    for piece in in_pieces(ids):
        standings = _standings_of(connection, _told(connection, piece))
        chosen = _STOOD.where(is_among(connection, alerts.c.alert_id, piece))
        stood = connection.execute(chosen).all()
        members = {
            row.alert_id: GroupMember(*row[: len(GroupMember._fields)])._replace(
                state=standings[row.alert_id].state.value
            )
            for row in stood
        }
        values = {name: _standing_values(standings[name]) for name in members}
        accounts = {member.account_id for member in members.values()}
        places = place_changes(connection, accounts, members)
        if members:
            write_many(
                connection,
                _STANDING,
                [
                    {
                        "of_alert": name,
                        **values[name],
                        **places[name]._asdict(),
                    }
                    for name in members
                ],
            )
            before = Counter(counted_by(row.state, row.assignee, row.is_back) for row in stood)
            move(connection, before, _counted(values.values()))
        write_places(connection, {name: its for name, its in places.items() if name not in members})
    return set(ids)


_MEMBERS: Final = select(*(alerts.c[name] for name in GroupMember._fields))
_STOOD: Final = _MEMBERS.add_columns(alerts.c.assignee, alerts.c.is_back)
_STANDING: Final = (
    update(alerts)
    .where(alerts.c.alert_id == bindparam("of_alert"))
    .values({name: bindparam(name) for name in (*Standing._fields, "group_id", "place")})
)


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
        "record": json_of(record),
        "is_suppressed": SUPPRESSED in record,
    }


def _value_of(record: Fields) -> str | None:
    value = record.get("value")
    return None if value is None else str(value)


def _restate(connection: Connection, read: Sequence[Read], incidents: "_Incidents") -> None:
    """Take revisions of alerts, and write these as their last ones and people's actions say.

    The first record of a revision holds.
    """
    told = _told(connection, sorted({item.value["alert_id"] for item in read}))
    before = {*told}
    known = {(name, its.number) for name, revisions_of in told.items() for its in revisions_of}
    new: dict[tuple[str, int], Read] = {}
    for item in read:
        key = item.value["alert_id"], item.value["revision"]
        if key not in known:
            new.setdefault(key, item)
    rows = [_revision_row(item) for item in new.values()]
    insert_new(connection, revisions, rows)
    enqueue(connection, [ToldAlert(item.told_at, item.value) for item in new.values()])
    for row in rows:
        told.setdefault(row["alert_id"], []).append(
            Revision(
                row["revision"],
                row["told_at"],
                row["status"],
                row["severity"],
                row["value"],
                row["is_suppressed"],
            )
        )
    records = _last_records(connection, told, list(new.values()))
    standings = _standings_of(connection, {name: told[name] for name in records})
    alert_rows = {
        name: _alert_row(record, told[name], standings[name], incidents)
        for name, record in sorted(records.items())
    }
    members = {
        name: GroupMember(*(row[field] for field in GroupMember._fields[:-1]))
        for name, row in alert_rows.items()
    }
    accounts = {member.account_id for member in members.values()}
    places = place_changes(connection, accounts, members, alert_rows.keys() - before)
    stood = counted_among(connection, sorted(alert_rows.keys() & before))
    move(connection, stood, _counted(alert_rows.values()))
    upsert(
        connection,
        alerts,
        [
            {**row, **places[row["alert_id"]]._asdict(), "change": number}
            for number, row in enumerate(
                sorted(alert_rows.values(), key=itemgetter("told_at")),
                latest_change(connection) + 1,
            )
        ],
    )
    write_places(connection, {name: its for name, its in places.items() if name not in members})


def latest_change(connection: Connection) -> int:
    """Return the number of the latest report that the store took; 0 if it has none."""
    return connection.execute(select(func.max(alerts.c.change))).scalar() or 0


def _last_records(
    connection: Connection, told: Mapping[str, Sequence[Revision]], new: Sequence[Read]
) -> dict[str, Fields]:
    """Return the last record of each alert that has a new revision."""
    last = {item.value["alert_id"]: max(told[item.value["alert_id"]]).number for item in new}
    records = {
        item.value["alert_id"]: item.value
        for item in new
        if item.value["revision"] == last[item.value["alert_id"]]
    }
    late = sorted(last.keys() - records.keys())
    if late:
        chosen = select(alerts.c.alert_id, alerts.c.record).where(
            is_among(connection, alerts.c.alert_id, late)
        )
        for row in connection.execute(chosen).all():
            records[row.alert_id] = msgspec.json.decode(row.record)
    return records


def _alert_row(
    record: Fields, told: Sequence[Revision], standing: Standing, incidents: "_Incidents"
) -> dict[str, Any]:
    incident_id = incidents.of_alert(record)
    last = max(told)
    return {
        "alert_id": record["alert_id"],
        "revision": last.number,
        "kind": record["kind"],
        "status": last.status,
        "severity": last.severity,
        "account_id": record.get("account_id"),
        "business_day": record["business_day"],
        "last_day": last_day_of(record),
        "segment": record.get("segment"),
        "threshold_id": record.get("threshold_id"),
        "value": last.value,
        "currency": record.get("currency"),
        "priority": priority_of(record, incident_id),
        "incident_id": incident_id,
        "raised_at": min(told).told_at,
        "told_at": last.told_at,
        "record": json_of(record),
        **_standing_values(standing),
    }


def _told(connection: Connection, ids: Sequence[str]) -> dict[str, list[Revision]]:
    """Return what was reported of alerts, as many as a statement takes."""
    told: dict[str, list[Revision]] = {}
    chosen = select(
        revisions.c.alert_id,
        revisions.c.revision,
        revisions.c.told_at,
        revisions.c.status,
        revisions.c.severity,
        revisions.c.value,
        revisions.c.is_suppressed,
    ).where(is_among(connection, revisions.c.alert_id, ids))
    for alert_id, *its in connection.execute(chosen).all():
        told.setdefault(alert_id, []).append(Revision(*its))
    return told


def _standings_of(
    connection: Connection, told: Mapping[str, Sequence[Revision]]
) -> dict[str, Standing]:
    """Return how alerts stand, as many as a statement takes, of what was reported of them."""
    done: dict[str, list[Action]] = {}
    for row in connection.execute(
        select(actions).where(is_among(connection, actions.c.alert_id, sorted(told)))
    ).all():
        done.setdefault(row.alert_id, []).append(stored_action(row))
    return {name: standing_of(its, done.get(name, ())) for name, its in told.items()}


def _counted(rows: Iterable[Fields]) -> Counter[CountedStanding]:
    """Return how many of some alerts stand in each way, by the values of their columns."""
    return Counter(counted_by(row["state"], row["assignee"], row["is_back"]) for row in rows)


def _standing_values(standing: Standing) -> dict[str, Any]:
    return {**standing._asdict(), "state": standing.state.value}


def _action_row(action: Action, erased: Erased | None) -> dict[str, Any]:
    """Return a row; its id is that of the action as it was done, so that it is taken once."""
    detail = action.detail if erased is None else replaced(action.detail, erased.replacement)
    return {
        "action_id": action.action_id,
        "alert_id": action.alert_id,
        "action": action.does.value,
        "by": action.by,
        "at": action.at,
        "revision": action.revision,
        "detail": json_of(detail),
    }


def stored_action(row: Any) -> Action:  # noqa: ANN401 - a row of the table
    """Return the action that a row of `actions` has."""
    detail = msgspec.json.decode(row.detail)
    return Action(row.alert_id, Does(row.action), row.by, row.at, row.revision, detail)


# -- which systemic alert explains an alert --------------------------------------------------------


def _systemic_records(connection: Connection) -> list[Fields]:
    rows = connection.execute(select(alerts.c.record).where(IS_SYSTEMIC)).all()
    return [msgspec.json.decode(row.record) for row in rows]


class _Incidents:
    """The systemic alerts of a store, by the days that they explain."""

    def __init__(self, records: Iterable[Fields]) -> None:
        self._by_id: dict[str, Fields] = {}
        self._by_day: dict[str, set[str]] = {}
        for record in records:
            self.take(record)

    def take(self, record: Fields) -> set[str]:
        """Take a revision; return the days of it, and of the one that it replaces."""
        alert_id, days = record["alert_id"], {*record["evidence"]["days"]}
        before = self._by_id.get(alert_id)
        if before is not None:
            days |= {*before["evidence"]["days"]}
        if before is None or before["revision"] <= record["revision"]:
            self._by_id[alert_id] = record
            for day in days:
                self._by_day.setdefault(day, set()).discard(alert_id)
            for day in record["evidence"]["days"]:
                self._by_day.setdefault(day, set()).add(alert_id)
        return days

    def of_alert(self, record: Fields) -> str | None:
        """Return the id of the first systemic alert that explains an alert of a limit."""
        if record["kind"] not in LIMIT_KINDS or record["status"] == Status.WITHDRAWN.value:
            return None
        for incident_id in sorted(self._by_day.get(record["business_day"], ())):
            if is_member(self._by_id[incident_id], record):
                return incident_id
        return None


def _group(connection: Connection, days: Iterable[str], incidents: _Incidents) -> set[str]:
    """Let alerts of days say which systemic alert explains them; return those that changed."""
    changed: dict[str, GroupMember] = {}
    rows: list[dict[str, Any]] = []
    for day in sorted(days):
        found = connection.execute(
            select(*_MEMBERS.selected_columns, alerts.c.incident_id, alerts.c.record).where(
                alerts.c.business_day == day, alerts.c.kind.in_(LIMIT_KINDS)
            )
        )
        for row in found:
            record = msgspec.json.decode(row.record)
            incident_id = incidents.of_alert(record)
            if incident_id != row.incident_id:
                priority = priority_of(record, incident_id)
                rows.append(
                    {"of_alert": row.alert_id, "incident_id": incident_id, "priority": priority}
                )
                its = GroupMember(*(getattr(row, name) for name in GroupMember._fields))
                changed[row.alert_id] = its._replace(priority=priority)
    if rows:
        write_many(connection, _EXPLAINED, rows)
        accounts = {member.account_id for member in changed.values()}
        write_places(connection, place_changes(connection, accounts, changed))
    return {*changed}


_EXPLAINED: Final = (
    update(alerts)
    .where(alerts.c.alert_id == bindparam("of_alert"))
    .values(incident_id=bindparam("incident_id"), priority=bindparam("priority"))
)


__all__ = [
    "Intake",
    "Read",
    "RecordSort",
    "State",
    "hold_alerts",
    "latest_change",
    "priority_of",
    "stored_action",
    "take_actions",
    "take_steps",
]
