"""Workers' lives with one partition: recovery, runs, flushes in the background, and the end."""

import asyncio
import random
from collections.abc import Callable, Coroutine

from streams.wire.columns import read_run
from streams.worker.partition import Partition
from tests.support.fake_log import TOPICS, CrashError, Event, FakeOutbox, Log
from tests.support.made_stream import arrays_engine
from tests.support.records import Record


class Life:
    """One worker's time with the partition, from its recovery on."""

    def __init__(self, outbox: FakeOutbox, rng: random.Random, records: list[Record]) -> None:
        self.is_current: Callable[[], bool] = lambda: True
        self.outbox = outbox
        self.partition = Partition(
            arrays_engine(), outbox.log.kept(), outbox, TOPICS,
            lambda _: self.is_current(),
        )  # fmt: skip
        assert self.partition.lost is None
        self._rng = rng
        self._records = records
        self._at = outbox.log.committed
        self._tasks: list[asyncio.Task[object]] = []

    async def take(self, count: int | None = None) -> None:
        """Take so many runs; flushes and ticks go on meanwhile, sometimes two at a time."""
        while self._at < len(self._records) and count != 0:
            run = self._records[self._at : self._at + self._rng.randint(1, 6)]
            event = Event(self.outbox, self._rng, run[-1].offset)
            await self.partition.take(event, read_run([run]))
            self._at += len(run)
            count = None if count is None else count - 1
            match self._rng.randrange(4):
                case 0:
                    self._start(self.partition.tick)
                case 1:
                    self.start_flush()
                case 2:
                    await idle(self._rng.randrange(8))
                case _:
                    pass

    def start_flush(self) -> None:
        self._start(self.partition.flush)

    def _start(self, work: Callable[[], Coroutine[object, object, object]]) -> None:
        for task in self._tasks:
            if task.done():
                task.result()  # what it failed by, we fail by
        self._tasks.append(asyncio.create_task(work()))

    async def finish(self) -> None:
        """Take all that is left, and stop as a worker does that is told to."""
        await self.take()
        await self.until_flushed()
        while self.partition.engine.has_closing_days:
            await self.partition.tick()
        while await self.partition.flush() is not None:
            pass
        self.outbox.log.committed = self._at

    async def until_flushed(self) -> None:
        await asyncio.gather(*self._tasks)

    async def end(self) -> None:
        """Look at what all its tasks came to: nobody else will."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def idle(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def live(
    log: Log, records: list[Record], seed: int, crash_at: int | None = None, batch_records: int = 1
) -> FakeOutbox:
    """Live until all records are taken and sealed, or until the crash; return the outbox."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret

    async def run() -> FakeOutbox:
        outbox = FakeOutbox(log, rng, batch_records=batch_records, crash_at=crash_at)
        life = Life(outbox, rng, records)
        try:
            await life.finish()
        except CrashError:
            assert crash_at is not None
        finally:
            await life.end()
        return outbox

    return asyncio.run(run())
