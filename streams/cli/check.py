"""`weir check`: whether the broker is fit, and the topics are there."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson, Broker

if TYPE_CHECKING:
    from streams.kafka.admin import Probe


def check(
    broker: Broker = None,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="Create the topics that are missing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Probe a broker: whether it answers, has the topics, and reports the end of a log correctly.

    Topics must not lose records, nor refuse them: it looks at cleanup.policy, copies,
    min.insync.replicas and max.message.bytes, and notes a retention.

    It writes and reads a record by each compression (gzip, snappy, lz4, zstd), in a topic of its
    own that it deletes again. It names the partitions in which records wait for the end of a
    transaction, and those in which one account's records are dated ahead of all others', so that
    days wait. With WEIR_TRANSACTIONS_MAP it reads the map, and says what that makes of the last
    records of the topic. With WEIR_SCHEMA_REGISTRY it asks whether that answers.

    Exit status 0: workers can start. 3: something is missing or wrong; the message names it.

    Examples:

        weir check --broker kafka:9092

        weir check --create-topics
    """
    import asyncio
    import os

    from streams.cli.exit_status import EXIT_NOT_READY
    from streams.cli.options import print_result
    from streams.feed.envelopes.look import look_at
    from streams.feed.envelopes.mapped import records_reading
    from streams.feed.envelopes.registry import SchemaRegistry
    from streams.kafka.admin import check as probe
    from streams.kafka.cluster import cluster_of
    from streams.settings import settings_of
    from streams.topics.catalog import topic_specs
    from streams.topics.held_back import WaitingPartitions, read_waiting

    settings = settings_of(os.environ, broker=broker)
    records_reading(settings)  # a map that cannot be used is said before anything is connected
    if settings.schema_registry is not None:
        SchemaRegistry.of(settings).ensure_there()
    found = probe(
        cluster_of(settings), topic_specs(settings), create=create_topics,
        replication=settings.replication,
    )  # fmt: skip
    ready = not (found.missing or found.wrong or found.codecs_unreadable)
    notes = list(notes_of(found))
    waiting = WaitingPartitions([], []) if found.missing else asyncio.run(read_waiting(settings))
    notes += [account.text() for account in waiting.held_back]
    look = None
    if settings.transactions_map and not found.missing:
        look = asyncio.run(look_at(settings))
        ready = ready and look.fits
        notes.append(look.text())
    if as_json:
        held_back = [account._asdict() for account in waiting.held_back]
        result = {"ready": ready, **found._asdict(), "held_back": held_back}
        result["held_back_unknown"] = waiting.unknown
        result["map"] = None if look is None else look._asdict()
        print_result(result, as_json=True)
    else:
        for note in notes:
            typer.echo(note)
        typer.echo(f"{settings.broker}: {'ready' if ready else 'not ready'}")
    raise typer.Exit(0 if ready else EXIT_NOT_READY)


def notes_of(found: "Probe") -> Iterator[str]:
    """Yield what is said of topics, and of their broker."""
    yield from (
        f"missing: {name} (weir check --create-topics creates it)" for name in found.missing
    )
    yield from (f"wrong: {why}" for why in found.wrong)
    yield from (f"created: {name}" for name in found.created)
    yield from (f"note: {note}" for note in found.notes)
    for codec in found.codecs_unreadable:
        yield f"wrong: records compressed by {codec} cannot be read: pip install cramjam"
    for codec in found.codecs_refused:
        yield f"this broker takes no records compressed by {codec}: no producer can send them"
    for where in found.uncommitted:
        yield (
            f"a transaction is open: {where}. Nothing behind it is read until its producer commits"
            " or aborts it; if it stays open, see weir_uncommitted_records in docs/metrics.md"
        )
    if not found.latest_offset_right:
        yield (
            "this broker answers wrongly where a topic ends after a batch of several records."
            " Weir works around it; other programs that recover state from it may lose some of it"
        )
