"""A made population as a feed: in memory, or as a CSV file with its labels."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from monitor.population import COLUMNS, Population, rows_of
from monitor.population.made_rows import incident_labels_of, labels_of
from streams.feed import BATCH_ROWS, Batch


class Made(NamedTuple):
    """What was written so far."""

    days: int
    rows: int
    anomalies: int  # account-days


def made_batches(population: Population) -> Iterator[Batch]:
    """Yield the rows of a population as batches of a feed."""
    for number, (made, rows) in enumerate(rows_of(population), 1):
        for first in range(0, len(rows), BATCH_ROWS):
            part = rows[first : first + BATCH_ROWS]
            numbers = range(first + 1, first + 1 + len(part))
            yield Batch(Path(made.day.isoformat()), part, numbers, [], number / population.days)


def write_population(
    population: Population, out: IO[bytes], labels: IO[bytes] | None
) -> Iterator[Made]:
    """Write a population as CSV, and its labels as JSON Lines; yield after each day."""
    out.write((",".join(COLUMNS) + "\n").encode())
    written = anomalies = 0
    for number, (made, rows) in enumerate(rows_of(population), 1):
        # No text of a made row has a comma or a quote, so that joining is all there is to CSV.
        out.write(("\n".join(map(",".join, rows)) + "\n").encode() if rows else b"")
        written += len(rows)
        for label in labels_of(made, rows):
            anomalies += label["level"] == "account-day"
            if labels:
                labels.write(json.dumps(label).encode() + b"\n")
        yield Made(number, written, anomalies)
    if labels:
        for label in incident_labels_of(population):
            labels.write(json.dumps(label).encode() + b"\n")
