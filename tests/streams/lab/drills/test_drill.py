"""A drill's look at the group: what it says while the broker that it asks is away."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from kafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, NodeNotReadyError

from streams.lab.drills.drill import Drill
from streams.settings import settings_of


class Reader:
    """Answers with the next of some offsets, or fails as kafka-python's consumer would."""

    def __init__(self, answers: Iterator[int | Exception | None]) -> None:
        self.answers = answers
        self.is_closed = False

    def committed(self, _partition: object) -> int | None:
        """Return the next offset. Raises what stands in its place."""
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Note that it was closed."""
        self.is_closed = True


def test_offsets_are_those_read_last_while_the_broker_that_is_asked_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([3, None, 5, KafkaConnectionError("gone"), NodeNotReadyError("gone"), 7, 8])
    readers: list[Reader] = []

    def reader(_: Drill) -> Reader:
        readers.append(Reader(answers))
        return readers[-1]

    monkeypatch.setattr(Drill, "_group_reader", reader)
    drill = Drill(
        replace(settings_of({"WEIR_BROKER": "127.0.0.1:9092"}), partitions=2),
        transactions=10,
        seed=1,
    )
    assert drill.committed_offsets() == [3, 0]
    assert drill.committed_offsets() == [3, 0]
    assert drill.committed_offsets() == [3, 0]
    assert drill.committed_offsets() == [7, 8]
    assert [reader.is_closed for reader in readers] == [True] * 4


def test_a_reader_that_may_not_read_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([GroupAuthorizationFailedError("no")])
    monkeypatch.setattr(Drill, "_group_reader", lambda _: Reader(answers))
    drill = Drill(
        replace(settings_of({"WEIR_BROKER": "127.0.0.1:9092"}), partitions=1),
        transactions=10,
        seed=1,
    )
    with pytest.raises(GroupAuthorizationFailedError):
        drill.committed_offsets()
