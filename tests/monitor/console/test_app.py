"""Every route for every role, and text of others on every page."""

import html
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.routing import Route

from monitor.console.app import OF_API, PAGES, PUBLIC, needs
from monitor.console.views.queue import SEEN_MAX
from monitor.store.intake import RecordSort
from monitor.store.people import Role, new_setup_token
from monitor.store.programs.tokens import Scope
from tests.monitor.console.made_console import (
    LIMIT,
    NAMES,
    PASSWORD,
    REJECTION,
    MadeConsole,
    account_day,
    identity,
    limit_alert,
    outlier,
    review,
    segment_day,
    systemic,
)

MEMBER = identity("A1 2026-02-14")
INCIDENT = identity("systemic 2026-02-14")
ROUTES = [(method, route) for route in (*PAGES, *OF_API) for method in sorted(route.methods or ())]


def address_of(console: MadeConsole, route: Route) -> str:
    path = route.path.replace("{alert_id:path}", MEMBER).replace("{account_id:path}", "A1")
    path = path.replace("{threshold_id:path}", LIMIT).replace("{incident_id:path}", INCIDENT)
    path = path.replace("{segment:path}", "current")
    path = path.replace("{theme:path}", "breaches").replace("{name:path}", "x")
    if "{task_id:path}" in path:
        return path.replace("{task_id:path}", console.open_task())
    if "{proposal_id:path}" in path:
        return path.replace("{proposal_id:path}", console.propose())
    return path


def name_of(case: object) -> str:
    return case.path if isinstance(case, Route) else str(case)


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=name_of)
def test_every_route_lets_in_whom_it_must(console: MadeConsole, method: str, route: Route) -> None:
    address = address_of(console, route)
    if address == "/events":
        return  # it never ends: test_events.py
    needed = needs(method, address)
    assert (needed is None) == (address in PUBLIC)
    for name, role in [(None, None), *NAMES.items()]:
        with console.client(name) as client:
            status = client.request(method, address).status_code
        if needed is None:
            assert status not in {403, 404, 405, 500}
        elif role is None:
            assert status == (401 if address.startswith("/api/") else 303)
        elif role < needed:
            assert status == 403
        else:
            assert status not in {401, 403, 404, 405, 500}
            assert method != "GET" or status in {200, 303}


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=name_of)
def test_every_route_lets_in_the_tokens_that_it_must(
    console: MadeConsole, method: str, route: Route
) -> None:
    address = address_of(console, route)
    if address == "/events":
        return
    needed = needs(method, address)
    roles = {Scope.READ: Role.VIEWER, Scope.DECIDE: Role.ANALYST, Scope.APPROVE: Role.APPROVER}
    for scope, role in roles.items():
        with console.program(scope) as client:
            status = client.request(method, address).status_code
        if needed is None:
            assert status not in {403, 404, 405, 500}
        elif not address.startswith("/api/"):
            assert status == 303  # pages are for people: to the login
        elif role < needed:
            assert status == 403
        else:
            assert status not in {401, 403, 404, 405, 500}


def test_nobody_is_led_to_the_page_after_the_login(console: MadeConsole) -> None:
    with console.client() as client:
        sent = client.get("/queue?kind=review").headers["location"]
        assert sent.startswith("/login?next=")
        form = {"name": "ana", "password": PASSWORD, "next": "/queue?kind=review"}
        done = client.post("/login", data=form)
        assert (done.status_code, done.headers["location"]) == (303, "/queue?kind=review")
        assert client.get("/queue").status_code == 200
        assert client.post("/login", data={**form, "password": "wrong"}).status_code == 401
        elsewhere = client.post("/login", data={**form, "next": "//evil.example/"})
        assert elsewhere.headers["location"] == "/queue"


def test_whoever_logs_out_is_out(console: MadeConsole) -> None:
    with console.client("ana") as client:
        assert client.post("/logout").headers["location"] == "/login"
        assert client.get("/queue").status_code == 303


def test_the_first_administrator_is_made_by_a_link(tmp_path: Path) -> None:
    console = MadeConsole(tmp_path, {})
    token = new_setup_token(console.store, console.clock())
    form = {"token": token, "name": "first", "password": PASSWORD, "again": PASSWORD}
    with console.client() as client:
        assert token in client.get("/setup", params={"token": token}).text
        assert client.post("/setup", data={**form, "again": "another"}).status_code == 400
        assert (
            client.post("/setup", data={**form, "password": "x", "again": "x"}).status_code == 400
        )
        assert client.post("/setup", data=form).status_code == 303
        assert client.post("/setup", data=form).status_code == 400, "a link is used once"
    with console.client("first") as client:
        assert client.get("/queue").status_code == 200
    console.close()


# -- text of others -------------------------------------------------------------------------------

HOSTILE = """</script><script>alert(1)</script>'"><img src=x onerror=alert(2)>{{7*191}}{% x %}"""


class Tags(HTMLParser):
    """Collects the tags of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def hostile(value: Any, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """Return a record with hostile text in every field that has no form of its own."""
    kept = {"kind", "status", "severity", "business_day", "days", "event_time", "times_limit"}
    if isinstance(value, dict):
        return {key: item if key in kept else hostile(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item, name) for item in value]
    return f"{HOSTILE}{name}" if isinstance(value, str) and len(value) < 64 else value


def pages(client: Any, account: str, alert_ids: list[str]) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    addresses = ["/queue", "/queue?tab=all", "/incidents", "/health", "/nope", "/limits", "/tasks"]
    addresses += ["/team", "/groups", f"/groups/{quote(f'{HOSTILE}segment', safe='')}"]
    addresses += ["/explore", "/explore?theme=needs", "/explore?theme=silent&silent=1"]
    addresses += ["/explore?theme=leaves"]
    with_parts = [f"/alerts/{name}" for name in alert_ids]
    for address in (*addresses, *with_parts, f"/accounts/{account}", f"/accounts/{account}/paper"):
        yield address, client.get(address).text
    yield "incident", client.get(f"/incidents/{alert_ids[-1]}").text
    query = {"q": HOSTILE, "account_id": HOSTILE, "assignee": HOSTILE}
    yield "filters", client.get("/queue", params=query).text


def test_text_of_others_is_never_interpreted(console: MadeConsole) -> None:
    made = [
        limit_alert("H1"),
        outlier("H1"),
        review("H1"),
        review("H1", 2, 4),
        systemic("2026-02-20"),
    ]
    ids = [record["alert_id"] for record in made]
    records = [{**hostile(record), "alert_id": record["alert_id"]} for record in made]
    account = records[0]["account_id"]
    console.take(*records)
    console.take(
        {**hostile(account_day("H1", "2026-02-20")), "account_id": account},
        sort=RecordSort.ACCOUNT_DAY,
    )
    told = [hostile(segment_day(f"2026-02-{day}", "current")) for day in range(14, 22)]
    console.take(*told, sort=RecordSort.SEGMENT_DAY)
    others = [
        hostile(account_day(f"H{number}", "2026-02-28")) | {"branch": f"{HOSTILE}{number % 2}"}
        for number in range(30)
    ]
    plain = [account_day(f"P{number}", "2026-02-28") for number in range(30)]
    console.take(*others, *plain, sort=RecordSort.ACCOUNT_DAY)
    console.take({**hostile(dict(REJECTION)), "reason": "bad-amount"}, sort=RecordSort.REJECTION)
    seen = 0
    with console.client("ana") as client:
        answer = client.post(
            f"/api/v1/alerts/{ids[0]}/actions", json={"action": "comment", "note": HOSTILE}
        )
        assert answer.status_code == 201
        client.post("/queue/views", data={"name": HOSTILE[:64], "query": f"q={quote(HOSTILE)}"})
        assert HOSTILE[:64] in html.unescape(client.get("/queue").text)
        made_task = client.post(
            f"/api/v1/accounts/{quote(account, safe='')}/tasks",
            json={"task": "recovery", "alert_id": ids[0], "note": HOSTILE},
        )
        assert made_task.status_code == 201
        ended = made_task.json()["items"][0]["task_id"]
        client.post(f"/api/v1/tasks/{ended}/steps", json={"step": "done", "note": HOSTILE})
        assert HOSTILE in html.unescape(client.get("/tasks?show=done").text)
        for address, text in pages(
            client, re.sub("[?#%/]", lambda c: f"%{ord(c[0]):02X}", account), ids
        ):
            assert "1337" not in text, address
            assert "<img" not in text, address
            assert "<script>" not in text, address
            seen += "onerror=alert(2)" in text
            for tag, attributes in Tags(text).found:
                assert not [name for name in attributes if name.startswith("on") or name == "style"]
                assert tag != "script" or attributes.get("nonce"), address
                href = attributes.get("href") or ""
                assert tag != "a" or href.startswith(("/", "#")), href
    assert seen > 8, "the text is there, as text"


def test_records_with_odd_evidence_are_shown(console: MadeConsole) -> None:
    odd: list[dict[str, Any]] = [
        {"totals": "no list", "reasons": 3, "origin": [], "days": [1, None], "over_by": {}},
        {"totals": [None, {"currency": None}], "days": "x", "reading": ["a"], "grouped_days": 4},
        {},
    ]
    kinds = ("daily-amount", "daily-count", "outlier", "review")
    made = [
        limit_alert(f"O{at}", evidence=evidence, kind=kind, alert_id=identity(f"{kind} {at}"),
                    limit=None, value=None, currency=None, business_day="2026-03-01")
        for at, evidence in enumerate(odd)
        for kind in kinds
    ]  # fmt: skip
    console.take(*made)
    with console.client("vera") as client:
        for record in made:
            assert client.get(f"/alerts/{record['alert_id']}").status_code == 200
        assert client.get("/queue").status_code == 200


# -- what pages show ------------------------------------------------------------------------------


def test_money_is_text_with_separators(console: MadeConsole) -> None:
    value = "99999999999999999999.10"
    console.take(limit_alert("M1", value=value))
    with console.client("vera") as client:
        text = client.get(f"/alerts/{identity('M1 2026-02-14')}").text
    assert "99,999,999,999,999,999,999.10 EUR" in text


def test_alerts_of_one_account_stand_together(console: MadeConsole) -> None:
    with console.client("vera") as client:
        folded = client.get("/queue").text
        text = client.get("/queue?account_id=A1").text
        narrow = client.get("/queue?kind=review").text
    its = [identity("review A1"), MEMBER, identity("outlier A1 2026-02-13")]
    heads = [name for _, name in rows_in(folded)]
    assert [name for name in heads if name in its] == [its[0]], "the most urgent stands for all"
    assert "and 2 more of this account" in folded
    rows = rows_in(text)
    assert sorted(name for _, name in rows) == sorted(its)
    assert [style for style, _ in rows] == ["line", "line follows", "line follows"]
    assert "and 2 more of this account" in narrow


def test_what_is_done_to_a_row_is_done_to_all_alerts_that_it_stands_for(
    console: MadeConsole,
) -> None:
    its = {MEMBER, identity("review A1"), identity("outlier A1 2026-02-13")}
    with console.client("ana") as client:
        text = client.get("/queue").text
        assert "3 alerts of this episode" in text
        values = [
            html.unescape(value) for value in re.findall(r'name="alert" value="([^"]+)"', text)
        ]
        (row,) = [value for value in values if MEMBER in value]
        assert {name for name, _, _ in json.loads(row)} == its
        form = {"query": "tab=open", "alert": row, "action": "assign"}
        done = client.post("/alerts/actions", data=form)
        assert "3 alerts assigned" in client.get(done.headers["location"]).text
        again = client.post("/alerts/actions", data=form)
        assert again.status_code == 409, "they stand otherwise now than the form has seen"
        mine = {name for _, name in rows_in(client.get("/queue?tab=mine").text)}
        assert mine == its
        for odd in ("[[]]", "[[1,2,3]]", '[["x",1,1],3]', "[" * 2000):
            odd_form = {**form, "alert": odd}
            assert client.post("/alerts/actions", data=odd_form).status_code == 400
        many = json.dumps([[f"x-{number}", 1, 1] for number in range(SEEN_MAX + 1)])
        assert client.post("/alerts/actions", data={**form, "alert": many}).status_code == 400


def test_a_row_of_very_many_alerts_is_closed_as_any(console: MadeConsole) -> None:
    """An account that is over its limits for a year: its row would be the one that nobody works."""
    names = [f"many {number}" for number in range(600)]
    first = date(2025, 1, 1)
    for number, name in enumerate(names):
        day = str(first + timedelta(days=number // 2))
        console.take(limit_alert("A77", day, alert_id=identity(name)))
    with console.client("ana") as client:
        text = client.get("/queue").text
        assert "600 alerts of this episode" in text
        values = [
            html.unescape(value) for value in re.findall(r'name="alert" value="([^"]+)"', text)
        ]
        (row,) = [value for value in values if identity(names[0]) in value]
        form = {"query": "tab=open", "alert": row, "action": "assign"}
        done = client.post("/alerts/actions", data=form)
        assert "600 alerts assigned" in client.get(done.headers["location"]).text


def rows_in(text: str) -> list[tuple[str, str]]:
    """Return the style and the alert of each row of a page."""
    return re.findall(r'<tr class="(line[^"]*)" data-alert="([^"]+)"', text)


def test_an_alert_says_why_what_changed_and_what_it_is_part_of(console: MadeConsole) -> None:
    with console.client("vera") as client:
        text = client.get(f"/alerts/{MEMBER}").text
        review_text = client.get(f"/alerts/{identity('review A1')}").text
    assert "1,234,567.80 EUR had gone out on account A1" in text
    assert "The day closed at 1,999.95 EUR." in text
    assert "1,232,567.80 EUR too much, 617.28 times the limit" in text
    assert f'href="/incidents/{INCIDENT}"' in text
    assert "Revision 1 said 3 days; revision 2 says 4 days." in review_text
    assert "value 3 days -&gt; 4 days" in review_text
    found = re.search(r'<script type="application/json" id="days-data"[^>]*>(.*?)</script>', text)
    assert found is not None
    chart = json.loads(found[1])
    assert (chart["limit"], len(chart["days"]), chart["out"][0]) == ("2000.00", 15, "1999.95")


def test_reading_a_page_about_somebody_is_audited(console: MadeConsole) -> None:
    with console.client("vera") as client:
        client.get(f"/alerts/{MEMBER}")
        client.get("/accounts/A1")
    with console.store.reading() as connection:
        rows = connection.exec_driver_sql("select actor, action, subject from audit").all()
    read = [tuple(row) for row in rows if row[1] == "read"]
    assert read == [("vera", "read", f"alert {MEMBER}"), ("vera", "read", "account A1")]


def test_the_store_must_answer_for_good_health(console: MadeConsole, tmp_path: Path) -> None:
    with console.client() as client:
        assert client.get("/healthz").text == client.get("/livez").text == "ok"
        assert client.get("/readyz").json() == {
            "ready": True,
            "reasons": {"store": {"ok": True, "says": "answers"}},
            "notes": {},
        }
        console.store.close()
        for file in tmp_path.glob("weir.db*"):
            file.unlink()
        (tmp_path / "weir.db").mkdir()
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200


def test_roles_follow_from_the_method() -> None:
    assert (needs("GET", "/"), needs("POST", "/x")) == (Role.VIEWER, Role.ANALYST)
