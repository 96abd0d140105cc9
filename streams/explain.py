"""Explains an alert out of files: finds it, derives it again, and lays both side by side."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from monitor.core.as_of import AsOf
from monitor.core.attributes import AttributeBook
from monitor.core.transaction import Rejection, Transaction, transaction_of
from monitor.explanation import (
    LIMIT_KINDS,
    Figure,
    Part,
    causes_of,
    figures_of,
    parts_of,
    total_text,
)
from monitor.insight.recount import Counted
from monitor.policy import PolicyBook
from streams import codec
from streams.dealing import dealer
from streams.feed import Batch
from streams.rederive import Chain, Rederivation, lateness_of
from streams.rule_text import rule_fields


class ExplainError(LookupError):
    """An alert that cannot be explained, for what is not there: the message says what."""


class Explanation(NamedTuple):
    """An alert, what it is derived to be now, and what makes up its value.

    `differs` has a sentence for each thing that is not the same; there is none where all is.
    `notes` say what the answer rests on. `rules` are those that it meets, of dispositions.
    """

    told: Mapping[str, Any]
    now: Mapping[str, Any] | None
    figures: list[Figure]
    parts: list[Part]
    total: str | int | None
    differs: list[str]
    notes: list[str]
    rules: Sequence[Counted] = ()

    @property
    def is_same(self) -> bool:
        """Whether the records give the same alert."""
        return not self.differs

    def fields(self) -> dict[str, object]:
        """Return it as `--json` prints it."""
        return {
            "alert_id": self.told["alert_id"],
            "revision": self.told["revision"],
            "same": self.is_same,
            "differs": self.differs,
            "notes": self.notes,
            "figures": [{**figure._asdict(), "same": figure.is_same} for figure in self.figures],
            "transactions": [part.fields() for part in self.parts],
            "total": self.total,
            "rules": [rule_fields(one) for one in self.rules],
        }


def chain_of(alerts: Iterable[Mapping[str, Any]], alert_id: str, revision: int | None) -> Chain:
    """Return what was told of an alert_id, by revision, up to the revision (None: the last one).

    A revision that was told twice (after a crash) is there once. Raises ExplainError where there is
    none.
    """
    by_revision = {alert["revision"]: alert for alert in alerts if alert["alert_id"] == alert_id}
    if not by_revision:
        raise ExplainError(f"no alert {alert_id} is there")
    last = max(by_revision) if revision is None else revision
    if last not in by_revision:
        there = ", ".join(map(str, sorted(by_revision)))
        raise ExplainError(f"alert {alert_id} has no revision {last}: there is {there}")
    return [by_revision[number] for number in sorted(by_revision) if number <= last]


def explain_of_files(
    chain: Chain,
    book: PolicyBook,
    feed: Callable[[], Iterable[Batch]],
    partitions: int,
    attributes: AttributeBook | None = None,
    as_of: AsOf | None = None,
) -> Explanation:
    """Derive an alert again from rows of files, dealt to partitions as a replay deals them.

    `feed` begins the files anew each time that it is called.
    """
    ensure_of_partition(chain)
    tried = []
    for late in lateness_of(chain):
        partition = dealer(partitions)(chain[-1]["account_id"])
        run = Rederivation(chain, book, partition, partitions, attributes, late)
        _replay(run, feed(), partitions, as_of)
        tried.append(explanation_of(run, []))
        if tried[-1].is_same:
            return tried[-1]
    return tried[0]


def ensure_of_partition(chain: Chain) -> None:
    """Raise ExplainError for an alert that no partition's records alone can give."""
    if chain[-1]["kind"] == "systemic":
        raise ExplainError(
            "a systemic alert comes of the summaries of all partitions: weir replay derives it"
            " again, and weir explain the alerts that it groups"
        )


def _replay(
    run: Rederivation, batches: Iterable[Batch], partitions: int, as_of: AsOf | None
) -> None:
    deal = dealer(partitions)
    next_offset = 0
    for batch in batches:
        dealt = _dealt(batch, deal, run.partition)
        items = list(dealt if as_of is None else map(as_of.judge, dealt))
        if items:
            run.take(range(next_offset, next_offset + len(items)), items)
            next_offset += len(items)
        if run.is_done:
            break


def _dealt(batch: Batch, deal: Any, partition: int) -> Iterator[Transaction | Rejection]:  # noqa: ANN401 - what `dealer` returns
    """Yield what of a batch goes to a partition, as `streams.replay` has it."""
    for fields in batch.rows:
        account_id = fields[1]
        if (deal(account_id) if account_id else 0) == partition:
            yield transaction_of(fields)
    for _, value in batch.raw:
        item = codec.decode(value)
        if (deal(item.account_id) if isinstance(item, Transaction) else 0) == partition:
            yield item


def explanation_of(run: Rederivation, notes: Sequence[str]) -> Explanation:
    """Return what a derivation came to, with the figures side by side."""
    told, now = run.told, run.alert
    figures = figures_of(told, now)
    calendar = run.book.calendar.calendar()
    offset_last = None if now is None else now["offset"]
    parts = parts_of(now or told, run.taken, calendar, offset_last)
    if now is not None and _is_before_its_record(now, parts):
        parts.pop()
        notes = [*notes, "the record that told it named another segment: its amount came after"]
    total = total_text(told, parts) if told["kind"] in LIMIT_KINDS else None
    if now is None:
        differs = [_not_told(run, total)]
    else:
        differs = causes_of(figures)
        if total is not None and total != now["value"]:
            differs.append(f"the transactions add up to {total}, the engine told {now['value']}")
    return Explanation(told, now, figures, parts, total, differs, list(notes))


def _is_before_its_record(now: Mapping[str, Any], parts: Sequence[Part]) -> bool:
    """Return whether an alert's value lacks the very record that told it.

    A record that names another segment is decided on twice: first the day as it stood, by the
    limits of the new segment, then with the record's own amount.
    """
    return (
        now["kind"] in LIMIT_KINDS
        and bool(parts)
        and parts[-1].offset == now["offset"]
        and total_text(now, parts) != now["value"] == total_text(now, parts[:-1])
    )


def _not_told(run: Rederivation, total: str | int | None) -> str:
    told = run.told
    if total is None:
        return (
            f"the records tell no such alert up to partition {run.partition},"
            f" offset {told['offset']}"
        )
    end = "as its day closed" if run.is_closed else "at the end of the records"
    return (
        f"the records tell no such alert: {end} the value is {total}; the limit {told['limit']} was"
        f" exceeded by {told['value']}"
    )
