"""A picture of a decision tree, from left to right. Needs matplotlib."""

from collections.abc import Iterator
from typing import IO, Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from monitor.insight.rules import Learned
from monitor.insight.table import InsightError
from monitor.insight.tree import Node

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
