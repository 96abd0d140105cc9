"""`weir explain`: an alert derived again, beside what was told."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands.account_files import AccountFiles, AccountsMap
from streams.commands.options import AsItStands, AsJson, Broker, Dispositions, MapFile

if TYPE_CHECKING:
    from monitor.lesson import Lesson
    from monitor.policy import PolicyBook
    from streams.explain import Explanation


def explain(
    alert: Annotated[
        str, typer.Argument(metavar="ALERT", help="The alert_id.", show_default=False)
    ],
    revision: Annotated[
        int | None, typer.Option(help="Which revision of it; the last one, if not given.", min=1)
    ] = None,
    alerts: Annotated[
        Path | None, typer.Option(help="The alerts, as JSON Lines: what a replay or a stream told.")
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
    broker: Broker = None,
    dispositions: Dispositions = None,
    as_it_stands: AsItStands = False,
    as_json: AsJson = False,
) -> None:
    """Derive an alert again, and print its figures beside those that were told.

    From files (--alerts and --input), or, where neither is given, from the topics of a broker. The
    same engine is replayed as far as is needed. Below the figures stand the transactions that make
    up the value, and the rules, learned from dispositions, that the alert meets. Status 0: the
    same. Status 1: something differs, and is named; or what is needed is not there any more.

    Examples:

        weir explain ALERT --alerts alerts.jsonl --input transactions.csv --policy policy.toml

        weir explain ALERT --revision 1 --broker kafka:9092

        weir explain ALERT --broker kafka:9092 --json | jq .differs
    """
    import json
    from functools import partial

    from streams.alert_file import alerts_of_file
    from streams.commands.account_files import attributes_of_files
    from streams.commands.failure import EXIT_FAILED
    from streams.commands.options import book_of, feed_of
    from streams.explain import ExplainError, chain_of, explain_of_files
    from streams.interpreter import configure_interpreter
    from streams.lessons import NOTHING_LEARNED, lesson_of_files

    if bool(alerts) != bool(inputs):
        raise typer.BadParameter("from files, both --alerts and --input are needed")
    book = _book_of(policies or [])
    configure_interpreter()
    try:
        if alerts and inputs:
            attributes, _ = attributes_of_files(accounts, accounts_map)
            feed = partial(feed_of, inputs, map_file, as_it_stands=as_it_stands)
            told = chain_of(alerts_of_file(alerts, alert), alert, revision)
            explained = explain_of_files(told, book or book_of(None), feed, partitions, attributes)
            lesson = lesson_of_files(dispositions, alerts) if dispositions else NOTHING_LEARNED
        else:
            explained, lesson = _of_topics(alert, revision, broker, book, dispositions)
    except ExplainError as error:
        typer.echo(f"weir: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    explained = explained._replace(rules=lesson.met_by(explained.told))
    if as_json:
        sys.stdout.write(json.dumps(explained.fields()) + "\n")
    else:
        from streams.explain_text import text_of

        sys.stdout.write(text_of(explained))
    if not explained.is_same:
        raise typer.Exit(EXIT_FAILED)


def _book_of(paths: list[Path]) -> "PolicyBook | None":
    from monitor.policy import PolicyBook
    from streams.commands.options import policy_of_file

    return PolicyBook([policy_of_file(path) for path in paths]) if paths else None


def _of_topics(
    alert: str,
    revision: int | None,
    broker: str | None,
    book: "PolicyBook | None",
    dispositions: Path | None,
) -> "tuple[Explanation, Lesson]":
    import asyncio
    import os

    from monitor.settings import settings_of
    from streams.explain_topics import explain_of_topics
    from streams.lessons import lesson_of_topics

    settings = settings_of(os.environ, broker=broker)

    async def run() -> "tuple[Explanation, Lesson]":
        explained = await explain_of_topics(settings, alert, revision, book)
        return explained, await lesson_of_topics(settings, dispositions)

    return asyncio.run(run())
