"""Records of one partition as they are handed on before they are read: batches of bytes."""

from typing import NamedTuple


class RecordBatch(NamedTuple):
    """Records of one partition as bytes: of format 2, uncompressed, without control or transaction.

    `data` is the section of the records alone. The offsets in it count from `first_offset`, the
    times from `first_timestamp` (milliseconds). If the topic's timestamps are LogAppendTime,
    `append_time` is the time of every record, in milliseconds.
    """

    data: bytes
    count: int  # type: ignore[assignment]  # of the records in `data`; hides a method of tuples
    first_offset: int
    first_timestamp: int
    append_time: int | None
    from_offset: int  # records before it are passed over: a fetch begins in the middle of a batch
