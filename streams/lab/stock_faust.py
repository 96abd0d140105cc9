"""An ordinary Faust agent with a Table, by the book, doing the same limits.

Only `weir bench` runs it, to compare in one run. It is written as Faust's own documentation has
it: a Record for each message, a Table written for each message, automatic acknowledgement.
"""

import sys
from decimal import Decimal
from typing import Any

import faust
from prometheus_client import CollectorRegistry, Counter, start_http_server

AMOUNT_ABOVE = Decimal("2000.00")
COUNT_ABOVE = 15


class StockTransaction(faust.Record, serializer="json"):
    """The fields that the two limits need."""

    account_id: str
    booked_at: str
    amount: str
    direction: str


def main() -> None:
    """Run the agent: broker, topic prefix, partitions and metrics port are the arguments."""
    broker, prefix, partitions, port = sys.argv[1:]
    registry = CollectorRegistry()
    records = Counter("stock_records", "Records that the agent took.", registry=registry)
    start_http_server(int(port), "127.0.0.1", registry)
    app = faust.App(
        "stock",
        broker=f"kafka://{broker}",
        store="memory://",
        web_enabled=False,
        topic_partitions=int(partitions),
        topic_replication_factor=1,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        broker_max_poll_records=5000,
    )
    topic = app.topic(f"{prefix}transactions.v1", value_type=StockTransaction, key_type=str)
    alerts = app.topic("stock-alerts", partitions=1)
    days = app.Table("days", partitions=int(partitions))

    @app.agent(topic)
    async def monitor(stream: Any) -> None:  # noqa: ANN401 - Faust's stream
        async for transaction in stream:
            day = (transaction.account_id, transaction.booked_at[:10])
            count, amount = days.get(day) or (0, "0")
            total = Decimal(amount)
            if transaction.direction == "debit":
                total += Decimal(transaction.amount)
            days[day] = [count + 1, str(total)]
            crosses_amount = total > AMOUNT_ABOVE >= Decimal(amount)
            if crosses_amount or count + 1 == COUNT_ABOVE + 1:
                _ = await alerts.send(key=day[0], value={"account_id": day[0], "day": day[1]})
            records.inc()

    worker = faust.Worker(app, loglevel="ERROR", quiet=True)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
