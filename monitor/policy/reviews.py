"""The [review] or [[review]] tables of a policy: breach days that are enough for a review.

Without one there are no reviews.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from monitor.core.table_reader import TableReader, is_whole, shown
from monitor.core.threshold import Direction, Measure, Scope, Severity, Threshold
from monitor.policy.limits import refuse_shared, scope_in, scope_stated
from monitor.policy.lists import NO_LISTS, Lists

REVIEW_KEYS: Final = ("days", "window_days", "near_share", "severity", "scope")

DAYS_DEFAULT: Final = 3
WINDOW_DAYS_DEFAULT: Final = 10
"""Three breach days in ten: once is chance and twice may be a month's end, and ten business days
still see what comes every week. On a made population it is one review to some sixteen breaches."""

WINDOW_DAYS_MAX: Final = 31
"""An account is kept in memory for as long."""

NEAR_PERMILLE_DEFAULT: Final = 900
LOOK_PERMILLE: Final = 500
"""From when an account-day's transactions are looked at closer, in thousandths of a limit. Half:
what is seen of a day that comes near its limit is then at least nearly half of it."""

WHOLE: Final = 1000
"""Of a share in thousandths."""


REVIEW: Final = "review"
"""The threshold_id of every review alert."""


class ReviewRule(NamedTuple):
    """How many breach days in how many business days are a review, and for whom.

    `threshold` has its scope, as that of a limit; it is exceeded by the days that are enough. A day
    whose value is greater than `near_permille` thousandths of a limit, and not over it, is a near
    day: it counts half.
    """

    threshold: Threshold
    window_days: int
    near_permille: int

    @property
    def days(self) -> int:
        """How many breach days are enough."""
        return self.threshold.above + 1

    def is_near(self, value: int, limit: int) -> bool:
        """Return whether a value is near a limit, and not over it."""
        return value <= limit and value * WHOLE > limit * self.near_permille


def review_threshold(limit: int, severity: Severity, **scope: str | None) -> Threshold:
    """Return what a review exceeds: more than `limit` breach days."""
    return Threshold(
        REVIEW, Measure.BREACH_DAYS, Direction.BOTH, None, limit, severity, scope.get("account"),
        scope.get("segment"), scope.get("peer_group"), scope.get("product"),
    )  # fmt: skip


def deciding_rule(rules: Sequence[ReviewRule], scope: Scope) -> ReviewRule | None:
    """Return the most specific rule for an account-day's scope; None if none is for it."""
    if not rules or (len(rules) == 1 and not rules[0].threshold.specificity):
        return rules[0] if rules else None  # as nearly every policy
    of_account = [rule for rule in rules if rule.threshold.is_for(*scope)]
    return max(of_account, key=lambda rule: rule.threshold.specificity, default=None)


def review_rules(document: TableReader, lists: Lists = NO_LISTS) -> tuple[ReviewRule, ...]:
    """Return what [review], or each [[review]], of a policy states; `lists` are the policy's."""
    stated = document.get("review", None)
    if stated is None:
        return ()
    tables = stated if isinstance(stated, list) else [stated]
    rules: list[ReviewRule] = []
    for number, table in enumerate(tables, 1):
        where = "review" if len(tables) == 1 else f"review {number}"
        place = (number,) if isinstance(stated, list) else ()
        if not isinstance(table, dict):
            said = f"{where} is not a table: write [review], or [[review]] for several"
            document.refuse(said, "review", number)
            continue
        rules.append(_rule(document.reader(table, f"{where}.", "review", *place), lists))
    scopes = [rule.threshold[6:] for rule in rules]
    if len(set(scopes)) < len(scopes):
        document.refuse("two [[review]] have the same scope: which one decides?")
    of_rules = ((n, str(n), None, scope_in(rule.threshold)) for n, rule in enumerate(rules, 1))
    refuse_shared("review", of_rules, document)
    return tuple(rules)


def _rule(review: TableReader, lists: Lists) -> ReviewRule:
    review.refuse_unknown(REVIEW_KEYS)
    days = review.get("days", DAYS_DEFAULT)
    window_days = review.get("window_days", WINDOW_DAYS_DEFAULT)
    if not (is_whole(window_days) and 1 <= window_days <= WINDOW_DAYS_MAX):
        review.refuse(
            f"window_days is {shown(window_days)}: a whole number from 1 to {WINDOW_DAYS_MAX}"
        )
        window_days = WINDOW_DAYS_MAX
    if not (is_whole(days) and 1 <= days <= window_days):
        review.refuse(f"days is {shown(days)}: a whole number from 1 to window_days")
        days = 1
    severity = review.choice("severity", tuple(Severity), Severity.HIGH) or Severity.HIGH
    scope = scope_stated(review, lists)
    near = _permille(review)
    return ReviewRule(
        review_threshold(days - 1, severity)._replace(**scope._asdict()), window_days, near
    )


def _permille(review: TableReader) -> int:
    share = review.get("near_share", NEAR_PERMILLE_DEFAULT / WHOLE)
    if isinstance(share, int | float) and not isinstance(share, bool):
        permille = Fraction(str(share)) * WHOLE if abs(share) <= 1 else Fraction(0)
        if permille.denominator == 1 and LOOK_PERMILLE <= permille <= WHOLE:
            return int(permille)
    review.refuse(
        f"near_share is {shown(share)}: a share from 0.5 to 1 with at most three decimals"
    )
    return NEAR_PERMILLE_DEFAULT
