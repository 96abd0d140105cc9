"""The worklist: nobody takes what another has, and one decision closes exactly what was shown."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

from monitor.console.worklist import take_next
from monitor.store.audit import verify
from monitor.store.intake import Intake
from monitor.store.people import Person, Role
from monitor.store.queries import AlertFilter
from monitor.store.store import Store
from tests.monitor.console.made_console import MadeConsole, identity, limit_alert
from tests.support.stored import NOW, read_alert

OF_A1 = [
    identity("review A1"),
    identity("outlier A1 2026-02-13"),
    identity("A1 2026-02-14"),
]
OTHERS = [identity("A2 2026-02-14"), identity("A3 2026-02-14")]
INCIDENT = identity("systemic 2026-02-14")


def test_the_next_ones_are_taken_with_their_group(console: MadeConsole) -> None:
    with console.client("ana") as ana, console.client("bob") as bob:
        taken: dict[str, list[str]] = {"ana": [], "bob": []}
        for name, client in (("ana", ana), ("bob", bob)) * 2:
            done = client.post("/api/v1/queue/take", json={"business_day": "2026-02-14"}).json()
            taken[name].append(" ".join(action["alert_id"] for action in done["done"]))
        for name, client in (("ana", ana), ("bob", bob)):
            its = client.get(f"/api/v1/alerts?assignee={name}&status=open").json()["items"]
            listed = " ".join(taken[name]).split()
            assert sorted(row["alert_id"] for row in its) == sorted(listed)
        first = taken["ana"] + taken["bob"]
        assert len(set(" ".join(first).split())) == len(" ".join(first).split()) == 6
        assert sorted(" ".join(first).split()) == sorted([INCIDENT, *OF_A1, *OTHERS])
        assert any(set(OF_A1) == set(its.split()) for its in first), "an account's are together"


def test_a_person_takes_the_next_one_by_its_button(console: MadeConsole) -> None:
    with console.client("ana") as client:
        form = {"csrf": client.headers["X-CSRF-Token"], "query": "tab=open&kind=review"}
        address = client.post("/queue/take", data=form).headers["location"]
        assert address.startswith(f"/alerts/{identity('review A1')}?in=tab%3Dmine")
        assert client.get(address).status_code == 200
        address = client.post("/queue/take", data=form).headers["location"]
        assert "Nothing is left here that nobody has." in client.get(address).text
    with console.client("vera") as client:
        form["csrf"] = client.headers["X-CSRF-Token"]
        assert client.post("/queue/take", data=form).status_code == 403
        assert "Take the next one" not in client.get("/queue").text


def test_all_that_match_are_closed_as_they_were_shown(console: MadeConsole) -> None:
    asked = {"kind": "daily-amount", "business_day": "2026-02-14"}
    with console.client("ana") as client:
        shown = client.post("/api/v1/queue/close", json=asked).json()
        assert (shown["alerts"], shown["accounts"], shown["proposals"]) == (3, 3, 0)
        closing = {**asked, "disposition": "data-fault", "digest": shown["digest"]}
        console.take(limit_alert("A4", "2026-02-14"))
        refused = client.post("/api/v1/queue/close", json=closing)
        assert refused.status_code == 409
        assert refused.json()["alerts"] == 4
        closing["digest"] = refused.json()["digest"]
        done = client.post("/api/v1/queue/close", json=closing)
        assert done.status_code == 201
        assert len(done.json()["done"]) == 4
        assert client.post("/api/v1/queue/close", json=closing).status_code == 409, "none is left"
        closed = client.get("/api/v1/alerts?status=closed").json()["items"]
        assert {row["disposition"] for row in closed} == {"data-fault"}
    with console.store.reading() as connection:
        assert verify(connection).broken is None


def test_a_form_shows_what_it_closes_before_it_does(console: MadeConsole) -> None:
    with console.client("ana") as client:
        form = {
            "csrf": client.headers["X-CSRF-Token"],
            "query": "tab=open&kind=daily-amount",
            "disposition": "false-alarm",
            "note": "as agreed",
        }
        text = client.post("/queue/close", data=form).text
        assert "proposes 1 critical alert to an approver" in text
        digest = re.search(r'name="digest" value="([0-9a-f]{64})"', text)
        assert digest is not None
        assert client.get("/api/v1/alerts?status=closed").json()["items"] == []
        done = client.post("/queue/close", data={**form, "digest": digest[1]})
        assert (
            "3 alerts closed, 1 alert wait for a second person."
            in client.get(done.headers["location"]).text
        )
        assert client.post("/queue/close", data={**form, "disposition": "odd"}).status_code == 400


def test_people_who_take_at_once_never_take_the_same(either_store: Store) -> None:
    store = either_store
    names = [f"person-{number}" for number in range(4)]
    Intake(store).take(
        [read_alert(number, limit_alert(f"A{number}", "2026-02-14")) for number in range(40)]
    )

    def take_all(name: str) -> list[str]:
        taken: list[str] = []
        while True:
            with store.begin() as connection:
                person, wanted = Person(name, Role.ANALYST, ""), AlertFilter(now=NOW)
                done = take_next(connection, person, wanted, NOW)
            if not done:
                return taken
            taken += [action.alert_id for action in done]

    with ThreadPoolExecutor(len(names)) as pool:
        found = list(pool.map(take_all, names))
    taken = [alert_id for its in found for alert_id in its]
    assert len(taken) == len(set(taken)) == 40
    with store.reading() as connection:
        rows = connection.exec_driver_sql("select count(*) from outbox").scalar_one()
    assert rows == 40
    assert json.dumps(sorted(taken)) == json.dumps(
        sorted(identity(f"A{number} 2026-02-14") for number in range(40))
    )
