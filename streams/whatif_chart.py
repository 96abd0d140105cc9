"""The chart of `weir whatif`: alerts a day over limits, and day by day. Needs matplotlib."""

from collections.abc import Iterator
from typing import IO, Final, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from monitor.core.business_day import day_text
from monitor.core.money import EXPONENT
from streams.whatif import Answer, a_day
from streams.whatif_text import limit_text, subject_text

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


class Mark(NamedTuple):
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


def _marks(answer: Answer) -> Iterator[Mark]:
    threshold, change, budget = answer.threshold, answer.change, answer.budget
    days = len(change.days)

    def label(name: str, limit: int, alerts: int) -> str:
        return f"{name}: {limit_text(threshold, limit)}, {a_day(alerts, days):,.2f} a day"

    now, then = sum(day.now for day in change.days), sum(day.then for day in change.days)
    yield Mark(change.above_now, NOW, "-", label("now", change.above_now, now))
    yield Mark(change.above_then, THEN, "--", label("then", change.above_then, then))
    if budget is not None:
        name = f"for {float(budget.alerts_per_day):g} a day"
        yield Mark(budget.limit, BUDGET, ":", label(name, budget.limit, budget.alerts))


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
