"""Measures the console over a full store: how long its pages take, alone and while alerts arrive.

The store is filled through the archive's own intake. Times are a client's on loopback, from sending
a request to the last byte of the answer, so they include the server's queue. They are measured
with many alerts open, and again when all but some thousands are closed.
"""

import multiprocessing
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, product
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from monitor.store import people
from monitor.store.intake import Intake, Read
from monitor.store.people import Role
from monitor.store.store import Store, StoreError
from streams.lab.console.client import Asked, Client, ConsoleError, ConsoleProcess, measure
from streams.lab.console.made import ANALYSTS, MadeAlerts

BATCH: Final = 1000
"""Records that one transaction takes, about as many as the archive reads at a time."""

TURN_SECONDS: Final = 0.5
"""Between two batches of arriving alerts: an archive asks five topics by turns, 0.1 s each."""

ARRIVING_SECONDS_MAX: Final = 60.0
"""So long may a process take until its first alerts have arrived."""

INTAKE_ALERTS: Final = 20_000
CLIENTS: Final = (1, 4)
ASKED: Final = 400
REQUESTS_LEAST, REQUESTS_MOST = 12, 200
PERSON: Final = "ana"
_SAID_EVERY: Final = 50_000


class Options(NamedTuple):
    """How much is measured: alerts and accounts in the store, and alerts a second that arrive."""

    alerts: int
    accounts: int
    arriving: int
    seed: int = 1

    @property
    def many_open(self) -> int:
        """How many of the latest alerts nobody has worked in the first runs."""
        return self.alerts // 5

    @property
    def few_open(self) -> int:
        """How many of them nobody has worked in the last runs."""
        return max(100, self.alerts // 200)

    @property
    def requests(self) -> int:
        """Requests of each page in one run."""
        return max(REQUESTS_LEAST, min(REQUESTS_MOST, self.alerts // 200))


Say = Callable[[str], None]


def console_bench(store: Store, url: str, options: Options, say: Say) -> dict[str, object]:
    """Fill the empty store of a URL, and measure; return what is to be printed.

    Raises StoreError if the store is not empty, and ConsoleError if a page is not answered.
    """
    if Intake(store).positions() or people.users(store):
        raise StoreError(f"the store of a bench must be empty, and {url!r} is not: name another")
    made = MadeAlerts(options.alerts, options.accounts, options.seed, _now())
    filling = Filling(Intake(store), made, say)
    pages = _Pages(store, url, options, filling, _asked(made, options.seed))
    say(f"filling the store with {made.alerts:,} alerts of {made.accounts:,} accounts")
    filling.alerts(0, made.alerts)
    filling.account_days(pages.asked.accounts)
    runs: list[dict[str, object]] = []
    closed = 0
    for opened in (options.many_open, options.few_open):
        filling.closings(closed, made.alerts - opened)
        closed = made.alerts - opened
        runs += pages.runs(opened, say)
    filled, begin = filling.figures(), filling.next_alert
    say(f"the intake alone: {INTAKE_ALERTS:,} alerts into the full store")
    alone = Filling(filling.intake, made, say, filling.offsets)
    alone.alerts(begin, begin + min(INTAKE_ALERTS, made.alerts))
    return {
        "store": store.engine.dialect.name,
        "alerts": made.alerts,
        "accounts": made.accounts,
        "measured": "by a client on loopback, to the last byte of an answer",
        "filling": filled,
        "intake_alone": alone.figures()["alerts"],
        "runs": runs,
    }


def _now() -> int:
    return time.time_ns() // 1000


def _asked(made: MadeAlerts, seed: int) -> Asked:
    """Choose what pages are asked for: most of it late, as people do."""
    rng = random.Random(seed)  # noqa: S311 - made requests
    numbers = sorted({int(made.alerts * rng.random() ** 0.5) for _ in range(ASKED)})
    numbers = [number for number in numbers if not made.is_incident(number)]
    incidents = range(made.per_day - 1, made.alerts, made.per_day)
    return Asked(
        [made.id_of(number) for number in numbers],
        sorted({made.account_of(number) for number in numbers}),
        [made.id_of(number) for number in incidents],
        sorted({made.date_of(number) for number in numbers}),
        list(ANALYSTS),
    )


class Filling:
    """Takes made records into a store, and counts how long the intake took for each sort."""

    def __init__(
        self, intake: Intake, made: MadeAlerts, say: Say, offsets: dict[str, int] | None = None
    ) -> None:
        self.intake = intake
        self.offsets = {} if offsets is None else offsets
        self.next_alert = 0
        self.made = made
        self._say = say
        self._counts: dict[str, int] = {}
        self._seconds: dict[str, float] = {}

    def alerts(self, begin: int, end: int) -> None:
        """Take the alerts of numbers, and the revisions that fall due among them."""
        self._take("alerts", self.made.records(begin, end, self.offsets.get("alerts", 0)))
        self.next_alert = end

    def closings(self, begin: int, end: int) -> None:
        """Take what people did with the alerts of numbers."""
        self._take("actions", self.made.closings(begin, end, self.offsets.get("actions", 0)))

    def account_days(self, accounts: Sequence[str]) -> None:
        """Take the latest days of accounts."""
        self._take("account_days", self.made.account_days(list(accounts), 0))

    def _take(self, sort: str, records: Iterable[Read]) -> None:
        left, taken = iter(records), 0
        while batch := list(islice(left, BATCH)):
            began = time.perf_counter()
            self.intake.take(batch)
            self._seconds[sort] = self._seconds.get(sort, 0.0) + time.perf_counter() - began
            self._counts[sort] = self._counts.get(sort, 0) + len(batch)
            self.offsets[sort] = batch[-1].offset + 1
            taken += len(batch)
            if taken % _SAID_EVERY == 0:
                self._say(f"  {taken:,} {sort.replace('_', '-')}, {self._rate(sort):,} a second")

    def _rate(self, sort: str) -> int:
        return round(self._counts[sort] / self._seconds[sort])

    def figures(self) -> dict[str, dict[str, int]]:
        """Return how many records of each sort were taken, and how many a second."""
        return {
            sort: {"records": count, "per_second": self._rate(sort)}
            for sort, count in self._counts.items()
        }


class _Pages(NamedTuple):
    """Measures the pages of a filled store, each time by a new console process."""

    store: Store
    url: str
    options: Options
    filling: Filling
    asked: Asked

    def runs(self, opened: int, say: Say) -> Iterator[dict[str, object]]:
        """Yield the figures for each number of clients: at rest, and while alerts arrive."""
        token, arriving = _session(self.store), self.options.arriving
        rates = (0, arriving) if arriving else (0,)
        with ConsoleProcess(self.url) as console, _listening(console.port, token) as events:
            for rate, clients in product(rates, CLIENTS):
                say(f"{opened:,} open, {rate} arriving a second, {clients} at once")
                with _arriving(self.url, self.filling, rate) as arrived:
                    timings = measure(
                        console.port,
                        token,
                        self.asked,
                        (self.options.requests, clients),
                        self.options.seed,
                    )
                greatest = max(timing.p95_ms for timing in timings.values())
                say(f"  greatest p95 of a page: {greatest} ms")
                yield {
                    "open": opened,
                    "clients": clients,
                    "arriving_per_second": round(arrived[1]),
                    "events": events[0],
                    "greatest_p95_ms": greatest,
                    "pages": {name: timing._asdict() for name, timing in timings.items()},
                }


def _session(store: Store) -> str:
    """Return the token of an approver's new session."""
    password = secrets.token_urlsafe(24)
    name = PERSON
    if any(user.name == name for user in people.users(store)):
        people.set_password(store, name, password, _now())
    else:
        people.add_user(store, name, Role.APPROVER, password, _now())
    return people.login(store, name, password, "127.0.0.1", _now())


@contextmanager
def _listening(port: int, token: str) -> Iterator[list[int]]:
    """Keep a connection open that new reports come by, and count them."""
    is_over, events = threading.Event(), [0]

    def listen() -> None:
        with Client(port, token) as client:
            client.listen("/events", is_over, events)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield events
    finally:
        is_over.set()


@contextmanager
def _arriving(url: str, filling: Filling, rate: int) -> Iterator[list[float]]:
    """Let alerts arrive by the intake of another process; what it did is there at the end."""
    done: list[float] = [0, 0.0]
    if not rate:
        yield done
        return
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    given = (url, filling.made, filling.next_alert, filling.offsets["alerts"], rate)
    process = spawning.Process(target=arrive, args=(*given, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if ours.poll(ARRIVING_SECONDS_MAX):
            ours.recv()  # the first have arrived: from now on it counts
        yield done
    finally:
        try:
            ours.send(None)
            filling.next_alert, filling.offsets["alerts"], done[0], done[1] = ours.recv()
        except (EOFError, BrokenPipeError) as error:
            raise ConsoleError("the process by which alerts arrive has ended: see above") from error
        finally:
            process.join()


def arrive(
    url: str, made: MadeAlerts, number: int, offset: int, rate: int, parent: Connection
) -> None:
    """Take so many new alerts a second into a store, in the turns of an archive.

    The parent is told when the first are there. Until it sends something: then it is sent the next
    number and offset, how many alerts arrived, and how many a second.
    """
    store = Store.open(url)
    intake, begin = Intake(store), number
    began = time.perf_counter()
    while not parent.poll(max(0.0, (number - begin) / rate - (time.perf_counter() - began))):
        reads = list(made.records(number, number + round(rate * TURN_SECONDS), offset))
        intake.take(reads)
        if number == begin:
            parent.send(None)
        number, offset = number + round(rate * TURN_SECONDS), reads[-1].offset + 1
    store.close()
    arrived = number - begin
    parent.send((number, offset, arrived, arrived / (time.perf_counter() - began)))
