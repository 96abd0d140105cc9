"""The known truth of a table's transactions and account-days, to compare scores with.

A label has a kind. Those of some kinds are positives; what has a label of another kind is no
negative either: a transaction of it is left out, and an account-day with none of the wanted kinds
is judged as one to leave alone.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from models.arrays import Ints
from monitor.core.business_day import day_of_text
from monitor.population import incidents, needs
from streams.evaluation.table import TransactionTable
from streams.feed.mapping import FeedError

NO_KIND: Final = "unnamed"
YES: Final = frozenset({"true", "yes", "y", "t"})
NO: Final = frozenset({"", "false", "no", "n", "f", "nan", "null", "none"})
UNSOUGHT: Final = frozenset({*incidents.KINDS, *needs.KINDS})
"""Kinds that are looked for only if they are named: no account has done anything odd."""

PROBLEMS_SHOWN: Final = 10


class Truth(NamedTuple):
    """The kind of each row of a table, and of account-days that are labelled by themselves.

    `kind` is a place in `kinds`, -1 for a row without a label; `is_positive` says which kinds are
    looked for. `account`, `day` and `day_kind` are of the account-days. `unmatched` labels name
    what the table has not.
    """

    kinds: tuple[str, ...]
    is_positive: tuple[bool, ...]
    kind: Ints
    account: Ints
    day: Ints
    day_kind: Ints
    unmatched: int = 0


class _Label(msgspec.Struct):
    level: str = ""
    kind: str = NO_KIND
    account_id: str | None = None
    transaction_id: str | None = None
    business_day: str | None = None


def truth_of_columns(
    table: TransactionTable, label: str, kind: str | None, wanted: Sequence[str]
) -> Truth:
    """Return the truth that a column of labels states, and perhaps one of kinds.

    Without `wanted` all kinds are looked for. Raises FeedError if a label is neither yes nor no,
    or no row has a wanted kind.
    """
    cells = table.further[label]
    is_labelled = {cell: _is_yes(cell) for cell in set(cells)}
    strange = [str(cell) for cell, is_yes in is_labelled.items() if is_yes is None]
    if strange:
        shown = ", ".join(repr(cell) for cell in sorted(strange)[:PROBLEMS_SHOWN])
        raise FeedError([f"{shown} is neither 0 nor 1, true nor false"], f"column {label}")
    of_rows = [NO_KIND] * len(cells) if kind is None else table.further[kind]
    names = {cell: _kind_text(cell) for cell in set(of_rows)}
    numbers: dict[str, int] = {}
    kinds = [
        numbers.setdefault(names[of_row], len(numbers)) if is_labelled[cell] else -1
        for cell, of_row in zip(cells, of_rows, strict=True)
    ]
    none = np.empty(0, np.int64)
    return Truth(
        *_positives(numbers, [_kind_text(sort) for sort in wanted] or list(numbers)),
        np.array(kinds, np.int64), none, none, none,
    )  # fmt: skip


def truth_of_lines(table: TransactionTable, path: Path, wanted: Sequence[str]) -> Truth:
    """Return the truth that a file of labels states, as `weir generate --labels` writes it.

    Without `wanted` all kinds but those of incidents and needs are looked for. Raises FeedError if
    a line is no label, or none of a wanted kind names what the table has; OSError.
    """
    places: dict[tuple[str, str], int] = {}
    for place, transaction in enumerate(table.transactions):
        # A twin is not taken.
        places.setdefault((transaction.account_id, transaction.transaction_id), place)
    accounts = {account_id: number for number, account_id in enumerate(table.account_ids)}
    numbers: dict[str, int] = {}
    kind = np.full(len(table.transactions), -1, np.int64)
    days: list[tuple[int, int, int]] = []
    named: Counter[str] = Counter()
    matched: Counter[str] = Counter()
    for label in _labels(path):
        number = numbers.setdefault(label.kind, len(numbers))
        if label.level == "transaction":
            place = places.get((label.account_id or "", label.transaction_id or ""), -1)
            if place >= 0:
                kind[place] = number
            is_matched = place >= 0
        else:
            account = accounts.get(label.account_id or "", -1)
            if account >= 0:
                days.append((account, day_of_text(label.business_day or ""), number))
            is_matched = account >= 0
        named[label.kind] += 1
        matched[label.kind] += is_matched
    account_, day, day_kind = np.array(days, np.int64).reshape(-1, 3).T
    looked_for = wanted or [name for name in numbers if name not in UNSOUGHT]
    positives = _positives(numbers, looked_for)
    if looked_for and not any(matched[name] for name in looked_for):
        count = sum(named[name] for name in looked_for)
        problem = (
            f"no label of kind {', '.join(looked_for)} ({count:,} in all) names a transaction or"
            " an account of the input: give the file that they were written for"
        )
        raise FeedError([problem], "the labels")
    unmatched = named.total() - matched.total()
    return Truth(*positives, kind, account_, day, day_kind, unmatched)


def _positives(
    numbers: dict[str, int], wanted: Sequence[str]
) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    kinds = tuple(numbers)
    if not kinds:
        raise FeedError(["nothing is labelled, so there is nothing to find"], "the labels")
    unknown = [name for name in wanted if name not in numbers]
    if unknown:
        problem = f"none is of kind {', '.join(unknown)}: there are {', '.join(sorted(kinds))}"
        raise FeedError([problem], "the labels")
    return kinds, tuple(name in wanted for name in kinds)


def _labels(path: Path) -> list[_Label]:
    """Return the labels of transactions and account-days; those of other things are passed over."""
    decoder = msgspec.json.Decoder(_Label)
    labels, problems = [], []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                label = decoder.decode(line)
                if label.level == "account-day":
                    day_of_text(label.business_day or "")
            except (msgspec.DecodeError, ValueError) as error:
                problems.append(f"line {number}: {error}")
                continue
            if label.level in {"transaction", "account-day"}:
                labels.append(label)
    if problems:
        more = len(problems) - PROBLEMS_SHOWN
        told = problems[:PROBLEMS_SHOWN] + ([f"and {more:,} lines more"] if more > 0 else [])
        raise FeedError(told, str(path))
    return labels


def _is_yes(cell: str | None) -> bool | None:
    """Say whether a cell is a label; None if it says neither yes nor no."""
    text = (cell or "").strip().lower()
    if text in YES:
        return True
    if text in NO:
        return False
    try:
        return float(text) != 0
    except ValueError:
        return None


def _kind_text(cell: str | None) -> str:
    """Return the name of a kind: 1 and 1.0 are one, and an empty one is unnamed."""
    text = (cell or "").strip()
    whole, point, decimals = text.partition(".")
    if point and whole.isdecimal() and not decimals.strip("0"):
        return whole
    return text or NO_KIND
