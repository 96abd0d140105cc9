"""`weir send`: the rows of files to the transactions topic."""

from typing import Annotated

import typer

from streams.commands.options import AsJson, Broker, Input, MapFile


def send(
    files: Input,
    broker: Broker = None,
    map_file: MapFile = None,
    rate: Annotated[
        float | None, typer.Option(help="Records a second at most; as fast as it goes by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send the rows of files to the transactions topic, in order, each account to its partition.

    Rows that are no transaction are sent too: the monitor sets them aside with a reason.

    Examples:

        weir send transactions.csv --broker kafka:9092

        weir send folder/ --map examples/birmingham.map.toml --rate 500
    """
    import asyncio
    import os
    import time

    from monitor.settings import settings_of
    from streams.admin import partitions_of
    from streams.broker import BrokerError
    from streams.commands.options import feed_of, print_result
    from streams.outbox import Outbox
    from streams.send import send_batches
    from streams.topics import RECORD_BYTES_MAX, Topics

    settings = settings_of(os.environ, broker=broker)
    topic = Topics.of(settings).transactions
    batches = feed_of(files, map_file)
    if partitions_of(settings.broker, topic) is None:
        raise BrokerError(f"there is no topic {topic}: create it by weir check --create-topics")

    async def run() -> int:
        outbox = Outbox(settings.broker, request_bytes_max=RECORD_BYTES_MAX)
        await outbox.start()
        try:
            return max([n async for n in send_batches(outbox, topic, batches, rate)], default=0)
        finally:
            await outbox.stop()

    started = time.perf_counter()
    sent = asyncio.run(run())
    seconds = time.perf_counter() - started
    print_result({"sent": sent, "topic": topic, "seconds": round(seconds, 3)}, as_json=as_json)
