"""The fields of an account's profile that peer groups are found by, and the words for them."""

from collections import Counter
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats


class Field(NamedTuple):
    """A field of a profile: its weight in distances, and the words for much of it and little.

    `is_coarse`: the coarse groups are found by it. Of the fields that are shares of the same
    `whole`, one says what the others follow from.
    """

    name: str
    weight: float
    high: str
    low: str
    is_coarse: bool = False
    whole: str | None = None


_FIELDS: Final = (
    Field("log_amount_mean", 1.0, "large amounts", "small amounts", is_coarse=True),
    Field("log_amount_sd", 0.6, "amounts that vary", "amounts much alike"),
    Field("log_daily_rate", 0.5, "many a day", "few a day", is_coarse=True),
    Field("credit_share", 1.4, "much coming in", "little coming in", is_coarse=True),
    Field("morning_share", 0.5, "in the morning", "seldom in the morning", whole="hours"),
    Field("afternoon_share", 0.5, "in the afternoon", "seldom in the afternoon", whole="hours"),
    Field("evening_share", 0.5, "in the evening", "seldom in the evening", whole="hours"),
    Field("card_share", 0.7, "by card", "seldom by card", whole="channels"),
    Field("mobile_share", 0.7, "by mobile", "seldom by mobile", whole="channels"),
    Field("web_share", 0.7, "by web", "seldom by web", whole="channels"),
    Field("branch_share", 0.7, "at a branch", "seldom at a branch", is_coarse=True,
          whole="channels"),
    Field("atm_share", 0.7, "by cash machine", "seldom by cash machine", whole="channels"),
    Field("api_share", 0.7, "by API", "seldom by API", is_coarse=True, whole="channels"),
    Field("weekend_share", 0.4, "at week-ends", "seldom at week-ends", is_coarse=True),
)  # fmt: skip

FIELDS: Final = tuple(field.name for field in _FIELDS)
"""Columns of a profile, in order.

Mean and standard deviation of the logarithm of amounts; the logarithm of transactions a day; the
share of credits; the shares of 6 to 12, 12 to 18 and 18 to 24 o'clock; the shares of six channels;
the share of week-ends. Shares are from 0 to 1.
"""

WEIGHTS: Final = np.array([field.weight for field in _FIELDS])
"""Weights of the fields in distances.

The daily rate counts for half, and the share of credits for more: a rate as heavy as the rest
tells the busy of each kind from the quiet before it tells the kinds apart, and on made populations
the coarse groups then miss the kinds of customer (tests/models/peers/test_peer_population.py).
"""

COARSE_FIELDS: Final = [place for place, field in enumerate(_FIELDS) if field.is_coarse]

WORDS: Final = 3
"""What a name says at most, unless another group would have the same name."""

DIFFERENCE_MIN: Final = 0.3
"""Standard deviations from the whole, below which a field is not worth a word."""

LIKE_MOST: Final = "much like the whole"


def names_of(differences: Floats) -> list[str]:
    """Return a name for each group of its differences from the whole: (groups, fields), in sds.

    A name has the words of the fields that differ most. Groups that would share a name get more
    words; where all that is worth a word is the same, they share it.
    """
    words = [_words(row) for row in differences]
    told = [WORDS] * len(words)
    names = [_name(word, WORDS) for word in words]
    for _ in FIELDS:
        shared = Counter(names)
        told = [count + (shared[name] > 1) for count, name in zip(told, names, strict=True)]
        names = [_name(word, count) for word, count in zip(words, told, strict=True)]
    return names


def _name(words: list[str], count: int) -> str:
    return ", ".join(words[:count]) or LIKE_MOST


def _words(differences: Floats) -> list[str]:
    """Return the words that set a group apart, the strongest first."""
    words, wholes = [], set()
    for place in np.argsort(-np.abs(differences), kind="stable").tolist():
        field, difference = _FIELDS[place], differences[place]
        if abs(difference) < DIFFERENCE_MIN:
            break
        if field.whole is None or field.whole not in wholes:
            words.append(field.high if difference > 0 else field.low)
            wholes.add(field.whole)
    return words
