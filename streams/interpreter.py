"""Settings of the interpreter, for millions of small objects and two busy threads."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_OBJECTS: Final = 200_000
SWITCH_SECONDS: Final = 0.002

MALLOC: Final = {-3: 32 << 20, -1: 128 << 20, -2: 16 << 20}
"""glibc's numbers M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD, and the bytes of each.

The first is the greatest that glibc takes."""


def configure_interpreter() -> None:
    """Make full collections rare, turns between threads short, and keep memory that is freed.

    Accounts and days are many, long-lived and free of cycles: with the default thresholds a third
    of a busy worker's time goes into walking them. Faust's consumer has a thread of its own, and
    needs several turns for each fetch: records would wait for each of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 50, 1000)
    sys.setswitchinterval(SWITCH_SECONDS)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed: each run needs megabytes, which the kernel clears each time."""
    libc = _glibc()
    if libc is not None:
        for number, size in MALLOC.items():
            libc.mallopt(number, size)


def give_back_memory() -> None:
    """Free young cycles, and give back what is free amid what is used, which glibc keeps otherwise.

    State that was written, and versions of it that were replaced, leave more of it than there is
    state. It took 34 ms where 830 MB were free, and half a millisecond where nothing was. Cycles
    are those of other libraries: aiokafka leaves one whenever a reader is assigned its partitions
    again. They are few, so collections by their number alone would come after hours.
    """
    gc.collect(1)
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") else None  # musl has none


@contextmanager
def building() -> Iterator[None]:
    """Build much that will stay: no collection while it is built, and none looks at it later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def free_forgotten() -> None:
    """Free what was built and is not needed any more: no collection looks at it by itself.

    An engine's parts know each other, so it does not go when the last reference to it does.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    give_back_memory()
