"""The brokers that tests run on, one of each kind for the whole session."""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import is_hypothesis_test, settings

from tests.kafka.broker import apache_kafka, kafka_jars, own_apache_kafka
from tests.support.laws import EXAMPLES_OF_OTHERS, examples
from tests.support.rigs import broker, embedded_broker

__all__ = ["apache_kafka", "broker", "embedded_broker", "kafka_jars", "own_apache_kafka"]

HOUSE: Final = Path(__file__).parent / "house"

LONG: Final = (
    "faults",
    "integration",
    "monitor/engine",
    "streams/worker",
    "streams/evaluation",
    "streams/replay",
)
"""Folders of tests that take long, below this one."""

# What is slow on a busy machine is not wrong: nothing is judged by the clock.
settings.register_profile("weir", deadline=None, max_examples=examples(EXAMPLES_OF_OTHERS))
settings.load_profile("weir")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every law its mark: whatever hypothesis looks for counterexamples of.

    What looks after the house reads files; of the product it runs what others test. Folders whose
    tests take long come first: a file that begins last is waited for by all.
    """
    items.sort(key=_is_quick)
    for item in items:
        if HOUSE in item.path.parents:
            item.add_marker("no_cover")
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker("law")


def _is_quick(item: pytest.Item) -> bool:
    folder = item.path.parent.relative_to(Path(__file__).parent).as_posix()
    return folder not in LONG
