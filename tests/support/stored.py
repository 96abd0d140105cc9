"""Records of alerts as topics have them, made at random, for tests of the store."""

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

from monitor.core.business_day import MICROSECONDS, day_of_text, day_text
from monitor.store.intake import Intake, Read, RecordSort
from monitor.store.schema import OF_TOPICS
from monitor.store.standing import Action, Does
from monitor.store.store import Store
from tests.support.incidents import account_alert, incident, of_limit

MONDAY = day_of_text("2026-01-05")
NOW = 1_767_900_000 * MICROSECONDS
ALERTS, ACTIONS = "t.alerts.v1", "t.cases.v1"


def sqlite_store(folder: Path, database: bytes | None = None) -> Store:
    """Return a store in a folder: a copy of a database, or of an empty one that was made once."""
    path = folder / "weir.db"
    path.write_bytes(_new_database() if database is None else database)
    return Store.open(f"sqlite:///{path}")


@cache
def _new_database() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weir.db"
        Store.open(f"sqlite:///{path}").close()
        return path.read_bytes()


def read_alert(offset: int, record: dict[str, Any], partition: int = 0) -> Read:
    """Return an alert as the archive reads it, a second later than the one before."""
    return Read(RecordSort.ALERT, ALERTS, partition, offset, NOW + offset * MICROSECONDS, record)


def read_action(offset: int, action: Action) -> Read:
    """Return an action as the archive reads it."""
    return Read(RecordSort.ACTION, ACTIONS, 0, offset, action.at, action)


def made_records(seed: int, count: int = 60) -> list[Read]:
    """Return alerts with revisions, incidents that explain some, and actions, as they come."""
    rng = random.Random(seed)  # noqa: S311 - made data
    revisions: dict[str, int] = {}
    read: list[Read] = []
    offsets = {ALERTS: 0, ACTIONS: 0}
    for _ in range(count):
        if rng.random() < 0.25 and revisions:
            alert_id = rng.choice([*revisions, "not-there-yet"])
            read.append(read_action(offsets[ACTIONS], made_action(rng, alert_id, len(read))))
            offsets[ACTIONS] += 1
            continue
        is_incident = rng.random() < 0.2
        alert_id = f"incident-{rng.randrange(4)}" if is_incident else _made_id(rng)
        revision = max(1, revisions.get(alert_id, 0) + rng.choice([1, 1, 1, 0]))
        revisions[alert_id] = revision
        record = made_record(alert_id, revision)
        read.append(read_alert(offsets[ALERTS], record))
        offsets[ALERTS] += 1
    return read


def made_action(rng: random.Random, alert_id: str, seconds: int) -> Action:
    """Return something that a person does with an alert."""
    does = rng.choice(list(Does))
    later = "2026-03-01T00:00:00+00:00"
    details: dict[Does, dict[str, Any]] = {
        Does.DISPOSE: {"disposition": "false-alarm", "note": None},
        Does.PROPOSE: {"disposition": "suspicious", "note": "look"},
        Does.DECLINE: {"note": None},
        Does.REOPEN: {"note": "again"},
        Does.ASSIGN: {"assignee": rng.choice(["Ann", "Bob"])},
        Does.SNOOZE: {"until": later, "note": None},
        Does.COMMENT: {"note": "seen"},
    }
    revision = rng.choice([None, 1, 2])
    at = NOW + seconds * MICROSECONDS
    return Action(alert_id, does, rng.choice(["Ann", "Bob"]), at, revision, details.get(does, {}))


def _made_id(rng: random.Random) -> str:
    kind = rng.choice(["daily-amount", "daily-amount", "daily-count", "outlier", "review"])
    return f"{kind}/A{rng.randrange(6)}/{MONDAY + rng.randrange(3)}"


def made_record(alert_id: str, revision: int) -> dict[str, Any]:
    """Return what a revision of an alert says: always the same."""
    rng = random.Random(f"{alert_id} {revision}")  # noqa: S311 - made data
    said: dict[str, Any] = {
        "alert_id": alert_id,
        "revision": revision,
        "status": "raised" if revision == 1 else rng.choice(["restated", "withdrawn"]),
        "severity": rng.choice(["low", "high", "critical"]),
        "value": f"{rng.randrange(4)}.00",
    }
    if alert_id.startswith("incident"):
        days = [MONDAY + rng.randrange(3)]
        made = incident(alert_id, days)
        if alert_id[-1] in "02":
            made = of_limit(alert_id, days, "daily-amount", "retail")
        day = day_text(days[0])
        return {**made, "kind": "systemic", "account_id": None, "business_day": day, **said}
    kind, account, number = alert_id.split("/")
    institution = rng.choice(["I1", "I2", None])
    record = account_alert(
        origin=(institution, "B1", "web", None) if institution else None,
        kind=kind, account_id=account, business_day=day_text(int(number)), threshold_id=kind,
    )  # fmt: skip
    if rng.random() < 0.2:
        said["suppressed"] = {"until": day_text(int(number)), "reason": "agreed"}
    return {**record, **said}


def contents(store: Store) -> dict[str, list[Any]]:
    """Return all that a store holds of the topics, in order; not its own order of changes."""
    with store.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(
                select(*(column for column in table.c if column.name != "change"))
                .order_by(*table.primary_key))]
            for table in OF_TOPICS
        }  # fmt: skip


def filled(store: Store, records: list[Read], *, at_a_time: int = 1000) -> dict[str, list[Any]]:
    """Take records into a store, so many at a time, and return what it holds then."""
    intake = Intake(store)
    for begin in range(0, len(records), at_a_time):
        intake.take(records[begin : begin + at_a_time])
    return contents(store)
