"""How likely two things come together so often where they have nothing to do with each other."""

from math import exp, lgamma
from typing import Final

_NEGLIGIBLE: Final = 1e-17


def chance_of(both: int, first: int, second: int, rows: int) -> float:
    """Return the probability that so many rows or more have two things.

    `first` of all rows have the one, `second` the other.
    Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution.
    """
    most = min(first, second)
    least = max(0, first + second - rows)
    if both <= least:
        return 1.0
    if both > most:
        return 0.0
    term = exp(
        _log_ways(first, both) + _log_ways(rows - first, second - both) - _log_ways(rows, second)
    )
    total = term
    for count in range(both, most):
        term *= (first - count) * (second - count)
        term /= (count + 1) * (rows - first - second + count + 1)
        total += term
        if term < total * _NEGLIGIBLE and count * rows > first * second:
            break
    return min(1.0, total)


def _log_ways(of: int, chosen: int) -> float:
    return lgamma(of + 1) - lgamma(chosen + 1) - lgamma(of - chosen + 1)
