"""The console in a real browser: worked by keys alone, and looked at by axe-core."""

import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn

from monitor.console.app import create_app
from monitor.store import people
from monitor.store.desk import unsent
from monitor.store.intake import RecordSort
from monitor.store.standing import Action, Does
from tests.monitor.console.made_console import (
    PASSWORD,
    POLICY,
    REJECTION,
    MadeConsole,
    account_day,
    cheap_hashes,
    identity,
    limit_alert,
    outlier,
    review,
    segment_day,
    systemic,
)
from tests.monitor.console.test_transactions import seen

playwright = pytest.importorskip("playwright.sync_api", reason="playwright must be installed")

pytestmark = pytest.mark.slow

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
AXE: Final = "axe-core@4.14.1"
BEYOND: Final = """[...document.querySelectorAll("main *")]
    .filter((part) => !part.closest('.scroll'))
    .filter((part) => part.getBoundingClientRect().right > innerWidth + 1)
    .map((part) => part.outerHTML.slice(0, 120)).slice(0, 4)"""
"""What of a page is beyond the screen."""

LONE: Final = identity("closed by one")


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, of a package that npm has."""
    npm = shutil.which("npm")
    folder = tmp_path_factory.mktemp("axe")
    done = None if npm is None else subprocess.run([npm, "pack", AXE], cwd=folder, check=False)
    if done is None or done.returncode:
        pytest.skip(f"npm pack {AXE} must work")
    with tarfile.open(next(folder.glob("*.tgz"))) as packed:
        member = packed.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


class Served(MadeConsole):
    """A made console that listens on a port of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.clock.now = time.time_ns() // 1000 - 3_600_000_000
        config = uvicorn.Config(
            self._asgi,
            host="127.0.0.1",
            port=0,
            log_level="error",
            interface="asgi3",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.05)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        hosts = frozenset({f"127.0.0.1:{port}"})
        self.app = create_app(
            self.store, clock=self.clock, hosts=hosts, transactions=self.transactions
        )
        self.address = f"http://127.0.0.1:{port}"

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        await self.app(scope, receive, send)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        super().close()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A console with alerts of every kind, that listens."""
    monkeypatch.setattr(people, "HASHER", cheap_hashes())
    made = Served(tmp_path)
    made.take(
        limit_alert("A1"), limit_alert("A2"), limit_alert("A3"), systemic(), outlier("A1"),
        review("A1"), review("A1", 2, 4), limit_alert("C1", "2026-02-10", severity="critical"),
    )  # fmt: skip
    days = [account_day("A1", f"2026-02-{day:02d}") for day in range(1, 16)]
    made.take(*days, sort=RecordSort.ACCOUNT_DAY)
    told = [segment_day(f"2026-02-{day:02d}") for day in range(1, 16)]
    made.take(*told, sort=RecordSort.SEGMENT_DAY)
    made.take(REJECTION, sort=RecordSort.REJECTION)
    made.take(POLICY, sort=RecordSort.POLICY)
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, as the distribution has it."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} must be there: apt-get install chromium")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


def log_in(page: Any, served: Served, name: str) -> None:  # noqa: ANN401 - playwright's
    """Log in by the keyboard alone."""
    page.goto(f"{served.address}/login")
    until(page, "input[name=name]:focus")
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue")


def states(served: Served) -> dict[str, str]:
    """Return the state of each alert, by its id."""
    with served.store.reading() as connection:
        rows = connection.exec_driver_sql("select alert_id, state, assignee from alerts").all()
    return {row[0]: f"{row[1]} {row[2] or 'nobody'}" for row in rows}


def until(page: Any, selector: str, text: str = "") -> None:  # noqa: ANN401 - playwright's
    """Wait until a page shows something, through whatever it loads meanwhile."""
    page.locator(selector, has_text=text).first.wait_for(timeout=20_000)


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:  # noqa: ANN401 - playwright's
    """A page of the console that must log no error; it is closed before the console is."""
    assert served.address
    problems: list[str] = []
    found = browser.new_page(viewport={"width": 1280, "height": 900})
    found.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    found.on("pageerror", lambda error: problems.append(str(error)))
    yield found
    found.close()
    assert problems == []


def press(page: Any, *keys: str) -> None:  # noqa: ANN401 - playwright's
    """Press keys, one after the other."""
    for key in keys:
        page.keyboard.press(key)


def test_the_queue_is_worked_by_keys_alone(page: Any, served: Served) -> None:  # noqa: ANN401
    log_in(page, served, "ana")
    rows = page.evaluate("[...document.querySelectorAll('.line')].map((row) => row.dataset.alert)")
    press(page, "j", "x", "j", "x")
    assert page.text_content("#chosen-count") == "2 selected"
    press(page, "r", "5", "Enter")
    page.wait_for_url("**done=*")
    found = {states(served)[name] for name in rows[:2]}
    assert found == {"waiting nobody", "closed nobody"}, (
        "the critical one waits for a second person"
    )
    assert page.locator(".line.here").count() == 1, "the place is kept"
    press(page, "a")  # without a selection: the row
    until(page, ".done", "assigned")
    assert list(states(served).values()).count("open ana") == 1
    press(page, "?")
    assert page.evaluate("document.querySelector('#help').open")
    press(page, "Escape", "/")
    page.keyboard.type("C1")
    press(page, "Enter")
    page.wait_for_url("**q=C1**")
    assert page.locator(".line").count() == 1


def test_an_alert_is_worked_by_keys_alone(page: Any, served: Served) -> None:  # noqa: ANN401
    log_in(page, served, "ana")
    press(page, "j", "j", "o")
    page.wait_for_url("**/alerts/**")
    here = page.url
    press(page, "c")
    page.keyboard.type("j x r: keys are text here")
    press(page, "Tab", "Enter")
    until(page, ".entries", "keys are text here")
    press(page, "r", "f", "Enter")
    until(page, ".headline .state-closed")
    press(page, "u")
    until(page, ".headline .state-open")
    press(page, "s", "Enter")  # until tomorrow
    until(page, ".headline .state-snoozed")
    press(page, "n")
    page.wait_for_url(lambda address: "/alerts/" in address and address != here)
    press(page, "Escape")
    page.wait_for_url("**/queue?**")
    alert_id = here.partition("/alerts/")[2].partition("?")[0]
    assert states(served)[alert_id].startswith("snoozed")


def test_an_incident_is_closed_by_keys_alone(page: Any, served: Served) -> None:  # noqa: ANN401
    log_in(page, served, "ana")
    press(page, "g", "i")
    page.wait_for_url("**/incidents")
    press(page, "j", "Enter")
    page.wait_for_url("**/incidents/**")
    press(page, "r", "d", "Enter")
    page.wait_for_url("**/close")
    press(page, "Enter")
    page.wait_for_url("**done=*")
    assert list(states(served).values()).count("closed nobody") == 3


def test_figures_are_reached_by_keys_alone(page: Any, served: Served) -> None:  # noqa: ANN401
    log_in(page, served, "vera")
    press(page, "g", "g")
    page.wait_for_url("**/groups")
    page.locator("tbody a").first.focus()
    press(page, "Enter")
    page.wait_for_url("**/groups/current")
    press(page, "Escape")
    page.wait_for_url("**/groups")
    press(page, "g", "e")
    page.wait_for_url("**/team")
    assert page.text_content("h1") == "Team"


def test_new_alerts_are_announced_and_rows_do_not_move(page: Any, served: Served) -> None:  # noqa: ANN401
    log_in(page, served, "vera")
    rows = page.locator(".line").count()
    served.take(limit_alert("N1", severity="high"), limit_alert("N2"))
    until(page, "#new", "2 new alerts: press . to show")
    assert page.locator(".line").count() == rows
    page.keyboard.press(".")
    page.locator(".line").nth(rows + 1).wait_for(timeout=20_000)


def test_a_limit_is_changed_by_two_people(browser: Any, served: Served) -> None:  # noqa: ANN401
    first, second = (browser.new_context().new_page() for _ in range(2))
    log_in(first, served, "ana")
    press(first, "g", "l")
    first.wait_for_url("**/limits")
    first.click("text=daily-amount")
    first.fill("input[name=above]", "1500")
    first.keyboard.press("Enter")
    until(first, "#starting", "1")
    first.fill("textarea[name=note]", "as the branch asked")
    first.click("text=Propose 1,500.00 in place of 2,000.00")
    first.wait_for_url("**/proposals/**")
    assert first.locator("text=Put exactly this in force").count() == 0
    log_in(second, served, "paul")
    second.goto(first.url)
    until(second, ".diff .added", 'above = "1500.00"')
    second.click("text=Put exactly this in force")
    until(second, "[role=status]", "Version 2 is on its way")
    with served.store.reading() as connection:
        published = [decision.topic.value for decision in unsent(connection)]
    assert published == ["cases", "cases", "policy"]
    first.context.close()
    second.context.close()


class Looks:
    """A page that axe-core looks at; `found` has its violations, and what is too wide."""

    def __init__(self, page: Any, axe: str, served: Served) -> None:  # noqa: ANN401 - playwright's
        self.page = page
        self.found: list[tuple[str, str, str]] = []
        self._axe = axe
        self._served = served

    def at(self, address: str) -> None:
        self.page.goto(f"{self._served.address}{address}")
        self.here(address)

    def here(self, name: str) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach((it) => it.open = true)")
        self.axe(name)
        if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.found.append((name, "wider than the screen", str(self.page.evaluate(BEYOND))))

    def axe(self, name: str) -> None:
        self.page.evaluate(self._axe)
        for violation in self.page.evaluate("axe.run()")["violations"]:
            self.found.append((name, violation["id"], violation["nodes"][0]["html"]))

    def preview(self, address: str, button: str) -> None:
        """Look at what closing many would do, as a page's form asks for it."""
        self.page.goto(f"{self._served.address}{address}")
        self.page.locator("#close > summary").click()
        self.page.locator("#close input[value=false-alarm]").check()
        self.page.locator(button).first.click()
        until(self.page, "main .preview")
        self.here(f"the preview of {address}")


def fill(served: Served) -> None:
    """Add what pages show once people have worked: closings, a task, policies, transactions."""
    detail = {"disposition": "suspicious", "note": None}
    served.take(limit_alert("C2", severity="critical", alert_id=LONE))
    closed = (identity("A3 2026-02-14"), identity("outlier A1 2026-02-13"), LONE)
    done = [Action(name, Does.DISPOSE, "eve", served.clock(), None, detail) for name in closed]
    served.take(*done, sort=RecordSort.ACTION)
    served.take(POLICY.replace("version = 1", "version = 2"), sort=RecordSort.POLICY)
    served.open_task()
    served.transactions.held = [seen(7), seen(8, reverses="T7"), seen(9, counterparty_id=None)]


ALERT: Final = identity("A1 2026-02-14")
INCIDENT: Final = identity("systemic 2026-02-14")
ADDRESSES: Final = (
    "/queue", "/queue?tab=all&kind=review", "/queue?tab=closed", f"/alerts/{ALERT}",
    f"/alerts/{identity('review A1')}", f"/alerts/{identity('C1 2026-02-10')}", f"/alerts/{LONE}",
    f"/alerts/{ALERT}/transactions", "/accounts/A1", "/accounts/A1/paper",
    f"/accounts/A1/paper?alert={ALERT}", "/tasks?show=mine", "/tasks?show=open",
    "/tasks?show=done", "/incidents", f"/incidents/{INCIDENT}", "/health", "/nope", "/limits",
    "/limits/daily-amount?above=1500", "/team", "/groups", "/groups/current", "/explore",
    "/explore?theme=silent&silent=1", "/explore?theme=leaves",
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(
    browser: Any, served: Served, axe: str, scheme: str, width: int  # noqa: ANN401
) -> None:  # fmt: skip
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    looks = Looks(page, axe, served)
    fill(served)
    looks.at("/login")
    looks.at("/setup?token=x")
    log_in(page, served, "ana")
    for address in (*ADDRESSES, f"/proposals/{served.propose()}"):
        looks.at(address)
    looks.preview("/queue", "button[formaction='/queue/close']")
    looks.preview(f"/incidents/{INCIDENT}", "form[action$='/close'] button")
    served.transactions.held = None  # the broker does not answer
    looks.at(f"/alerts/{ALERT}/transactions")
    looks.at("/accounts/A1/paper")
    page.goto(f"{served.address}/queue")
    page.keyboard.press("?")
    looks.axe("help")
    assert looks.found == []
    context.close()
