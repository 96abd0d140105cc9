"""The policy: limits, calendar and lateness, versioned.

A policy decides for the business days from its `effective_from` on, until a later one does.
"""

from bisect import bisect_right
from datetime import time
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from monitor.core.alert import Alert
from monitor.core.business_day import MICROSECONDS, Calendar, day_text
from monitor.core.table_reader import ProblemsError
from monitor.core.threshold import LimitSet, Scope, Threshold
from monitor.gauges.limit import GaugeLimit
from monitor.gauges.rates import Rates
from monitor.policy.lists import NO_LISTS, Lists
from monitor.policy.models import OutlierSettings
from monitor.policy.reviews import LOOK_PERMILLE, ReviewRule, deciding_rule
from monitor.policy.suppressions import Suppression, SuppressionBook
from monitor.policy.systemic import SystemicSettings
from monitor.policy.weights import WeightsBook

PROBLEMS_MAX: Final = 50
"""Problems that are shown of one policy; the number of the rest follows them."""

PROBLEM_LENGTH_MAX: Final = 400
"""Characters of one problem: it quotes what the policy says, which may be long."""


class PolicyError(ProblemsError):
    """A policy that cannot be used, with at most `PROBLEMS_MAX` of its problems."""

    def __init__(self, problems: list[str], source: str = "policy") -> None:
        found = [_shortened(problem) for problem in problems[:PROBLEMS_MAX]]
        if len(problems) > PROBLEMS_MAX:
            found.append(f"and {len(problems) - PROBLEMS_MAX:,} more problems")
        self.source = source
        super().__init__(f"{source} cannot be used", found)


LEAP: Final = 3 * 86_400 * MICROSECONDS
"""The leap of a policy that states none: a long week-end."""


def _shortened(problem: str) -> str:
    if len(problem) <= PROBLEM_LENGTH_MAX:
        return problem
    half = PROBLEM_LENGTH_MAX // 2  # the end says what to write
    return f"{problem[:half]} ... {problem[-half:]}"


class CalendarSettings(NamedTuple):
    """How event time becomes business days, and how long a day stays open (microseconds).

    `leap` is how far a record may be ahead of those before it until it is held back: of the same
    account's, while the account is alone. `lead` is the same for one account among others.
    A partition without records for `idle_closes_after` closes its days by heartbeats; None: never.
    `holidays` are business days, sorted.
    """

    time_zone: str
    cut_off: time
    allowed_lateness: int
    clock_skew: int
    leap: int = LEAP
    lead: int = LEAP
    idle_closes_after: int | None = None
    holidays: tuple[int, ...] = ()

    def is_like(self, other: "CalendarSettings") -> bool:
        """Return whether both may decide together.

        When an idle partition closes may differ, and so may the holidays: limits ask for them, and
        no day begins or ends by them.
        """
        mine, others = (
            each._replace(idle_closes_after=None, holidays=()) for each in (self, other)
        )
        return mine == others

    def calendar(self) -> Calendar:
        """Return the calendar that these settings name."""
        return Calendar(ZoneInfo(self.time_zone), self.cut_off)

    def text(self) -> str:
        """Return the settings as one line; state keeps it to see whether it still fits.

        Clock skew and leap are not in it: no day that state keeps would be another one by them.
        """
        return (
            f"{self.time_zone} cut-off {self.cut_off.isoformat()}"
            f" lateness {self.allowed_lateness // MICROSECONDS} s"
        )


class Policy(NamedTuple):
    """One version of what is watched. `effective_from` is a business day; 0 is from ever.

    `thresholds` are on the totals of days, `gauges` the limits on all else.
    """

    version: int
    effective_from: int
    calendar: CalendarSettings
    thresholds: tuple[Threshold, ...]
    text: str
    outliers: OutlierSettings | None = None
    systemic: SystemicSettings | None = None
    reviews: tuple[ReviewRule, ...] = ()
    gauges: tuple[GaugeLimit, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    lists: Lists = NO_LISTS
    rates: Rates | None = None

    @property
    def effective_from_text(self) -> str | None:
        """The first business day that it decides for, as YYYY-MM-DD; None is from ever."""
        return day_text(self.effective_from) if self.effective_from else None

    @property
    def every_threshold(self) -> tuple[Threshold, ...]:
        """All limits as thresholds; of one with tiers the lowest."""
        return (*self.thresholds, *(limit.threshold for limit in self.gauges))

    def review_of(self, scope: Scope) -> ReviewRule | None:
        """Return when an account of such account-days is to be reviewed; None if it never is."""
        return deciding_rule(self.reviews, scope)

    def limits(self) -> LimitSet:
        """Return its limits; with reviews, an account-day is looked at before it is over them."""
        return LimitSet(self.thresholds, LOOK_PERMILLE if self.reviews else None)


class PolicyBook:
    """Every policy version there is, and which one decides for a business day.

    The one with the latest `effective_from` that is not after the day decides; among equals the
    greatest version. All share one calendar: days are kept by it. `weights` are those that were
    learned from dispositions: they come in versions of their own.
    """

    def __init__(self, policies: list[Policy], weights: WeightsBook | None = None) -> None:
        assert policies, "a book has at least one policy"
        self._by_version: dict[int, Policy] = {}
        self._suppressions: dict[int, SuppressionBook] = {}  # of versions that have any
        self.calendar = policies[0].calendar
        self.weights = WeightsBook() if weights is None else weights
        self._starts: list[int] = []
        self.review_days_max = 0  # the longest window of the reviews of any version, in days
        self.review_days_least = 0  # days that make a review, by the rule that asks for the fewest
        self._order: list[tuple[Policy, LimitSet]] = []
        for policy in policies:
            self.add(policy)

    def add(self, policy: Policy) -> bool:
        """Add a version; return whether it changed anything (the same text twice does not).

        Raises PolicyError if it has another calendar, or a version number already taken by
        another text.
        """
        known = self._by_version.get(policy.version)
        problems = []
        if known is not None and known.text != policy.text:
            problems.append(
                f"version {policy.version} is taken by another text: give it the number"
                f" {max(self._by_version) + 1}"
            )
        if not policy.calendar.is_like(self.calendar):
            problems.append(
                f"[calendar] is {policy.calendar.text()}, in force is {self.calendar.text()}: open"
                " days are kept by it, so it changes only with fresh state (another WEIR_GROUP)"
            )
        if self.outliers and policy.outliers and policy.outliers.models != self.outliers.models:
            problems.append(
                "[models] is not that of the versions in force: what they learned is kept in state,"
                " so it changes only with fresh state (another WEIR_GROUP)"
            )
        if problems:
            raise PolicyError(problems, f"policy version {policy.version}")
        if known is not None:
            return False
        self._by_version[policy.version] = policy
        if policy.suppressions:
            self._suppressions[policy.version] = SuppressionBook(policy.suppressions)
        ordered = sorted(self._by_version.values(), key=lambda p: (p.effective_from, p.version))
        self._order = [(p, p.limits()) for p in ordered]
        self._starts = [p.effective_from for p in ordered]
        windows = (r.window_days for p in ordered for r in p.reviews)
        self.review_days_max = max(windows, default=0)
        self.review_days_least = min((r.days for p in ordered for r in p.reviews), default=0)
        return True

    def for_day(self, day: int) -> tuple[Policy, LimitSet]:
        """Return what decides for a business day; before every start, the earliest does."""
        return self._order[max(bisect_right(self._starts, day) - 1, 0)]

    def rates_for(self, day: int, base: str) -> Rates | None:
        """Return the rates that hold on a business day: of the version that decides for it.

        Where that has none in this base, they are those of the next one that has.
        """
        place = max(bisect_right(self._starts, day) - 1, 0)
        found = (policy.rates for policy, _ in self._order[place:])
        return next((rates for rates in found if rates and rates.base == base), None)

    @property
    def outliers(self) -> OutlierSettings | None:
        """The outlier settings of the first version that has any; None if none has."""
        return next((p.outliers for p in self.policies if p.outliers is not None), None)

    @property
    def idle_closes_after(self) -> int | None:
        """When a partition without records closes its days, by the greatest version; or None."""
        return self._by_version[max(self._by_version)].calendar.idle_closes_after

    @property
    def has_gauges(self) -> bool:
        """Whether a version has limits on more than the totals of days."""
        return any(policy.gauges for policy in self.policies)

    def marked(self, alerts: list[Alert]) -> list[Alert]:
        """Return alerts, each with its mark if a suppression of the version that decided has one.

        It follows from the alert alone: its account, its limit and its business day.
        """
        if not self._suppressions:
            return alerts
        found = []
        for alert in alerts:
            book = self._suppressions.get(alert.policy_version)
            mark = None if book is None else book.mark_of(alert)
            found.append(alert if mark is None else alert._replace(suppressed=mark))
        return found

    @property
    def reports_outliers(self) -> bool:
        """Whether any version has a budget, by which outliers are reported."""
        return any(p.outliers is not None and p.outliers.is_told for p in self.policies)

    @property
    def is_taught(self) -> bool:
        """Whether a version wants weights that are learned from dispositions in the scores."""
        return any(p.outliers is not None and p.outliers.is_taught for p in self.policies)

    @property
    def is_systemic(self) -> bool:
        """Whether a version asks what many account-days at once mean."""
        return any(policy.systemic is not None for policy in self.policies)

    def of_version(self, version: int) -> Policy:
        """Return a version. Raises LookupError if it is not there."""
        policy = self._by_version.get(version)
        if policy is None:
            raise LookupError(f"policy version {version} decided, and is not there any more")
        return policy

    @property
    def versions(self) -> tuple[int, ...]:
        """Every version, in the order in which they come into force."""
        return tuple(policy.version for policy, _ in self._order)

    @property
    def limit_sets(self) -> tuple[LimitSet, ...]:
        """The limits of every version, in the order in which they come into force."""
        return tuple(limits for _, limits in self._order)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Every policy, in the order in which they come into force."""
        return tuple(policy for policy, _ in self._order)


def threshold_of(threshold_id: str, policies: PolicyBook, policy: Policy) -> Threshold:
    """Return a limit that was told of; the deciding policy is asked first. Raises LookupError."""
    for stated in (policy, *policies.policies):
        for threshold in stated.thresholds:
            if threshold.threshold_id == threshold_id:
                return threshold
    raise LookupError(f"limit {threshold_id} was told of, but no policy version states it")
