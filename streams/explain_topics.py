"""Explains an alert out of topics: the records of its partition, as far as the broker has them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from monitor.core.attributes import AttributeBook
from monitor.core.business_day import day_of_text, event_time_text
from monitor.core.transaction import Rejection, Transaction
from monitor.explanation import LIMIT_KINDS
from monitor.policy import PolicyBook
from monitor.settings import Settings
from streams import codec
from streams.account_codec import change_of
from streams.admin import partitions_of
from streams.alert_reader import read_alerts
from streams.explain import (
    ExplainError,
    Explanation,
    chain_of,
    ensure_of_partition,
    explanation_of,
)
from streams.policies import read_policies
from streams.rederive import Rederivation, lateness_of
from streams.tail import Tail, records_of_topic
from streams.topics import Topics


class Beginning(NamedTuple):
    """Where a partition begins now: its first offset, and the first event time there."""

    offset: int
    event_time: int | None


async def explain_of_topics(
    settings: Settings, alert_id: str, revision: int | None, book: PolicyBook | None
) -> Explanation:
    """Find an alert on its topic, and derive it again from the transactions of its partition.

    `book` has the version of the workers' policy file, if they have one. Raises ExplainError where
    something of it is not there any more, and BrokerError where no broker answers.
    """
    told = [alert async for alert, _ in read_alerts(settings, follow=False)]
    chain = chain_of(told, alert_id, revision)
    book, _ = await read_policies(settings, book)
    if book is None:
        raise ExplainError("no policy is on the topic: name the workers' policy file by --policy")
    topic = Topics.of(settings).transactions
    partitions = partitions_of(settings.broker, topic)
    if partitions is None:
        raise ExplainError(f"there is no topic {topic}")
    ensure_of_partition(chain)
    partition = chain[-1]["partition"]
    attributes = await _attributes(settings, partition)
    tried = []
    for late in lateness_of(chain):
        run = Rederivation(chain, book, partition, partitions, attributes, late)
        began = await _replay(settings.broker, topic, run)
        tried.append(explanation_of(run, notes_of(run, began)))
        if tried[-1].is_same:
            return tried[-1]
    return tried[0]


async def _attributes(settings: Settings, partition: int) -> AttributeBook | None:
    """Return the attributes that the accounts topic has of a partition now; None without one."""
    topic = Topics.of(settings).accounts
    if partitions_of(settings.broker, topic) is None:
        return None
    book = AttributeBook()
    async for record in records_of_topic(settings.broker, topic, [partition]):
        change, _ = change_of(record.key, record.value)
        if change is not None:
            book.take(*change)
    return book


async def _replay(broker: str, topic: str, run: Rederivation) -> Beginning | None:
    """Give a partition's records to a derivation until it is done; return where they began."""
    began = None
    skew = run.book.calendar.clock_skew
    tail = Tail(broker, topic, [run.partition])
    await tail.start()
    try:
        while not run.is_done and not await tail.is_at_end():
            records = await tail.read()
            if not records:
                continue
            items = codec.decode_run(records, skew)
            if began is None:
                began = _beginning(records, items)
                ensure_reaches(run, began)
            run.take([record.offset for record in records], items)
    finally:
        await tail.stop()
    return began


def _beginning(records: Sequence[Any], items: Sequence[Transaction | Rejection]) -> Beginning:
    times = (item.event_time for item in items if isinstance(item, Transaction))
    return Beginning(records[0].offset, next(times, None))


def ensure_reaches(run: Rederivation, began: Beginning) -> None:
    """Raise ExplainError where the partition begins too late for the alert to be derived at all."""
    told = run.told
    begins = f"partition {run.partition} of the transactions begins at offset {began.offset}"
    if began.offset > told["offset"]:
        raise ExplainError(
            f"{begins}: the record that told the alert, at offset {told['offset']}, is gone"
        )
    if began.offset > 0 and told["kind"] not in LIMIT_KINDS:
        raise ExplainError(
            f"{begins}: an alert of kind {told['kind']} needs what was learned from offset 0 on, so"
            " it cannot be derived again"
        )


def notes_of(run: Rederivation, began: Beginning | None) -> list[str]:
    """Return what an answer rests on, where the partition does not begin at its first record."""
    if began is None:
        return ["the partition has no records"]
    if began.offset == 0:
        return []
    day = day_of_text(run.told["business_day"])
    begins = f"the partition begins at offset {began.offset}"
    start = run.book.calendar.calendar().start_of(day)
    if began.event_time is None or began.event_time < start:
        return [f"{begins}, before the business day: its records are there"]
    at = event_time_text(began.event_time)
    return [f"{begins}, at {at}, after the business day began: records of it may be gone"]
