"""Saved views: a person's own, by name, with the filters of the address."""

import pytest

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
