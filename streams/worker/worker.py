"""One worker process: starts what it needs in order, runs until told to stop, stops in order."""

import asyncio
import logging
import os
import signal
import sys
from importlib.metadata import version
from typing import Final

from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from monitor.policy.policy import PolicyBook, PolicyError
from streams.exposition import serve_metrics
from streams.interpreter import configure_interpreter
from streams.kafka.admin import committed_without, ensure_topics
from streams.kafka.broker_error import BrokerError
from streams.kafka.producer import Outbox
from streams.log import SAYS
from streams.settings import Settings, snapshot_key_of
from streams.state.keys import LOST, StateError
from streams.topics.catalog import Topics, worker_topic_specs
from streams.topics.incidents import IncidentFollower
from streams.topics.policies import PolicyFollower, Refused
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
JOINING_SECONDS: Final = 0.1
"""The gauges are kept so often while there are no partitions: somebody waits for them."""


class Worker:
    """A worker process: the Faust app with its agent, and what stands around it."""

    def __init__(self, settings: Settings, book: PolicyBook | None) -> None:
        snapshot_key_of(settings)  # what cannot be used is refused before anything is connected
        self.settings = settings
        self._version = version("weir-monitor")
        self.metrics = Metrics(CollectorRegistry(), self._version)
        self._topics = topics = Topics.of(settings)
        self._stop = asyncio.Event()
        self._outbox = Outbox(
            settings.broker, apart=((topics.alerts, topics.rejections), (topics.changelog,))
        )
        self._app, self._topic, table = build_app(settings, topics)
        self._agents = Agents(
            settings, self._app, table, self._outbox, metrics=self.metrics, on_crash=_crashed
        )
        self._follower = PolicyFollower(
            settings.broker, topics.policy, book, self._policy_taken, self._policy_refused
        )
        self._systemic = SystemicAgent(
            settings, self._app, self._outbox, metrics=self.metrics, on_crash=_crashed
        )
        self._incidents = IncidentFollower(
            settings.broker, topics.systemic, topics.systemic_state, self._agents.verdicts_changed
        )
        self._liveness = Liveness(settings, topics.transactions, self._agents, _stalled)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, then flush, commit and leave the group.

        Raises BrokerError if no broker answers or a topic is not there, PolicyError if no
        policy is to be had, SettingsError where the port of the metrics is taken. A crash of our
        own, or a stall, ends the process at once (status 1 or 4): nothing that was not acknowledged
        is lost, because it is read again.
        """
        settings = self.settings
        _say.info("weir %s, group %s, broker %s", self._version, settings.group, settings.broker)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        try:
            engines.prepare_soon()
            serve_metrics(self.settings, self.metrics.registry)
            await self._outbox.start()
            await asyncio.to_thread(ensure_topics, settings.broker, worker_topic_specs(settings))
            if self.settings.accept_state_loss == "no":
                await asyncio.to_thread(_ensure_changelog, self.settings)
            await self._follower.start()
            book = self._follower.book
            if book is None:
                raise PolicyError([f"no policy in {self._topics.policy}, and no WEIR_POLICY"])
            self._policy_taken(book)
            _say.info("policy versions in force: %s", ", ".join(map(str, book.versions)))
            if book.outliers is not None:
                self._prepare_models()
            self._agents.begin(book)
            self._systemic.begin(book)
            await self._incidents.start()
            await self._agents.accounts.start()
            await self._run()
        except KafkaConnectionError as error:
            raise BrokerError(f"no broker answers at {self.settings.broker}: {error}") from error
        finally:
            await self._incidents.stop()
            await self._agents.accounts.stop()
            await self._follower.stop()
            await self._outbox.stop()

    async def _run(self) -> None:
        app, agents = self._app, self._agents
        app.agent(self._topic, name="monitor")(agents.monitor)
        segment_days = app.topic(self._topics.segment_days, value_serializer="raw", partitions=1)
        app.agent(segment_days, name="systemic")(self._systemic.join)
        app.finalize()
        configure_interpreter()
        passing = asyncio.create_task(keep_passing_markers(app))  # `start` waits for the recovery
        try:
            await app.start()
        except BaseException:
            passing.cancel()
            raise
        self._liveness.start()
        tasks = [
            passing,
            *(asyncio.create_task(work)
            for work in (
                agents.keep_flushing(), agents.accounts.follow(), self._follower.follow(),
                self._incidents.follow(), self._observe(),
            )),
        ]  # fmt: skip
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        _say.info("stopping: flush, commit, leave the group")
        self._liveness.stop()
        agents.hurry()
        await app.stop()
        for task in (*tasks, stopped):
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def _observe(self) -> None:
        """Keep the gauges; and see that Faust itself has not crashed."""
        while True:
            await asyncio.sleep(GAUGES_SECONDS if self._agents.assigned else JOINING_SECONDS)
            if self._app.crashed:
                _crashed(self._app.crash_reason)
            before = self._agents.assigned
            self._agents.observe_gauges()
            if self._agents.assigned != before:
                numbers = ", ".join(map(str, sorted(self._agents.assigned)))
                _say.info("partitions of %s: %s", self._topics.transactions, numbers or "none")

    def _prepare_models(self) -> None:
        """Load what the models run, before the group waits for us; compile it where it is not."""
        from models.learner.learner import is_prepared, prepare  # noqa: PLC0415 - loading River takes a second

        if not is_prepared():
            self.metrics.models_compiling.set(1)
            _say.info("compiling the models: half a minute, the first time on a machine")
        prepare()
        self.metrics.models_compiling.set(0)

    def _policy_taken(self, book: PolicyBook) -> None:
        self.metrics.policy_version.set(max(book.versions))
        self.metrics.policy_refused.set(0)
        self._agents.policies_changed()

    def _policy_refused(self, _: Refused) -> None:
        self.metrics.policy_refusals.inc()
        self.metrics.policy_refused.set(1)


def _crashed(error: BaseException | None) -> None:
    """End the process: nothing more is written or committed, and the records come again."""
    if isinstance(error, StateError):  # whoever runs it has to decide
        _log.critical("%s", error)
        _end(EXIT_NOT_READY)
    _log.critical("crashed; what was not acknowledged will be read again", exc_info=error)
    _end(EXIT_CRASHED)


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
        settings.broker, settings.group, topics.transactions, topics.changelog, settings.partitions
    )
    if lost:
        raise BrokerError(
            f"state is lost: the group {settings.group} has committed transactions of partitions"
            f" {', '.join(map(str, lost))}, and {topics.changelog} has nothing of them. {LOST}"
        )
