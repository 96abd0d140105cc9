"""Columns by gain, trees, rules and their worth, as `weir rules` prints them."""

import math
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.rules.condition import shown
from monitor.dispositions.rules import Lesson
from monitor.insight.gain import Relevance
from monitor.insight.rule_counts import Counted
from monitor.insight.rules import Learned, Streamed
from monitor.insight.table import InsightError
from monitor.insight.tree import Node
from streams.cli.views.describe import percent
from streams.cli.views.text import plain

NOTHING: Final = "-"
STEP: Final = "|   "


def fields_of(learned: Learned, streamed: Streamed | None) -> dict[str, Any]:
    """Return all for a program; `stream` only where a stream's tree was asked for."""
    sample = learned.sample
    fields: dict[str, Any] = {
        "label": sample.label.name,
        "rows": len(sample.label.codes),
        "rows_unlabelled": sample.unlabelled,
        "labels": _by_label(sample.label.counts().tolist(), sample.label.values),
        "columns_left_out": list(sample.keys),
        "attributes": [_relevance_fields(relevance) for relevance in learned.relevances],
        "tree": node_fields(learned.tree, sample.label.values),
        "rules": [rule.fields() for rule in learned.rules],
        "accuracy": learned.accuracy,
        "accuracy_unseen": learned.unseen.accuracy,
        "roc_area_unseen": _or_none(learned.unseen.roc_area),
        "accuracy_of_most_frequent": learned.accuracy_of_most_frequent,
    }
    if streamed is not None:
        fields["stream"] = {
            "rules": [rule.fields() for rule in streamed.rules],
            "accuracy_prequential": streamed.accuracy,
            "roc_area_prequential": _or_none(streamed.roc_area),
            "accuracy_of_most_frequent": streamed.accuracy_of_most_frequent,
        }
    return fields


def node_fields(node: Node, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return a tree for a program."""
    fields: dict[str, Any] = {"rows": node.rows, "labels": _by_label(node.counts, labels)}
    if not node.children:
        return {**fields, "then": labels[node.label]}
    branches = [
        {"if": condition.fields(), "text": condition.text(), **node_fields(child, labels)}
        for condition, child in zip(node.conditions, node.children, strict=True)
    ]
    return {
        **fields, "attribute": node.attribute, "information_gain": node.gain, "branches": branches
    }  # fmt: skip


def lines_of(learned: Learned, streamed: Streamed | None, top: int) -> Iterator[str]:
    """Yield all for a person, a line each; of the rules the first ones."""
    sample = learned.sample
    counts = zip(sample.label.values, sample.label.counts().tolist(), strict=True)
    of_labels = ", ".join(f"{plain(value)} {count:,}" for value, count in counts)
    yield f"{len(sample.label.codes):,} rows by {plain(sample.label.name)}: {of_labels}"
    if sample.unlabelled:
        yield f"{sample.unlabelled:,} rows without a label are left out."
    if sample.keys:
        named = ", ".join(map(plain, sample.keys))
        yield f"Left out, because another in each row: {named}"
    yield from _relevance_lines(learned)
    leaves = sum(1 for _ in learned.tree.leaves())
    yield ""
    yield f"Tree: {leaves:,} {'leaf' if leaves == 1 else 'leaves'}"
    yield from tree_lines(learned.tree, sample.label.values)
    yield ""
    yield "Rules, counted over all rows"
    yield from rule_lines(learned.rules, top)
    yield (
        f"Right in {percent(learned.accuracy)} of these rows, and in"
        f" {percent(learned.unseen.accuracy)} of rows that a tree had not seen; always the most"
        f" frequent: {percent(learned.accuracy_of_most_frequent)}"
    )
    yield from _area_lines(learned.unseen.roc_area)
    if streamed is not None:
        yield ""
        yield "Rules of the stream's tree, which saw each row once, in order"
        yield from rule_lines(streamed.rules, top)
        yield (
            f"Right in {percent(streamed.accuracy)} of the rows, each told before it was learned;"
            f" always the most frequent so far: {percent(streamed.accuracy_of_most_frequent)}"
        )
        yield from _area_lines(streamed.roc_area)


def tree_lines(node: Node, labels: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    """Yield a tree, a branch a line. A leaf says its label, its rows, and how many have others."""
    if not node.children:
        yield f"{STEP * depth}{_leaf_text(node, labels)}"
        return
    for condition, child in zip(node.conditions, node.children, strict=True):
        text = f"{STEP * depth}{plain(condition.text())}"
        if child.children:
            yield text
            yield from tree_lines(child, labels, depth + 1)
        else:
            yield f"{text}: {_leaf_text(child, labels)}"


def lesson_lines(lesson: Lesson, top: int) -> Iterator[str]:
    """Yield a lesson for a person, a line each, with the first rules."""
    yield f"{lesson.disposed:,} disposed alerts"
    if lesson.unknown:
        yield f"dispositions of alerts that are not there: {len(lesson.unknown):,}"
    if lesson.rules:
        yield from rule_lines(lesson.rules, top)


def rule_lines(rules: Sequence[Counted], top: int) -> Iterator[str]:
    """Yield a table of the first rules."""
    yield f"{'support':>9} {'confidence':>10} {'lift':>6} {'count':>7} {'of rows':>8}  rule"
    for rule in rules[:top]:
        yield (
            f"{percent(rule.support):>9} {percent(rule.confidence):>10} {rule.lift:>6.2f}"
            f" {rule.hits:>7,} {rule.rows:>8,}  {plain(rule.rule.text())}"
        )
    if len(rules) > top:
        yield f"{len(rules) - top:,} more rules (--top, or --json for all)"


def _area_lines(area: float) -> Iterator[str]:
    if not math.isnan(area):
        yield f"Area under the ROC curve of rows not seen: {area:.3f} (0.5 says nothing)"


def _or_none(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


def _relevance_lines(learned: Learned) -> Iterator[str]:
    width = max(len(plain(relevance.attribute)) for relevance in learned.relevances)
    yield ""
    yield f"What each column says about {plain(learned.sample.label.name)}, in bits"
    yield f"  {'':<{width}}   gain  gain ratio  parts  cut at"
    for relevance in learned.relevances:
        cut = NOTHING if relevance.cut is None else shown(relevance.cut)
        yield (
            f"  {plain(relevance.attribute):<{width}}  {relevance.gain:.3f}"
            f"  {relevance.ratio:>10.3f}  {relevance.parts:>5}  {cut}"
        )


def _relevance_fields(relevance: Relevance) -> dict[str, Any]:
    return {
        "attribute": relevance.attribute,
        "information_gain": relevance.gain,
        "gain_ratio": relevance.ratio,
        "parts": relevance.parts,
        "cut": relevance.cut,
    }


def _leaf_text(node: Node, labels: tuple[str, ...]) -> str:
    others = f", {node.errors:,} others" if node.errors else ""
    return f"{plain(labels[node.label])} ({node.rows:,}{others})"


def _by_label(counts: Sequence[int], labels: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(labels, counts, strict=True))


LEAVES_MAX: Final = 80
INCHES_A_STEP: Final = 3.2
INCHES_A_LEAF: Final = 0.55
DOTS_PER_INCH: Final = 110
COLOURS: Final = (
    "#c9d6e6", "#f7dfa5", "#b5d9b8", "#d3c1e5", "#f2c9a5", "#c5dcdc", "#dddddd", "#f3b8bd",
)  # fmt: skip
TEXT_MAX: Final = 42


class _Placed(NamedTuple):
    """A node, its place (depth from the left, leaf from the top), and what leads there."""

    node: Node
    depth: int
    height: float
    parent: tuple[int, float] | None
    condition: str


def check_drawable(tree: Node) -> None:
    """Raise InsightError where a tree is too large for a picture."""
    leaves = sum(1 for _ in tree.leaves())
    if leaves > LEAVES_MAX:
        raise InsightError(
            f"the tree has {leaves} leaves, and a picture at most {LEAVES_MAX}:"
            " give it a lower --max-depth, more --min-rows, or --prune"
        )


def draw(learned: Learned, file: IO[bytes], form: str) -> None:
    """Draw a tree; `form` is png or svg. The same tree, the same bytes."""
    tree, labels = learned.tree, learned.sample.label.values
    leaves = sum(1 for _ in tree.leaves())
    size = (INCHES_A_STEP * (tree.depth + 1), INCHES_A_LEAF * leaves + 1)
    with mpl.rc_context({"svg.hashsalt": "weir", "svg.fonttype": "none"}):
        figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_xlim(-0.45, tree.depth + 0.45)
        axes.set_ylim(leaves - 0.3, -0.7)
        # Labels and values are anybody's text: nothing in them is a formula.
        axes.set_title(f"Decision tree for {learned.sample.label.name}", parse_math=False)
        for placed in _placed(tree):
            _draw_node(axes, placed, labels)
        figure.savefig(file, format=form, metadata={"Date": None} if form == "svg" else None)


def _placed(tree: Node) -> list[_Placed]:
    """Return the nodes with their places, each after its children."""
    found: list[_Placed] = []
    free = iter(range(sum(1 for _ in tree.leaves())))

    def place(node: Node, depth: int, condition: str) -> float:
        first = len(found)
        heights = [
            place(child, depth + 1, told.text())
            for told, child in zip(node.conditions, node.children, strict=True)
        ]
        height = sum(heights) / len(heights) if heights else float(next(free))
        for number in range(first, len(found)):
            if found[number].parent is None:
                found[number] = found[number]._replace(parent=(depth, height))
        found.append(_Placed(node, depth, height, None, condition))
        return height

    place(tree, 0, "")
    return found


def _draw_node(axes: Axes, placed: _Placed, labels: tuple[str, ...]) -> None:
    node = placed.node
    if placed.parent is not None:
        before, height = placed.parent
        axes.plot((before, placed.depth), (height, placed.height), color="#999999", zorder=1)
        axes.text(
            (before + placed.depth) / 2, (height + placed.height) / 2, _cut(placed.condition),
            ha="center", va="center", fontsize=8, parse_math=False, zorder=3,
            bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip
    axes.text(
        placed.depth, placed.height, "\n".join(_lines(node, labels)),
        ha="center", va="center", fontsize=9, parse_math=False, zorder=4,
        bbox={
            "boxstyle": "round,pad=0.35", "edgecolor": "#555555",
            "facecolor": "white" if node.children else COLOURS[node.label % len(COLOURS)],
        },
    )  # fmt: skip


def _lines(node: Node, labels: tuple[str, ...]) -> Iterator[str]:
    if node.attribute is not None:
        yield _cut(node.attribute)
        yield f"{node.rows:,} rows"
        return
    yield _cut(labels[node.label])
    yield f"{100 * max(node.counts) / node.rows:.0f} % of {node.rows:,}"


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"
