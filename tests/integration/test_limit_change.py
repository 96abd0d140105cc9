"""Another limit, by two people at the console: it reaches the worker, which restates its alerts."""

import asyncio
from pathlib import Path

from sqlalchemy import select

from monitor.console.limits import decide_on, propose, proposed_policy, sha256_of
from monitor.policy.document import policy_of
from monitor.store.limits import proposals_of
from monitor.store.people import Person, Role
from monitor.store.proposals import ProposalState
from monitor.store.schema import alerts
from monitor.store.store import Store
from streams.archive.archive import Archive
from streams.archive.publisher import Publisher
from streams.settings import Settings
from streams.topics.policies import read_policies, set_policy
from tests.support.rigs import Broker, own_rig, records, running, send, until
from tests.support.stored import sqlite_store

POLICY = """version = 1
[[limit]]
id = "daily-amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "2.00"
"""
NOW = 1_795_000_000_000_000


def statuses(settings: Settings, store: Store) -> list[tuple[str, str]]:
    """Return status and limit of each alert, once the archive has taken what there is."""
    asyncio.run(Archive(settings, store).run(until_end=True))
    with store.reading() as connection:
        rows = connection.execute(select(alerts.c.status, alerts.c.value)).all()
    return [(row.status, row.value) for row in rows]


def test_a_limit_that_two_people_change_reaches_the_worker(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    bob, paul = Person("bob", Role.ANALYST, ""), Person("paul", Role.APPROVER, "")
    store = sqlite_store(tmp_path)
    with own_rig(embedded_broker, tmp_path, POLICY) as settings, running(settings) as worker:
        asyncio.run(set_policy(settings, policy_of(POLICY)))
        send(settings, records(0, 3))
        until(
            lambda: statuses(settings, store) == [("raised", "3.00")], "an alert is raised", worker
        )
        with store.begin() as connection:
            asked = {"above": "5.00", "effective_from": "2026-01-05"}
            proposal_id = propose(connection, bob, "daily-amount", asked, NOW).proposal_id
        with store.begin() as connection:
            _, changed = proposed_policy(connection, proposals_of(connection, proposal_id)[0])
            approval = {"decision": "approve", "policy_sha256": sha256_of(changed)}
            decide_on(connection, paul, proposal_id, approval, NOW + 1)
        assert asyncio.run(Publisher(settings, store).drain()) == 3
        until(lambda: statuses(settings, store)[0][0] == "withdrawn", "it is withdrawn", worker)
        book, refused = asyncio.run(read_policies(settings))
        send(settings, records(3, 3))
        until(lambda: statuses(settings, store) == [("raised", "6.00")], "raised again", worker)
    assert not refused
    assert book is not None
    assert book.versions == (1, 2)
    with store.reading() as connection:
        (proposal,) = proposals_of(connection)
    assert proposal.progress is ProposalState.APPROVED
    store.close()
