"""Accounts: the page and the API say the same of one, and both are in the audit."""

import html
import re

from monitor.store.intake import RecordSort
from tests.monitor.console.made_console import MadeConsole, account_day, identity, limit_alert

ADDRESS = "/api/v1/accounts/A1"


def test_an_account_in_the_api_has_what_its_page_has(console: MadeConsole) -> None:
    task = console.open_task()
    alert_id = identity("A1 2026-02-14")
    with console.client("ana") as client:
        note = {"action": "comment", "note": "seen"}
        client.post(f"/api/v1/alerts/{alert_id}/actions", json=note)
        found = client.get(ADDRESS).json()
        text = client.get("/accounts/A1").text
        alert = client.get(f"/api/v1/alerts/{alert_id}").json()
    assert (found["account_id"], found["segment"], found["branch"]) == ("A1", "current", "B09")
    assert (found["product"], found["peer_group"], found["as_of"]) == (None, "C1", "2026-02-15")
    assert found["days"] == [account_day("A1", f"2026-02-{day:02d}") for day in range(1, 16)]
    shown = re.findall(r'<tr class="line[^"]*" data-alert="([^"]+)"', text)
    items = found["alerts"]["items"]
    assert sorted(item["alert_id"] for item in items) == sorted(shown)
    assert items[0].items() <= alert.items()
    assert [item["alert_id"] for item in found["reviews"]] == [identity("review A1")]
    assert [(did["alert_id"], did["note"]) for did in found["actions"]] == [(alert_id, "seen")]
    assert [its["task_id"] for its in found["tasks"]] == [task]


def test_the_alerts_of_an_account_are_paged_by_day(console: MadeConsole) -> None:
    console.take(*(limit_alert("A1", f"2026-03-{day:02d}") for day in range(1, 8)))
    console.take(limit_alert("A1", "2026-03-07", alert_id=identity("of the same day")))
    with console.client("vera") as client:
        whole = client.get(ADDRESS).json()["alerts"]
        found, cursor = [], None
        while True:
            params = {"limit": "3", **({"cursor": cursor} if cursor else {})}
            page = client.get(ADDRESS, params=params).json()["alerts"]
            assert len(page["items"]) <= 3
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        assert client.get(f"{ADDRESS}?cursor=x").status_code == 400
        assert client.get(f"{ADDRESS}?limit=501").status_code == 400
    assert (found, whole["next"]) == (whole["items"], None)
    days = [item["business_day"] for item in found]
    assert (days, len(days)) == (sorted(days, reverse=True), 11)


def test_an_account_of_which_only_days_or_only_alerts_are_known_is_there(
    console: MadeConsole,
) -> None:
    console.take(account_day("D1", "2026-02-15"), sort=RecordSort.ACCOUNT_DAY)
    with console.client("vera") as client:
        of_days = client.get("/api/v1/accounts/D1").json()
        of_alerts = client.get("/api/v1/accounts/A2").json()
    assert (len(of_days["days"]), of_days["alerts"]) == (1, {"items": [], "next": None})
    assert (of_alerts["days"], of_alerts["as_of"], len(of_alerts["alerts"]["items"])) == (
        [],
        None,
        1,
    )


def test_an_account_that_nobody_knows_is_a_problem(console: MadeConsole) -> None:
    with console.client("vera") as client:
        for name in ("Z9", "%00", "A1%00"):
            answer = client.get(f"/api/v1/accounts/{name}")
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"


def test_reading_an_account_by_the_api_is_audited_as_its_page_is(console: MadeConsole) -> None:
    with console.client("vera") as client:
        tag = client.get(ADDRESS).headers["etag"]
        client.get(ADDRESS, headers={"If-None-Match": tag})
        client.get("/api/v1/accounts/Z9")
        client.get("/accounts/A1")
    with console.store.reading() as connection:
        rows = connection.exec_driver_sql(
            "select actor, subject from audit where action = 'read'"
        ).all()
    assert [tuple(row) for row in rows] == [("vera", "account A1")] * 3


def test_an_alert_says_how_many_others_its_account_has_and_leads_to_all(
    console: MadeConsole,
) -> None:
    alert_id, account = identity("A&1 0"), "A&1"
    its = [limit_alert(account, "2026-03-01", alert_id=identity(f"A&1 {at}")) for at in range(27)]
    console.take(*its[:26])
    with console.client("vera") as client:
        address = f"/alerts/{alert_id}"
        assert "All alerts of the account" not in client.get(address).text, "there are 25 others"
        console.take(its[26])
        text = client.get(address).text
        assert "The latest 25 of 26 are shown." in text
        assert "All alerts of the account" not in client.get("/accounts/A&1").text
        found = re.search(r'<a href="([^"]+)">All alerts of the account', text)
        assert found is not None
        whole = client.get(html.unescape(found[1])).text
    assert sum(whole.count(f'data-alert="{its[at]["alert_id"]}"') for at in range(27)) == 27


def test_an_account_s_page_says_how_many_alerts_it_leaves_out(console: MadeConsole) -> None:
    console.take(
        *(limit_alert("A9", "2026-03-01", alert_id=identity(f"A9 {at}")) for at in range(201))
    )
    with console.client("vera") as client:
        assert "The latest 200 of 201 are shown." in client.get("/accounts/A9").text
