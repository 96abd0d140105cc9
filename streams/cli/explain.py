"""`weir explain`: alerts derived again, beside what was told."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from streams.cli.options import (
    AccountFiles,
    AccountsMap,
    AsItStands,
    AsJson,
    AsOfMoment,
    Broker,
    DayTime,
    Dispositions,
    FileFormat,
    MapFile,
    OfKind,
    SheetName,
    reading_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from monitor.core.as_of import AsOf
    from monitor.core.attributes import AttributeBook
    from monitor.dispositions.rules import Lesson
    from monitor.policy.policy import PolicyBook
    from streams.cli.views.explain import Answered
    from streams.feed.reader import Batch
    from streams.replay.explain import AlertSelection
    from streams.replay.explained import ExplainError, Explanation
    from streams.replay.rederivation import Chain
    from streams.topics.members import IncidentAlerts


def explain(
    alert: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ALERT", help="The alert_id; several may be given.", show_default=False
        ),
    ] = None,
    revision: Annotated[
        int | None, typer.Option(help="Which revision of it; the last one, if not given.", min=1)
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(help="Explain so many alerts of each kind, chosen by chance.", min=1),
    ] = None,
    kind: Annotated[
        list[OfKind] | None,
        typer.Option(help="Of --sample: only this kind; may be repeated.", show_default=False),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of --sample: another one chooses other alerts.")
    ] = 1,
    alerts: Annotated[
        Path | None, typer.Option(help="The alerts, as JSON Lines, of a replay or a stream.")
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--input", help="The transactions: files, or folders; may be repeated."),
    ] = None,
    policies: Annotated[
        list[Path] | None,
        typer.Option(
            "--policy",
            help="A policy's TOML file; repeat it for each version.",
            envvar="WEIR_POLICY",
        ),
    ] = None,
    map_file: MapFile = None,
    partitions: Annotated[
        int, typer.Option(help="Of files: partitions to deal accounts to, as the topic has.", min=1)
    ] = 4,
    accounts: AccountFiles = None,
    accounts_map: AccountsMap = None,
    as_of: AsOfMoment = None,
    broker: Broker = None,
    dispositions: Dispositions = None,
    file_format: FileFormat = None,
    sheet: SheetName = None,
    day_time: DayTime = None,
    as_it_stands: AsItStands = False,
    as_json: AsJson = False,
) -> None:
    """Derive alerts again, and print their figures beside the reported ones.

    It reads files (--alerts and --input), or, without these, the topics of a broker. It replays the
    same engine as far as needed. Below the figures are the transactions that make up the value,
    and the rules, learned from dispositions, that the alert meets. A review also has the incidents
    that explain the days it leaves out, and a systemic alert its members.

    Several alerts, or a --sample, are derived by one replay and shown in a line each; with --json
    as one object in a line each. Status 0: the same. Status 1: something differs, and is named; or
    the needed records are gone.

    Examples:

        weir explain ALERT --alerts alerts.jsonl --input transactions.csv --policy policy.toml

        weir explain ALERT --revision 1 --broker kafka:9092

        weir explain --sample 50 --kind review --kind systemic --broker kafka:9092

        weir explain ALERT --broker kafka:9092 --json | jq .differs
    """
    from streams.cli.exit_status import EXIT_FAILED
    from streams.interpreter import configure_interpreter
    from streams.replay.explain import AlertSelection
    from streams.replay.explained import ExplainError

    wanted = AlertSelection(
        tuple(alert or ()), revision, sample, tuple(choice.value for choice in kind or ()), seed
    )
    _require_wanted(wanted)
    if bool(alerts) != bool(inputs):
        raise typer.BadParameter("from files, both --alerts and --input are needed")
    book, reading = _book_of(policies or []), reading_of(file_format, sheet, day_time)
    configure_interpreter()
    try:
        if alerts and inputs:
            from functools import partial

            from streams.cli.options import as_of_of, attributes_of_files, book_of, feed_of

            attributes, _ = attributes_of_files(accounts, accounts_map)
            known = book or book_of(None)
            feed = partial(feed_of, inputs, map_file, as_it_stands=as_it_stands, reading=reading)
            of_files = Files(
                alerts, dispositions, feed, partitions, attributes, as_of_of(as_of, known)
            )
            answered = _of_files(wanted, of_files, known)
        else:
            answered = _of_topics(wanted, broker, book, dispositions)
        is_same = _show(wanted, answered, as_json=as_json)
    except ExplainError as error:
        typer.echo(f"weir: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    if not is_same:
        raise typer.Exit(EXIT_FAILED)


def _require_wanted(wanted: "AlertSelection") -> None:
    if wanted.sample is None and not wanted.alert_ids:
        raise typer.BadParameter("name an alert by its ALERT id, or ask for a --sample")
    if wanted.sample is not None and wanted.alert_ids:
        raise typer.BadParameter("--sample chooses the alerts itself: leave ALERT out")
    if wanted.sample is None and wanted.kinds:
        raise typer.BadParameter("--kind is for --sample")
    if wanted.revision is not None and not wanted.is_one:
        raise typer.BadParameter("--revision is for one ALERT")


class Files(NamedTuple):
    """The files that alerts are explained out of, and how their rows are dealt."""

    alerts: Path
    dispositions: Path | None
    feed: "Callable[[], Iterable[Batch]]"
    partitions: int
    attributes: "AttributeBook | None"
    as_of: "AsOf"


def _book_of(paths: list[Path]) -> "PolicyBook | None":
    from monitor.policy.policy import PolicyBook
    from streams.cli.options import policy_of_file

    return PolicyBook([policy_of_file(path) for path in paths]) if paths else None


def _of_files(wanted: "AlertSelection", files: Files, book: "PolicyBook") -> "Answered":
    from monitor.dispositions.rules import lesson_of
    from streams.cli.alert_listing import dispositions_beside_or
    from streams.replay.explain import explain_all_of_files
    from streams.topics.alerts import alerts_of_file
    from streams.topics.dispositions import NOTHING_LEARNED
    from streams.topics.members import IncidentAlerts

    told = list(alerts_of_file(files.alerts))
    chains = wanted.chains_of(told)
    answers = explain_all_of_files(
        chains, book, files.feed, files.partitions, files.attributes, files.as_of
    )
    disposed = dispositions_beside_or(files.dispositions, files.alerts)
    lesson = lesson_of(told, disposed) if disposed else NOTHING_LEARNED
    return _beside(chains, answers, IncidentAlerts(told), lesson)


def _of_topics(
    wanted: "AlertSelection",
    broker: str | None,
    book: "PolicyBook | None",
    dispositions: Path | None,
) -> "Answered":
    import asyncio
    import os

    from streams.replay.explain_topics import explain_of_topics
    from streams.settings import settings_of
    from streams.topics.alerts import read_alerts
    from streams.topics.dispositions import lesson_of_topics
    from streams.topics.members import IncidentAlerts

    settings = settings_of(os.environ, broker=broker)

    async def run() -> "Answered":
        told = [alert async for alert in read_alerts(settings, follow=False)]
        chains = wanted.chains_of(told)
        answers = await explain_of_topics(settings, chains, book)
        lesson = await lesson_of_topics(settings, dispositions)
        return _beside(chains, answers, IncidentAlerts(told), lesson)

    return asyncio.run(run())


def _beside(
    chains: "Sequence[Chain]", answers: "Sequence[Explanation | ExplainError]",
    incidents: "IncidentAlerts", lesson: "Lesson",
) -> "Answered":  # fmt: skip
    """Return answers with what other alerts and dispositions say, each with the alert."""
    from streams.replay.explained import Explanation

    return [
        (
            chain[-1],
            answer.beside(incidents, lesson.met_by(chain[-1]))
            if isinstance(answer, Explanation)
            else answer,
        )
        for chain, answer in zip(chains, answers, strict=True)
    ]


def _show(wanted: "AlertSelection", answered: "Answered", *, as_json: bool) -> bool:
    """Print what was found; return whether all is the same. Raises ExplainError of a single one."""
    import json

    from streams.cli.views.explain import answer_fields, lines_of_many, text_of
    from streams.replay.explained import explanation_or_raise

    if wanted.is_one:
        explained = explanation_or_raise(answered[0][1])
        text = json.dumps(explained.fields()) + "\n" if as_json else text_of(explained)
        sys.stdout.write(text)
        return explained.is_same
    if as_json:
        sys.stdout.writelines(json.dumps(answer_fields(*answer)) + "\n" for answer in answered)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines_of_many(answered))
    return all(answer_fields(*answer)["same"] for answer in answered)
