"""Tables of names that records may name freely: each has a bound, and what is beyond is `OTHERS`.

A segment, an institution, a branch: any text of a record may be one. A million kinds of them must
not take a million places in memory, and what has no place of its own is counted all the same.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

Key = TypeVar("Key")

OTHERS: Final = "(others)"
"""The name under which all names are counted that found no place in a table."""

SEGMENTS_MAX: Final = 1_000
"""Segments that are told apart on a day, and over all days. A bank has tens of them."""

KINDS_MAX: Final = 500
"""Institutions, branches and the like that are counted by name in one segment on one day: as many
names of 256 characters are some 150 KiB, so a record of them fits its topic."""

REJECTION_KINDS_MAX: Final = 256
"""Kinds of rejections (segment, reason and branch) that one bucket of state counts by name."""

HOT_PAYERS_MAX: Final = 10_000
"""Kinds of hot payments (day, segment and institution) that a partition counts by name."""

ATTRIBUTES_MAX: Final = 65_536
"""Attributes that accounts share; further accounts have an object each."""


def within(counts: Mapping[Key, int], at_most: int, others: Callable[[Key], Key]) -> dict[Key, int]:
    """Return counts with the greatest `at_most` by themselves, and the others added up.

    `others` names what the count of a key is added to; these come beside. Equal counts go by the
    order of their keys, so the order of arrival decides nothing. The total stays.
    """
    if len(counts) <= at_most:
        return dict(counts)
    ordered = sorted(counts, key=lambda key: (-counts[key], str(key)))
    kept = {key: counts[key] for key in ordered[:at_most]}
    for key in ordered[at_most:]:
        under = others(key)
        kept[under] = kept.get(under, 0) + counts[key]
    return kept
