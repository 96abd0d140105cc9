"""A batch of a file's rows as engines with arrays take them: the rows of each partition."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from models.arrays import Bytes, Ints
from monitor.core.as_of import AsOf
from monitor.core.transaction import Rejection, Transaction, transaction_of
from streams.feed.lines import LineRows, fields_at
from streams.feed.reader import Batch
from streams.wire import codec, lines
from streams.wire.rows.layout import ORDINARY, Rows, RunColumns

Item = Transaction | Rejection


class RowRun:
    """The rows of one partition in a batch; `places` are their places in the batch.

    `read` has those that no kernel reads, by their places in the batch.
    """

    def __init__(
        self,
        columns: RunColumns,
        offsets: range,
        places: Ints,
        read: Mapping[int, Item],
        items_at: Callable[[Sequence[int]], list[Item]],
    ) -> None:
        self.offsets = offsets
        self.places = places.tolist()
        self._columns = columns
        self._read = read
        self._items_at = items_at

    @property
    def data(self) -> Bytes:
        """The bytes in which the texts of ordinary rows stand."""
        return self._columns.data

    @property
    def rows(self) -> Rows:
        """The rows of all records."""
        return self._columns.rows

    @property
    def has_heartbeats(self) -> bool:
        """No: a batch with heartbeats is taken by items, as they are of every partition."""
        return False

    def judged(self, clock_skew: int) -> list[Item]:
        """Return what each record is; a file's rows were judged as it was read."""
        return self.judged_at(range(len(self.offsets)), clock_skew)

    def judge_rows(self, clock_skew: int) -> None:
        """Do nothing: a file's rows were judged as it was read."""

    def judged_at(self, places: Sequence[int], clock_skew: int) -> list[Item]:
        """Return what some of the records are, by their places in the run."""
        del clock_skew
        of_batch, read = self.places, self._read
        wanted = [of_batch[place] for place in places]
        rest = iter(self._items_at([place for place in wanted if place not in read]))
        return [read[place] if place in read else next(rest) for place in wanted]


class BatchRows(NamedTuple):
    """The rows of a batch, dealt: their columns, the partition of each, and what kernels leave.

    `times` are the event times of those that are transactions, in order.
    """

    columns: RunColumns
    partition: Ints
    read: dict[int, Item]
    times: Ints
    items_at: Callable[[Sequence[int]], list[Item]]

    def run(self, partition: int, first_offset: int) -> RowRun | None:
        """Return the run of a partition, from an offset on; None if it has no rows."""
        places = np.flatnonzero(self.partition == partition)
        if not places.size:
            return None
        rows = self.columns.rows[places]
        offsets = range(first_offset, first_offset + places.size)
        rows["offset"] = np.arange(first_offset, first_offset + places.size)
        columns = RunColumns(self.columns.data, rows)
        return RowRun(columns, offsets, places, self.read, self.items_at)


def rows_of(
    batch: Batch, partitions: int, deal: Callable[[str], int], as_of: AsOf | None
) -> BatchRows:
    """Return the rows of a batch, as a producer deals them to partitions."""
    latest = lines.LATEST if as_of is None else as_of.moment + as_of.clock_skew
    columns = _columns_of(batch, latest)

    def items_at(places: Sequence[int]) -> list[Item]:
        return [item for _, item in _read(batch, places)]

    partition = lines.dealt(columns, partitions)
    is_transaction = columns.rows["state"] == ORDINARY
    odd = np.flatnonzero(~is_transaction).tolist()
    read: dict[int, Item] = {}
    for place, (account_id, item) in zip(odd, _read(batch, odd), strict=True):
        read[place] = judged = item if as_of is None else as_of.judge(item)
        partition[place] = deal(account_id) if account_id else 0
        if isinstance(judged, Transaction):
            columns.rows["event_time"][place] = judged.event_time
            is_transaction[place] = True
    times = columns.rows["event_time"][is_transaction]
    return BatchRows(columns, partition, read, times, items_at)


def _read(batch: Batch, places: Sequence[int]) -> Iterator[tuple[str | None, Item]]:
    """Yield the account by which each of some rows is dealt, and what the row is, in order."""
    of_rows = len(batch.rows)
    for fields in fields_at(batch.rows, [place for place in places if place < of_rows]):
        yield fields[1], transaction_of(fields)
    for place in places:
        if place >= of_rows:
            item = codec.decode(batch.raw[place - of_rows][1])
            yield item.account_id if isinstance(item, Transaction) else None, item


def _columns_of(batch: Batch, latest: int) -> RunColumns:
    """Return the columns of a batch: of its rows, then of its raw records."""
    if isinstance(batch.rows, LineRows):
        columns = batch.rows.columns
        lines.check_cells(columns, latest)
    else:
        columns = lines.rows_of_texts(batch.rows, latest)
    if not batch.raw:
        return columns
    of_raw = lines.rows_of_records([value for _, value in batch.raw], latest)
    if not batch.rows:
        return of_raw
    of_raw.rows["value_at"] += columns.data.size
    data = np.concatenate([columns.data, of_raw.data])
    data.flags.writeable = False  # as of the others: a kernel is compiled for each type
    return RunColumns(data, np.concatenate([columns.rows, of_raw.rows]))
