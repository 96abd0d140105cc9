"""New reports of alerts as server-sent events, so that a page can say that there are some."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from monitor.console.filters import checked
from monitor.console.guard import token_of
from monitor.console.replies import AnswerError, now_of, person_of, store_of
from monitor.store.people import person_of as person_of_token
from monitor.store.queries import changed_since, latest_report
from monitor.store.store import Store

POLL_SECONDS: Final = 1.0
CHECK_SECONDS: Final = 60.0
"""A session that has ended ends its stream within this time."""

KEEP_ALIVE_SECONDS: Final = 15.0
STREAMS_MAX: Final = 8
"""Of one person: a browser with more pages open polls by reloading."""

_INTEGER_MAX: Final = 2**63 - 1

Place = tuple[int, str]
"""A report: when it was told, and of which alert."""


def place_of(text: str) -> Place:
    """Return the report that an event's id names. Raises AnswerError (400) if it names none."""
    told_at, colon, alert_id = text.partition(":")
    if colon and told_at.isascii() and told_at.isdigit() and int(told_at[:20]) <= _INTEGER_MAX:
        return int(told_at), unquote(alert_id)
    raise AnswerError(400, f"an event's id must be told_at:alert_id, not {text[:80]!r}")


def event_text(row: tuple[int, str, int, str | None]) -> str:
    """Return a report (told_at, alert_id, revision, account_id) as an event."""
    told_at, alert_id, revision, account_id = row
    data = json.dumps({"alert_id": alert_id, "revision": revision, "account_id": account_id})
    return f"id: {told_at}:{quote(alert_id, safe='')}\nevent: alert\ndata: {data}\n\n"


def later(store: Store, place: Place) -> list[tuple[int, str, int, str | None]]:
    """Return reports after one."""
    with store.reading() as connection:
        rows = changed_since(connection, *place)
        return [(row.told_at, row.alert_id, row.revision, row.account_id) for row in rows]


async def stream(
    store: Store,
    place: Place,
    is_welcome: Callable[[], Awaitable[bool]],
    seconds: Callable[[], float] = time.monotonic,
) -> AsyncIterator[str]:
    """Yield events after a report, as they come, until the person is welcome no more."""
    yield "retry: 3000\n\n"
    checked_at = said_at = seconds()
    while True:
        if seconds() - checked_at >= CHECK_SECONDS:
            if not await is_welcome():
                return
            checked_at = seconds()
        rows = await run_in_threadpool(later, store, place)
        for row in rows:
            place = row[0], row[1]
            said_at = seconds()
            yield event_text(row)
        if seconds() - said_at >= KEEP_ALIVE_SECONDS:
            said_at = seconds()
            yield ": nothing new\n\n"
        if not rows:
            await asyncio.sleep(POLL_SECONDS)


async def events(request: Request) -> Response:
    """Send reports from the one that `Last-Event-ID` or `after` names on; else from now on."""
    params = checked(request.query_params, ("after",))
    store, name = store_of(request), person_of(request).name
    last = request.headers.get("last-event-id") or params.get("after")
    place = place_of(last) if last else await run_in_threadpool(_latest, store)
    open_streams: dict[str, int] = request.app.state.streams
    if open_streams.get(name, 0) >= STREAMS_MAX:
        raise AnswerError(429, f"a person may have at most {STREAMS_MAX} streams of events")
    token = token_of(request, request.app.state.is_https)

    async def is_welcome() -> bool:
        return await run_in_threadpool(person_of_token, store, token, now_of(request)) is not None

    async def counted() -> AsyncIterator[str]:
        open_streams[name] = open_streams.get(name, 0) + 1
        try:
            async for text in stream(store, place, is_welcome):
                yield text
        finally:
            open_streams[name] -= 1

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(counted(), media_type="text/event-stream", headers=headers)


def _latest(store: Store) -> Place:
    with store.reading() as connection:
        return latest_report(connection)
