"""A broker with its topics, for as long as a demo, a bench or a drill lasts."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from monitor.settings import Settings, settings_of
from streams.admin import create_topics, delete_topics
from streams.broker import EmbeddedBroker, free_port
from streams.topics import topic_specs

EMBEDDED: Final = {"session_timeout_seconds": "6", "heartbeat_seconds": "1"}
"""Settings that fit the embedded broker: half the session timeout is what the first join waits."""


@contextmanager
def embedded_rig(
    policy: Path, environment: Mapping[str, str] | None = None, port: int | None = None
) -> Iterator[Settings]:
    """Start an embedded broker, create the topics, and yield a worker's settings for them.

    `environment` has further WEIR_ settings; `port` is the broker's, a free one where none is
    given. All of it is gone afterwards.
    """
    given = {**_variables(EMBEDDED), **(environment or {})}
    with EmbeddedBroker(port) as broker, rig(broker.address, policy, given) as settings:
        yield settings


@contextmanager
def rig(
    broker: str, policy: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Settings]:
    """Create the topics on a broker, and yield a worker's settings for them."""
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        settings = settings_of(
            environment or {},
            broker=broker,
            policy=str(policy),
            data_dir=folder,
            metrics_port=str(free_port()),
        )
        create_topics(broker, topic_specs(settings), settings.replication)
        yield settings


@contextmanager
def passing_rig(
    broker: str, policy: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Settings]:
    """Be a rig whose topics are deleted afterwards: on a broker that stays."""
    with rig(broker, policy, environment) as settings:
        try:
            yield settings
        finally:
            delete_topics(broker, topic_specs(settings))


def _variables(given: Mapping[str, str]) -> dict[str, str]:
    return {f"WEIR_{name.upper()}": value for name, value in given.items()}
