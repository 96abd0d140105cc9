"""`weir worker`: one process that monitors the partitions the group gives it."""

from typing import Annotated

import typer


def worker(
    broker: Annotated[
        str | None, typer.Option(help="Kafka brokers, host:port,... (default: WEIR_BROKER).")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="The policy's TOML file (default: WEIR_POLICY).")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log in detail, as WEIR_LOG_LEVEL=debug.")
    ] = False,
) -> None:
    """Monitor the stream until told to stop (SIGTERM or Ctrl-C).

    Settings are WEIR_ environment variables (docs/settings.md has them all); start as many
    workers of one WEIR_GROUP as you like, they share the partitions.

    Examples:

        weir worker --broker kafka:9092 --policy policy.toml

        WEIR_BROKER=kafka:9092 WEIR_METRICS_PORT=9464 weir worker -v
    """
    import asyncio
    import os

    from streams.cli.options import book_of
    from streams.log import begin_log
    from streams.settings import settings_of

    settings = settings_of(os.environ, broker=broker, policy=policy)
    begin_log("debug" if verbose else settings.log_level, settings.log_format)
    book = book_of(settings.policy) if settings.policy else None
    from streams.worker.worker import Worker  # takes seconds: what is wrong is said before

    async def run() -> None:
        await Worker(settings, book).run()

    asyncio.run(run())
