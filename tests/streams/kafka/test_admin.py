"""Topics that would lose records, or refuse them, are named."""

import pytest

from streams.kafka.admin import TopicFound, TopicSpec, faults_of, notes_of

COMPACTED = TopicSpec("state", 4, {"cleanup.policy": "compact"})
FOR_EVER = TopicSpec("alerts", 4, {"retention.ms": "-1"})
SAFE = {"min.insync.replicas": "2", "cleanup.policy": "delete", "retention.ms": "-1"}


@pytest.mark.parametrize(
    ("spec", "copies", "change", "said"),
    [
        (COMPACTED, 3, {"cleanup.policy": "delete"}, "must have cleanup.policy compact"),
        (FOR_EVER, 3, {"cleanup.policy": "compact"}, "must have cleanup.policy delete"),
        (FOR_EVER, 3, {"retention.bytes": "1000"}, "keeps 1000 bytes a partition alone"),
        (FOR_EVER, 3, {"unclean.leader.election.enable": "true"}, "lets a broker lead that lacks"),
        (FOR_EVER, 3, {"max.message.bytes": "1000"}, "must take records of 900000 bytes"),
        (FOR_EVER, 1, {"min.insync.replicas": "1"}, "has 1 copy, WEIR_REPLICATION makes it 3"),
        (FOR_EVER, 3, {"min.insync.replicas": "1"}, "what one broker alone has counts as written"),
        (FOR_EVER, 3, {"min.insync.replicas": "4"}, "nothing can be written"),
    ],
)
def test_what_would_lose_or_refuse_records_is_a_fault(
    spec: TopicSpec, copies: int, change: dict[str, str], said: str
) -> None:
    (fault,) = faults_of(TopicFound(spec, copies, SAFE | change), 3)
    assert fault.startswith(spec.name)
    assert said in fault


@pytest.mark.parametrize("copies", [3, 4])
def test_a_safe_topic_has_no_fault(copies: int) -> None:
    assert list(faults_of(TopicFound(FOR_EVER, copies, SAFE), 3)) == []
    assert list(faults_of(TopicFound(FOR_EVER, copies, {}), 3)) == []


def test_what_is_somebody_s_to_decide_is_a_note() -> None:
    short = TopicFound(FOR_EVER, 3, SAFE | {"retention.ms": "604800000"})
    (note,) = notes_of(short)
    assert "keeps records for 7 days" in note
    (note,) = notes_of(TopicFound(FOR_EVER, 2, SAFE))
    assert "takes nothing while one broker is down" in note
    assert list(notes_of(TopicFound(FOR_EVER, 3, SAFE))) == []
    assert list(faults_of(short, 3)) == []
