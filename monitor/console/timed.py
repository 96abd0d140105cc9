"""Times requests, for whoever keeps metrics."""

import time
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

OnRequest = Callable[[str, int, float], None]
"""What is given the method, the status and the seconds of a request."""

METHODS: Final = ("GET", "HEAD", "POST")
OTHER: Final = "other"
LIVE: Final = "/events"
"""A connection that stays: its time says nothing."""


class Timed:
    """Middleware that notes each request that was answered."""

    def __init__(self, app: ASGIApp, note: OnRequest) -> None:
        self._app = app
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer, and note how long that took."""
        if scope["type"] != "http" or scope["path"] == LIVE:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else OTHER
        began = time.perf_counter()
        status = 500  # of what fails before it answers

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._note(method, status, time.perf_counter() - began)
