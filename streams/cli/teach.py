"""`weir teach`: weights of the evidence, learned from what analysts decided."""

import sys
from typing import Annotated

import typer

from streams.cli.options import AsJson, Broker


def teach(
    broker: Broker = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the version, and put none in force.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Learn from all dispositions so far, and put the weights in force from a later business day.

    Outlier scores have them where the policy says `taught = true` in its [budget]. They are in
    force two business days after the latest transactions, and after a weekend some hours ahead, so
    that every worker has them before, and a replay has them on the same day. Run it once a business
    day. If nothing was decided since the version before, there is no new one.

    The weights are learned as `weir evaluate --dispositions-per-day` learns them. Until the
    dispositions prove that they are worth it, the scores stay as they are.

    Examples:

        weir teach --broker kafka:9092

        weir teach --dry-run --json
    """
    import asyncio
    import os
    import time

    from streams.cli.options import book_of, print_result
    from streams.feed.envelopes.mapped import records_reading
    from streams.settings import settings_of
    from streams.topics.weights import learned_version, write_weights

    settings = settings_of(os.environ, broker=broker)
    book = book_of(settings.policy) if settings.policy else None
    read = records_reading(settings).read
    now = time.time_ns() // 1000
    version = asyncio.run(learned_version(settings, read, book, now))
    if version is None:
        sys.stderr.write("weir: nothing was decided since the version before: it stays in force\n")
        print_result({"changed": False}, as_json=as_json)
        return
    if not dry_run and not asyncio.run(write_weights(settings, version)):
        said = f"another weir teach came first, and its version {version.version} is in force"
        sys.stderr.write(f"weir: {said}\n")
        print_result({"changed": False}, as_json=as_json)
        return
    if version.weights is None and not as_json:
        sys.stderr.write("weir: the dispositions do not prove yet that weights are worth it\n")
    print_result({"changed": not dry_run, **version.fields()}, as_json=as_json)
