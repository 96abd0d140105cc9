"""Metrics as Prometheus reads them: their names and types, and the port that serves them."""

import logging
from typing import NamedTuple

from prometheus_client import CollectorRegistry, disable_created_metrics, start_http_server

from streams.log import SAYS
from streams.settings import Settings, SettingsError

_say = logging.getLogger(SAYS)


class Metric(NamedTuple):
    """One metric: its name as Prometheus has it, its type, its labels, and what it says."""

    name: str
    type: str
    about: str
    labels: tuple[str, ...] = ()


def serve_metrics(settings: Settings, registry: CollectorRegistry) -> None:
    """Serve a registry where the settings say, if they name a port.

    Raises SettingsError if the port is not free.
    """
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        _say.info("no metrics: WEIR_METRICS_PORT is not set")
        return
    # Half of a page's lines, and of the time that it takes; nothing here uses them.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        problem = (
            f"WEIR_METRICS_PORT must be a port that is free on {host} (WEIR_METRICS_HOST), not"
            f" {port}: {error.strerror}"
        )
        raise SettingsError([problem]) from error
    _say.info("metrics at http://%s:%d/metrics", host, port)
