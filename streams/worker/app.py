"""The Faust app: group, rebalance, recovery and commit are Faust's; the rest is handed to it."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import faust
from faust.auth import Credentials, OAuthCredentials, SASLCredentials, SSLCredentials
from faust.tables.manager import TableManager
from faust.types.topics import TopicT
from faust.types.tuples import TP

from streams.kafka.cluster import Token
from streams.security import BY_TOKEN, Security
from streams.settings import Settings
from streams.state import changelog
from streams.topics.catalog import STATE_TABLE, Topics
from streams.worker.transport import RunConsumer, RunSchema, RunTransport

MARKERS_SECONDS: Final = 1.0
"""So often is looked whether a changelog ends in a commit marker."""

RUNS_WAITING_MAX: Final = 8
"""Runs that wait in memory for the agent, before fetching pauses."""


class StateTable(faust.Table[bytes, bytes]):
    """A Faust table that keeps the changelog's records by partition, as bytes.

    Faust's own memory store drops what it has of a partition that moved away, by a rule that does
    not fit records written past it; this one keeps, and forgets, by partition.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Faust's own signature
        super().__init__(*args, **kwargs)
        self.kept: dict[int, dict[bytes, bytes]] = {}
        self.on_left: Callable[[int], None] = lambda _: None
        self.read_at = time.monotonic()  # when records of the changelog came last

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Take in records of the changelog, at recovery."""
        self.read_at = time.monotonic()
        for event in batch:
            kept = self.kept.setdefault(event.message.partition, {})
            for piece in event.value:
                changelog.keep(kept, [(record.key, record.value) for record in piece])

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Forget the partitions that moved away; should one come back, Faust reads it anew.

        `on_left` is told of each, so that nothing stands on what was forgotten: a partition may
        come back before any record shows that it was away.
        """
        await super().on_recovery_completed(active_tps, standby_tps)
        mine = {tp.partition for tp in active_tps | standby_tps}
        for partition in self.kept.keys() - mine:
            del self.kept[partition]
            self.on_left(partition)


class StateTables(TableManager):
    """Faust's tables, which wait a second for those that register later: ours is there before."""

    async def on_start(self) -> None:
        """Begin at once."""
        await self._update_channels()
        await self.recovery.start()


def _credentials(security: Security) -> Credentials | None:
    """Return how Faust's clients connect."""
    context = security.context()
    if security.mechanism == BY_TOKEN:
        return OAuthCredentials(oauth_cb=Token(security), ssl_context=context)
    if security.has_user:
        return SASLCredentials(
            username=security.username,
            password=security.read_password(),
            mechanism=security.mechanism,
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)


def build_app(
    settings: Settings, topics: Topics, on_replaced: Callable[[], None]
) -> tuple[faust.App, TopicT, StateTable]:
    """Return the app, the topic of transactions that its agent reads, and the table of state.

    `on_replaced` is called, in the consumer's thread, if the worker has a name of its own in the
    group and the group has it no more.
    """
    app = faust.App(
        settings.group,
        broker=f"kafka://{settings.broker.replace(',', ';')}",
        broker_credentials=_credentials(settings.security),
        store="memory://",
        datadir=str(settings.data_dir),
        Table=StateTable,
        TableManager=StateTables,
        web_enabled=False,
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        topic_allow_declare=False,  # `weir check --create-topics` creates them, and says so
        topic_disable_leader=True,
        table_standby_replicas=0,  # Faust reads a memory table anew, standby or not
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.heartbeat_seconds,
        broker_commit_interval=1.0,
        broker_max_poll_records=settings.fetch_records * settings.partitions,
        consumer_max_fetch_size=1 << 22,
        stream_wait_empty=True,
    )
    has_runs = settings.transport != "plain"
    run_topics = {topics.transactions} if has_runs else set()
    changelogs = {topics.changelog} if has_runs else set()
    app.transport = RunTransport(
        app.conf.broker_consumer,
        app,
        run_topics=frozenset(run_topics),
        changelogs=frozenset(changelogs),
        run_records_max=settings.fetch_records,
        has_batches=settings.transport == "run",
        on_replaced=on_replaced if settings.instance is not None else None,
    )
    topic = app.topic(
        topics.transactions,
        schema=RunSchema(),
        partitions=settings.partitions,
        maxsize=RUNS_WAITING_MAX if has_runs else None,
    )
    table = app.Table(
        STATE_TABLE,
        schema=RunSchema(),
        partitions=settings.partitions,
        # Runs of records. With 1 Faust reads on after a recovery: all that we write ourselves.
        recovery_buffer_size=2,
    )
    assert isinstance(table, StateTable)
    return app, topic, table


async def keep_passing_markers(app: faust.App) -> None:
    """Pass over commit markers at the end of changelogs, until cancelled."""
    while True:
        await asyncio.sleep(MARKERS_SECONDS)
        _pass_over_markers(app)


def _pass_over_markers(app: faust.App) -> None:
    """Let a recovery end whose changelog ends in what is no record.

    Faust waits for the record before the end of each changelog partition. If a commit marker or an
    aborted record stands there, that never comes; but the consumer passes it over. Faust looks
    every five seconds whether it has all.
    """
    consumer, recovery = app.consumer, app.tables.recovery  # type: ignore[attr-defined]  # of the manager
    if not recovery.in_recovery or not isinstance(consumer, RunConsumer):
        return
    for tp, last in recovery.active_highwaters.items():
        taken = recovery.active_offsets.get(tp)
        if last is None or taken is None or taken >= last:
            continue
        stand = consumer.stand(tp, taken)
        if stand is not None and stand.position > last:
            recovery.active_offsets[tp] = last
