"""A worker's partitions, put together from what their changelogs hold."""

import logging
import time
from typing import Final

import faust
from faust.types.tuples import TP

from monitor.engine.engine import Engine
from streams.interpreter import building
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox
from streams.kafka.reader import records_of_topic
from streams.log import SAYS
from streams.settings import Settings, snapshot_key_of
from streams.state.changelog import ensure_kept, keep
from streams.state.keys import LOST, StateLostError
from streams.topics.catalog import Topics
from streams.traces import Traces
from streams.worker.app import StateTable
from streams.worker.metrics import Metrics
from streams.worker.partition import Partition
from streams.worker.transport import RunConsumer

_log: Final = logging.getLogger(__name__)
_say: Final = logging.getLogger(SAYS)


class PartitionBuilder:
    """Puts a partition together from the records that Faust's table has of its changelog.

    A partition that has written keeps offsets and sizes of most of them alone. If it cannot go on
    after a rebalance, though it is ours still, the changelog is read again.
    """

    def __init__(
        self,
        settings: Settings,
        app: faust.App,
        table: StateTable,
        outbox: Outbox,
        metrics: Metrics,
        traces: Traces,
    ) -> None:
        self._settings = settings
        self._topics = Topics.of(settings)
        self._app = app
        self._table = table
        self._outbox = outbox
        self._metrics = metrics
        self._traces = traces
        self._snapshot_key = snapshot_key_of(settings)
        self._partly_kept: set[int] = set()

    def note_partly_kept(self, number: int) -> None:
        """Read a partition's changelog again before it is put together."""
        self._partly_kept.add(number)

    def note_left(self, number: int) -> None:
        """Forget what was known of a partition that moved away: Faust reads it when it is back."""
        self._partly_kept.discard(number)

    async def prepare(self, number: int) -> None:
        """Read a partition's changelog again, if that is needed; `build` waits for nothing then.

        Raises KafkaError if no broker answers.
        """
        if number in self._partly_kept:
            self._table.kept[number] = await self._read(number)
            self._partly_kept.discard(number)

    def build(self, engine: Engine, generation: int) -> Partition:
        """Return the partition of an engine that has decided nothing yet, with its state.

        Raises StateLostError if the changelog has not all that was committed, and the settings do
        not accept it.
        """
        app, number = self._app, engine.partition
        started = time.perf_counter()
        kept = self._table.kept.setdefault(number, {})
        self._check(number, kept)
        with building():
            partition = Partition(
                engine,
                kept,
                self._outbox,
                self._topics,
                lambda assignment: bool(app.consumer_generation_id == assignment.generation),
                generation,
                self._snapshot_key,
                self._metrics.observe_alert,
                self._settings.not_monitored_seconds,
            )
        if partition.lost is not None:
            self._accept_loss(
                StateLostError(f"state of partition {number} is lost: {partition.lost}. {LOST}")
            )
        for refused in partition.parts_refused:
            _log.error("partition %d: models begin afresh: %s", number, refused)
            self._metrics.model_refusals.inc()
        self._tell(engine, time.perf_counter() - started)
        return partition

    async def _read(self, number: int) -> dict[bytes, bytes]:
        """Return what a partition's changelog holds now."""
        kept: dict[bytes, bytes] = {}
        broker = cluster_of(self._settings)
        async for record in records_of_topic(broker, self._topics.changelog, [number]):
            keep(kept, [(record.key, record.value)])
            self._table.read_at = time.monotonic()
        return kept

    def _check(self, number: int, kept: dict[bytes, bytes]) -> None:
        """Raise StateLostError if a changelog has not what the group has committed."""
        consumer = self._app.consumer
        assert isinstance(consumer, RunConsumer)
        try:
            ensure_kept(kept, consumer.committed(TP(self._topics.transactions, number)), number)
        except StateLostError as error:
            self._accept_loss(error)

    def _accept_loss(self, error: StateLostError) -> None:
        if self._settings.accept_state_loss == "no":
            raise error
        _log.error("WEIR_ACCEPT_STATE_LOSS=yes: %s", error)

    def _tell(self, engine: Engine, seconds: float) -> None:
        ledger = engine.ledger
        self._metrics.recovery_duration.observe(seconds)
        self._traces.note(
            "weir.recovery",
            seconds,
            {
                "weir.partition": engine.partition,
                "weir.accounts": ledger.count_accounts(),
                "weir.open_transactions": ledger.open_transactions(),
            },
        )
        _say.info(
            "partition %d: %d accounts, %d open transactions, from offset %d",
            engine.partition, ledger.count_accounts(), ledger.open_transactions(),
            ledger.offset_last + 1,
        )  # fmt: skip
