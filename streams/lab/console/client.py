"""The console as its own process, and clients that measure how long its pages take."""

import contextlib
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from html import unescape
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import quote, urlencode

from streams.lab.broker import free_port
from streams.lab.rig import without_weir
from streams.lab.tied import tied

START_SECONDS_MAX: Final = 60.0
ANSWER_SECONDS_MAX: Final = 120.0
LOOPBACK: Final = "127.0.0.1"
NO_BROKER: Final = "127.0.0.1:9"
TURNS: Final = 0.5
"""The share of a queue's pages after which the next page is asked for."""

_NEXT: Final = re.compile(r'id="next" href="([^"]+)"')


class ConsoleError(Exception):
    """A console that ends, or that answers otherwise than it must."""


class ConsoleProcess:
    """`weir console` on a store, on loopback. Used in a `with` statement."""

    def __init__(self, url: str) -> None:
        self.port = free_port()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end
        command = (
            sys.executable,
            "-m",
            "streams.cli",
            "console",
            "--store",
            url,
            "--host",
            LOOPBACK,
            "--port",
            str(self.port),
            "--broker",
            NO_BROKER,
            "--no-browser",
        )
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            tied(command),
            env=without_weir(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), Client(self.port, "") as client:
                client.get("/healthz")
                return self
            time.sleep(0.2)
        said = self._said()
        self._end()
        raise ConsoleError(f"weir console must answer within {START_SECONDS_MAX:g} s: {said}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ConsoleError):
            error.add_note(f"the console said: {self._said()}")
        self._end()

    def _said(self) -> str:
        """Return the last words of the process."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-2000:]

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Client:
    """One person's browser: one connection that stays, and a session. Used in a `with`."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS_MAX)
        self._headers = {"Cookie": f"weir={token}", "Accept-Encoding": "identity"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def get(self, path: str) -> tuple[float, str]:
        """Return the milliseconds until all of an answer was there, and its text.

        Raises ConsoleError unless its status is 200.
        """
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        ms = 1000 * (time.perf_counter() - began)
        if answer.status != http.client.OK:
            said = content[:300].decode(errors="replace")
            raise ConsoleError(f"{path} must answer 200, not {answer.status}: {said}")
        return ms, content.decode()

    def listen(self, path: str, is_over: threading.Event, events: list[int]) -> None:
        """Read server-sent events until the end, and count them in `events`."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        while not is_over.is_set():
            line = answer.readline()
            if not line:
                return
            events[0] += line.startswith(b"event:")


class Asked(NamedTuple):
    """What pages are asked for: ids that the store has."""

    alerts: Sequence[str]
    accounts: Sequence[str]
    incidents: Sequence[str]
    days: Sequence[str]
    assignees: Sequence[str]


class Timing(NamedTuple):
    """How long the requests of one page took, in milliseconds."""

    requests: int
    median_ms: float
    p95_ms: float
    max_ms: float
    slowest: str  # the path of the slowest

    @classmethod
    def of(cls, measured: Sequence[tuple[float, str]]) -> Self:
        """Return it of the milliseconds and the path of each request."""
        ordered = sorted(measured)
        times = [round(ms, 1) for ms, _ in ordered]
        p95 = times[min(len(times) - 1, len(times) * 95 // 100)]
        return cls(len(times), times[len(times) // 2], p95, times[-1], ordered[-1][1])


def path_of(page: str, asked: Asked, rng: random.Random) -> str:
    """Return a path of a page, with filters or an id by chance."""
    is_api = page.startswith("api-")
    prefix = "/api/v1" if is_api else ""
    match page.removeprefix("api-"):
        case "queue":
            return _queue_path(asked, rng, is_api=is_api)
        case "alert":
            query = "" if is_api else "?in=tab%3Dopen"
            return f"{prefix}/alerts/{quote(rng.choice(asked.alerts))}{query}"
        case "account":
            return f"/accounts/{quote(rng.choice(asked.accounts))}"
        case "incident":
            return f"{prefix}/incidents/{quote(rng.choice(asked.incidents))}"
        case other:
            return f"{prefix}/{other}"


def _queue_path(asked: Asked, rng: random.Random, *, is_api: bool) -> str:
    account = rng.choice(asked.accounts)
    day = rng.choice(asked.days)
    filters: Mapping[str, Callable[[], dict[str, str]]] = {
        "none": dict,
        "kind": lambda: {"kind": rng.choice(["daily-amount", "outlier", "review", "systemic"])},
        "severity": lambda: {"severity": rng.choice(["low", "high", "critical"])},
        "both": lambda: {"kind": rng.choice(["outlier", "review"]), "severity": "critical"},
        "day": lambda: {"business_day": day},
        "account": lambda: {"account_id": account},
        "assignee": lambda: {"assignee": rng.choice(asked.assignees)},
        "incident": lambda: {"incident_id": rng.choice(asked.incidents)},
        "search": lambda: {"q": account[: rng.choice([2, 12, 20, 22])]},
        "search-id": lambda: {"q": rng.choice(asked.alerts)},
    }
    drawn = rng.choice(["none", "none", *filters])
    states = ["open", "open", "open", "waiting", "snoozed", "closed", "withdrawn"]
    query = filters[drawn]()
    if is_api:
        status = rng.choice([*states, ""])
        return f"/api/v1/alerts?{urlencode({**query, **({'status': status} if status else {})})}"
    tab = "all" if "q" in query else rng.choice([*states, "mine", "back"])
    return f"/queue?{urlencode({'tab': tab, **query})}"


PAGES: Final = (
    "queue",
    "alert",
    "account",
    "incidents",
    "incident",
    "health",
    "api-queue",
    "api-alert",
    "api-incidents",
    "api-incident",
)

PAGED: Final = frozenset({"queue", "api-queue"})


def following(page: str, path: str, text: str) -> str | None:
    """Return the path of the page after a page of a queue; None if it is the last."""
    if page == "queue":
        found = _NEXT.search(text)
        return unescape(found[1]) if found else None
    cursor = json.loads(text)["next"]
    return f"{path.split('&cursor=', 1)[0]}&cursor={quote(cursor)}" if cursor else None


def measure(
    port: int, token: str, asked: Asked, share: tuple[int, int], seed: int
) -> dict[str, Timing]:
    """Request each page so often, by so many clients at once (`share`); return the times by page.

    Each client asks for all pages by turns. Raises ConsoleError if an answer is no page.
    """
    requests, clients = share
    found: dict[str, list[tuple[float, str]]] = {page: [] for page in PAGES}
    errors: list[Exception] = []

    def work(number: int) -> None:
        rng = random.Random(f"{seed} {number}")  # noqa: S311 - made requests
        after: dict[str, str | None] = {}
        try:
            with Client(port, token) as client:
                for page in PAGES:  # not counted: the first one loads templates
                    client.get(path_of(page, asked, rng))
                for _ in range(max(1, requests // clients)):
                    for page in PAGES:
                        path = after.pop(page, None) or path_of(page, asked, rng)
                        ms, text = client.get(path)
                        found[page].append((ms, path))
                        if page in PAGED and rng.random() < TURNS:
                            after[page] = following(page, path, text)
        except (ConsoleError, OSError) as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return {page: Timing.of(times) for page, times in found.items()}
