"""The partition of an account: the same for a producer, a file and a replay."""

from collections.abc import Callable
from functools import lru_cache

from kafka.partitioner.default import murmur2


def dealer(partitions: int) -> Callable[[str], int]:
    """Return the function that deals account ids to partitions, as Kafka's default partitioner.

    murmur2 in Python costs some microseconds, so each account's answer is kept.
    """

    @lru_cache(maxsize=1 << 21)
    def deal(account_id: str) -> int:
        key = account_id.encode(errors="surrogateescape")
        hashed: int = murmur2(key)
        return (hashed & 0x7FFFFFFF) % partitions

    return deal
