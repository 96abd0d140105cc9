"""What a reversal takes out of what is left of the transaction that it names.

Reversals form chains: a transaction, a reversal of it, a reversal of that, and so on. What is left
of each is its amount less what is left of the reversals that name it. So a reversal of a reversal
restores what that one took, and the account-day counts what is left of the chain's first.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from monitor.core.account import SERIES
from monitor.core.money import EXPONENT, amount_text
from monitor.core.transaction import Rejection, nothing_to_reverse, reversal_mismatch
from monitor.core.waiting import Waiting
from monitor.ledger import NO_AMOUNT, OF_NO_AMOUNT, SERIES_BITS, SERIES_MASK, WAITING, Link, OpenDay

CHAIN_MAX: Final = 100
"""Reversals in one chain; so the cost of one more is bounded."""


class Fit(NamedTuple):
    """A reversal that fits: its own content, and what becomes of the chain that it ends.

    `taken` has the nodes of the chain from the one that it names to the first, each with what is
    taken out of it (negative: restored), in minor units, or 1 where it is of 0.00. `root` is the
    day of the first; `counted` and `amount_minor` are to be added to its account-day's totals.
    """

    content: int
    taken: list[tuple[OpenDay, str, int]]
    root: OpenDay
    series: int
    counted: int
    amount_minor: int


def held_by(open_days: Mapping[int, OpenDay], key: str) -> OpenDay | None:
    """Return the open day that holds a transaction; None if none does, or it still waits."""
    for open_day in open_days.values():
        content = open_day.contents.get(key)
        if content is not None:
            return None if content == WAITING else open_day
    return None


def fit_of(
    open_days: Mapping[int, OpenDay], reversal: Waiting, target: OpenDay, key: str
) -> Fit | Rejection:
    """Return how a reversal fits the transaction that it names, `key` on the day `target`.

    Nothing is changed yet. Returns the rejection if it does not fit.
    """
    content = target.contents[key]
    left, series = content >> SERIES_BITS, content & SERIES_MASK
    _, currency = SERIES[series]
    has_no_amount = bool(content & NO_AMOUNT)
    amount = reversal.amount_minor
    if reversal.currency != currency:
        return reversal_mismatch(
            reversal.reverses, f"that is in {currency}, this one is in {reversal.currency}"
        )
    units = 1 if has_no_amount and not amount else amount
    if (has_no_amount and amount) or units > left:
        rest = amount_text(0 if has_no_amount else left, EXPONENT[currency])
        said = amount_text(amount, EXPONENT[currency])
        return reversal_mismatch(
            reversal.reverses,
            f"{rest} {currency} is left of it, this one takes back {said}"
            if left or amount
            else "nothing is left of it",
        )
    chain = _chain_of(open_days, target, key)
    if len(chain) > CHAIN_MAX:
        return reversal_mismatch(
            reversal.reverses, f"it ends a chain of {CHAIN_MAX} reversals, which is the longest"
        )
    if chain[-1] is None:
        return nothing_to_reverse(
            reversal.reverses, "what that one took back is of a business day that is closed"
        )
    taken: list[tuple[OpenDay, str, int]] = []
    for place, node in enumerate(chain):
        assert node is not None, "only the last one may be missing"
        takes = -units if place % 2 else units
        if takes > node[0].contents[node[1]] >> SERIES_BITS:
            return reversal_mismatch(
                reversal.reverses, "what it would take out again has been taken back otherwise"
            )
        taken.append((*node, takes))
    root, root_key, takes = taken[-1]
    before = root.contents[root_key] >> SERIES_BITS
    own = (OF_NO_AMOUNT if has_no_amount else units << SERIES_BITS) | series
    return Fit(
        own, taken, root, series,
        counted=(before - takes > 0) - (before > 0),
        amount_minor=0 if has_no_amount else -takes,
    )  # fmt: skip


def _chain_of(
    open_days: Mapping[int, OpenDay], day: OpenDay, key: str
) -> list[tuple[OpenDay, str] | None]:
    """Return a transaction and what it takes back, and so on to the first.

    At most one more than `CHAIN_MAX` are returned. The last is None if its day is closed.
    """
    chain: list[tuple[OpenDay, str] | None] = [(day, key)]
    link: Link | None = day.links.get(key)
    while link is not None and len(chain) <= CHAIN_MAX:
        held = open_days.get(link.day)
        if held is None:
            chain.append(None)
            break
        chain.append((held, link.key))
        link = held.links.get(link.key)
    return chain
