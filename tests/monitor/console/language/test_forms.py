"""What forms answer with, in a language whose every text is marked: pages, and why not.

As the pages of `test_pages`, which a GET shows. A form that is new has its place in `forms`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from monitor.console.language.catalogue import COOKIE
from tests.monitor.console.language import test_pages
from tests.monitor.console.language.test_pages import (
    MarkedTexts,
    ensure_extracted,
    faults_of,
    fill,
)
from tests.monitor.console.made_console import MadeConsole, identity

marked = test_pages.marked

ALERT: Final = f"/alerts/{identity('A1 2026-02-14')}"
INCIDENT: Final = f"/incidents/{identity('systemic 2026-02-14')}"
TASKS: Final = "/accounts/A1/tasks"

Form = Mapping[str, str]


def forms(task_id: str) -> Iterator[tuple[int, str, str, Form]]:
    """Yield for each form the status that answers it, who sends it, its address, and its fields."""
    yield 200, "ana", "/queue/close", {"query": "tab=open", "disposition": "false-alarm"}
    yield 200, "ana", "/queue/close", {"query": "kind=review", "disposition": "suspicious"}
    yield 200, "ana", "/queue/close", {"query": "account_id=x", "disposition": "suspicious"}
    yield 409, "ana", "/queue/close", {"disposition": "false-alarm", "digest": "x"}
    yield 200, "ana", f"{INCIDENT}/close", {"disposition": "false-alarm"}
    yield 409, "ana", f"{ALERT}/undo", {}
    yield 404, "ana", "/alerts/x/undo", {}
    yield 403, "vera", f"{ALERT}/undo", {}
    yield 400, "ana", "/queue/views", {"query": "tab=open", "name": " ", "does": "save"}
    yield 404, "ana", "/queue/views", {"query": "tab=open", "name": "A1", "does": "remove"}
    yield 403, "vera", TASKS, {"task": "offer"}
    yield 400, "ana", TASKS, {"task": "offer", "due": "2026-01-05"}
    yield 400, "ana", TASKS, {"task": "apologise", "note": "x" * 5000}
    yield 404, "ana", TASKS, {"task": "offer", "alert_id": "x"}
    yield 404, "ana", "/accounts/x/tasks", {"task": "offer"}
    yield 409, "ana", TASKS, {"task": "offer"}
    yield 403, "vera", f"/tasks/{task_id}/steps", {"step": "done"}
    yield 409, "ana", f"/tasks/{task_id}/steps", {"step": "done"}
    yield 404, "ana", "/tasks/x/steps", {"step": "done"}


def asked_amiss() -> Iterator[tuple[int, str]]:
    """Yield the status and the address of papers that cannot be whole, and of refused tables."""
    yield 400, "/explore?rows=x"
    yield 400, "/explore?rows=branch&columns=branch"
    yield 400, "/explore?first=yesterday"
    yield 400, "/explore?silent=3"
    yield 400, "/explore?theme=silent&silent=61"
    yield 400, "/explore?currency=EUR"
    yield 400, "/explore?theme=leaves&currency=euro"
    yield 400, "/explore?format=jsonl"
    yield 200, "/accounts/A1/paper"
    yield 404, "/accounts/x/paper"
    yield 404, f"/accounts/A2/paper?alert={identity('A1 2026-02-14')}"
    yield 400, f"/accounts/A1/paper?{'&'.join(f'alert={number}' for number in range(26))}"


def test_no_answer_to_a_form_has_a_text_that_is_not_translated(
    console: MadeConsole, marked: MarkedTexts
) -> None:
    fill(console)
    with console.client("ana") as client:
        ended = console.open_task(account="A2")
        assert client.post(f"/api/v1/tasks/{ended}/steps", json={"step": "done"}).status_code == 201
        for number in range(29):
            view = {"query": "tab=open", "name": f"view {number}", "does": "save"}
            client.post("/queue/views", data={**view, "csrf": client.headers["X-CSRF-Token"]})
    faults: dict[str, str] = {}
    many = (400, "ana", "/queue/views", {"query": "tab=open", "name": "one more", "does": "save"})
    for status, name, address, form in (*forms(ended), many):
        with console.client(name) as client:
            client.cookies.set(COOKIE, "x-marked")
            answer = client.post(address, data={**form, "csrf": client.headers["X-CSRF-Token"]})
        assert answer.status_code == status, (address, form, answer.text)
        assert 'class="warning" lang="en"' not in answer.text, (address, form, answer.text)
        faults |= faults_of(answer.text, address)
    assert not faults, "\n".join(f"{left!r} ({place})" for left, place in faults.items())
    ensure_extracted(marked)


def test_no_answer_about_a_paper_or_a_table_has_a_text_that_is_not_translated(
    console: MadeConsole, marked: MarkedTexts
) -> None:
    fill(console)
    console.transactions.held = None
    faults: dict[str, str] = {}
    for status, address in asked_amiss():
        with console.client("vera") as client:
            client.cookies.set(COOKIE, "x-marked")
            answer = client.get(address)
        assert answer.status_code == status, (address, answer.text)
        assert 'class="warning" lang="en"' not in answer.text, address
        faults |= faults_of(answer.text, address)
    assert not faults, "\n".join(f"{left!r} ({place})" for left, place in faults.items())
    ensure_extracted(marked)
