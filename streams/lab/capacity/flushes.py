"""Bytes and processor time that the flushes of one partition take, by its rate and its state."""

from typing import Final, NamedTuple

from monitor.ledger.ledger import BUCKETS_MAX
from streams.lab.capacity.costs import Costs
from streams.settings import Settings
from streams.worker.partition import BUCKET_BYTES_MAX, DEALT
from streams.worker.partitions import FLUSH_SHARE, FLUSH_TIMES_MAX, FLUSH_WAIT_SECONDS_MAX

_DEFAULTS: Final = Settings(broker="none")
ROUNDS: Final = 200


class Flushing(NamedTuple):
    """One partition's flushes: how often, how many bytes each, and the share of a core."""

    seconds: float  # from one flush to the next
    bytes: float  # of each
    core_share: float


def flush_bytes(costs: Costs, accounts: float, records: float) -> float:
    """Return the expected bytes of one flush after records of random accounts.

    B * (1 - (1 - 1/B)^records) buckets of S/B bytes, where S = accounts * state_account_bytes and
    B the buckets that a worker would have; and records * state_transaction_bytes of the journal.
    """
    state = accounts * costs.state_account_bytes
    return _bucket_bytes(state, buckets(state), records) + records * costs.state_transaction_bytes


def buckets(state_bytes: float) -> int:
    """Return into how many buckets a worker deals so much state."""
    count = _DEFAULTS.buckets
    while state_bytes > BUCKET_BYTES_MAX * count and DEALT * count <= BUCKETS_MAX:
        count *= DEALT
    return count


def _bucket_bytes(state_bytes: float, count: int, records: float) -> float:
    left = float((1 - 1 / count) ** records)  # the share of buckets that no record changed
    return state_bytes * (1 - left)


def flush_bytes_most(costs: Costs, accounts: float, records: float) -> float:
    """Return the greatest `flush_bytes` of any number of accounts up to this one.

    Dealing state into more buckets makes a flush smaller. A deployment grows through the size just
    before, so it must bear that one.
    """
    state = accounts * costs.state_account_bytes
    count = buckets(state)
    most = _bucket_bytes(state, count, records)
    if count > _DEFAULTS.buckets:
        before = count // DEALT
        most = max(most, _bucket_bytes(float(BUCKET_BYTES_MAX * before), before, records))
    return most + records * costs.state_transaction_bytes


def flushing(costs: Costs, per_second: float, accounts: float) -> Flushing:
    """Return how a partition flushes with such a rate and accounts.

    A flush comes after WEIR_FLUSH_SECONDS or WEIR_FLUSH_RECORDS records, but not before ten times
    as long as the one before took (at most 15 s), unless eight times as many records wait: see
    `streams.worker.partitions.is_due`. How long it takes follows from its bytes, and
    its bytes from how many records it has: the smallest solution is found by repetition.
    """
    seconds, written = _DEFAULTS.flush_seconds, 0.0
    for _ in range(ROUNDS):
        written = flush_bytes_most(costs, accounts, per_second * seconds)
        took = written * costs.flush_ns_a_byte / 1e9
        least = min(FLUSH_SHARE * took, FLUSH_WAIT_SECONDS_MAX)
        full = _DEFAULTS.flush_records / per_second
        waited = min(max(least, min(_DEFAULTS.flush_seconds, full)), FLUSH_TIMES_MAX * full)
        if abs(waited - seconds) < 1e-6 * seconds:
            break
        seconds = waited
    core_share = written * costs.flush_ns_a_byte / 1e9 / seconds
    return Flushing(seconds, written, core_share)
