"""An account has the same partition for every producer: Kafka's own default."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner

from streams.kafka.partitioner import dealer


class Topic:
    """What the partitioner asks of the cluster: one topic and its partitions."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        assert topic == "t"
        return self._partitions

    available_partitions_for_topic = partitions_for_topic


@given(st.text(st.characters(codec="utf-8")), st.integers(1, 300))
def test_an_account_is_dealt_as_kafkas_default_partitioner_does(
    account_id: str, partitions: int
) -> None:
    key = account_id.encode()
    expected = DefaultPartitioner().partition("t", account_id, key, None, None, Topic(partitions))
    deal = dealer(partitions)
    assert deal(account_id) == expected
    assert deal(account_id) == expected, "and so again"


@pytest.mark.parametrize(
    ("account_id", "partition"), [("A0000001", 5), ("A0000002", 13), ("A1", 11), ("é", 7), ("", 9)]
)
def test_the_partition_of_an_account_is_the_same_for_ever(account_id: str, partition: int) -> None:
    """State is kept by it: these were computed once, and change never again."""
    assert dealer(16)(account_id) == partition


def test_many_accounts_are_dealt_evenly() -> None:
    deal = dealer(4)
    dealt = [deal(f"A{number:07d}") for number in range(4000)]
    assert all(900 < dealt.count(partition) < 1100 for partition in range(4))


def test_one_dealer_is_nothing_to_another() -> None:
    assert {dealer(partitions)("A1") < partitions for partitions in range(1, 50)} == {True}
