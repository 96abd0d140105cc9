"""`weir send`: the rows of files to the topics of transactions and of accounts."""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands.account_files import AccountFiles, AccountsMap
from streams.commands.options import AsItStands, AsJson, Broker, MapFile


def send(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Transactions: CSV, JSON Lines or Parquet files, or folders of them.",
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
    as_it_stands: AsItStands = False,
    as_json: AsJson = False,
) -> None:
    """Send the rows of files to the transactions topic, in order, each account to its partition.

    Rows that are no transaction are sent too: the monitor sets them aside with a reason. With
    --accounts, what the bank says of its accounts is sent, before any transaction; rows that are
    no account are told, and not sent. Where there are accounts alone, --map is for them.

    Examples:

        weir send transactions.csv --broker kafka:9092

        weir send folder/ --map examples/birmingham.map.toml --rate 500

        weir send --accounts accounts.csv --broker kafka:9092

        weir send --accounts closed.csv --forget
    """
    import asyncio
    import os

    from monitor.settings import settings_of
    from streams.commands.account_files import UnusableRows, accounts_of_files
    from streams.commands.options import feed_of, print_result
    from streams.sending import Sending, ensure_topic
    from streams.topics import Topics

    if not files and not accounts:
        raise typer.BadParameter("name files of transactions, or accounts by --accounts")
    if accounts and not files and not accounts_map:
        map_file, accounts_map = None, map_file
    if map_file and not files:
        raise typer.BadParameter("--map is for transactions, and there are none")
    if (accounts_map or forget) and not accounts:
        raise typer.BadParameter("--accounts-map and --forget are for --accounts: there are none")
    settings = settings_of(os.environ, broker=broker)
    topics, unusable = Topics.of(settings), UnusableRows()
    rows = accounts_of_files(accounts, accounts_map, unusable) if accounts else None
    batches = feed_of(files, map_file, as_it_stands=as_it_stands) if files else None
    for given, topic in ((rows, topics.accounts), (batches, topics.transactions)):
        if given is not None:
            ensure_topic(settings, topic)
    result = asyncio.run(Sending(settings, rows, batches).run(rate, forget=forget))
    if rows is not None:
        result["accounts_rejected"] = unusable.count
    print_result(result, as_json=as_json)
