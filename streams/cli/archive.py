"""`weir archive`: keeps the store of alerts up to date with the topics."""

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson, Broker, StoreUrl

if TYPE_CHECKING:
    from monitor.store.store import Store
    from streams.archive.archive import Progress
    from streams.settings import Settings


def archive(
    broker: Broker = None,
    store: StoreUrl = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Empty what follows from the topics first, and make it again from them.",
        ),
    ] = False,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End when all that the topics hold is taken.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take alerts, rejections, account-days and people's actions into a database, once each.

    How far the topics were read stands in the database, with what was read: the archive may be
    stopped or killed at any moment, and goes on from there. `weir console` shows what it holds.
    People, sessions and the audit are the console's own, and --rebuild leaves them as they are.
    What is older than the settings of retention say is taken away at its start and once a day.

    Examples:

        weir archive --broker kafka:9092 --store sqlite:///weir.db

        weir archive --store postgresql+psycopg://weir@db/weir

        weir archive --rebuild --until-end
    """
    import asyncio
    import os

    from streams.cli.exit_status import said_if_interrupted
    from streams.cli.options import print_result, store_of
    from streams.log import begin_log
    from streams.settings import settings_of

    settings = settings_of(os.environ, broker=broker, store=store)
    begin_log(settings.log_level, settings.log_format)
    with store_of(settings.store) as opened, said_if_interrupted("the archive has ended"):
        progress = asyncio.run(_run(settings, opened, rebuild=rebuild, until_end=until_end))
        if progress is not None:
            taken = dict(sorted(progress.taken.items()))
            print_result({"taken": taken, "passed_over": progress.passed_over}, as_json=as_json)


async def _run(
    settings: "Settings", store: "Store", *, rebuild: bool, until_end: bool
) -> "Progress | None":
    """Publish first what people decided before a rebuild: it is on the topics then."""
    import asyncio
    import signal

    from monitor.store.intake import Intake
    from streams.archive.archive import Archive
    from streams.archive.metrics import ArchiveMetrics
    from streams.archive.pruning import prune_daily, prune_now
    from streams.archive.publisher import Publisher
    from streams.exposition import say_start, serve_metrics

    if rebuild:
        await Publisher(settings, store).drain()
        Intake(store).forget()
    taking = Archive(settings, store)
    metrics, said = ArchiveMetrics(taking.topics), _Said()
    if not until_end:
        say_start(settings, "archive")
        serve_metrics(settings, metrics.registry, taking.readiness)

    def note(progress: "Progress") -> None:
        metrics.note(progress)
        said.say(progress)

    work = asyncio.ensure_future(taking.run(until_end=until_end, on_progress=note))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    pruning = None if until_end else asyncio.ensure_future(prune_daily(settings, store))
    if pruning is not None:  # one that fails must not go on unnoticed
        pruning.add_done_callback(
            lambda ended: work.cancel() if not ended.cancelled() and ended.exception() else None
        )
    try:
        progress = await work
    except asyncio.CancelledError:
        if pruning is not None and pruning.done():
            pruning.result()
        return None
    else:
        if until_end:  # a rebuild has brought back what was pruned before
            prune_now(settings, store)
        return progress
    finally:
        if pruning is not None:
            pruning.cancel()


class _Said:
    """Says how far an archive is: at its start, when it has all, and each 30 s of work."""

    EVERY_SECONDS = 30.0

    def __init__(self) -> None:
        self._said_at = 0.0
        self._was_at_end = False

    def say(self, progress: "Progress") -> None:
        import logging
        import time

        from streams.log import SAYS

        is_time = time.monotonic() - self._said_at > self.EVERY_SECONDS
        if progress.is_at_end is self._was_at_end and (progress.is_at_end or not is_time):
            return
        self._said_at, self._was_at_end = time.monotonic(), progress.is_at_end
        taken = f"{sum(progress.taken.values()):,} records taken"
        where = "all that the topics hold" if progress.is_at_end else "more to come"
        logging.getLogger(SAYS).info("archive: %s, %s", taken, where)
