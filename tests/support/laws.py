"""How many examples a law is tried on: a share of them every day, all of them in `.ci/run`."""

import os
from collections.abc import Callable
from typing import Any, Final

from hypothesis import settings

WHOLE: Final = "whole"
SHARE: Final = 0.25
LEAST: Final = 15
EXAMPLES_OF_OTHERS: Final = 100
"""Of a law that does not say how many."""


def examples(whole: int) -> int:
    """Return how many examples to try, of so many: all of them if LAWS=whole is set."""
    if os.environ.get("LAWS") == WHOLE:
        return whole
    return min(whole, max(LEAST, round(whole * SHARE)))


def law(whole: int) -> Callable[[Any], Any]:
    """Try a law on so many examples, or every day on a share of them."""
    return settings(max_examples=examples(whole), deadline=None)
