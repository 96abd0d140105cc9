"""A column as a few categories: what descriptions, associations and rules count."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ints

NONE: Final = "(none)"
"""The category of the rows in which a value is missing."""


class Attribute(NamedTuple):
    """A column as categories: row i has `values[codes[i]]`.

    `values` are different and each has rows: intervals and numbers from the least, words by the
    alphabet, merged ones in the order of what they were merged of, and `NONE` last.
    """

    name: str
    values: tuple[str, ...]
    codes: Ints

    def texts(self) -> list[str]:
        """Return the category of each row."""
        return [self.values[code] for code in self.codes.tolist()]

    def counts(self, of: NDArray[np.bool_] | None = None) -> Ints:
        """Return the number of rows of each category, all or those `of` which it is true."""
        codes = self.codes if of is None else self.codes[of]
        return np.bincount(codes, minlength=len(self.values))

    def mapped(self, to: Mapping[str, str]) -> "Attribute":
        """Return it with values replaced, equal ones merged; what `to` has not stays."""
        replaced = [to.get(value, value) for value in self.values]
        merged = list(dict.fromkeys(replaced))
        merged.sort(key=lambda value: value == NONE)
        places = {value: place for place, value in enumerate(merged)}
        return Attribute(
            self.name,
            tuple(merged),
            np.array([places[value] for value in replaced], np.int64)[self.codes],
        )


def attribute_of(name: str, column: Sequence[str | None]) -> Attribute:
    """Return a column of words as categories."""
    known = sorted({text for text in column if text is not None and text != NONE})
    values = [*known, NONE] if len(known) < len(set(column)) else known
    places: dict[str | None, int] = {value: place for place, value in enumerate(values)}
    places[None] = len(values) - 1
    return Attribute(name, tuple(values), np.array([places[one] for one in column], np.int64))


def attribute_of_codes(name: str, values: Sequence[str], codes: Ints) -> Attribute:
    """Return categories by their codes, those without rows left out."""
    used = np.bincount(codes, minlength=len(values)) > 0
    places = np.cumsum(used) - 1
    kept = tuple(value for value, is_used in zip(values, used.tolist(), strict=True) if is_used)
    return Attribute(name, kept, places[codes].astype(np.int64))
