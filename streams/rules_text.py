"""What `weir rules` has to say: columns by gain, trees, rules, and what they are worth."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from models.condition import shown
from monitor.insight.gain import Relevance
from monitor.insight.prequential import Streamed
from monitor.insight.recount import Counted
from monitor.insight.rules import Learned
from monitor.insight.tree import Node
from monitor.lesson import Lesson
from streams.insight_text import percent
from streams.plain_text import plain

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
        "attributes": [_relevance_fields(one) for one in learned.relevances],
        "tree": node_fields(learned.tree, sample.label.values),
        "rules": [one.fields() for one in learned.rules],
        "accuracy": learned.accuracy,
        "accuracy_unseen": learned.unseen.accuracy,
        "roc_area_unseen": _or_none(learned.unseen.roc_area),
        "accuracy_of_most_frequent": learned.accuracy_of_most_frequent,
    }
    if streamed is not None:
        fields["stream"] = {
            "rules": [one.fields() for one in streamed.rules],
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
    for one in rules[:top]:
        yield (
            f"{percent(one.support):>9} {percent(one.confidence):>10} {one.lift:>6.2f}"
            f" {one.hits:>7,} {one.rows:>8,}  {plain(one.rule.text())}"
        )
    if len(rules) > top:
        yield f"{len(rules) - top:,} more rules (--top, or --json for all)"


def _area_lines(area: float) -> Iterator[str]:
    if not math.isnan(area):
        yield f"Area under the ROC curve of rows not seen: {area:.3f} (0.5 says nothing)"


def _or_none(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


def _relevance_lines(learned: Learned) -> Iterator[str]:
    width = max(len(plain(one.attribute)) for one in learned.relevances)
    yield ""
    yield f"What each column says about {plain(learned.sample.label.name)}, in bits"
    yield f"  {'':<{width}}   gain  gain ratio  parts  cut at"
    for one in learned.relevances:
        cut = NOTHING if one.cut is None else shown(one.cut)
        yield (
            f"  {plain(one.attribute):<{width}}  {one.gain:.3f}  {one.ratio:>10.3f}"
            f"  {one.parts:>5}  {cut}"
        )


def _relevance_fields(one: Relevance) -> dict[str, Any]:
    return {
        "attribute": one.attribute,
        "information_gain": one.gain,
        "gain_ratio": one.ratio,
        "parts": one.parts,
        "cut": one.cut,
    }


def _leaf_text(node: Node, labels: tuple[str, ...]) -> str:
    others = f", {node.errors:,} others" if node.errors else ""
    return f"{plain(labels[node.label])} ({node.rows:,}{others})"


def _by_label(counts: Sequence[int], labels: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(labels, counts, strict=True))
