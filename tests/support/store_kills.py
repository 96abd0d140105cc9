"""Kills archive, console and database while people work alerts, and counts again what is left.

    python -m tests.support.store_kills --kills 20 --runs 3 [--postgres]

What the store must hold is counted here from the topics' records alone, by plain code that shares
nothing with the intake.
"""

import argparse
import asyncio
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TextIO

from kafka import KafkaProducer
from sqlalchemy import func, select

from monitor.core.business_day import event_time_text
from monitor.policy.document import policy_of_bytes
from monitor.store import schema
from monitor.store.days import LAST, rows_between
from monitor.store.people import Role, add_user, login, person_of
from monitor.store.store import Store
from streams.lab.broker import EmbeddedBroker, free_port
from streams.lab.rig import WorkerProcess, taken_in
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.topics.policies import set_policy
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.rigs import QUICK, Broker, command, own_rig, records_of, until
from tests.support.transactions import MONDAY, POLICY

PEOPLE: Final = {"Ann": Role.APPROVER, "Bob": Role.ANALYST, "Cem": Role.ANALYST}
PASSWORD: Final = "a password of the tests, long enough"  # noqa: S105 - of made people
BEFORE_KILL_SECONDS: Final = (0.2, 4.0)
ACCOUNTS: Final = 40
RECORDS_A_TURN: Final = 20
WAIT_SECONDS: Final = 240.0

Row = tuple[Any, ...]


class Outcome(NamedTuple):
    """What a run did, and what it found: `found` has each difference in words."""

    kills: Counter[str]
    answered: Counter[str]
    refused: int
    unanswered: int
    alerts: int
    actions: int
    found: list[str]

    def fields(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            **self._asdict(),
            "kills": dict(sorted(self.kills.items())),
            "answered": dict(sorted(self.answered.items())),
        }


class _Stream(threading.Thread):
    """Sends transactions that breach limits, and some that are rejected, until it is stopped."""

    def __init__(self, settings: Settings, seed: int) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._random = random.Random(seed)  # noqa: S311 - made data
        self.is_over = threading.Event()
        self.sent = 0

    def run(self) -> None:
        producer = KafkaProducer(bootstrap_servers=self._settings.broker.split(","), acks="all")
        topic, hours = Topics.of(self._settings).transactions, 0.0
        while not self.is_over.wait(0.25):
            hours += 2.0
            for _ in range(RECORDS_A_TURN):
                record = self._record(MONDAY + timedelta(hours=hours))
                account = record["account_id"]
                partition = int(account[1:]) % self._settings.partitions
                value = json.dumps(record).encode()
                producer.send(topic, value, account.encode(), partition=partition).get(30)
                self.sent += 1
        producer.close()

    def _record(self, at: datetime) -> dict[str, Any]:
        is_bad = self._random.random() < 0.03
        return {
            "transaction_id": f"t{self.sent}",
            "account_id": f"A{self._random.randrange(ACCOUNTS)}",
            "booked_at": at.isoformat(),
            "amount": "much" if is_bad else f"{self._random.randrange(100, 700)}.00",
            "currency": "EUR",
            "direction": "debit",
        }


class _Worker(threading.Thread):
    """A person who acts through the API, and keeps what was answered with success."""

    def __init__(self, name: str, session: tuple[str, str], port: int, seed: str) -> None:
        super().__init__(daemon=True, name=name)
        self._random = random.Random(seed)  # noqa: S311 - made data
        token, csrf = session
        self._headers = {
            "Cookie": f"weir={token}",
            "x-csrf-token": csrf,
            "Content-Type": "application/json",
        }
        self._port = port
        self.is_over = threading.Event()
        self.answered: list[dict[str, Any]] = []
        self.refused: list[tuple[int, str]] = []
        self.unanswered = 0
        self._number = 0

    def run(self) -> None:
        while not self.is_over.wait(self._random.uniform(0.02, 0.2)):
            try:
                self._act()
            except (OSError, http.client.HTTPException):
                self.unanswered += 1
                self.is_over.wait(0.2)

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, self._headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status // 100 != 2:
                return answer.status, text
            return answer.status, json.loads(text)
        finally:
            connection.close()

    def _act(self) -> None:
        self._number += 1
        note = f"{self.name}-{self._number}"
        if self._random.random() < 0.05:
            above = f"{self._random.randrange(501, 10**6)}.00"
            asked = {"above": above, "note": note}
            self._keep(*self._ask("POST", "/api/v1/limits/daily-amount/proposals", asked), note)
            return
        status, found = self._ask("GET", "/api/v1/alerts?status=open&limit=50")
        if status != http.client.OK:
            self.refused.append((status, str(found)[:200]))
            return
        if not found["items"]:
            return
        alert_id = self._random.choice(found["items"])["alert_id"]
        does = self._random.choice(["dispose", "assign", "comment", "comment"])
        more = {
            "dispose": {"disposition": "false-alarm", "note": note},
            "assign": {"assignee": self._random.choice([*PEOPLE])},
            "comment": {"note": note},
        }[does]
        self._keep(
            *self._ask("POST", f"/api/v1/alerts/{alert_id}/actions", {"action": does, **more}), note
        )

    def _keep(self, status: int, answer: Any, note: str) -> None:  # noqa: ANN401 - JSON
        if status // 100 != 2:
            self.refused.append((status, str(answer)[:200]))
        elif "actions" in answer:
            mine = [action for action in answer["actions"] if action["by"] == self.name]
            self.answered.append(max(mine, key=lambda action: str(action["at"])))
        else:
            self.answered.append({"action": "propose-limit", "by": self.name, "note": note})


class Kills:
    """A broker's monitor with archive, console and people, of which processes are killed."""

    def __init__(self, settings: Settings, seed: int, server: PostgresServer | None) -> None:
        self._settings = settings
        self._server = server
        self._random = random.Random(seed)  # noqa: S311 - when to kill is no secret
        self._port = free_port()
        self._store = Store.open(settings.store)
        self._running: dict[str, WorkerProcess] = {}
        self._seed = seed
        self.kills: Counter[str] = Counter()
        self.ended: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.close()
        self._store.close()

    def run(self, kills: int, say: Callable[[str], None] = lambda _: None) -> Outcome:
        """Let people act while processes are killed so many times; then count all again."""
        people = self._people()
        worker = WorkerProcess(replace(self._settings, metrics_port=free_port()))
        self._running["worker"] = worker
        self._start("archive")
        self._start("console")
        stream = _Stream(self._settings, self._seed)
        stream.start()
        until(lambda: taken_in(worker.samples()) > 0, "the worker decides", worker, WAIT_SECONDS)
        for person in people:
            person.start()
        until(
            lambda: any(person.answered for person in people),
            "people act",
            self._running["console"],
            WAIT_SECONDS,
        )
        for number in range(kills):
            before = self._answered(people)
            self._kill(number)
            self._until_answered(people, before)
            done = self._answered(people)
            say(f"kill {number + 1}: {dict(self.kills)}, {done} actions answered")
        for person in people:
            person.is_over.set()
        stream.is_over.set()
        for thread in (*people, stream):
            thread.join()
        until(
            lambda: taken_in(worker.samples()) >= stream.sent,
            "all is decided",
            worker,
            WAIT_SECONDS,
        )
        worker.terminate()
        self._see_alive()
        until(self._is_all_sent, "the console publishes what waits", None, WAIT_SECONDS)
        for name in ("archive", "console"):
            self._running[name].kill()
        return self._outcome(people)

    def _until_answered(self, people: list[_Worker], before: int) -> None:
        until(lambda: self._answered(people) > before, "people act again", None, WAIT_SECONDS)

    def _answered(self, people: list[_Worker]) -> int:
        """Return how many actions were answered; nobody that was not killed may have ended."""
        self._see_alive()
        return sum(len(person.answered) for person in people)

    def _people(self) -> list[_Worker]:
        now = time.time_ns() // 1000
        workers = []
        for name, role in PEOPLE.items():
            add_user(self._store, name, role, PASSWORD, now)
            token = login(self._store, name, PASSWORD, "127.0.0.1", now)
            person = person_of(self._store, token, now)
            assert person is not None
            session = token, person.csrf
            workers.append(_Worker(name, session, self._port, f"{self._seed} {name}"))
        return workers

    def _start(self, name: str) -> None:
        words = ("--port", str(self._port), "--no-browser") if name == "console" else ()
        before = self._running.get(name)
        if before is not None:
            before.close()
        quiet = replace(self._settings, metrics_port=0)  # archive and console could not share one
        self._running[name] = WorkerProcess(quiet, ("streams.cli", name, *words))

    def _kill(self, number: int) -> None:
        names = ["archive", "console"] + (["database"] if self._server else [])
        name = names[number % len(names)]
        time.sleep(self._random.uniform(*BEFORE_KILL_SECONDS))
        if name == "database":
            assert self._server is not None
            self._server.kill()
            time.sleep(self._random.uniform(0, 1))
            self._server.start()
        else:
            self._running[name].kill()
            self._see_alive()
        self.kills[name] += 1

    def _see_alive(self) -> None:
        """Start what has ended; that nobody killed must not have ended, and is kept as found."""
        for name in ("archive", "console"):
            process = self._running[name]
            if not process.is_running():
                said = process.last_words()
                # One that finds no database at its start says so, and ends: it is started again.
                is_without = self._server is not None and "cannot be reached" in said
                if process.exit_status() != -9 and not is_without:
                    self.ended.append(f"{name} ended by itself: {said}")
                self._start(name)

    def _is_all_sent(self) -> bool:
        with self._store.reading() as connection:
            waiting = select(func.count()).where(schema.outbox.c.sent_at.is_(None))
            return connection.execute(waiting).scalar_one() == 0

    def _outcome(self, people: list[_Worker]) -> Outcome:
        variables = self._settings.variables()
        archived = command("archive", "--until-end", **variables)
        assert archived.returncode == 0, archived.stderr
        topics = read_topics(self._settings)
        found = [*self.ended, *differences(self._store, topics)]
        answered = [action for person in people for action in person.answered]
        found += lost(self._store, topics, answered)
        verified = json.loads(command("verify", "--json", **variables).stdout)
        if verified["broken"] is not None:
            found.append(f"the audit is broken: {verified}")
        refused = [refusal for person in people for refusal in person.refused]
        return Outcome(
            self.kills,
            Counter(str(action["action"]) for action in answered),
            len(refused),
            sum(person.unanswered for person in people),
            len({record["alert_id"] for record, _ in topics["alerts"]}),
            len(_actions_of(topics)),
            found,
        )


# -- the recount -----------------------------------------------------------------------------------


def read_topics(settings: Settings) -> dict[str, list[tuple[Any, Any]]]:
    """Return the records of each topic that the archive reads: what they say, and themselves."""
    topics = Topics.of(settings)
    of_partitions = ("alerts", "rejections", "account_days", "completeness")
    read: dict[str, list[tuple[Any, Any]]] = {}
    for name in (*of_partitions, "dispositions", "cases", "policy"):
        partitions = settings.partitions if name in of_partitions else 1
        of_topic = records_of(replace(settings, partitions=partitions), getattr(topics, name))
        read[name] = [
            (record.value if name == "policy" else json.loads(record.value), record)
            for record in of_topic
        ]
    return read


def _actions_of(topics: dict[str, list[tuple[Any, Any]]]) -> set[Row]:
    """Return each action once: who did what with which alert, when, and with which note."""
    said = [{**record, "action": "dispose"} for record, _ in topics["dispositions"]]
    said += [record for record, _ in topics["cases"] if "proposal_id" not in record]
    return {_action_key(record) for record in said}


def _action_key(record: dict[str, Any]) -> Row:
    names = ("alert_id", "action", "by", "at", "revision", "note", "disposition", "assignee")
    return tuple(str(record.get(name)) for name in names)


def differences(store: Store, topics: dict[str, list[tuple[Any, Any]]]) -> list[str]:
    """Return in words where a store holds another thing than the topics."""
    expected: dict[str, Counter[Row]] = {}
    revisions = {(record["alert_id"], record["revision"]): record for record, _ in topics["alerts"]}
    latest: dict[str, int] = {}
    for alert_id, revision in revisions:
        latest[alert_id] = max(revision, latest.get(alert_id, 0))
    expected["revisions"] = Counter((*key, _text(said)) for key, said in revisions.items())
    expected["alerts"] = Counter((*key, _text(revisions[key])) for key in latest.items())
    expected["actions"] = Counter(_actions_of(topics))
    expected["proposals"] = Counter(
        {
            (record["proposal_id"], record["action"], record["by"], str(record["at"])): 1
            for record, _ in topics["cases"]
            if "proposal_id" in record
        }
    )
    days = {
        (record["account_id"], record["business_day"]): record
        for record, _ in topics["account_days"]
    }
    expected["account-days"] = Counter((*key, _text(said)) for key, said in days.items())
    expected["rejections"] = Counter(
        (record.timestamp // 3_600_000 * 3_600_000_000, said["reason"])
        for said, record in topics["rejections"]
    )
    expected["policies"] = Counter((record.offset,) for _, record in topics["policy"])
    expected["hours"] = _hours_of(topics)
    ends: dict[tuple[str, int], int] = {}
    for of_topic in topics.values():
        for _, record in of_topic:
            place = record.topic, record.partition
            ends[place] = max(record.offset + 1, ends.get(place, 0))
    expected["positions"] = Counter((*place, end) for place, end in ends.items())
    held = _held(store)
    return [
        f"{name}: the store lacks {list((should - held[name]).items())[:3]}, and has besides"
        f" {list((held[name] - should).items())[:3]}"
        for name, should in expected.items()
        if should != held[name]
    ]


def _hours_of(topics: dict[str, list[tuple[Any, Any]]]) -> Counter[Row]:
    """Return what was counted of each hour last, by the latest term that says anything of it."""
    said = [record for record, _ in topics["completeness"] if record["kind"] == "hour"]
    said.sort(key=lambda record: (record["term"], record["next_offset"]))
    hours = {(record["partition"], record["hour"], record["offset"]): record for record in said}
    counts = ("next_offset", "term", "received", "decided", "rejected", "skipped")
    return Counter((*key, *(record[name] for name in counts)) for key, record in hours.items())


def _text(record: Any) -> str:  # noqa: ANN401 - JSON
    return json.dumps(record, sort_keys=True)


def _held(store: Store) -> dict[str, Counter[Row]]:
    held: dict[str, Counter[Row]] = {}
    with store.reading() as connection:
        for name, table in (("alerts", schema.alerts), ("revisions", schema.revisions)):
            rows = connection.execute(select(table.c.alert_id, table.c.revision, table.c.record))
            held[name] = Counter((row[0], row[1], _text(json.loads(row[2]))) for row in rows)
        rows = connection.execute(select(schema.actions))
        held["actions"] = Counter(
            _action_key({**row._asdict(), **json.loads(row.detail), "at": _time(row.at)})
            for row in rows
        )
        steps = connection.execute(select(schema.proposal_steps))
        held["proposals"] = Counter(
            (row.proposal_id, row.step, row.by, _time(row.at)) for row in steps
        )
        names = ("account_id", "business_day", "record")
        days = rows_between(connection, "", LAST, names).to_pylist()  # in the table or in files
        held["account-days"] = Counter(
            (row["account_id"], row["business_day"], _text(json.loads(row["record"])))
            for row in days
        )
        counted = connection.execute(select(schema.rejection_counts))
        held["rejections"] = Counter({(row.hour, row.reason): row.rejected for row in counted})
        offsets = connection.execute(select(schema.policies.c.offset))
        held["policies"] = Counter((row[0],) for row in offsets)
        hours = connection.execute(select(schema.counted_hours))
        held["hours"] = Counter((row[0], _time(row[1]), *row[2:]) for row in hours)
        held["positions"] = Counter(
            tuple(row) for row in connection.execute(select(schema.progress))
        )
    return held


def _time(microseconds: int) -> str:
    return event_time_text(microseconds)


def lost(
    store: Store, topics: dict[str, list[tuple[Any, Any]]], answered: list[dict[str, Any]]
) -> list[str]:
    """Return in words which actions that were answered with success are nowhere, or twice."""
    on_topics = _actions_of(topics)
    proposed = Counter(
        (record["by"], record["note"]) for record, _ in topics["cases"] if "proposal_id" in record
    )
    held = _held(store)["actions"]
    with store.reading() as connection:
        steps = connection.execute(select(schema.proposal_steps)).all()
    in_store = Counter((step.by, json.loads(step.detail)["note"]) for step in steps)
    found = []
    for action in answered:
        if action["action"] == "propose-limit":
            key = action["by"], action["note"]
            is_there = proposed[key] > 0 and in_store[key] == 1
        else:
            is_there = _action_key(action) in on_topics and held[_action_key(action)] == 1
        if not is_there:
            found.append(f"lost, though it was answered: {action}")
    return found


# -- running it ------------------------------------------------------------------------------------


@contextmanager
def own_kills(
    broker: Broker, folder: Path, seed: int, *, is_postgres: bool = False
) -> Iterator[Kills]:
    """Make the topics, the store and all that is killed; gone afterwards.

    Raises PostgresUnavailableError if PostgreSQL is wanted and there is none.
    """
    with ExitStack() as stack:
        server = None
        if is_postgres:
            place = folder / "postgres"
            place.mkdir()
            server = stack.enter_context(postgres_server(place))
        url = server.url if server else f"sqlite:///{folder / 'weir.db'}"
        settings = stack.enter_context(own_rig(broker, folder, POLICY, store=url))
        asyncio.run(set_policy(settings, policy_of_bytes(POLICY.encode())))
        yield stack.enter_context(Kills(settings, seed, server))


def _say(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()


def main() -> int:
    """Run it as often as is asked, and print each outcome; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    is_bad = False
    for number in range(asked.runs):
        with tempfile.TemporaryDirectory() as folder, EmbeddedBroker() as broker:
            mine = Broker(broker.address, QUICK)
            seed = asked.seed + number
            with own_kills(mine, Path(folder), seed, is_postgres=asked.postgres) as kills:
                outcome = kills.run(asked.kills, lambda line: _say(sys.stderr, line))
        _say(sys.stdout, json.dumps(outcome.fields()))
        is_bad = is_bad or bool(outcome.found)
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
