"""Garbage collection, for a process that holds millions of small objects for long."""

import gc


def configure_gc() -> None:
    """Make full collections rare: accounts and days are many, long-lived and free of cycles.

    With the default thresholds a third of a busy worker's time goes into walking them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
