"""Server-sent events: replayed by their ids, and ended with the session."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable

import pytest

from monitor.console.replies import AnswerError
from monitor.console.views import events
from monitor.console.views.events import change_of, stream
from monitor.store import people
from tests.monitor.console.made_console import PASSWORD, MadeConsole, limit_alert


def welcome(answers: list[bool]) -> Callable[[], Awaitable[bool]]:
    async def is_welcome() -> bool:
        return answers.pop(0)

    return is_welcome


def told(console: MadeConsole, change: int, number: int) -> list[str]:
    async def first() -> list[str]:
        found: list[str] = []
        async for text in stream(console.store, change, welcome([True] * 9)):
            if text.startswith("id: "):
                found.append(text)
            if len(found) == number:
                break
        return found

    return asyncio.run(asyncio.wait_for(first(), 20))


def id_of(text: str) -> str:
    found = re.match(r"id: (\S+)\n", text)
    assert found is not None
    return found[1]


def test_events_are_replayed_after_the_last_id(console: MadeConsole) -> None:
    everything = told(console, 0, 7)
    assert len({id_of(text) for text in everything}) == 7
    assert told(console, change_of(id_of(everything[2])), 4) == everything[3:]


def test_an_alert_that_comes_later_is_sent(console: MadeConsole) -> None:
    last = change_of(id_of(told(console, 0, 7)[-1]))
    console.take(limit_alert('N"1', alert_id="new\nid"))
    (text,) = told(console, last, 1)
    assert text.count("\n") == 4, "no line of its own for text of others"
    assert change_of(id_of(text)) > last
    assert json.loads(text.splitlines()[2].removeprefix("data: "))["alert_id"] == "new\nid"


@pytest.mark.parametrize("text", ["", "x", "-1", "9" * 19, "9" * 5000, "٣", "1:a"])
def test_an_id_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(AnswerError):
        change_of(text)


def test_the_stream_ends_with_the_session(
    console: MadeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "POLL_SECONDS", 0.0)
    times = iter(range(0, 10_000, 20))

    async def all_of() -> list[str]:
        checks = welcome([True, False])
        return [text async for text in stream(console.store, 0, checks, lambda: next(times))]

    said = asyncio.run(asyncio.wait_for(all_of(), 20))
    assert ": nothing new\n\n" in said


def test_the_route_replays_from_last_event_id(console: MadeConsole) -> None:
    everything = told(console, 0, 7)
    token = people.login(console.store, "vera", PASSWORD, "127.0.0.1", console.clock())
    headers = [
        (b"host", b"testserver"), (b"cookie", f"weir={token}".encode()),
        (b"last-event-id", id_of(everything[4]).encode()),
    ]  # fmt: skip
    scope = {
        "type": "http", "method": "GET", "path": "/events", "raw_path": b"/events",
        "query_string": b"", "headers": headers, "scheme": "http", "http_version": "1.1",
        "server": ("testserver", 80), "client": ("127.0.0.1", 1), "asgi": {"version": "3.0"},
    }  # fmt: skip
    sent: list[bytes] = []
    is_done = asyncio.Event()

    async def receive() -> dict[str, object]:
        await is_done.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        body = message.get("body", b"")
        assert isinstance(body, bytes)
        sent.append(body)
        if b"".join(sent).count(b"event: alert") == 2:
            is_done.set()

    asyncio.run(asyncio.wait_for(console.app(scope, receive, send), 20))  # type: ignore[arg-type]
    assert b"".join(sent).decode().endswith("".join(everything[5:]))
    assert console.app.state.streams == {"vera": 0}
