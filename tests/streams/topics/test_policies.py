"""What comes on the policy topic: each record is taken or refused, by where it stands."""

import asyncio
from typing import NamedTuple

from monitor.policy.document import POLICY_BYTES_MAX, policy_of
from monitor.policy.policy import PolicyBook
from streams.kafka.cluster import Cluster
from streams.topics.policies import PolicyFollower, Refused
from tests.support.transactions import POLICY


class Standing(NamedTuple):
    """A record of the topic, as a follower reads it."""

    offset: int
    value: bytes | None


class FixedTail:
    """A topic that has certain records and no more."""

    def __init__(self, *records: Standing) -> None:
        self._records = list(records)

    async def read(self) -> list[Standing]:
        """Return all records once."""
        records, self._records = self._records, []
        return records


def test_what_is_refused_is_named_by_its_offset_and_the_rest_is_taken() -> None:
    changed: list[PolicyBook] = []
    refused: list[Refused] = []
    book = PolicyBook([policy_of(POLICY)])
    second = POLICY.replace("version = 1", "version = 2")

    async def read() -> None:
        follower = PolicyFollower(Cluster("none:0"), "policy", book, changed.append, refused.append)
        await follower.stop()  # it never connected
        follower._tail = FixedTail(  # type: ignore[assignment]  # in the place of a broker
            Standing(11, second.encode()),
            Standing(12, None),
            Standing(15, b"\xff"),
            Standing(16, second.encode() + b"#" * POLICY_BYTES_MAX),
            Standing(17, b"version = 3"),
            Standing(19, second.replace('"UTC"', '"Europe/Berlin"').encode()),
            Standing(23, second.encode() + b"\n# another text of the same version\n"),
            Standing(29, second.encode()),
        )
        await follower._read()

    asyncio.run(read())
    assert [refusal.offset for refusal in refused] == [15, 16, 17, 19, 23]
    assert "taken by another text" in refused[-1].problems[0]
    assert changed == [book]
    assert book.versions == (1, 2)
