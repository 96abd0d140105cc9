"""The answer to `weir whatif` for a person: the main figures, names, the curve; and its CSV."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import IO, Final, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from monitor.core.alert import written
from monitor.core.business_day import day_text
from monitor.core.money import EXPONENT
from monitor.core.threshold import Threshold
from monitor.gauges.text import scope_text
from monitor.whatif import AccountChange
from streams.cli.views.text import plain
from streams.replay.whatif import Answer, a_day, curve_rows

ACCOUNTS_SHOWN: Final = 10
DAYS_SHOWN: Final = 14
LIMITS_SHOWN: Final = 16
TIMES_SHOWN: Final = 4
"""The curve on the screen goes from the least limit marked / 4 to the greatest one * 4."""


def limit_text(threshold: Threshold, value: int) -> str:
    """Return a value of a limit for a person: 1,500.00 EUR, or 12."""
    text = written(threshold, value)
    if isinstance(text, int):
        return f"{text:,}"
    whole, point, decimals = text.partition(".")
    return f"{int(whole):,}{point}{decimals} {threshold.currency}"


def subject_text(threshold: Threshold) -> str:
    """Return what a limit measures, and of whom: debit amount of a business day, everyone."""
    direction = "" if threshold.direction == "both" else f"{threshold.direction.value} "
    currency = f" in {threshold.currency}" if threshold.currency else ""
    subject = f"{direction}{threshold.measure.value}{currency} of a business day"
    return f"{subject}, {plain(scope_text(threshold))}"


def lines_of(answer: Answer) -> Iterator[str]:
    """Yield the answer in lines."""
    threshold, change = answer.threshold, answer.change
    yield f"{threshold.threshold_id}: {subject_text(threshold)}"
    if not answer.account_days:
        yield "the limit decides for no account-day of these files: it would change nothing"
        return
    yield (
        f"{answer.account_days:,} account-days of {answer.accounts:,} accounts,"
        f" {len(change.days):,} business days from {day_text(change.days[0].business_day)}"
        f" to {day_text(change.days[-1].business_day)}"
    )
    yield ""
    yield from _figures(answer)
    yield from _accounts(threshold, "would start to alert", change.starting)
    yield from _accounts(threshold, "would stop alerting", change.stopping)
    yield from _accounts(threshold, "would alert on more or fewer days", change.changing)
    yield from _days(answer)
    yield from _curve(answer)
    yield from _suggested(answer)


def csv_of(answer: Answer) -> bytes:
    """Return the curve as CSV, a limit a line."""
    text = io.StringIO()
    rows = list(curve_rows(answer))
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _figures(answer: Answer) -> Iterator[str]:
    threshold, change = answer.threshold, answer.change
    now, then = [day.now for day in change.days], [day.then for day in change.days]
    days = len(change.days)
    rows = (
        (
            "limit",
            limit_text(threshold, change.above_now),
            limit_text(threshold, change.above_then),
        ),
        ("alerts", f"{sum(now):,}", f"{sum(then):,}"),
        ("alerts a day, mean", f"{a_day(sum(now), days):,.2f}", f"{a_day(sum(then), days):,.2f}"),
        ("alerts a day, min", f"{min(now):,}", f"{min(then):,}"),
        ("alerts a day, max", f"{max(now):,}", f"{max(then):,}"),
        ("accounts alerting", f"{change.accounts_now:,}", f"{change.accounts_then:,}"),
    )
    yield f"{'':<20} {'now':>20} {'then':>20}"
    for name, before, after in rows:
        yield f"{name:<20} {before:>20} {after:>20}"
    if answer.withdrawn:
        yield f"(raised and withdrawn again, and not counted: {answer.withdrawn:,})"


def _accounts(threshold: Threshold, what: str, accounts: Sequence[AccountChange]) -> Iterator[str]:
    yield ""
    yield f"accounts that {what}: {len(accounts):,}"
    if not accounts:
        return
    yield f"  {'account':<24} {'days now':>9} {'days then':>9} {'greatest day':>20}"
    for account in accounts[:ACCOUNTS_SHOWN]:
        yield (
            f"  {plain(account.account_id):<24} {account.days_now:>9,} {account.days_then:>9,}"
            f" {limit_text(threshold, account.value_greatest):>20}"
        )
    if len(accounts) > ACCOUNTS_SHOWN:
        yield f"  ... and {len(accounts) - ACCOUNTS_SHOWN:,} more: --json has all"


def _days(answer: Answer) -> Iterator[str]:
    days = answer.change.days
    yield ""
    yield f"  {'business day':<24} {'now':>9} {'then':>9} {'account-days':>20}"
    for day in days[-DAYS_SHOWN:]:
        yield (
            f"  {day_text(day.business_day):<24} {day.now:>9,} {day.then:>9,}"
            f" {day.account_days:>20,}"
        )
    if len(days) > DAYS_SHOWN:
        yield f"  ... and {len(days) - DAYS_SHOWN:,} days before: --json has all"


def _curve(answer: Answer) -> Iterator[str]:
    threshold, change, days = answer.threshold, answer.change, len(answer.change.days)
    marks = {change.above_then: "then", change.above_now: "now"}
    if answer.budget is not None:
        marks.setdefault(answer.budget.limit, "for the budget")
    limits, alerts, sketched = answer.curve
    shown = _shown(limits.tolist(), set(marks))
    error = f"{100 * answer.sketch_error:g} %"
    yield ""
    yield f"  {'alerts a day at a limit':<24} {'exact':>9} {f'by sketch ({error})':>20}"
    columns = (limits.tolist(), alerts.tolist(), sketched.least.tolist(), sketched.most.tolist())
    for limit, exact, least, most in compress(zip(*columns, strict=True), shown):
        bounds = f"{a_day(least, days):,.2f} to {a_day(most, days):,.2f}"
        line = (
            f"  {limit_text(threshold, limit):<24} {a_day(exact, days):>9,.2f} {bounds:>20}"
            f"  {marks.get(limit, '')}"
        )
        yield line.rstrip()


def _shown(limits: Sequence[int], marks: set[int]) -> list[bool]:
    """Return which limits of the curve the screen has room for: the marked ones, and near them."""
    low, high = min(marks) / TIMES_SHOWN, max(marks) * TIMES_SHOWN
    near = [place for place, limit in enumerate(limits) if low <= limit <= high]
    step = -(-len(near) // (LIMITS_SHOWN - len(marks)))
    chosen = set(near[::step]) if near else set()
    return [place in chosen or limit in marks for place, limit in enumerate(limits)]


def _suggested(answer: Answer) -> Iterator[str]:
    budget, threshold, days = answer.budget, answer.threshold, len(answer.change.days)
    if budget is None:
        return
    yield ""
    yield (
        f"for {float(budget.alerts_per_day):g} alerts a day: {limit_text(threshold, budget.limit)}"
        f" ({a_day(budget.alerts, days):,.2f} a day, at most {budget.alerts_most:,};"
        f" {budget.days_over:,} of {days:,} days have more than the budget)"
    )
    yield (
        f"by the sketch: {limit_text(threshold, budget.sketch_limit)}"
        f" ({a_day(budget.sketch_alerts, days):,.2f} a day)"
    )


INCHES: Final = (10, 8.5)
DOTS_PER_INCH: Final = 150
NOW: Final = "#1f4e79"
THEN: Final = "#d1495b"
BUDGET: Final = "#2e7d32"
CURVE: Final = "#333333"
SKETCH: Final = "#f0b429"
LOG_FROM: Final = 20
"""Limits whose greatest is at least so many times the least stand on a logarithmic axis."""

DAYS_AS_BARS_MAX: Final = 62
DAYS_NAMED_MAX: Final = 9

_THOUSANDS: Final = FuncFormatter(lambda value, _: f"{value:,.12g}")


class MarkedLimit(NamedTuple):
    """A limit that the chart points out."""

    limit: int
    colour: str
    style: str
    label: str


def draw(answer: Answer, file: IO[bytes], form: str) -> None:
    """Draw an answer with account-days; `form` is png or svg. The same answer, the same bytes."""
    with mpl.rc_context({
        "svg.hashsalt": "weir", "svg.fonttype": "none",
        "axes.grid": True, "grid.alpha": 0.3, "axes.axisbelow": True,
    }):  # fmt: skip
        figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
        over_limits, over_days = figure.subplots(2, 1, height_ratios=(1.5, 1))
        threshold, change = answer.threshold, answer.change
        # Ids and segments are anybody's text: nothing in them is a formula.
        figure.suptitle(
            f"What if {threshold.threshold_id} were {limit_text(threshold, change.above_then)}"
            f" instead of {limit_text(threshold, change.above_now)}",
            parse_math=False, fontsize="x-large", fontweight="bold",
        )  # fmt: skip
        _draw_limits(over_limits, answer)
        _draw_days(over_days, answer)
        for axes in (over_limits, over_days):
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(file, format=form, metadata={"Date": None} if form == "svg" else None)


def _draw_limits(axes: Axes, answer: Answer) -> None:
    threshold, days = answer.threshold, len(answer.change.days)
    scale = 10 ** EXPONENT[threshold.currency] if threshold.currency else 1
    limits, alerts, sketched = answer.curve
    x = limits / scale
    axes.plot(
        x, sketched.likely / days, color=SKETCH, linewidth=5,
        label=f"by the sketch, {100 * answer.sketch_error:g} % relative error",
    )  # fmt: skip
    axes.fill_between(x, sketched.least / days, sketched.most / days, color=SKETCH, alpha=0.5)
    axes.plot(x, alerts / days, color=CURVE, marker="o", markersize=2.5, label="exact")
    _scale_limits(axes, x)
    # One alert in all the days is the least there is to see; no alert has no place on such an axis.
    axes.set_ylim(0.7 / days, 1.5 * max(int(alerts.max()), 1) / days)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(_THOUSANDS)
    for mark in _marks(answer):
        axes.axvline(mark.limit / scale, color=mark.colour, linestyle=mark.style, label=mark.label)
    if answer.budget is not None:
        axes.axhline(float(answer.budget.alerts_per_day), color=BUDGET, linestyle=":")
    axes.set_title(f"Alerts by limit: {subject_text(threshold)}", parse_math=False, loc="left")
    axes.set_xlabel(f"limit ({threshold.currency or 'transactions'})")
    axes.set_ylabel("alerts a business day, mean")
    axes.legend(loc="best")


def _scale_limits(axes: Axes, x: np.ndarray) -> None:
    """Put the limits on the axis that shows them all."""
    if x[0] < x[-1]:
        axes.set_xlim(x[0], x[-1])
    above_zero = x[x > 0]
    if above_zero.size and above_zero[-1] >= LOG_FROM * above_zero[0]:
        if x[0] > 0:
            axes.set_xscale("log")
        else:
            axes.set_xscale("symlog", linthresh=above_zero[0])
    axes.xaxis.set_major_formatter(_THOUSANDS)


def _marks(answer: Answer) -> Iterator[MarkedLimit]:
    threshold, change, budget = answer.threshold, answer.change, answer.budget
    days = len(change.days)

    def label(name: str, limit: int, alerts: int) -> str:
        return f"{name}: {limit_text(threshold, limit)}, {a_day(alerts, days):,.2f} a day"

    now, then = sum(day.now for day in change.days), sum(day.then for day in change.days)
    yield MarkedLimit(change.above_now, NOW, "-", label("now", change.above_now, now))
    yield MarkedLimit(change.above_then, THEN, "--", label("then", change.above_then, then))
    if budget is not None:
        name = f"for {float(budget.alerts_per_day):g} a day"
        yield MarkedLimit(budget.limit, BUDGET, ":", label(name, budget.limit, budget.alerts))


def _draw_days(axes: Axes, answer: Answer) -> None:
    days = answer.change.days
    place = np.arange(len(days))
    now, then = np.array([day.now for day in days]), np.array([day.then for day in days])
    if len(days) <= DAYS_AS_BARS_MAX:
        axes.bar(place - 0.2, now, 0.4, color=NOW, label="now")
        axes.bar(place + 0.2, then, 0.4, color=THEN, label="then")
    else:
        axes.plot(place, now, color=NOW, label="now")
        axes.plot(place, then, color=THEN, label="then")
    if answer.budget is not None:
        budget = float(answer.budget.alerts_per_day)
        axes.axhline(budget, color=BUDGET, linestyle=":", label=f"budget: {budget:g}")
    named = place[:: -(-len(days) // DAYS_NAMED_MAX)]
    axes.set_xticks(named, [day_text(days[each].business_day) for each in named])
    axes.set_xlim(-0.7, len(days) - 0.3)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(_THOUSANDS)
    axes.set_title("Alerts by day", loc="left")
    axes.set_xlabel("business day")
    axes.set_ylabel("alerts")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
