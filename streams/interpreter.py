"""Settings of the interpreter, for millions of small objects and two busy threads."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_OBJECTS: Final = 200_000
SWITCH_SECONDS: Final = 0.02


def configure_interpreter() -> None:
    """Make full collections rare, and turns between threads longer.

    Accounts and days are many, long-lived and free of cycles: with the default thresholds a third
    of a busy worker's time goes into walking them. And Faust's consumer has a thread of its own;
    at Python's 5 ms a turn an eighth of the time goes into taking turns.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 50, 1000)
    sys.setswitchinterval(SWITCH_SECONDS)


@contextmanager
def building() -> Iterator[None]:
    """Build much that will stay: no collection while it is built, and none looks at it later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
