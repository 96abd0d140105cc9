"""Names: lists of a policy, and tables of those that records may name freely.

Each table has a bound, and what is beyond is `OTHERS`.

A segment, an institution, a branch: any text of a record may be one. A million kinds of them must
not take a million places in memory, and what has no place of its own is counted all the same.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
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


class NameList:
    """Names under the name of a list; two lists are equal if they have the same names.

    `digest` is the SHA-256 of the names, sorted by their bytes, each with a newline after it.
    """

    __slots__ = ("digest", "name", "names")

    def __init__(self, name: str, names: Iterable[str]) -> None:
        self.name = name
        self.names = frozenset(names)
        text = "".join(f"{each}\n" for each in sorted(self.names))
        self.digest = sha256(text.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NameList) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"NameList({self.name!r}, {len(self.names)} names, {self.digest[:8]})"
