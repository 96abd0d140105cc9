"""One worker process: starts what it needs in order, runs until told to stop, stops in order."""

import asyncio
import logging
import math
import os
import signal
import sys
import time
from importlib.metadata import version
from typing import Final

from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from monitor.core.business_day import MICROSECONDS, day_text
from monitor.policy.policy import PolicyBook, PolicyError
from monitor.policy.weights import WeightsVersion
from streams.exposition import (
    BROKER_SECONDS_MAX,
    Condition,
    Readiness,
    broker_seen,
    say_start,
    serve_metrics,
)
from streams.feed.envelopes.mapped import records_reading
from streams.interpreter import configure_interpreter, give_back_memory
from streams.kafka.admin import committed_without, ensure_topics
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of, no_answer
from streams.kafka.producer import Outbox, is_of_broker
from streams.log import SAYS
from streams.settings import Settings, snapshot_key_of
from streams.state.keys import FORMAT, LOST, StateError
from streams.topics.catalog import Topics, worker_topic_specs
from streams.topics.incidents import IncidentFollower
from streams.topics.policies import PolicyFollower, Refused
from streams.topics.rights import ensure_rights
from streams.topics.weights import WeightsFollower
from streams.worker import engines
from streams.worker.app import build_app, keep_passing_markers
from streams.worker.liveness import EXIT_STALLED, Liveness
from streams.worker.metrics import Metrics
from streams.worker.partitions import Agents
from streams.worker.systemic import SystemicAgent

_log = logging.getLogger(__name__)
_say = logging.getLogger(SAYS)

EXIT_CRASHED: Final = 1
EXIT_NOT_READY: Final = 3
GAUGES_SECONDS: Final = 1.0
MEMORY_SECONDS: Final = 60.0
OUTAGE_FACTOR: Final = 2
"""Records wait for a broker so many times as long as WEIR_LIVENESS_SECONDS."""

ANSWERED_SECONDS: Final = 5.0
"""A broker that answered within so many seconds is there."""

STOPPING_SECONDS_MAX: Final = 15.0
"""A worker that is told to stop waits so long for a broker: others give it less than a minute."""

UNACKNOWLEDGED_SECONDS: Final = 10.0
"""It is told if what was written has waited so long for the brokers."""

JOINING_SECONDS: Final = 0.1
"""The gauges are kept so often while there are no partitions: somebody waits for them."""


class Worker:
    """A worker process: the Faust app with its agent, and what stands around it."""

    def __init__(self, settings: Settings, book: PolicyBook | None) -> None:
        snapshot_key_of(settings)  # what cannot be used is refused before anything is connected
        records = records_reading(settings, math.inf)
        self.settings = settings
        self.metrics = Metrics(CollectorRegistry(), version("weir-monitor"))
        self.metrics.topic_partitions.set(settings.partitions)
        self._topics = topics = Topics.of(settings)
        self._stop = asyncio.Event()
        self._started_at = time.monotonic()
        self._models = "not used by the policy"
        self._is_waiting = False  # for acknowledgements, and it was told
        self._outbox = Outbox(
            cluster_of(settings), apart=((topics.alerts, topics.rejections), (topics.changelog,))
        )
        # The liveness decides how long a broker may be away, and not the client that asked last.
        self._outbox.wait_for(OUTAGE_FACTOR * settings.liveness_seconds)
        self._app, self._topic, table = build_app(settings, topics, self._replaced)
        self._agents = Agents(
            settings,
            self._app,
            table,
            self._outbox,
            records=records,
            metrics=self.metrics,
            on_crash=self._crashed,
        )
        self._follower = PolicyFollower(
            cluster_of(settings), topics.policy, book, self._policy_taken, self._policy_refused
        )
        self._weights: WeightsFollower | None = None
        self._systemic = SystemicAgent(
            settings, self._app, self._outbox, metrics=self.metrics, on_crash=self._crashed
        )
        self._incidents = IncidentFollower(
            cluster_of(settings),
            topics.systemic,
            topics.systemic_state,
            self._agents.verdicts_changed,
        )
        self._liveness = Liveness(
            settings, topics.transactions, self._agents, _stalled, self._follower.answered_at
        )

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, then flush, commit and leave the group.

        Raises BrokerError if no broker answers or a topic is not there, PolicyError if no
        policy is to be had, SettingsError where the port of the metrics is taken. A crash of our
        own, or a stall, ends the process at once (status 1 or 4): nothing that was not acknowledged
        is lost, because it is read again.
        """
        settings = self.settings
        policy = "of its topic" if settings.policy is None else f"{settings.policy} and its topic"
        say_start(settings, "worker", f"policy {policy}", f"state format {FORMAT}")
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        try:
            engines.prepare_soon()
            serve_metrics(self.settings, self.metrics.registry, self._readiness)
            await self._outbox.start()
            await asyncio.to_thread(
                ensure_topics, cluster_of(settings), worker_topic_specs(settings)
            )
            await asyncio.to_thread(ensure_rights, "worker", settings)
            if self.settings.accept_state_loss == "no":
                await asyncio.to_thread(_ensure_changelog, self.settings)
            await self._follower.start()
            book = self._follower.book
            if book is None:
                raise PolicyError([f"no policy in {self._topics.policy}, and no WEIR_POLICY"])
            self._policy_taken(book)
            _say.info("policy versions in force: %s", ", ".join(map(str, book.versions)))
            if book.outliers is not None:
                self._prepare_models(is_taught=book.is_taught)
            self._agents.begin(book)
            self._systemic.begin(book)
            self._weights = WeightsFollower(
                cluster_of(settings), self._topics.weights, book.weights, self._weights_come
            )
            await self._weights.start()
            await self._incidents.start()
            await self._agents.accounts.start()
            await self._run()
        except KafkaConnectionError as error:
            raise no_answer(cluster_of(self.settings), error) from error
        finally:
            await self._incidents.stop()
            await self._agents.accounts.stop()
            if self._weights is not None:
                await self._weights.stop()
            await self._follower.stop()
            await self._outbox.stop()
            await asyncio.to_thread(self._agents.traces.close)

    async def _run(self) -> None:
        app, agents = self._app, self._agents
        assert self._weights is not None
        app.agent(self._topic, name="monitor")(agents.monitor)
        segment_days = app.topic(self._topics.segment_days, value_serializer="raw", partitions=1)
        app.agent(segment_days, name="systemic")(self._systemic.join)
        app.finalize()
        configure_interpreter()
        passing = asyncio.create_task(keep_passing_markers(app))  # `start` waits for the recovery
        self._liveness.start()  # a recovery needs a broker, too
        try:
            await app.start()
        except BaseException:
            passing.cancel()
            raise
        tasks = [
            passing,
            *(asyncio.create_task(work)
            for work in (
                agents.keep_flushing(), agents.keep_closing_idle(), agents.accounts.follow(),
                self._follower.follow(), self._weights.follow(), self._incidents.follow(),
                self._observe(), _keep_giving_back(),
            )),
        ]  # fmt: skip
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        _say.info("stopping: flush, commit, leave the group")
        self._liveness.stop()
        agents.hurry()
        await self._stop_app()
        for task in (*tasks, stopped):
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                self._crashed(outcome)
        await agents.end_flushes(STOPPING_SECONDS_MAX)

    async def _stop_app(self) -> None:
        """Stop Faust, which waits for acknowledgements, unless no broker is there to send them."""
        stopping = asyncio.create_task(self._app.stop())
        while not stopping.done():
            await asyncio.wait([stopping], timeout=GAUGES_SECONDS)
            if not stopping.done() and self._silence_seconds() >= STOPPING_SECONDS_MAX:
                _stalled(f"no broker answers for {self._silence_seconds():.0f} s")
        await stopping

    def _silence_seconds(self) -> float:
        """Return for how long no broker has answered."""
        return time.monotonic() - (self._follower.answered_at() or self._started_at)

    async def _observe(self) -> None:
        """Keep the gauges; and see that Faust itself has not crashed."""
        while True:
            await asyncio.sleep(GAUGES_SECONDS if self._agents.assigned else JOINING_SECONDS)
            if self._app.crashed:
                self._crashed(self._app.crash_reason)
            before = self._agents.observed.assignments
            self._agents.observe_gauges()
            self._observe_acknowledgements()
            if self._agents.observed.assignments != before:
                numbers = ", ".join(map(str, sorted(self._agents.assigned)))
                _say.info("partitions of %s: %s", self._topics.transactions, numbers or "none")

    def _observe_acknowledgements(self) -> None:
        """Say, once, that the brokers acknowledge nothing; and that they do again."""
        seconds = self._outbox.waiting_seconds()
        if self._is_waiting and seconds < UNACKNOWLEDGED_SECONDS:
            self._is_waiting = False
            _say.info("the brokers acknowledge again what is written")
        elif not self._is_waiting and seconds >= UNACKNOWLEDGED_SECONDS:
            self._is_waiting = True
            _log.warning(
                "the brokers have not acknowledged for %.0f s what was written, so nothing is"
                " committed: is one away, and are fewer copies in sync than min.insync.replicas?"
                " Once they acknowledge, the worker goes on by itself",
                seconds,
            )

    def _replaced(self) -> None:
        """End the process: its partitions are somebody else's. Of the consumer's thread."""
        _stalled(
            f"the group has no member {self.settings.instance} of ours any more (WEIR_INSTANCE):"
            " another worker has this name, or we were silent for longer than the session timeout"
        )

    def _readiness(self) -> Readiness:
        """Return whether the worker can decide on its partitions, and why not. Of any thread."""
        book = self._follower.book
        known = "not read yet" if book is None else ", ".join(map(str, book.versions))
        seconds_max = min(BROKER_SECONDS_MAX, self.settings.liveness_seconds / 2)
        return Readiness(
            {
                "broker": broker_seen(self._follower.answered_at(), seconds_max),
                "policy": Condition(is_ok=book is not None, says=known),
                "partitions": self._agents.readiness(),
            },
            {
                "kernels": "loaded" if engines.are_ready() else "loading: Python decides meanwhile",
                "models": self._models,
            },
        )

    def _prepare_models(self, *, is_taught: bool) -> None:
        """Load what the models run, before the group waits for us; compile it where it is not."""
        from models.learner.learner import is_prepared, prepare  # noqa: PLC0415 - loading River takes a second

        if not is_prepared():
            self.metrics.models_compiling.set(1)
            self._models = "compiling"
            _say.info("compiling the models: half a minute, the first time on a machine")
        prepare(is_taught=is_taught)
        self.metrics.models_compiling.set(0)
        self._models = "prepared"

    def _crashed(self, error: BaseException | None) -> None:
        """End the process: nothing more is written or committed, and the records come again.

        A broker that is away is no crash of ours: the status is then that of a stall.
        """
        if isinstance(error, StateError):  # whoever runs it has to decide
            _log.critical("%s", error)
            _end(EXIT_NOT_READY)
        if error is not None and is_of_broker(error):
            ago = self._silence_seconds()
            if ago >= ANSWERED_SECONDS:
                _stalled(f"no broker answers for {ago:.0f} s")
            _stalled(f"the broker refuses what it is asked: {error!r}")
        _log.critical("crashed; what was not acknowledged will be read again", exc_info=error)
        _end(EXIT_CRASHED)

    def _policy_taken(self, book: PolicyBook) -> None:
        self.metrics.policy_version.set(max(book.versions))
        self.metrics.policy_refused.set(0)
        self._agents.policies_changed()

    def _weights_come(self, version: WeightsVersion) -> None:
        """Note a new version of the weights: scores have it from its first business day on."""
        metrics, book = self.metrics, self._follower.book
        assert book is not None
        begins = book.calendar.calendar().start_of(version.effective_from)
        metrics.weights_version.set(version.version)
        metrics.weights_labels.set(version.labels)
        metrics.weights_effective.set(begins / MICROSECONDS)
        for number, partition in self._agents.partitions.items():
            scorer = partition.engine.outliers.scorer
            if scorer is not None and scorer.learner.day >= version.effective_from:
                metrics.weights_late.inc()
                _log.warning(
                    "partition %d: version %d of the weights came late: a replay scores days from"
                    " %s on otherwise",
                    number,
                    version.version,
                    day_text(version.effective_from),
                )

    def _policy_refused(self, _: Refused) -> None:
        self.metrics.policy_refusals.inc()
        self.metrics.policy_refused.set(1)


async def _keep_giving_back() -> None:
    while True:
        await asyncio.sleep(MEMORY_SECONDS)
        give_back_memory()


def _stalled(why: str) -> None:
    _log.critical("stalled: %s; ending, so that the partitions move to another worker", why)
    _end(EXIT_STALLED)


def _end(status: int) -> None:
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)


def _ensure_changelog(settings: Settings) -> None:
    """Raise BrokerError if the group has committed offsets, and a changelog has nothing.

    A worker would go on from there without state. What else may be missing is found when a
    partition is put together.
    """
    topics = Topics.of(settings)
    lost = committed_without(
        cluster_of(settings),
        settings.group,
        topics.transactions,
        topics.changelog,
        settings.partitions,
    )
    if lost:
        raise BrokerError(
            f"state is lost: the group {settings.group} has committed transactions of partitions"
            f" {', '.join(map(str, lost))}, and {topics.changelog} has nothing of them. {LOST}"
        )
