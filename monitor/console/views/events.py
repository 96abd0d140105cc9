"""New reports of alerts as server-sent events, so that a page can say that there are some."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from monitor.console.filters import checked
from monitor.console.guard import token_of
from monitor.console.replies import AnswerError, now_of, person_of, store_of
from monitor.store.intake import latest_change
from monitor.store.people import person_of as person_of_token
from monitor.store.queries import changed_since
from monitor.store.store import Store

POLL_SECONDS: Final = 1.0
CHECK_SECONDS: Final = 60.0
"""A session that has ended ends its stream within this time."""

KEEP_ALIVE_SECONDS: Final = 15.0
STREAMS_MAX: Final = 8
"""Of one person: a browser with more pages open polls by reloading."""

_INTEGER_MAX: Final = 2**63 - 1


class Report(NamedTuple):
    """A report of an alert, by the number of its change."""

    change: int
    alert_id: str
    revision: int
    account_id: str | None


def change_of(text: str) -> int:
    """Return the change that an event's id names. Raises AnswerError (400) if it names none."""
    if text.isascii() and text.isdigit() and int(text[:20]) <= _INTEGER_MAX:
        return int(text)
    raise AnswerError(400, f"an event's id must be a whole number, not {text[:80]!r}")


def event_text(report: Report) -> str:
    """Return a report as an event."""
    change, *its = report
    data = json.dumps(dict(zip(Report._fields[1:], its, strict=True)))
    return f"id: {change}\nevent: alert\ndata: {data}\n\n"


def later(store: Store, change: int) -> list[Report]:
    """Return reports after a change; of a store that was made again since, from its latest on."""
    with store.reading() as connection:
        rows = changed_since(connection, min(change, latest_change(connection)))
        return [Report(row.change, row.alert_id, row.revision, row.account_id) for row in rows]


async def stream(
    store: Store,
    change: int,
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
        reports = await run_in_threadpool(later, store, change)
        for report in reports:
            change, said_at = report.change, seconds()
            yield event_text(report)
        if seconds() - said_at >= KEEP_ALIVE_SECONDS:
            said_at = seconds()
            yield ": nothing new\n\n"
        if not reports:
            await asyncio.sleep(POLL_SECONDS)


async def events(request: Request) -> Response:
    """Send reports from the one that `Last-Event-ID` or `after` names on; else from now on."""
    params = checked(request.query_params, ("after",))
    store, name = store_of(request), person_of(request).name
    last = request.headers.get("last-event-id") or params.get("after")
    change = change_of(last) if last else await run_in_threadpool(_latest, store)
    open_streams: dict[str, int] = request.app.state.streams
    if open_streams.get(name, 0) >= STREAMS_MAX:
        raise AnswerError(429, f"a person may have at most {STREAMS_MAX} streams of events")
    token = token_of(request, request.app.state.is_https)

    async def is_welcome() -> bool:
        return await run_in_threadpool(person_of_token, store, token, now_of(request)) is not None

    async def counted() -> AsyncIterator[str]:
        open_streams[name] = open_streams.get(name, 0) + 1
        try:
            async for text in stream(store, change, is_welcome):
                yield text
        finally:
            open_streams[name] -= 1

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(counted(), media_type="text/event-stream", headers=headers)


def _latest(store: Store) -> int:
    with store.reading() as connection:
        return latest_change(connection)
