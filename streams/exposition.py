"""Metrics as Prometheus reads them, and the port that serves them beside liveness and readiness."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Final, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    make_wsgi_app,
)

from streams.log import SAYS
from streams.settings import Settings, SettingsError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_say = logging.getLogger(SAYS)

BROKER_SECONDS_MAX: Final = 20.0
"""A process is not ready if no broker has answered it for so long."""

REQUEST_SECONDS_MAX: Final = 10.0
"""A client that sends nothing for so long is hung up on."""


class Metric(NamedTuple):
    """One metric: its name as Prometheus has it, its type, its labels, and what it says."""

    name: str
    type: str
    about: str
    labels: tuple[str, ...] = ()


BUILD_INFO: Final = Metric(
    "weir_build_info",
    "gauge",
    "Always 1; its labels are the running version and the format of state that it writes.",
    ("version", "state_format"),
)
"""Of each process."""


class Condition(NamedTuple):
    """One of the reasons why a process is ready or not."""

    is_ok: bool
    says: str


class Readiness(NamedTuple):
    """Whether a process is ready: all its reasons must be ok. Notes inform, and decide nothing."""

    reasons: Mapping[str, Condition]
    notes: Mapping[str, str] = {}

    @property
    def is_ready(self) -> bool:
        """Whether every reason is ok."""
        return all(reason.is_ok for reason in self.reasons.values())

    def body(self) -> str:
        """Return it as a JSON object."""
        reasons = {
            name: {"ok": reason.is_ok, "says": reason.says} for name, reason in self.reasons.items()
        }
        return json.dumps({"ready": self.is_ready, "reasons": reasons, "notes": dict(self.notes)})


def broker_seen(answered_at: float | None, seconds_max: float = BROKER_SECONDS_MAX) -> Condition:
    """Return whether a broker answered lately; `answered_at` is of time.monotonic."""
    if answered_at is None:
        return Condition(is_ok=False, says="no broker has answered yet")
    ago = max(time.monotonic() - answered_at, 0.0)
    return Condition(is_ok=ago < seconds_max, says=f"seen {ago:.1f} s ago")


def say_start(settings: Settings, program: str, *further: str) -> None:
    """Log the one line that each process begins with: what it is, and what it works on."""
    host, port = settings.metrics_host, settings.metrics_port
    metrics = f"http://{host}:{port}/metrics" if port else "none (WEIR_METRICS_PORT is not set)"
    parts = (
        f"group {settings.group}",
        f"broker {settings.broker}",
        f"topics {settings.topic_prefix}*",
        *further,
        f"metrics {metrics}",
    )
    _say.info("weir %s %s: %s", version("weir-monitor"), program, ", ".join(parts))


def serve_metrics(
    settings: Settings, registry: CollectorRegistry, readiness: Callable[[], Readiness]
) -> None:
    """Serve a registry, liveness and readiness where the settings say, if they name a port.

    The registry gets what Prometheus' client knows of the process (`process_...`). `readiness` is
    called in a thread of the server's. Raises SettingsError if the port is not free.
    """
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        return
    # Half of a page's lines, and of the time that it takes; nothing here uses them.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    ProcessCollector(registry=registry)
    try:
        server = make_server(host, port, application(registry, readiness), _server_of(host), _Quiet)
    except OSError as error:
        problem = (
            f"WEIR_METRICS_PORT must be a port that is free on {host} (WEIR_METRICS_HOST), not"
            f" {port}: {error.strerror}"
        )
        raise SettingsError([problem]) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def application(
    registry: CollectorRegistry, readiness: Callable[[], Readiness]
) -> "WSGIApplication":
    """Return what answers /metrics, /livez (also as /healthz) and /readyz, and 404 to all else.

    A process that answers is alive: one that stands still ends itself (WEIR_LIVENESS_SECONDS).
    """
    metrics = make_wsgi_app(registry)

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _text("405 Method Not Allowed", "use GET\n", environ, start_response)
        if path == "/metrics":
            page: Iterable[bytes] = metrics(environ, start_response)
            return page
        if path in {"/livez", "/healthz"}:
            return _text("200 OK", "ok\n", environ, start_response)
        if path == "/readyz":
            found = readiness()
            status = "200 OK" if found.is_ready else "503 Service Unavailable"
            body = found.body() + "\n"
            return _text(status, body, environ, start_response, "application/json")
        known = "not found: there are /metrics, /livez, /healthz and /readyz\n"
        return _text("404 Not Found", known, environ, start_response)

    return answer


def _text(
    status: str,
    text: str,
    environ: "WSGIEnvironment",
    start_response: "StartResponse",
    content_type: str = "text/plain; charset=utf-8",
) -> Iterable[bytes]:
    body = text.encode()
    start_response(
        status,
        [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ],
    )
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


class _Threaded(ThreadingMixIn, WSGIServer):
    """A thread for each request: one that waits keeps no probe from its answer."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """Writes no line for each request."""

    timeout = REQUEST_SECONDS_MAX

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def _server_of(host: str) -> type[_Threaded]:
    """Return the server's class with the family of a host's address: IPv6 has one of its own."""
    (family, *_), *_ = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return type("_ThreadedOfFamily", (_Threaded,), {"address_family": family})
