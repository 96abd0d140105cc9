"""The chart of `weir evaluate`: precision over recall, models and rule. Needs matplotlib."""

from typing import IO, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.arrays import Bools, Floats
from models.judging import average_precision, precision_recall
from streams.evaluate import Evaluation
from streams.evaluate_levels import Level

INCHES: Final = (11, 5.5)
DOTS_PER_INCH: Final = 150
MODELS: Final = "#1f4e79"
RULE: Final = "#d1495b"
POINTS_MAX: Final = 2000
"""Of a curve: more are not to be seen."""


def draw(evaluation: Evaluation, file: IO[bytes]) -> None:
    """Draw the curves of both levels as PNG. The same evaluation gives the same bytes."""
    fields = evaluation.fields
    with mpl.rc_context({"axes.grid": True, "grid.alpha": 0.3, "axes.axisbelow": True}):
        figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        figure.suptitle(
            f"Judged {fields['judged_from']} to {fields['judged_to']}",
            fontsize="x-large", fontweight="bold",
        )  # fmt: skip
        draw_level(left, evaluation.transactions, "Transactions")
        draw_level(right, evaluation.account_days, "Account-days")
        left.set_ylabel("precision: of those, how many are positive")
        figure.savefig(file, format="png", metadata={"Software": None})


def draw_level(axes: Axes, level: Level, title: str) -> None:
    """Draw the curves of one level: a line for each seed, and one for the rule."""
    judged = level.only(level.is_judged)
    positive = judged.is_positive
    axes.set_title(f"{title}: {int(positive.sum()):,} of {positive.size:,} positive", loc="left")
    axes.set_xlabel("recall: of the positives, how many are among those")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.spines[["top", "right"]].set_visible(False)
    if not positive.any():
        axes.text(0.5, 0.5, "nothing is labelled here", ha="center")
        return
    precise = [average_precision(positive, score) for score in judged.scores]
    label = f"models, average precision {np.mean(precise):.3f}"
    if len(precise) > 1:
        label += f" ({min(precise):.3f} to {max(precise):.3f}, {len(precise)} seeds)"
    for place, score in enumerate(judged.scores):
        _curve(axes, positive, score, color=MODELS, alpha=0.8, label="" if place else label)
    rule = average_precision(positive, judged.rule)
    _curve(
        axes, positive, judged.rule, color=RULE, linestyle="--",
        label=f"ratio rule, average precision {rule:.3f}",
    )  # fmt: skip
    axes.legend(loc="lower left")


def _curve(axes: Axes, positive: Bools, score: Floats, **style: Any) -> None:  # noqa: ANN401 - matplotlib's own
    precision, recall = precision_recall(positive, score)
    # Average precision is the sum over the thresholds at which recall grows: those are drawn.
    grows = np.append(0, np.flatnonzero(np.diff(recall)) + 1)
    shown = grows[:: -(-grows.size // POINTS_MAX)]
    axes.plot(recall[shown], precision[shown], linewidth=1.6, **style)
