"""One seed's way through a table: the engines of a replay, and what their models say."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import process_time
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from models.learner.columns import Outcome
from models.learner.warmth import Warmth
from models.profile.baseline import FEATURES
from monitor.core.alert import Kind, Status
from monitor.core.as_of import AsOf
from monitor.core.business_day import day_of_text
from monitor.engine.engine import Engine
from monitor.outliers.scorer import Scorer, SeenRecords
from monitor.policy.policy import Policy, PolicyBook
from streams.evaluation.table import TransactionTable, table_of
from streams.feed.mapping import feed_map_of
from streams.feed.reader import files_of, read
from streams.interpreter import configure_interpreter
from streams.kafka.partitioner import dealer

RUN_ROWS: Final = 5000
FIRST_ROWS: Final = 100


class SeedRun(NamedTuple):
    """What one seed's models said, by the places of the table.

    `day` is the business day, 0 for what is not scored: what was rejected, and what takes another
    transaction back. `score` is that of the transaction, and `day_score` that of its account-day
    as it then stood (NaN: none yet). The account-days that ended are `closed_account` (its number
    in the table), `closed_day` and `closed_score`. `alerts` counts the outlier alerts that were
    raised, by business day, `reports` those that were raised or restated, by the day that they
    report, and `rejected` what the engines set aside, by reason. `cpu_seconds` is the process time
    of engines and models, without reading and decoding. `features` are those of each transaction
    (`baseline.FEATURES`), if they were asked for; else it has no rows. `warmth` is that of
    each partition's models in the end.
    """

    day: Ints
    score: Floats
    day_score: Floats
    closed_account: Ints
    closed_day: Ints
    closed_score: Floats
    alerts: Counter[int]
    rejected: Counter[str]
    cpu_seconds: float
    reports: Counter[int]
    features: Floats
    warmth: Sequence[Warmth]


class _Sheet:
    """What the models say, written down as it comes."""

    def __init__(self, table: TransactionTable, *, has_features: bool) -> None:
        count = len(table.transactions)
        self.features = np.zeros((count if has_features else 0, len(FEATURES)))
        self.day = np.zeros(count, np.int64)
        self.score = np.full(count, np.nan)
        self.day_score = np.full(count, np.nan)
        self.closed_account: list[Ints] = [np.empty(0, np.int64)]
        self.closed_day: list[Ints] = [np.empty(0, np.int64)]
        self.closed_score: list[Floats] = [np.empty(0)]
        self.alerts: Counter[int] = Counter()
        self.reports: Counter[int] = Counter()
        self.rejected: Counter[str] = Counter()
        self.cpu_seconds = 0.0
        self.warmth: list[Warmth] = []
        self._numbers = {account_id: number for number, account_id in enumerate(table.account_ids)}

    def watch(self, scorer: Scorer, places: Ints) -> None:
        """Write down what a partition's models say; `places` are its rows' in the table."""

        def note(seen: SeenRecords, outcome: Outcome) -> None:
            scored = [seen[number] for number in range(len(seen))]
            rows = places[[item.offset for item in scored]]
            self.day[rows] = [item.day for item in scored]
            self.score[rows] = outcome.scores
            self.day_score[rows] = outcome.day_scores
            if self.features.size:
                self.features[rows] = outcome.features
            for closed in outcome.closed:
                accounts = [self._numbers[scorer.account_ids[row]] for row in closed.row.tolist()]
                self.closed_account.append(np.array(accounts, np.int64))
                self.closed_day.append(closed.day)
                self.closed_score.append(closed.score)

        scorer.on_scored = note

    def run(self) -> SeedRun:
        return SeedRun(
            self.day,
            self.score,
            self.day_score,
            np.concatenate(self.closed_account),
            np.concatenate(self.closed_day),
            np.concatenate(self.closed_score),
            self.alerts,
            self.rejected,
            self.cpu_seconds,
            self.reports,
            self.features,
            self.warmth,
        )


def run_of(
    table: TransactionTable,
    policy: Policy,
    partitions: int,
    on_rows: Callable[[int], None],
    *,
    has_features: bool = False,
) -> SeedRun:
    """Let the engines of all partitions observe the table, by a policy that has a budget.

    Partitions know nothing of each other, so that one after the other they say what they say in a
    replay. `on_rows` is told the number of rows of each run.
    """
    book = PolicyBook([policy])
    sheet = _Sheet(table, has_features=has_features)
    for partition, places in enumerate(dealt(table, partitions)):
        engine = Engine(partition, book, partitions=partitions)
        assert engine.outliers.scorer is not None, "the policy has a budget"
        sheet.watch(engine.outliers.scorer, places)
        for start in range(0, places.size, RUN_ROWS):
            some = places[start : start + RUN_ROWS].tolist()
            items = [table.transactions[place] for place in some]
            began = process_time()
            engine.observe(range(start, start + len(items)), items)
            step = engine.take_step()
            sheet.cpu_seconds += process_time() - began
            outliers = [alert for alert in step.alerts if alert.kind is Kind.OUTLIER]
            sheet.alerts.update(
                alert.business_day for alert in outliers if alert.status is Status.RAISED
            )
            sheet.reports.update(day_of_text(str(alert.evidence["day"])) for alert in outliers)
            sheet.rejected.update(rejection.reason.value for _, rejection in step.rejections)
            on_rows(len(some))
        sheet.warmth.append(engine.outliers.scorer.warmth())
    return sheet.run()


def dealt(table: TransactionTable, partitions: int) -> list[Ints]:
    """Return the places of each partition's rows, as the producer deals accounts to partitions."""
    deal = dealer(partitions)
    partition = np.array([deal(account_id) for account_id in table.account_ids], np.int64)
    of_row = partition[table.account]
    return [np.flatnonzero(of_row == number) for number in range(partitions)]


def load_kernels(table: TransactionTable, policy: Policy) -> None:
    """Have all kernels compiled, or read from disk: seconds that a process spends once."""
    engine = Engine(0, PolicyBook([policy]))
    rows = table.transactions
    some = [*rows[:FIRST_ROWS], rows[len(rows) // 2], rows[-1]]  # days with more accounts, and end
    engine.observe(range(len(some)), some)


ROWS_WORTH_A_PROCESS: Final = 200_000
"""Below, a process takes longer to start and to read the files than a seed takes."""

MEMORY: Final = Path("/proc/meminfo")
ROW_BYTES: Final = 1500
"""Of memory that a row takes in a process, with what the engines and models keep of it."""


class Source(NamedTuple):
    """Files that a table is read from, as a command names them."""

    paths: Sequence[Path]
    map_file: Path | None
    as_of: AsOf | None = None

    def table(self) -> TransactionTable:
        """Read the table anew, without further columns. Raises FeedError, OSError."""
        feed_map = feed_map_of(self.map_file) if self.map_file else None
        return table_of(read(files_of(self.paths, feed_map), feed_map), as_of=self.as_of)


class SeedError(RuntimeError):
    """A process ended before its seeds were done; what it had to say is on stderr."""


def runs_of(
    table: TransactionTable, source: Source, policies: Sequence[Policy], partitions: int,
    on_rows: Callable[[int], None], *, has_features: bool = False,
) -> list[SeedRun]:  # fmt: skip
    """Return the run of each policy, one for each seed, in order.

    `on_rows` is told the rows that were done, of all seeds together. Several processes read the
    files for themselves: their rows are not shared. Raises SeedError.
    """
    processes = processes_for(len(policies), len(table.transactions))
    if processes == 1:
        configure_interpreter()
        load_kernels(table, policies[0])
        return [
            run_of(table, policy, partitions, on_rows, has_features=has_features)
            for policy in policies
        ]
    shares = [list(range(first, len(policies), processes)) for first in range(processes)]
    runs: dict[int, SeedRun] = {}
    for place, told in _told(source, policies, partitions, shares, has_features=has_features):
        if isinstance(told, SeedRun):
            runs[place] = told
        else:
            on_rows(told)
    if len(runs) < len(policies):
        raise SeedError("a process of the evaluation ended before its seeds were done")
    return [runs[place] for place in range(len(policies))]


def processes_for(seeds: int, rows: int) -> int:
    """Return how many processes to use: at most one a seed and a processor, while memory lasts."""
    if rows < ROWS_WORTH_A_PROCESS:
        return 1
    return max(1, min(seeds, os.cpu_count() or 1, _available() // (rows * ROW_BYTES)))


def _available() -> int:
    """Return the bytes of memory that programs may still take; 0 where nothing tells (no Linux)."""
    if not MEMORY.exists():
        return 0
    for line in MEMORY.read_text(encoding="ascii").splitlines():
        name, value, *_ = line.split()
        if name == "MemAvailable:":
            return int(value) * 1024
    return 0


def _told(
    source: Source,
    policies: Sequence[Policy],
    partitions: int,
    shares: list[list[int]],
    *,
    has_features: bool,
) -> Iterator[tuple[int, SeedRun | int]]:
    """Yield what the processes tell: the place of a policy, and its run or rows that were done."""
    # Not forked: the readers have threads, which a fork would lose.
    context = get_context("spawn")
    connections = []
    processes = []
    for share in shares:
        here, there = context.Pipe(duplex=False)
        job = [(place, policies[place]) for place in share]
        process = context.Process(
            target=_work,
            args=(source, job, partitions, there),
            daemon=True,
            kwargs={"has_features": has_features},
        )
        process.start()
        there.close()
        connections.append(here)
        processes.append(process)
    while connections:
        for ready in wait(connections):
            assert isinstance(ready, Connection)
            try:
                yield ready.recv()
            except EOFError:
                ready.close()
                connections.remove(ready)
    for process in processes:
        process.join()


def _work(
    source: Source,
    job: Sequence[tuple[int, Policy]],
    partitions: int,
    connection: Connection,
    *,
    has_features: bool,
) -> None:
    """Run some seeds in a process of their own, and tell of them."""
    table = source.table()
    configure_interpreter()
    load_kernels(table, job[0][1])
    for place, policy in job:

        def tell(rows: int, place: int = place) -> None:
            connection.send((place, rows))

        run = run_of(table, policy, partitions, tell, has_features=has_features)
        connection.send((place, run))
    connection.close()
