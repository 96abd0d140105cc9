"""The most likely meaning of a review's days, and the numbers that say so.

An account may breach its limit again and again because its owner needs more (a shop that grows), or
because something passes through it that should not. Each sign has a cut-off and a weight; signs of
either sort are added up, and the reading is the sort that has clearly more. It helps to sort work:
it decides nothing, and a person always has the numbers.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import combinations
from statistics import median
from typing import Final, NamedTuple

from monitor.review.episodes import CountedDay


class Reading(StrEnum):
    """What is more likely."""

    SERVICE_NEED = "service-need"
    SUSPICION = "suspicion"
    UNCLEAR = "unclear"


MARGIN: Final = 2
"""By how much one sort must outweigh the other: one strong sign, or two usual ones, unanswered."""

USUAL: Final = 1
STRONG: Final = 2
"""A strong sign has few innocent readings of its own."""

DECISIVE: Final = 4
"""As much as all signs of a service need together: with it, none of these is the reading."""

FAR_USUAL: Final = 5
FAR_STRONG: Final = 10
FAR_DECISIVE: Final = 100
"""Times the limit. A customer who outgrows a limit is at two or three times of it when the third
breach opens a review. At five times the account is not one that the limit was made for; at ten it
is not one of its segment; at a hundred no limit that a bank could give it would do."""

LEAP: Final = 5
"""A day of five times the middle day of the review. Totals of busy and quiet days differ by two or
three times; this is money that the account does not usually move, and it came at once."""

GREATEST_STANDS_OUT: Final = 2
"""The payees of the greatest day are looked at where it is twice the middle day: else it is a day
like the others, and chance makes it the greatest."""

RARE_USUAL: Final = 1 / 20
RARE_STRONG: Final = 1 / 100
"""How rare the models find the rarest day, times the number of days: of twenty days, one that is 1
in 20 is no news (Bonferroni). A twentieth and a hundredth are the usual levels of a test."""

RISING_SHARE: Final = 0.8
RISE: Final = 1.1
RISE_MAX: Final = 3
RISING_DAYS: Final = 3
"""Of three days one order in six rises throughout by chance, so a rise of a tenth is asked for,
too; of more days, four pairs in five in order are no chance. A trade that trebles within the weeks
of a review has no like among those that grow: beyond, the same order is a sign of suspicion."""

REGULAR_SHARE: Final = 0.6
NEW_SHARE: Final = 0.7
NAMED_SHARE: Final = 0.5
"""Most money to payees of earlier days is trade; nearly all to new ones is not. In between nothing
is said, and nothing where less than half of what was paid names its payee."""

PASS_SHARE: Final = 0.8
PASS_DAYS: Final = 0.5
"""A household spends less than four fifths of what comes in on the very day; a mule passes all on.
Half of the days must be so."""

FAST_SHARE: Final = 0.9
"""On one day alone a shop's takings and bills may meet: nine tenths by chance are rarer, and less
than half of the days is still no habit, so this is a usual sign and no strong one."""

NEAR_DAYS: Final = 2
ROUND_SHARE: Final = 0.5
ROUND_AMOUNTS: Final = 4
"""Prices are seldom round: of card payments some 2 in 100 are multiples of a hundred. Four amounts
are the fewest of which half is a pattern."""

MOVED_SCORE: Final = 0.05
MOVED_DAYS: Final = 3
"""The models find a day usual for the account where more than one in twenty is as strange."""


class Sign(NamedTuple):
    """One thing that speaks for a reading: how much, and in words with its number."""

    reading: Reading
    weight: int
    text: str


def reading_of(days: Sequence[CountedDay]) -> tuple[Reading, list[str]]:
    """Return the reading of a review's days, in order, and its reasons, the weightiest first."""
    signs = [sign for find in _FINDERS for sign in find(days)]
    ahead = sum(
        sign.weight if sign.reading is Reading.SERVICE_NEED else -sign.weight for sign in signs
    )
    reading = Reading.UNCLEAR
    if ahead >= MARGIN:
        reading = Reading.SERVICE_NEED
    elif -ahead >= MARGIN:
        reading = Reading.SUSPICION
    signs.sort(key=lambda sign: (sign.reading is not reading, -sign.weight))
    return reading, [sign.text for sign in signs] or [
        f"of {len(days)} days no sign of either reached its cut-off"
    ]


def _growth(days: Sequence[CountedDay]) -> Iterator[Sign]:
    """Yield whether the totals under one limit rise: Kendall's pairs in order, and by how much."""
    by_limit: dict[str, list[CountedDay]] = {}
    for counted_day in days:
        by_limit.setdefault(counted_day.mark.threshold_id, []).append(counted_day)
    under = max(by_limit.values(), key=len)
    if len(under) < RISING_DAYS:
        return
    values = [counted_day.mark.value for counted_day in under]
    pairs = list(combinations(values, 2))
    rising = sum(earlier < later for earlier, later in pairs)
    rise = values[-1] / max(values[0], 1)
    if rising < RISING_SHARE * len(pairs) or rise < RISE:
        return
    in_order = (
        f"{rising} of {len(pairs)} pairs of days are in order, and the last is {rise:,.2f} times"
        " the first"
    )
    if rise <= RISE_MAX:
        yield Sign(Reading.SERVICE_NEED, USUAL, f"the day totals rise steadily: {in_order}")
    else:
        yield Sign(
            Reading.SUSPICION, USUAL, f"the day totals rise faster than a trade grows: {in_order}"
        )


def _magnitude(days: Sequence[CountedDay]) -> Iterator[Sign]:
    """Yield how many times its limit the farthest day is; a limit of 0 has no multiple."""
    times = max((_times(counted_day) for counted_day in days), default=0.0)
    if times < FAR_USUAL:
        return
    weight = USUAL
    if times >= FAR_DECISIVE:
        weight = DECISIVE
    elif times >= FAR_STRONG:
        weight = STRONG
    yield Sign(Reading.SUSPICION, weight, f"its greatest day is {times:,.1f} times the limit")


def _leap(days: Sequence[CountedDay]) -> Iterator[Sign]:
    """Yield whether a day leaps above the middle one, and whether it then paid strangers."""
    greatest = max(days, key=_times)
    middle = median(_times(counted_day) for counted_day in days)
    if not middle:
        return
    leap = _times(greatest) / middle
    if leap >= LEAP:
        yield Sign(
            Reading.SUSPICION, USUAL, f"its greatest day is {leap:,.1f} times the middle one"
        )
    to_strangers = _share_to_strangers(greatest, days)
    if leap >= GREATEST_STANDS_OUT and to_strangers >= NEW_SHARE:
        yield Sign(
            Reading.SUSPICION, USUAL,
            f"{to_strangers:.0%} of the greatest day's money went to payees of no other day",
        )  # fmt: skip


def _passed_to_strangers(days: Sequence[CountedDay]) -> Iterator[Sign]:
    """Yield whether a day passed its money on to payees of no other day: what a mule does, once.

    A shop that banks its takings and pays its bills on one day pays suppliers that it has.
    """
    for counted_day in days:
        to_strangers = _share_to_strangers(counted_day, days)
        if _passed_share(counted_day) >= PASS_SHARE and to_strangers >= NEW_SHARE:
            yield Sign(
                Reading.SUSPICION, STRONG,
                f"on one day what came in went out again, {to_strangers:.0%} of it to payees of no"
                " other day",
            )  # fmt: skip
            return


def _share_to_strangers(counted_day: CountedDay, days: Sequence[CountedDay]) -> float:
    """Return what share of a day's money went to payees of no other day; 0 where few are named."""
    facts = counted_day.noted.facts
    known = {
        payee for other in days if other is not counted_day for payee in other.noted.facts.payees
    }
    named = sum(facts.payees.values()) + facts.others
    if not named or named < NAMED_SHARE * (named + facts.unnamed):
        return 0.0
    to_new = facts.others + sum(facts.payees[payee] for payee in facts.payees.keys() - known)
    return to_new / named


def _passed_share(counted_day: CountedDay) -> float:
    """Return the lesser of what came in and what went out on a day, over the greater."""
    low, high = sorted((counted_day.noted.money_in, counted_day.noted.money_out))
    return low / max(high, 1)


def _times(counted_day: CountedDay) -> float:
    return counted_day.mark.value / counted_day.mark.limit if counted_day.mark.limit else 0.0


def _payees(days: Sequence[CountedDay]) -> Iterator[Sign]:
    """Yield whether money went to payees of earlier days, or to new ones; the first has none."""
    known: set[int] = set()
    to_known = to_new = elsewhere = new = 0
    for number, counted_day in enumerate(days):
        facts = counted_day.noted.facts
        if number:
            known_today = known & facts.payees.keys()
            to_known += sum(facts.payees[payee] for payee in known_today)
            to_new += sum(facts.payees.values()) - sum(facts.payees[p] for p in known_today)
            to_new += facts.others
            elsewhere += facts.unnamed
            new += len(facts.payees) - len(known_today)
        known |= facts.payees.keys()
    named = to_known + to_new
    if not named or named < NAMED_SHARE * (named + elsewhere):
        return
    share = to_known / named
    if share >= REGULAR_SHARE:
        yield Sign(
            Reading.SERVICE_NEED, STRONG,
            f"{share:.0%} of the money went to payees that were paid on earlier days of these",
        )  # fmt: skip
    elif 1 - share >= NEW_SHARE:
        yield Sign(
            Reading.SUSPICION, USUAL,
            f"{1 - share:.0%} of the money went to payees that were not paid on an earlier day of"
            f" these, {new} of them told apart",
        )  # fmt: skip


def _pass_through(days: Sequence[CountedDay]) -> Iterator[Sign]:
    shares = [_passed_share(counted_day) for counted_day in days]
    passed = sum(share >= PASS_SHARE for share in shares)
    if passed >= PASS_DAYS * len(days):
        yield Sign(
            Reading.SUSPICION, STRONG,
            f"on {passed} of {len(days)} days what came in went out again: the lesser of the two is"
            f" {median(shares):.0%} of the greater (median)",
        )  # fmt: skip
    elif max(shares) >= FAST_SHARE:
        fast = sum(share >= FAST_SHARE for share in shares)
        yield Sign(
            Reading.SUSPICION, USUAL,
            f"on {fast} of {len(days)} days nearly all that came in went out again: the lesser of"
            f" the two is {max(shares):.0%} of the greater",
        )  # fmt: skip


def _just_below(days: Sequence[CountedDay]) -> Iterator[Sign]:
    near = sum(counted_day.mark.is_near for counted_day in days)
    if near >= NEAR_DAYS:
        weight = STRONG if near > len(days) / 2 else USUAL
        yield Sign(
            Reading.SUSPICION, weight, f"{near} of {len(days)} days stay just below the limit"
        )


def _round_amounts(days: Sequence[CountedDay]) -> Iterator[Sign]:
    amounts = sum(counted_day.noted.facts.amounts for counted_day in days)
    round_ = sum(counted_day.noted.facts.round for counted_day in days)
    if amounts >= ROUND_AMOUNTS and round_ >= ROUND_SHARE * amounts:
        yield Sign(
            Reading.SUSPICION, USUAL,
            f"{round_} of {amounts} amounts are round: multiples of 100 (from where a day comes"
            " near half of a limit)",
        )  # fmt: skip


def _moved(days: Sequence[CountedDay]) -> Iterator[Sign]:
    scores = [
        counted_day.noted.score for counted_day in days if counted_day.noted.score is not None
    ]
    usual = sum(score > MOVED_SCORE for score in scores)
    if len(scores) >= MOVED_DAYS and 2 * usual > len(scores):
        yield Sign(
            Reading.SERVICE_NEED, USUAL,
            f"the account's own pattern has moved: the models find {usual} of {len(scores)} days"
            f" usual for it (the middle one is 1 in {1 / max(median(scores), 1e-9):,.0f})",
        )  # fmt: skip


def _rare(days: Sequence[CountedDay]) -> Iterator[Sign]:
    scores = [
        counted_day.noted.score for counted_day in days if counted_day.noted.score is not None
    ]
    if not scores:
        return
    rarest = min(scores) * len(scores)
    if rarest <= RARE_USUAL:
        yield Sign(
            Reading.SUSPICION, STRONG if rarest <= RARE_STRONG else USUAL,
            f"the models find its rarest day 1 in {1 / max(min(scores), 1e-9):,.0f}, of"
            f" {len(scores)} days",
        )  # fmt: skip


_FINDERS: Final = (
    _growth, _payees, _moved, _magnitude, _leap, _rare, _pass_through, _passed_to_strangers,
    _just_below, _round_amounts,
)  # fmt: skip
