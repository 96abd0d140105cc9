"""The figures of `weir evaluate` for a person: one table, and what it says in sentences."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from models.arrays import Bools, Floats
from models.evaluation import average_precision, precision_recall
from models.learner.warmth import cold_lines
from streams.evaluation.evaluation import Evaluation
from streams.evaluation.levels import Level

LEVELS: Final = {"transactions": "Transactions", "account_days": "Account-days"}
NOTHING: Final = "-"


def verdict_of(figures: Mapping[str, Any]) -> str:
    """Return in words how the models' average precision stands to the rule's.

    Above means that the whole 95 % interval of the gain is.
    """
    low, high = figures["gain_interval"]
    gain = figures["gain"]
    if gain is None or low is None:
        return "nothing is labelled here, so nothing can be said"
    interval = f"95 % {low:+.3f} to {high:+.3f}"
    if low > 0:
        return f"above the rule by {gain:.3f} ({interval})"
    if high < 0:
        return f"not above the rule but below it, by {-gain:.3f} ({interval})"
    return f"not above the rule: the gain is {gain:+.3f} ({interval})"


def table_of(fields: Mapping[str, Any]) -> Table:
    """Return the figures as a table: for each level the models' and the rule's."""
    table = Table(title=f"Models ({fields['detector']}) and the ratio rule")
    table.add_column("")
    for name in LEVELS.values():
        table.add_column(f"{name}:\nmodels", justify="right")
        table.add_column("\nrule", justify="right")
    for name, cells in _rows([fields[level] for level in LEVELS]):
        table.add_row(name, *cells)
    return table


def lines_of(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the figures say, and what they are of, a sentence a line."""
    for level, name in LEVELS.items():
        yield f"{name}: {verdict_of(fields[level])}."
    alerts = fields["alerts_per_day"]
    yield (
        f"Judged {fields['judged_from']} to {fields['judged_to']}, after {fields['warm_up_days']}"
        f" days of warm-up: {fields['judged']:,} of {fields['rows']:,} rows, {fields['seeds']}"
        f" seed{'s' if fields['seeds'] > 1 else ''}, {fields['partitions']}"
        f" partition{'s' if fields['partitions'] > 1 else ''}."
    )
    yield (
        f"Alerts a day: {alerts['mean']:.1f} raised, {alerts['reported']:.1f} with those restated;"
        f" the budget is {alerts['budget']}."
        f" Engine and models: {fields['cpu_us_per_transaction']:.1f} us a transaction."
    )
    if unscored := fields["transactions"]["unscored"]:
        yield (
            f"{unscored:,} of the judged transactions have no score, because the models of their"
            " partition were not warm yet: they rank last."
        )
    yield from cold_lines(fields["models"])
    if "teaching" in fields:
        yield from taught_lines_of(fields["teaching"])
    if fields["rejected"]:
        yield f"{fields['rejected']:,} rows were rejected; weir replay tells which, and why."
    if fields["labels_unmatched"]:
        yield f"{fields['labels_unmatched']:,} labels name what the table has not."


def taught_lines_of(teaching: Mapping[str, Any]) -> Iterator[str]:
    """Yield what analysts taught, a sentence a line: labels, average precision, weights."""
    labels, confirmed = (_counts(teaching[name]) for name in ("labels", "confirmed"))
    after = teaching["label_after_days"]
    yield (
        f"With {teaching['dispositions_per_day']} dispositions a day, each given"
        f" {after} day{'s' if after > 1 else ''} later: {labels} labels, {confirmed} of them"
        " suspicions."
    )
    if any(teaching["labels_too_late"]):
        late = _counts(teaching["labels_too_late"])
        yield f"Of the labels {late} come too late to be in the score of a judged day."
    for level, name in LEVELS.items():
        taught = teaching[level]
        gain = "" if taught["gain"] is None else f" ({taught['gain']:+.3f})"
        yield f"{name}, taught: average precision {_one_line(taught['ap'])}{gain}."
    for level, name in LEVELS.items():
        taught = teaching[level]
        if taught["weights"][0] is None:
            yield (
                f"{name}: no weights in the end (seed 1). Terms say {_times(taught)} times as much"
                f" of dispositions as the score alone; {teaching['evidence_needed']:.0f} is needed."
            )
            continue
        weights = ", ".join(
            f"{term} {weight:+.2f}" for term, weight in taught["weights"][0].items()
        )
        yield f"{name}: weights from {taught['taught_from'][0]} on, in the end (seed 1): {weights}."


def _times(taught: Mapping[str, Any]) -> str:
    return f"{math.exp(min(taught['log_evidence'][0], 20)):.2g}"


def _counts(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _one_line(values: Sequence[float | None]) -> str:
    return _spread(values).replace("\n", " ")


def _rows(levels: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    yield "judged", [cell for level in levels for cell in (f"{level['judged']:,}", "")]
    yield "positive", [cell for level in levels for cell in (f"{level['positives']:,}", "")]
    for name, key in (("average precision", "ap"), ("ROC area", "auc")):
        yield (
            name,
            [
                cell
                for level in levels
                for cell in (_spread(level[key]), _shown(level[f"rule_{key}"]))
            ],
        )
    for count in levels[0]["precision_at"]:
        for name in ("precision", "recall"):
            key = f"{name}_at"
            yield (
                f"{name}, best {count} a day",
                [_shown(level[which][count]) for level in levels for which in (key, f"rule_{key}")],
            )
    for kind in sorted({kind for level in levels for kind in level["by_kind"]}):
        yield (
            f"average precision of {kind} alone",
            [
                _shown(level[which].get(kind))
                for level in levels
                for which in ("by_kind", "rule_by_kind")
            ],
        )


def _shown(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _spread(values: Sequence[float | None]) -> str:
    """Return the mean over seeds, with the least and the greatest where they differ."""
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    mean, low, high = sum(known) / len(known), min(known), max(known)
    if f"{low:.3f}" == f"{high:.3f}":
        return f"{mean:.3f}"
    return f"{mean:.3f}\n[{low:.3f} {high:.3f}]"


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
