"""An operator's error, or a thing that is not there, as one message and an exit status."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOT_READY: Final = 3


def exit_status(error: Exception) -> int | None:
    """Say what is wrong on stderr and return the exit status; None for a bug of ours."""
    from monitor.dispositions.disposition import DispositionError
    from monitor.insight.table import InsightError
    from monitor.policy.policy import PolicyError
    from monitor.policy.weights import WeightsError
    from monitor.population import PopulationError
    from monitor.whatif import WhatIfError
    from streams.cli.files import OutputError
    from streams.feed.mapping import FeedError
    from streams.kafka.broker_error import BrokerError
    from streams.lab.capacity.costs import CapacityError
    from streams.settings import SettingsError
    from streams.topics.alert_list import AlertListError
    from streams.topics.alerts import AlertFileError

    of_usage = (
        PolicyError, SettingsError, FeedError, PopulationError, WhatIfError, OutputError,
        InsightError, DispositionError, WeightsError,
        AlertFileError, AlertListError, CapacityError,
    )  # fmt: skip
    if isinstance(error, (*of_usage, *_of_the_store())):
        status = EXIT_USAGE
    elif isinstance(error, BrokerError):
        status = EXIT_NOT_READY
    elif isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
        status = EXIT_USAGE
        if error.filename is not None:  # a library's own error has a message alone
            error = OSError(f"{error.filename}: {error.strerror}")
    else:
        return None
    from streams.log import SAYS, writes_json

    if writes_json():
        logging.getLogger(SAYS).critical("%s", error)
    else:
        sys.stderr.write(f"weir: {error}\n")
    return status


def _of_the_store() -> tuple[type[Exception], ...]:
    """Return the errors of the store: none as long as nothing has loaded it.

    Without the extra `console` it cannot be imported.
    """
    named = (
        ("monitor.store.store", "StoreError"),
        ("monitor.store.people", "PeopleError"),
        ("monitor.store.programs.webhooks", "WebhookError"),
        ("monitor.store.keeping.erasure", "ErasureError"),
    )
    loaded = [(sys.modules.get(module), name) for module, name in named]
    return tuple(getattr(module, name) for module, name in loaded if module is not None)


EXIT_INTERRUPTED: Final = 130
NOTHING_BEGUN: Final = "ended by Ctrl-C: nothing had begun"


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """Take SIGTERM and SIGHUP as SIGINT: a broker and workers of our own are not left behind."""
    with _taking((signal.SIGTERM, signal.SIGHUP), lambda *_: signal.raise_signal(signal.SIGINT)):
        yield


@contextmanager
def said_if_interrupted(line: str) -> Iterator[None]:
    """Take a Ctrl-C that nothing else took as an end in order, with a line."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(line + "\n")


@contextmanager
def ended_at_once(clean: Callable[[], None], line: str) -> Iterator[None]:
    """End the process by these signals without a traceback: clean up, say a line, status 0.

    For while modules are loaded: an exception there may come out as another one, or not at all.
    """

    def end(*_: object) -> None:
        clean()
        say_at_once(line)
        os._exit(0)

    with _taking((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), end):
        yield


def say_at_once(line: str) -> None:
    """Say a line on stderr from within a signal's handler.

    Not by Python's own file: the signal may have come while that one is written to.
    """
    with suppress(OSError):  # nobody reads it any more
        os.write(2, f"{line}\n".encode())


@contextmanager
def _taking(
    numbers: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    before = [signal.signal(number, handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler_before in zip(numbers, before, strict=True):
            signal.signal(number, handler_before)
