"""Runs a table through the engines once for each seed, in several processes where that pays."""

import os
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final, NamedTuple

from monitor.core.as_of import AsOf
from monitor.policy import Policy
from streams.evaluate_run import Run, load_kernels, run_of
from streams.evaluate_table import Table, table_of
from streams.feed import files_of, read
from streams.feed_map import feed_map_of
from streams.interpreter import configure_interpreter

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

    def table(self) -> Table:
        """Read the table anew, without further columns. Raises FeedError, OSError."""
        feed_map = feed_map_of(self.map_file) if self.map_file else None
        return table_of(read(files_of(self.paths, feed_map), feed_map), as_of=self.as_of)


class SeedError(RuntimeError):
    """A process ended before its seeds were done; what it had to say is on stderr."""


def runs_of(
    table: Table, source: Source, policies: Sequence[Policy], partitions: int,
    on_rows: Callable[[int], None],
) -> list[Run]:  # fmt: skip
    """Return the run of each policy, one for each seed, in order.

    `on_rows` is told the rows that were done, of all seeds together. Several processes read the
    files for themselves: their rows are not shared. Raises SeedError.
    """
    processes = processes_for(len(policies), len(table.transactions))
    if processes == 1:
        configure_interpreter()
        load_kernels(table, policies[0])
        return [run_of(table, policy, partitions, on_rows) for policy in policies]
    shares = [list(range(first, len(policies), processes)) for first in range(processes)]
    runs: dict[int, Run] = {}
    for place, told in _told(source, policies, partitions, shares):
        if isinstance(told, Run):
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
    source: Source, policies: Sequence[Policy], partitions: int, shares: list[list[int]]
) -> Iterator[tuple[int, Run | int]]:
    """Yield what the processes tell: the place of a policy, and its run or rows that were done."""
    # Not forked: the readers have threads, which a fork would lose.
    context = get_context("spawn")
    connections = []
    processes = []
    for share in shares:
        here, there = context.Pipe(duplex=False)
        job = [(place, policies[place]) for place in share]
        process = context.Process(target=_work, args=(source, job, partitions, there), daemon=True)
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
    source: Source, job: Sequence[tuple[int, Policy]], partitions: int, connection: Connection
) -> None:
    """Run some seeds in a process of their own, and tell of them."""
    table = source.table()
    configure_interpreter()
    load_kernels(table, job[0][1])
    for place, policy in job:

        def tell(rows: int, place: int = place) -> None:
            connection.send((place, rows))

        connection.send((place, run_of(table, policy, partitions, tell)))
    connection.close()
