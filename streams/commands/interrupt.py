"""Whoever ends a command by SIGTERM, or closes its terminal, ends it as Ctrl-C does."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

EXIT_INTERRUPTED: Final = 130


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
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
        os._exit(0)

    with _taking((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), end):
        yield


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
