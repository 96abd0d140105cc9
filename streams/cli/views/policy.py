"""A policy, as a person wants to see it."""

from typing import Final

from monitor.core.alert import Kind, written
from monitor.core.business_day import MICROSECONDS, day_text
from monitor.core.threshold import Direction, Measure, Threshold
from monitor.gauges.rates import Rates
from monitor.gauges.text import limit_text, scope_text
from monitor.policy.lists import Lists, unused_notes
from monitor.policy.models import OutlierSettings
from monitor.policy.policy import CalendarSettings, Policy
from monitor.policy.rates import rate_notes
from monitor.policy.reviews import WHOLE, ReviewRule
from monitor.policy.suppressions import suppression_notes
from monitor.policy.systemic import LAST, NO_SEGMENT, SystemicSettings
from streams.log import escaped

SUPPRESSIONS_SHOWN: Final = 20
"""Suppressions that are listed for a person; as JSON all are."""

_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))

NOTHING_COUNTS: Final = (
    "; it never comes, because reviews count limits on a day's amount or count alone, and the"
    " policy has none"
)


def summary(policy: Policy) -> dict[str, object]:
    """Return what a policy states, all of it, each part in words; None is a part that it has not.

    `limits` are by their ids; all else is one text, or a list of them.
    """
    counts = "" if policy.thresholds else NOTHING_COUNTS
    return {
        "version": policy.version,
        "effective_from": policy.effective_from_text or "ever",
        "calendar": _calendar(policy.calendar),
        "limits": {threshold.threshold_id: _limit(threshold) for threshold in policy.thresholds}
        | {limit.limit_id: limit_text(limit) for limit in policy.gauges},
        "reviews": [f"{_review(rule)}{counts}" for rule in policy.reviews],
        "outliers": _outliers(policy.outliers),
        "systemic": _systemic(policy.systemic),
        "lists": _lists(policy.lists),
        "rates": _rates(policy.rates),
        "suppressions": [suppression.text for suppression in policy.suppressions],
        "models": _models(policy.outliers),
    }


def summary_text(policy: Policy) -> str:
    """Return what a policy does, as lines for a person."""
    said = summary(policy)
    limits = [f"{_limit(t)} ({t.threshold_id})" for t in policy.thresholds]
    limits += [f"{limit_text(limit)} ({limit.limit_id})" for limit in policy.gauges]
    shown = policy.suppressions[:SUPPRESSIONS_SHOWN]
    suppressions = [suppression.text for suppression in shown]
    if len(policy.suppressions) > SUPPRESSIONS_SHOWN:
        suppressions.append(f"and {len(policy.suppressions) - SUPPRESSIONS_SHOWN:,} more")
    sections = {
        "calendar": [said["calendar"]],
        "limits, an alert is raised when a total is greater": limits,
        "reviews, of an account that is over its limits again and again": said["reviews"],
        "outliers, days that are strange for the account": [said["outliers"]],
        "systemic, many accounts at once": [said["systemic"]],
        "lists, which limits may name": said["lists"],
        "rates, by which amounts are converted": [said["rates"]],
        "suppressions, alerts that are told with a mark": suppressions,
        "models": [said["models"]],
    }
    since = policy.effective_from_text
    lines = [
        f"version {policy.version}, in force {f'from {since} on' if since else 'for every day'}"
    ]
    for name, texts in sections.items():
        assert isinstance(texts, list)
        lines.append(f"{name}:")
        # A name of a policy may have any character in it: none may move a terminal's cursor.
        lines += [f"  {escaped(text)}" for text in texts if text is not None] or ["  none"]
    return "\n".join(lines) + "\n"


def notes_of(policy: Policy, now: int) -> list[str]:
    """Return what is odd of a policy and no mistake, at an instant (microseconds since 1970)."""
    names = [threshold.threshold_id for threshold in policy.every_threshold]
    if policy.outliers is not None and policy.outliers.is_told:
        names.append(Kind.OUTLIER.value)
    today = policy.calendar.calendar().day_of(now)
    whose = [*policy.every_threshold, *(rule.threshold for rule in policy.reviews)]
    accounts = [threshold.in_list for threshold in whose]
    counterparties = [limit.gauge.where.counterparty_in for limit in policy.gauges]
    converting = [limit.limit_id for limit in policy.gauges if limit.gauge.base is not None]
    return [
        *suppression_notes(policy.suppressions, names, policy.effective_from, today),
        *unused_notes(policy.lists, accounts, counterparties),
        *_holiday_notes(policy, today),
        *rate_notes(policy.rates, converting, today),
    ]


def _holiday_notes(policy: Policy, today: int) -> list[str]:
    """Return whether holidays have run out that limits ask for, with what to do."""
    asking = [limit.limit_id for limit in policy.gauges if limit.gauge.where.holidays]
    last = max(policy.calendar.holidays, default=today)
    if not asking or last >= today:
        return []
    said = f"the last of calendar.holidays is {day_text(last)}, and limit {asking[0]} asks for"
    return [f"{said} holidays: list the next ones"]


def duration_text(microseconds: int) -> str:
    """Return a duration in the greatest unit that it is a whole number of; up to 72 h in hours."""
    seconds = microseconds // MICROSECONDS
    for size, unit in _UNITS:
        few = unit == "day" and seconds <= 3 * size  # "48 hours", as policies have it
        if seconds and seconds % size == 0 and not few:
            count = seconds // size
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return "0 seconds"


def _calendar(calendar: CalendarSettings) -> str:
    cut_off = calendar.cut_off
    begins = cut_off.isoformat("seconds" if cut_off.second else "minutes")
    return (
        f"a business day begins at {begins} in {calendar.time_zone}, and takes transactions until"
        f" {duration_text(calendar.allowed_lateness)} after its end; a booking may be"
        f" {duration_text(calendar.clock_skew)} ahead of its record's timestamp, and one account's"
        f" bookings {duration_text(calendar.leap)} ahead of all others' until days wait for them"
        f"{_idle(calendar)}{_holidays(calendar)}"
    )


def _idle(calendar: CalendarSettings) -> str:
    if calendar.idle_closes_after is None:
        return ""
    return (
        "; a partition without records closes its days"
        f" {duration_text(calendar.idle_closes_after)} behind the clock"
    )


def _holidays(calendar: CalendarSettings) -> str:
    days = calendar.holidays
    if not days:
        return ""
    counted = f"{len(days):,} holiday{'' if len(days) == 1 else 's'}"
    return f"; {counted} from {day_text(days[0])} to {day_text(days[-1])}"


def _review(rule: ReviewRule) -> str:
    near = f"days above {rule.near_permille / WHOLE:g} of a limit count half, " * (
        rule.near_permille < WHOLE
    )
    return (
        f"{rule.days} breach days within {rule.window_days} business days, {near}"
        f"for {scope_text(rule.threshold)}, {rule.threshold.severity.value}"
    )


def _limit(threshold: Threshold) -> str:
    measured = threshold.measure.value
    if threshold.direction is not Direction.BOTH:
        measured = f"{threshold.direction.value} {measured}"
    whole, point, rest = str(written(threshold, threshold.above)).partition(".")
    unit = threshold.currency or ""
    if threshold.measure is Measure.COUNT:
        unit = f"transactions in {unit}" if unit else "transactions"
    return (
        f"{measured} of a day over {int(whole):,}{point}{rest} {unit}"
        f", for {scope_text(threshold)}, {threshold.severity.value}"
    )


def _outliers(settings: OutlierSettings | None) -> str | None:
    if settings is None or not settings.is_told:
        return None
    taught = ", weighed as analysts taught" if settings.is_taught else ""
    return (
        f"{settings.alerts_per_day:,} alerts a business day, none in the first"
        f" {settings.warm_up_days} business days of a partition, and only days as rare as one in"
        f" {settings.one_in_at_least:,}, {settings.severity.value}{taught}"
    )


def _systemic(settings: SystemicSettings | None) -> str | None:
    if settings is None:
        return None
    shares = [
        f"{share:.2%} of the account-days of"
        f" {'every other segment' if name == NO_SEGMENT else name}"
        for name, share in settings.breach_budget
    ]
    budget = (
        f"limits are suggested that let through {', '.join(shares)}, and one that is clearly off"
        " that is told"
        if shares
        else ("limits are suggested by each segment's own history")
    )
    pay_days = ", ".join(LAST if not day else str(day) for day in settings.pay_days)
    learned = f"; no rise is told on pay-days ({pay_days}) until two were seen" if pay_days else ""
    return f"{budget}{learned}; {settings.severity.value}"


def _lists(lists: Lists) -> list[str]:
    return [
        f"{name}: {len(names.names):,} {sort}, SHA-256 {names.digest}"
        for name, its in lists.items()
        for sort, names in its._asdict().items()
        if names is not None
    ]


def _rates(rates: Rates | None) -> str | None:
    if rates is None:
        return None
    first, last = rates.days
    days = len({rate.day for published in rates.published.values() for rate in published})
    return (
        f"{len(rates.published):,} currencies for 1 {rates.base} on {days:,} days from"
        f" {day_text(first)} to {day_text(last)}, each for at most {rates.days_most} days after,"
        f" SHA-256 {rates.digest}"
    )


def _models(settings: OutlierSettings | None) -> str | None:
    if settings is None:
        return None
    models = settings.models
    amount = ", and amounts that are great for everybody" if models.population_amount else ""
    return f"{models.detector}{amount}, seed {models.seed}"
