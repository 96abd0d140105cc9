"""What waits for a second person: each page tells an approver of it, and nobody else."""

import re
from typing import Any

import pytest

from monitor.console.limits import propose
from monitor.store.limits import proposals_of
from monitor.store.people import Person, Role
from monitor.store.programs.actors import accountable
from monitor.store.programs.tokens import Scope
from monitor.store.proposals import ProposalState
from monitor.store.schema import alerts
from monitor.store.store import Store
from monitor.store.work import seconds
from monitor.store.work.seconds import Proposed, waiting_for
from tests.monitor.console.made_console import LIMIT, MadeConsole, identity, limit_alert
from tests.support.stored import filled, made_records

CRITICAL = identity("C1 2026-02-10")
CLOSING = {"disposition": "suspicious"}


def notice(client: Any, address: str = "/health") -> str:  # noqa: ANN401 - a client of tests
    found = re.search(r'<p class="waiting">(.*?)</p>', client.get(address).text, re.DOTALL)
    return "" if found is None else found[1]


def test_an_approver_is_told_on_every_page(console: MadeConsole) -> None:
    console.take(limit_alert("C2", severity="critical"))
    with console.client("paul") as paul, console.client("ana") as ana:
        assert notice(paul) == ""
        ana.post(f"/api/v1/alerts/{CRITICAL}/dispositions", json=CLOSING)
        assert '<a href="/queue?tab=waiting">1 closing waits</a>' in notice(paul)
        assert "/limits" not in notice(paul)
        ana.post(f"/api/v1/alerts/{identity('C2 2026-02-14')}/dispositions", json=CLOSING)
        console.propose()
        for address in ("/queue", f"/alerts/{CRITICAL}", "/accounts/A1", "/limits", "/team"):
            assert "2 closings wait<" in notice(paul, address)
            assert '<a href="/limits#proposals">1 proposed limit waits</a>' in notice(paul, address)
        assert 'id="proposals"' in paul.get("/limits").text
        assert notice(ana) == "", "an analyst is no second person"
        assert paul.get("/nope").status_code == 404


def test_what_was_decided_waits_no_more(console: MadeConsole) -> None:
    proposal = console.propose()
    with console.client("paul") as paul, console.client("ana") as ana:
        ana.post(f"/api/v1/alerts/{CRITICAL}/dispositions", json=CLOSING)
        assert notice(paul)
        paul.post(f"/api/v1/alerts/{CRITICAL}/dispositions", json=CLOSING)
        decision = {"decision": "decline"}
        paul.post(f"/api/v1/proposals/{proposal}/decision", json=decision)
        assert notice(paul) == ""


def test_nobody_is_the_second_person_of_their_own_proposals(console: MadeConsole) -> None:
    with console.client("paul") as paul, console.client("root") as root:
        with console.program(Scope.DECIDE, "paul") as program:
            done = program.post(f"/api/v1/alerts/{CRITICAL}/dispositions", json=CLOSING)
            assert done.json()["done"] == "propose"
            asked = {"above": "2600.00"}
            assert program.post(f"/api/v1/limits/{LIMIT}/proposals", json=asked).status_code == 201
        assert notice(paul) == ""
        assert "1 closing waits" in notice(root)
        assert "1 proposed limit waits" in notice(root)


@pytest.mark.parametrize("name", ["paul", "root", "(token t for paul)"])
def test_counts_are_those_of_the_rows(either_store: Store, name: str) -> None:
    """An index counts, on both databases; whoever proposed nothing by name is somebody else."""
    filled(either_store, made_records(5, 60))
    whose = ["paul", "root", "ana", "(token t for paul)", "(token x for ana)", None]
    with either_store.begin() as connection:
        connection.execute(alerts.update().values(state="open"))
        ids = connection.execute(alerts.select()).scalars().all()
        for number, alert_id in enumerate(ids):
            values = {"state": "waiting" if number % 4 else "closed"}
            its = alerts.update().where(alerts.c.alert_id == alert_id)
            connection.execute(its.values(values | {"disposed_by": whose[number % len(whose)]}))
        found = waiting_for(connection, name)
        rows = connection.execute(alerts.select().where(alerts.c.state == "waiting")).all()
    own = accountable(name)
    others = sum(accountable(row.disposed_by or "") != own for row in rows)
    assert 0 < others < len(rows)
    assert found == Proposed(others, 0)


def test_many_proposals_of_an_own_token_hide_none_of_others(
    console: MadeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seconds, "WAITING_MAX", 2)
    its = [limit_alert(f"W{number}", severity="critical") for number in range(4)]
    console.take(*its)
    with console.program(Scope.DECIDE, "paul") as program:
        for record in its[1:]:
            address = f"/api/v1/alerts/{record['alert_id']}/dispositions"
            assert program.post(address, json=CLOSING).status_code == 201
    with console.client("paul") as paul, console.client("root") as root:
        assert notice(paul) == ""
        with console.client("ana") as ana:
            ana.post(f"/api/v1/alerts/{its[0]['alert_id']}/dispositions", json=CLOSING)
        assert "1 closing waits" in notice(paul)
        assert "2+ closings wait" in notice(root) or "2 closings wait" in notice(root)


def test_proposals_are_counted_as_their_steps_say(console: MadeConsole) -> None:
    for number in range(4):
        with console.store.begin() as connection:
            asked = {"above": f"{3000 + number}.00"}
            propose(connection, Person("bob", Role.ANALYST, ""), LIMIT, asked, console.clock())
    with console.store.reading() as connection:
        first, second, *_ = proposals_of(connection)
    with console.client("paul") as paul:
        address = f"/api/v1/proposals/{first.made.proposal_id}/decision"
        sha256 = first.made.detail["policy_sha256"]
        body = {"decision": "approve", "policy_sha256": sha256}
        assert paul.post(address, json=body).status_code == 201
        address = f"/api/v1/proposals/{second.made.proposal_id}/decision"
        assert paul.post(address, json={"decision": "decline"}).status_code == 201
    with console.store.reading() as connection:
        left = [its for its in proposals_of(connection) if its.progress is ProposalState.OPEN]
        assert waiting_for(connection, "paul").limits == len(left) == 2
        assert waiting_for(connection, "bob").limits == 0
