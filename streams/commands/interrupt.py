"""Whoever ends a command by SIGTERM, or closes its terminal, ends it as Ctrl-C does."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """Take SIGTERM and SIGHUP as SIGINT: a broker and workers of our own are not left behind."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT)) for number in numbers
    ]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
