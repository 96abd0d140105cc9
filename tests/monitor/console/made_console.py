"""A console on a store of made alerts, with people of every role."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from argon2 import PasswordHasher
from starlette.testclient import TestClient

from monitor.console.app import create_app
from monitor.console.limits import propose
from monitor.console.transactions import (
    FoundTransactions,
    NotReachableError,
    SeenTransaction,
)
from monitor.console.work.tasks import open_tasks
from monitor.store import people
from monitor.store.intake import Intake, Read, RecordSort
from monitor.store.people import Person, Role
from monitor.store.programs.tokens import Scope, add_token
from monitor.store.store import Store

PASSWORD: Final = "corn rake lantern 7"  # noqa: S105 - of made people
NAMES: Final = {
    "vera": Role.VIEWER, "ana": Role.ANALYST, "bob": Role.ANALYST,
    "paul": Role.APPROVER, "root": Role.ADMIN,
}  # fmt: skip
BEGIN: Final = 1_790_000_000_000_000
SECOND: Final = 1_000_000


LIMIT: Final = "daily-amount"
POLICY: Final = """# what we watch
version = 1
[[limit]]
id = "daily-amount"  # as agreed
measure = "amount"
direction = "debit"
currency = "EUR"
above = "2000.00"

[[limit]]
id = "daily-count"
measure = "count"
above = 15
"""


class Clock:
    """Tells a time that goes on by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> int:
        self.now += SECOND
        return self.now


def identity(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


def limit_alert(account: str, day: str = "2026-02-14", **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return an alert of a daily amount, as the topic has it."""
    record = {
        "alert_id": identity(f"{account} {day}"), "revision": 1, "kind": "daily-amount",
        "status": "raised", "severity": "medium", "account_id": account, "business_day": day,
        "segment": "current", "threshold_id": "daily-amount", "direction": "debit",
        "currency": "EUR", "value": "1234567.80", "limit": "2000.00", "value_before": None,
        "score": None, "policy_version": 1, "transaction_id": "T1",
        "event_time": f"{day}T09:00:00Z", "partition": 0, "offset": 7,
        "evidence": {
            "totals": [{"currency": "EUR", "debit_count": 2, "debit_amount": "1234567.80",
                        "credit_count": 0, "credit_amount": "0.00"}],
            "over_by": "1232567.80", "times_limit": "617.28",
            "origin": {"institution": "BANK07", "branch": "B09", "channel": "api",
                       "counterparty": "C1"},
        },
    }  # fmt: skip
    return {**record, **other}


def outlier(account: str, day: str = "2026-02-13") -> dict[str, Any]:
    evidence = {
        "reasons": ["amount 70.95 is 4.0x the account's median"], "one_in": 82, "days": 1,
        "model": "half-space-trees-ed8db4ee@2026-02-18",
    }  # fmt: skip
    return limit_alert(
        account, day, alert_id=identity(f"outlier {account} {day}"), kind="outlier",
        threshold_id="outlier", direction="both", currency=None, value=82, limit=63,
        evidence=evidence,
    )  # fmt: skip


def review(account: str, revision: int = 1, value: int = 3) -> dict[str, Any]:
    days = [
        {"business_day": f"2026-02-0{number}", "kind": "breach", "threshold_id": "daily-amount",
         "currency": "EUR", "value": "2243.78", "limit": "2000.00", "times_limit": "1.12"}
        for number in range(1, value + 1)
    ]  # fmt: skip
    evidence = {
        "days": days, "breach_days": value, "near_days": 0, "window_days": 10,
        "reading": "suspicion", "reasons": ["its greatest day is 5.9 times the limit"],
    }  # fmt: skip
    return limit_alert(
        account, "2026-02-01", alert_id=identity(f"review {account}"), kind="review",
        revision=revision, status="raised" if revision == 1 else "restated", severity="high",
        threshold_id="review", direction="both", currency=None, value=value, limit=2,
        evidence=evidence,
    )  # fmt: skip


def systemic(day: str = "2026-02-14", grouped: int = 3) -> dict[str, Any]:
    return {
        "alert_id": identity(f"systemic {day}"), "revision": 1, "kind": "systemic",
        "status": "raised", "severity": "high", "account_id": None, "business_day": day,
        "segment": "current", "threshold_id": "daily-amount", "verdict": "population-shift",
        "cause": None, "limit_ratio": None, "suggested_limit": None,
        "decided_by": {"name": "counterfactual_probability", "number": 2.5e-06},
        "grouped": grouped, "members": [], "members_total": grouped, "policy_version": 1,
        "evidence": {"breaches": 31, "account_days": 544, "expected": 12.54, "days": [day],
                     "counterfactual": {"breaches": 31, "probability": 2.5e-06}},
        "event_time": f"{day}T23:59:59Z",
    }  # fmt: skip


def account_day(account: str, day: str) -> dict[str, Any]:
    totals = [{"currency": "EUR", "debit_count": 2, "debit_amount": "1999.95",
               "credit_count": 1, "credit_amount": "12.00"}]  # fmt: skip
    return {
        "account_id": account, "business_day": day, "segment": "current", "branch": "B09",
        "product": None, "peer_group": "C1", "totals": totals, "breaches": [],
        "policy_version": 1, "score": None,
    }  # fmt: skip


REJECTION: Final[Mapping[str, Any]] = {
    "reason": "bad-amount", "detail": "amount is '-30.87'", "record": '{"amount": "-30.87"}',
    "topic": "weir.transactions.v1", "partition": 0, "offset": 4,
}  # fmt: skip


class MadeTransactions:
    """Transactions that a test puts there; None: the broker does not answer."""

    def __init__(self) -> None:
        self.held: list[SeenTransaction] | None = []
        self.asked: list[tuple[str, int, int]] = []

    async def of_account(self, account_id: str, partition: int, offset: int) -> FoundTransactions:
        self.asked.append((account_id, partition, offset))
        if self.held is None:
            raise NotReachableError("the broker does not answer: TimeoutError. Try again")
        return FoundTransactions(self.held, 0, 9)


class MadeConsole:
    """A console over a store in a folder, and clients of it by people's names."""

    def __init__(self, folder: Path, names: Mapping[str, Role] = NAMES) -> None:
        self.store = Store.open(f"sqlite:///{folder / 'store.db'}")
        self.clock = Clock()
        hosts = frozenset({"testserver"})
        self.transactions = MadeTransactions()
        self.app = create_app(
            self.store, clock=self.clock, hosts=hosts, transactions=self.transactions
        )
        self._intake = Intake(self.store)
        self._offset = 0
        self._programs = 0
        for name, role in names.items():
            people.add_user(self.store, name, role, PASSWORD, self.clock())

    def take(self, *records: Any, sort: RecordSort = RecordSort.ALERT) -> None:  # noqa: ANN401 - as Read's
        """Take records in as the archive does."""
        reads = []
        for record in records:
            self._offset += 1
            reads.append(Read(sort, f"weir.{sort}", 0, self._offset, self.clock(), record))
        self._intake.take(reads)

    def propose(self, name: str = "bob", above: str = "2500.00") -> str:
        """Propose another limit as a person, and return the proposal's id."""
        person = Person(name, NAMES[name], "")
        with self.store.begin() as connection:
            asked = {"above": above, "note": "too many"}
            return propose(connection, person, LIMIT, asked, self.clock()).proposal_id

    def open_task(self, name: str = "bob", account: str = "A1") -> str:
        """Open a task with a client as a person, and return the task's id."""
        person = Person(name, NAMES[name], "")
        with self.store.begin() as connection:
            asked = {"task": "offer", "note": "asked for more"}
            return open_tasks(connection, person, account, asked, self.clock())[0].made.task_id

    @contextlib.contextmanager
    def client(self, name: str | None = None) -> Iterator[TestClient]:
        """Yield a client of somebody who is logged in; None: of nobody."""
        with TestClient(self.app, follow_redirects=False) as client:
            if name is not None:
                token = people.login(self.store, name, PASSWORD, "127.0.0.1", self.clock())
                client.cookies.set("weir", token)
                person = people.person_of(self.store, token, self.clock())
                assert person is not None
                client.headers["X-CSRF-Token"] = person.csrf
            yield client

    @contextlib.contextmanager
    def program(self, scope: Scope = Scope.READ, owner: str = "root") -> Iterator[TestClient]:
        """Yield a client of a program that has a token of somebody."""
        self._programs += 1
        name = f"program-{self._programs}"
        token = add_token(self.store, name, owner, scope, 30, self.clock())
        with TestClient(self.app, follow_redirects=False) as client:
            client.headers["Authorization"] = f"Bearer {token}"
            yield client

    def close(self) -> None:
        self.store.close()


def cheap_hashes() -> PasswordHasher:
    """Return a hasher that takes no time: what it protects is made."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
