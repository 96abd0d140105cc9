"""`weir send`: the rows of files to the topics of transactions and of accounts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import (
    AccountFiles,
    AccountsMap,
    AsItStands,
    AsJson,
    Broker,
    DayTime,
    FileFormat,
    MapFile,
    SheetName,
    ToldOfFiles,
    reading_of,
)

if TYPE_CHECKING:
    from streams.send.send import Sending
    from streams.settings import Settings


def send(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="Transactions: tables (CSV, JSON Lines, Parquet, xlsx) or statements (camt, MT940,"
            " OFX), or folders of them; .gz and .zst too.",
            show_default=False,
        ),
    ] = None,
    broker: Broker = None,
    map_file: MapFile = None,
    rate: Annotated[
        float | None, typer.Option(help="Records a second at most; as fast as it goes by default.")
    ] = None,
    accounts: AccountFiles = None,
    accounts_map: AccountsMap = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget the accounts of --accounts (tombstones).")
    ] = False,
    heartbeat: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Then say to each partition that all up to this time was sent: RFC 3339, or now.",
        ),
    ] = None,
    file_format: FileFormat = None,
    sheet: SheetName = None,
    day_time: DayTime = None,
    as_it_stands: AsItStands = False,
    as_json: AsJson = False,
) -> None:
    """Send the rows of files to the transactions topic, in order, each account to its partition.

    Rows that are no transaction are sent too: the monitor rejects them with a reason. With
    --accounts, the attributes of accounts are sent before any transaction; rows that are no account
    are reported, and not sent. If only accounts are sent, --map is for them.

    A row that is too large for a topic is counted, and not sent: exit status 1. If the broker goes
    away, or at Ctrl-C, it says how many were sent and how many arrived: status 3, or 130.

    Examples:

        weir send transactions.csv --broker kafka:9092

        weir send may.camt053.xml.gz --day-time "12:00 Europe/Berlin"

        weir send folder/ --map examples/birmingham.map.toml --rate 500

        weir send --accounts accounts.csv --broker kafka:9092

        weir send --accounts closed.csv --forget

        weir send today.csv --heartbeat 2026-01-05T17:00:00Z
    """
    import os
    from functools import partial

    from streams.cli.exit_status import EXIT_FAILED
    from streams.cli.options import UnusableRows, accounts_of_files, feed_of, print_result
    from streams.kafka.admin import require_topic
    from streams.kafka.cluster import cluster_of
    from streams.send.send import Sending, too_large_text
    from streams.settings import settings_of
    from streams.topics.catalog import Topics

    if not files and not accounts and not heartbeat:
        raise typer.BadParameter("name files, accounts by --accounts, or a --heartbeat")
    beat_at = _time_of(heartbeat) if heartbeat else None
    if accounts and not files and not accounts_map:
        map_file, accounts_map = None, map_file
    if map_file and not files:
        raise typer.BadParameter("--map is for transactions, and there are none")
    if (accounts_map or forget) and not accounts:
        raise typer.BadParameter("--accounts-map and --forget are for --accounts: there are none")
    settings = settings_of(os.environ, broker=broker)
    _refuse_mapped(files, settings)
    topics, unusable = Topics.of(settings), UnusableRows()
    rows = accounts_of_files(accounts, accounts_map, unusable) if accounts else None
    reading, told = reading_of(file_format, sheet, day_time), ToldOfFiles()
    feed = partial(feed_of, as_it_stands=as_it_stands, reading=reading, told=told)
    batches = feed(files, map_file) if files else None
    transactions = batches if beat_at is None else heartbeat
    for given, topic in ((rows, topics.accounts), (transactions, topics.transactions)):
        if given is not None:
            require_topic(cluster_of(settings), topic)
    sending = Sending(settings, rows, batches, beat_at)
    result = _sent(sending, rate, forget=forget)
    if rows is not None:
        result["accounts_rejected"] = unusable.count
    if told.skips:
        result["skipped_by_reason"] = dict(told.skips)
    print_result(result, as_json=as_json)
    if sending.too_large:
        typer.echo(f"weir: {too_large_text(sending.too_large)}", err=True)
        raise typer.Exit(EXIT_FAILED)


def _refuse_mapped(files: list[Path] | None, settings: "Settings") -> None:
    """Raise BadParameter if rows would be sent to a topic that a map reads."""
    if files and settings.transactions_map is not None:
        raise typer.BadParameter(
            "WEIR_TRANSACTIONS_MAP says that the topic has records of others: weir send writes"
            " Weir's own, which the map does not read"
        )


def _time_of(text: str) -> int:
    """Return the time that an option names. Raises BadParameter if it names none."""
    import time

    from monitor.core.business_day import event_time_of

    moment = time.time_ns() // 1000 if text == "now" else event_time_of(text)
    if moment is None:
        raise typer.BadParameter(
            f"--heartbeat must be now, or a time as 2026-01-05T17:00:00Z, not {text!r}"
        )
    return moment


def _sent(sending: "Sending", rate: float | None, *, forget: bool) -> "dict[str, Any]":
    """Send; return what came of it, and say what was not as it should be."""
    import asyncio

    from streams.cli.exit_status import EXIT_INTERRUPTED

    _silence_clients()
    try:
        result = asyncio.run(sending.run(rate, forget=forget))
    except KeyboardInterrupt:
        typer.echo(f"weir: stopped: {sending.progress()}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if sending.warning:
        typer.echo(f"weir: {sending.warning}", err=True)
    return result


def _silence_clients() -> None:
    """Let Kafka's clients say nothing: what they say a thousand times, we say once."""
    import logging

    for client in ("aiokafka", "kafka"):
        logging.getLogger(client).setLevel(logging.CRITICAL + 1)
