"""Spans of what a worker does, sent by OTLP over HTTP, if an endpoint is set.

A span is made when its work is done, of the seconds that it took: nothing of OpenTelemetry stands
between a record and its alert. Attributes are numbers; no record, account or id is among them.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from streams.settings import Settings, SettingsError

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

SEND_SECONDS_MAX: Final = 5.0
"""An endpoint that takes no spans for so long loses them, and nothing else."""

WAITING_MAX: Final = 8192
"""Spans that wait to be sent; more are dropped."""

_NANOSECONDS: Final = 1_000_000_000

Step = tuple[str, float]
"""A part of the work of a span: its name, and its seconds."""


class Traces:
    """Sends spans to the endpoint of the settings; without one it does nothing.

    Raises SettingsError if there is an endpoint, and the extra `traces` is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        self._tracer: Tracer | None = None
        self._provider: TracerProvider | None = None
        self._exporter: OTLPSpanExporter | None = None
        if settings.traces_endpoint is not None:
            self._provider, self._exporter = _provider_of(settings, settings.traces_endpoint)
            self._tracer = self._provider.get_tracer("weir", version("weir-monitor"))

    def note(
        self, name: str, seconds: float, numbers: Mapping[str, int], steps: Sequence[Step] = ()
    ) -> None:
        """Note work that has just ended, with `numbers` as attributes; and its steps, in order.

        A step is a span below it. Work that takes no steps has none.
        """
        if self._tracer is None:
            return
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415 - an extra

        end = time.time_ns()
        start = end - round(seconds * _NANOSECONDS)
        span = self._tracer.start_span(name, start_time=start, attributes=dict(numbers))
        if steps:
            context, at = set_span_in_context(span), start
            for step, lasted in steps:
                part = self._tracer.start_span(f"{name}.{step}", context, start_time=at)
                at += round(lasted * _NANOSECONDS)
                part.end(at)
        span.end(end)

    def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        if self._provider is None or self._exporter is None:
            return
        # Without an end of ours the SDK tries for half a minute, while partitions wait.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(SEND_SECONDS_MAX)
        if closing.is_alive():
            # It tries no more, and what waits is dropped.
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # untyped
            closing.join(SEND_SECONDS_MAX)


def _provider_of(settings: Settings, endpoint: str) -> "tuple[TracerProvider, OTLPSpanExporter]":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above
    except ImportError as error:
        problem = f"WEIR_TRACES_ENDPOINT needs the extra traces: pip install '.[traces]' ({error})"
        raise SettingsError([problem]) from error
    # An endpoint that is away is said in one line, not in a traceback for each attempt.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    attributes = {
        "service.name": "weir-worker",
        "service.namespace": settings.group,
        "service.version": version("weir-monitor"),
    }
    if settings.instance is not None:
        attributes["service.instance.id"] = settings.instance
    provider = TracerProvider(resource=Resource(attributes), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=SEND_SECONDS_MAX)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=WAITING_MAX))
    return provider, exporter
