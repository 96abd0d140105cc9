"""A made population as a feed, in memory."""

from collections.abc import Iterator
from pathlib import Path

from monitor.population import Population, rows_of
from streams.feed.reader import BATCH_ROWS, Batch


def made_batches(population: Population) -> Iterator[Batch]:
    """Yield the rows of a population as batches of a feed."""
    for number, (made, rows) in enumerate(rows_of(population), 1):
        for first in range(0, len(rows), BATCH_ROWS):
            part = rows[first : first + BATCH_ROWS]
            numbers = range(first + 1, first + 1 + len(part))
            yield Batch(Path(made.day.isoformat()), part, numbers, [], number / population.days)
