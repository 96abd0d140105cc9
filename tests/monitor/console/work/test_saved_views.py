"""Saved views: a person's own, by name, with the filters of the address."""

from typing import Any

import pytest

from monitor.store.programs.tokens import Scope
from monitor.store.work.saved_views import VIEWS_MAX
from tests.monitor.console.made_console import MadeConsole


def test_a_view_is_its_owner_s_and_brings_its_filters_back(console: MadeConsole) -> None:
    query = "tab=open&kind=review&account_id=A1"
    with console.client("ana") as client, console.client("bob") as other:
        saved = client.post("/queue/views", data={"name": " Reviews & co ", "query": query})
        assert (saved.status_code, saved.headers["location"]) == (303, f"/queue?{query}")
        link = f'href="/queue?{query.replace("&", "&amp;")}"'
        assert f"{link}>Reviews &amp; co</a>" in client.get("/queue").text
        assert "Reviews &amp; co" not in other.get("/queue").text
        other_query = {"name": "Reviews & co", "query": "tab=mine"}
        client.post("/queue/views", data=other_query)
        assert link not in client.get("/queue").text
        assert client.get("/queue").text.count("Reviews &amp; co") == 1
        gone = {"name": "Reviews & co", "does": "remove"}
        assert other.post("/queue/views", data=gone).status_code == 404
        assert client.post("/queue/views", data=gone).status_code == 303
        assert "Reviews" not in client.get("/queue").text


def test_a_viewer_has_views_too_and_nothing_else_to_change(console: MadeConsole) -> None:
    with console.client("vera") as client, console.client("ana") as other:
        assert 'action="/queue/views"' in client.get("/queue").text
        form = {"name": "Back", "query": "tab=back"}
        assert client.post("/queue/views", data=form).status_code == 303
        made = client.post("/api/v1/views", json={"name": "Mine", "filters": {"tab": "mine"}})
        assert made.status_code == 201
        assert ">Back</a>" in client.get("/queue").text
        assert ">Back</a>" not in other.get("/queue").text
        assert client.post("/api/v1/views/Mine/remove", json={}).status_code == 201
        assert client.post("/queue/take", data={"query": "tab=open"}).status_code == 403
        del client.headers["X-CSRF-Token"]
        assert client.post("/queue/views", data=form).status_code == 403


@pytest.mark.parametrize(
    "form", [{}, {"name": " "}, {"name": "x" * 65}, {"name": "x", "query": "colour=red"}]
)
def test_what_is_no_view_is_refused(console: MadeConsole, form: dict[str, str]) -> None:
    with console.client("ana") as client:
        assert client.post("/queue/views", data=form).status_code == 400


def test_a_person_has_so_many_views(console: MadeConsole) -> None:
    with console.client("ana") as client:
        for number in range(VIEWS_MAX):
            assert client.post("/queue/views", data={"name": f"v{number}"}).status_code == 303
        assert client.post("/queue/views", data={"name": "more"}).status_code == 400
        assert client.post("/queue/views", data={"name": "v1"}).status_code == 303
        assert "more</a>" not in client.get("/queue").text


def test_the_api_has_the_views_of_the_pages_and_the_pages_those_of_the_api(
    console: MadeConsole,
) -> None:
    filters = {"tab": "open", "kind": "review", "account_id": "A 1&2"}
    query = "tab=open&kind=review&account_id=A+1%262"
    with console.client("ana") as ana, console.client("bob") as bob:
        made = ana.post("/api/v1/views", json={"name": " a/b ", "filters": filters})
        assert made.status_code == 201
        assert made.json() == {"name": "a/b", "filters": filters, "address": f"/queue?{query}"}
        ana.post("/queue/views", data={"name": "Mine", "query": "tab=mine"})
        of_page = {"name": "Mine", "filters": {"tab": "mine"}, "address": "/queue?tab=mine"}
        assert ana.get("/api/v1/views").json() == {"items": [of_page, made.json()]}
        assert ">a/b</a>" in ana.get("/queue").text
        assert ana.get(made.json()["address"]).status_code == 200
        assert bob.get("/api/v1/views").json() == {"items": []}
        assert bob.post("/api/v1/views/a%2Fb/remove", json={}).status_code == 404
        gone = ana.post("/api/v1/views/a%2Fb/remove", json={})
        assert (gone.status_code, gone.json()) == (201, made.json())
        assert ana.post("/api/v1/views/a%2Fb/remove", json={}).status_code == 404
        assert ana.get("/api/v1/views").json() == {"items": [of_page]}


def test_a_token_has_the_views_of_its_user(console: MadeConsole) -> None:
    view = {"name": "Mine", "filters": {"tab": "mine"}}
    with console.program(Scope.DECIDE, "ana") as program, console.client("ana") as ana:
        assert program.post("/api/v1/views", json=view).status_code == 201
        assert ana.get("/api/v1/views").json() == program.get("/api/v1/views").json()
        assert ">Mine</a>" in ana.get("/queue").text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": 5, "filters": {}},
        {"name": "x" * 65, "filters": {}},
        {"name": "x", "filters": []},
        {"name": "x", "filters": {"q": 5}},
        {"name": "x", "filters": {"tab": "all those"}},
        {"name": "x", "filters": {"cursor": "1"}},
        {"name": "x", "filters": {}, "query": "tab=mine"},
    ],
)
def test_the_api_refuses_what_is_no_view(console: MadeConsole, body: dict[str, Any]) -> None:
    with console.client("ana") as client:
        refused = client.post("/api/v1/views", json=body)
        assert (refused.status_code, client.get("/api/v1/views").json()["items"]) == (400, [])
