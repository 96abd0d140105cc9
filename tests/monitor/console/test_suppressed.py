"""Suppressed alerts at the console: out of the queue, in a tab of their own, with their reason."""

import re
from typing import Any

from monitor.store.queries import alert_row
from tests.monitor.console.made_console import MadeConsole, identity, limit_alert

MARK = {"until": "2026-12-31", "reason": "sells its <house>"}
DAY = "2026-02-12"
ALERT = identity(f"S1 {DAY}")


def marked(**other: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return limit_alert("S1", DAY, suppressed=MARK, **other)


def counted(text: str) -> dict[str, str]:
    return dict(re.findall(r'tab=(\w+)"[^>]*>[^<]*<span class="count">(\d+)<', text))


def test_the_queue_leaves_it_out_and_its_tab_has_it(console: MadeConsole) -> None:
    with console.client("ana") as client:
        before = counted(client.get("/queue").text)
        console.take(marked())
        page = client.get("/queue")
        after = counted(page.text)
        assert "S1" not in page.text
        assert (after.pop("suppressed"), before.pop("suppressed")) == ("1", "0")
        assert after == before
        assert "S1" in client.get("/queue?tab=suppressed").text
        assert "S1" in client.get("/queue?tab=all&q=S1").text
        listed = client.get("/api/v1/alerts?status=suppressed").json()["items"]
        assert [(its["alert_id"], its["suppressed"]) for its in listed] == [(ALERT, MARK)]


def test_its_page_says_up_to_when_and_why(console: MadeConsole) -> None:
    console.take(marked())
    with console.client("vera") as client:
        text = client.get(f"/alerts/{ALERT}").text
    assert "up to 2026-12-31: sells its &lt;house&gt;" in text


def test_whoever_takes_it_has_it_in_the_queue_and_whoever_closes_it_has_closed_it(
    console: MadeConsole,
) -> None:
    console.take(marked())
    with console.client("ana") as client:
        address = f"/api/v1/alerts/{ALERT}"
        took = client.post(f"{address}/actions", json={"action": "assign"})
        assert took.is_success, took.text
        assert "S1" in client.get("/queue?tab=mine").text
        assert client.get(address).json()["state"] == "open"
        undone = client.post(f"{address}/undo", json={})
        assert undone.is_success, undone.text
        assert client.get(address).json()["state"] == "suppressed"
        closing = {"action": "dispose", "disposition": "false-alarm", "note": None}
        assert client.post(f"{address}/actions", json=closing).is_success
        assert client.get(address).json()["state"] == "closed"


def test_a_report_without_the_mark_opens_it(console: MadeConsole) -> None:
    console.take(marked())
    console.take(limit_alert("S1", DAY, revision=2, status="restated"))
    with console.client("ana") as client:
        assert "S1" in client.get("/queue").text


def test_it_lends_its_group_no_urgency(console: MadeConsole) -> None:
    other = limit_alert("S1", "2026-02-11", severity="low")
    console.take(other, marked(severity="critical"))
    with console.client("ana") as client:
        places: dict[str, int] = {}
        for status in ("open", "suppressed"):
            items = client.get(f"/api/v1/alerts?status={status}&limit=500").json()["items"]
            places |= {its["alert_id"]: its["priority"] for its in items}
    assert places[ALERT] > places[other["alert_id"]]
    with console.store.reading() as connection:
        row = alert_row(connection, other["alert_id"])
    assert row is not None
    assert row.place.startswith(f"{100 - row.priority:03d} ")
