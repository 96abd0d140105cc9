"""Rates of exchange: how many units of each currency one unit of a base is, by business day.

Rates are decimal texts and stay exact: what is converted is whole minor units, by integers alone.
"""

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from math import gcd
from operator import attrgetter
from typing import Final, NamedTuple

from monitor.core.money import EXPONENT

_DAY: Final = attrgetter("day")


class Rate(NamedTuple):
    """So many units of a currency for one of the base, as it was published for a day."""

    day: int
    text: str


class Rates(NamedTuple):
    """The rates of a policy: those of each currency in the order of their days.

    A rate holds on its day and on the `days_most` days after it, until the next one. `file` is the
    path that they came from, if they did, `digest` the SHA-256 of them as text, as hexadecimal, and
    `version` that of the policy.
    """

    base: str
    days_most: int
    published: Mapping[str, tuple[Rate, ...]]
    digest: str
    file: str | None = None
    version: int = 0

    def rate_of(self, currency: str, day: int) -> Rate | None:
        """Return the rate of a currency that holds on a business day; None without one."""
        published = self.published.get(currency, ())
        place = bisect_right(published, day, key=_DAY)
        last = published[place - 1] if place else None
        return last if last is not None and last.day >= day - self.days_most else None

    @property
    def days(self) -> tuple[int, int]:
        """The first and the last day of which there is any rate."""
        of_any = [rate.day for rates in self.published.values() for rate in rates]
        return min(of_any), max(of_any)


@lru_cache(maxsize=1 << 14)
def scale_of(text: str, currency: str, base: str) -> tuple[int, int]:
    """Return by which two whole numbers minor units of a currency are multiplied and divided.

    That gives minor units of the base, by the text of a rate.

    >>> scale_of("1.25", "USD", "EUR"), scale_of("160", "JPY", "EUR")
    ((4, 5), (5, 8))
    """
    whole, _, decimals = text.partition(".")
    times = 10 ** (EXPONENT[base] + len(decimals))
    divided = int(whole + decimals) * 10 ** EXPONENT[currency]
    common = gcd(times, divided)
    return times // common, divided // common


def converted(minor: int, rate: Rate, currency: str, base: str) -> int:
    """Return minor units of a currency (not negative) in those of the base, rounded half up.

    >>> converted(1_01, Rate(1, "2"), "USD", "EUR"), converted(1_00, Rate(1, "3"), "USD", "EUR")
    (51, 33)
    """
    return scaled(minor, scale_of(rate.text, currency, base))


def scaled(minor: int, scale: tuple[int, int]) -> int:
    """Return minor units (not negative) by a scale that `scale_of` gives, rounded half up."""
    times, divided = scale
    return (2 * minor * times + divided) // (2 * divided)
