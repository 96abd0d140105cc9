"""`weir check`: whether the broker is fit, and the topics are there."""

from typing import Annotated

import typer

from streams.commands.options import AsJson, Broker


def check(
    broker: Broker = None,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="Create the topics that are missing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Probe a broker: that it answers, has the topics, and says rightly where a log ends.

    Exit status 0: workers can start. 3: something is missing or wrong; what, is said. It says too
    in which partitions one account's records are dated ahead of all others', so that days wait.

    Examples:

        weir check --broker kafka:9092

        weir check --create-topics
    """
    import asyncio
    import os

    from monitor.settings import settings_of
    from streams.admin import check as probe
    from streams.commands.failure import EXIT_NOT_READY
    from streams.commands.options import print_result
    from streams.held_back import Waiting, read_waiting
    from streams.topics import topic_specs

    settings = settings_of(os.environ, broker=broker)
    found = probe(
        settings.broker, topic_specs(settings), create=create_topics,
        replication=settings.replication,
    )  # fmt: skip
    ready = not (found.missing or found.wrong)
    notes = [f"missing: {name} (weir check --create-topics creates it)" for name in found.missing]
    notes += [f"wrong: {why}" for why in found.wrong]
    notes += [f"created: {name}" for name in found.created]
    if not found.latest_offset_right:
        notes.append(
            "this broker answers wrongly where a topic ends after a batch of several records."
            " Weir works around it; other programs that recover state from it may lose some of it"
        )
    waiting = Waiting([], []) if found.missing else asyncio.run(read_waiting(settings))
    notes += [one.text() for one in waiting.held_back]
    if as_json:
        held_back = [one._asdict() for one in waiting.held_back]
        result = {"ready": ready, **found._asdict(), "held_back": held_back}
        result["held_back_unknown"] = waiting.unknown
        print_result(result, as_json=True)
    else:
        for note in notes:
            typer.echo(note)
        typer.echo(f"{settings.broker}: {'ready' if ready else 'not ready'}")
    raise typer.Exit(0 if ready else EXIT_NOT_READY)
