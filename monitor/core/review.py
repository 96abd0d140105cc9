"""Account-days over or near a limit, as a review needs them, and what was told of a review.

They are few, and small: an account keeps them for as long as a later day may be counted with them.
"""

from typing import Final, NamedTuple

from monitor.core.transaction import Origin

PAYEES_MAX: Final = 12
"""Payees of an account-day that are told apart; what goes to further ones is `others`."""

ROUND_UNITS: Final = 100
"""Units of a currency of which a round amount is a multiple."""


class DayFacts:
    """What is seen of an account-day's transactions from when it comes near half of a limit.

    `payees` has the minor units paid to each counterparty, by a hash of its name; `others` those
    paid to counterparties beyond `PAYEES_MAX`, `unnamed` those paid to nobody by name. `round`
    counts the amounts, of `amounts`, that are multiples of a hundred of the currency's units.
    """

    __slots__ = ("amounts", "others", "payees", "round", "unnamed")

    def __init__(self) -> None:
        self.payees: dict[int, int] = {}
        self.others = 0
        self.unnamed = 0
        self.amounts = 0
        self.round = 0

    def pay(self, payee: int | None, amount_minor: int) -> None:
        """Take a payment to a counterparty (by its hash), or to nobody by name."""
        if payee is None:
            self.unnamed += amount_minor
        elif payee in self.payees or len(self.payees) < PAYEES_MAX:
            self.payees[payee] = self.payees.get(payee, 0) + amount_minor
        else:
            self.others += amount_minor


class Mark(NamedTuple):
    """A limit that an account-day is over, or near: `value` and `limit` are in its own unit.

    `origin` is that of the transaction that took the day over it; None of a near one, of one that a
    policy took over, and of a limit for one account.
    """

    threshold_id: str
    value: int
    limit: int
    currency: str | None
    is_amount: bool
    is_near: bool
    origin: Origin | None = None


class NotedDay(NamedTuple):
    """An account-day over or near limits: which, by which policy version, and what was seen of it.

    `money_out` and `money_in` are the day's debits and credits in minor units of `currency`.
    `score` is how rare the models found the day (a tail probability), where there are any.
    """

    day: int
    segment: str | None
    peer_group: str | None
    product: str | None
    policy_version: int
    marks: tuple[Mark, ...]
    currency: str
    money_out: int
    money_in: int
    facts: DayFacts
    score: float | None = None


class DayTold(NamedTuple):
    """A day of a review as it was told: its weight in half days, 0 if incidents explain all of it.

    `left_out` has a bit for each of its marks that an incident explains, the first mark's lowest.
    """

    day: int
    weight: int
    left_out: int


class ReviewTold(NamedTuple):
    """What was told last of one review, and its days, explained or not.

    `value` and `limit` are in days; a review stands if the value is greater than the limit.
    `is_episode` says whether its days, explained or not, make a review at all: else it was told
    once, and is over. `digest` is a hash of its evidence; `open_values` has the values that it gave
    of days which were open, by day.
    """

    status: str
    revision: int
    value: int
    limit: int
    severity: str
    days: tuple[DayTold, ...]
    reading: str
    digest: int
    is_episode: bool
    open_values: tuple[tuple[int, int], ...] = ()

    @property
    def last(self) -> int | None:
        """Its last day; None if it has none."""
        return self.days[-1].day if self.days else None


class FoldedDays(NamedTuple):
    """The earliest days of a review that goes on for long: no more than how many count.

    `weight_greatest` is the most, in half days, that a window has which begins with one of them.
    """

    first: int
    last: int
    breach_days: int
    near_days: int
    weight_greatest: int


class EndedReview(NamedTuple):
    """A review that no further day goes on with, kept because an incident may still explain days.

    Its rule is that of `policy_version` for `segment`, `peer_group` and `product`.
    """

    told: ReviewTold
    days: tuple[NotedDay, ...]
    folded: FoldedDays | None
    policy_version: int
    segment: str | None
    peer_group: str | None
    product: str | None


class Review:
    """What an account keeps for its reviews.

    `closed` are its noted days that have closed, by day; those still open are in its account-days.
    `told` is what was told, by the first day of the review; `ended` are those that are over, until
    it is settled which of their days incidents explain.
    """

    __slots__ = ("closed", "ended", "folded", "told")

    def __init__(self) -> None:
        self.closed: dict[int, NotedDay] = {}
        self.folded: FoldedDays | None = None
        self.told: dict[int, ReviewTold] = {}
        self.ended: dict[int, EndedReview] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to keep."""
        return not (self.closed or self.told or self.folded or self.ended)
