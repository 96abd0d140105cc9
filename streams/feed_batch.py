"""What a feed hands on: rows of a file, a batch at a time."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from monitor.core.business_day import event_time_text
from monitor.core.transaction import Fields, Transaction
from streams import codec
from streams.feed_source import Column

BATCH_ROWS: Final = 5000


class Batch(NamedTuple):
    """Some rows of a file.

    `rows` has the fields of each readable row and `numbers` its number (1 is the first below the
    header); `raw` has the others (number, bytes): records as they are, or rows that are none.
    `further` has the columns that were asked for beside the fields, a cell for each of `rows`;
    where there are no rows it may be empty. `files` has the file of each of `rows`, then of `raw`,
    where they are of several; where it is empty, all are of `path`.
    """

    path: Path
    rows: Sequence[Fields]
    numbers: Sequence[int]
    raw: Sequence[tuple[int, bytes]]
    share_read: float  # of the file, 0 to 1
    skipped: int = 0  # rows that the map says to pass over: filtered, or an incomplete last line
    filtered: int = 0  # those of `skipped` that a [[where]] of the map leaves out
    further: Mapping[str, Column] = {}
    files: Sequence[Path] = ()

    def file_of(self, place: int) -> Path:
        """Return the file of what stands at a place: `rows` first, then `raw`."""
        return self.files[place] if self.files else self.path


def records_of(batch: Batch) -> Iterator[tuple[str | None, bytes, str | None]]:
    """Yield account id (None if a record names none), record and booked_at of each row, to send.

    In the order in which `Replay` takes them, so that a stream and a replay give one answer.
    """
    for fields in batch.rows:
        yield fields[1] or None, codec.transaction_bytes(fields), fields[2]
    for _, value in batch.raw:
        item = codec.decode(value)
        if isinstance(item, Transaction):
            yield item.account_id, value, event_time_text(item.event_time)
        else:
            yield None, value, None
