"""Every page in a language whose every text is marked: what is not marked was not translated.

A page that is new is reached by a route: give its address in `ADDRESSES`, if it has parameters.
What a record says is no text of ours: it is listed in `CONTENT`, or stands in an element with
`lang="en"`, in `<code>` or in `<pre>`.
"""

import json
import re
from collections.abc import Iterator
from gettext import NullTranslations
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest
from babel.core import Locale
from jinja2 import Environment

from monitor.console.app import PAGES
from monitor.console.language.catalogue import COOKIE, LANGUAGES, Language
from monitor.console.transactions import SeenTransaction
from monitor.core.transaction import Transaction
from monitor.store.intake import RecordSort
from monitor.store.people import DAY, HOUR
from monitor.store.sealing import seal_quiet_days
from tests.monitor.console.made_console import (
    LIMIT,
    MadeConsole,
    account_day,
    identity,
    limit_alert,
    outlier,
    review,
    segment_day,
    systemic,
)
from tests.support.counted import counted_hour, late_stretch
from tests.support.messages import CONSOLE, extracted

BEGIN, END = "\u27e6", "\u27e7"
TEMPLATES: Final = CONSOLE / "templates"

CONTENT: Final = (
    "Weir",
    "daily-amount",
    "daily-count",
    "EUR",
    "UTC",
    "vera",
    "ana",
    "bob",
    "paul",
    "root",
    "weir.transactions.v1",
    "current",
    "BANK07",
    "B09",
    "C1",
    "T1",
    "A1",
    "A2",
    "A3",
    "N1",
    "N2",
    "half-space-trees-ed8db4ee@2026-02-18",
    "outlier",
    "half-space-trees",
    "review",
    "population-shift",
    "api",
    "CSV",
    "JSON Lines",
    "Parquet",
    "X1",
    "X2",
    "too many",
    "because of it",
    "asked for more",
    "English",
    "简体中文",
    "weir.account-day",
    "weir.alert",
    "weir.completeness",
    "weir.policy",
    "weir.rejection",
    "weir.segment-day",
    "gone",
    "x",
)
"""Names and texts of the made records, and names that are the same in every language."""

EXPLORED: Final = (
    "",
    "?columns=kind&rows=limit&kind=daily-amount&severity=high",
    "?rows=day&columns=weekday&last=2026-02-01",
    "?theme=needs&rows=weekday&columns=severity",
    "?theme=silent&silent=1&rows=day&columns=peer_group",
    "?theme=silent&silent=60",
    "?theme=leaves",
    "?theme=leaves&rows=known&columns=day&known=no-alert&currency=EUR",
)
SHOWN_ATTRIBUTES: Final = {"aria-label", "placeholder", "title", "alt", "data-label"}
UNSEEN: Final = {"script", "style", "code", "pre", "kbd"}
VOID: Final = {"meta", "link", "input", "br", "img", "hr"}
_IDENTITY: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LETTERS: Final = re.compile(r"[^\W\d_]{2,}|\b[^\W\d_]\b")


class MarkedTexts(NullTranslations):
    """Texts between marks; it keeps which were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        return f"{BEGIN}{message}{END}"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        self.asked.add(msgid1)
        return f"{BEGIN}{msgid1 if n == 1 else msgid2}{END}"


class VisibleTexts(HTMLParser):
    """Collects what a page shows of texts, with those of attributes, without what is marked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._depth = 0  # of marks: a marked sentence may have elements within
        self.feed(text)
        assert not self._depth, "each mark has its end"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if not self._is_hidden():
            for name, value in attrs:
                if name in SHOWN_ATTRIBUTES:
                    self._add(value or "")
        if tag not in VOID:
            is_english = tag != "html" and "lang" in named
            self._open.append((tag, tag in UNSEEN or is_english))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._is_hidden():
            self._add(data)

    def _is_hidden(self) -> bool:
        return any(hides for _, hides in self._open)

    def _add(self, text: str) -> None:
        left = []
        for character in text:
            self._depth += {BEGIN: 1, END: -1}.get(character, 0)
            left.append(" " if self._depth or character == END else character)
        self.found.append("".join(left))


def unmarked(text: str) -> str:
    """Return what is left of a text without what records say; empty if that is no word."""
    rest = _IDENTITY.sub(" ", text)
    for content in sorted(CONTENT, key=len, reverse=True):
        rest = re.sub(rf"(?<![\w.]){re.escape(content)}(?!\w)", " ", rest)
    return rest.strip() if _LETTERS.search(rest) else ""


def place_of(text: str) -> str:
    """Return which templates have a text as it stands; else that it comes of Python."""
    words = [word for word in re.split(r"[^A-Za-z' ]+", text) if len(word.strip()) > 1]
    found = [
        f"{path.name}:{number}"
        for path in sorted(TEMPLATES.glob("*.html"))
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if any(word.strip() in line for word in words)
    ]
    return ", ".join(found[:4]) or "a text of Python"


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> MarkedTexts:
    texts = MarkedTexts()
    language = Language("x-marked", "x", Locale("en"), texts, "yyyy-MM-dd", "yyyy-MM-dd HH:mm")
    monkeypatch.setitem(LANGUAGES, "x-marked", language)
    return texts


def addresses(console: MadeConsole) -> Iterator[tuple[str, str | None, str]]:
    """Yield the address of each page, as whom it is looked at, and the template it is of."""
    proposal = console.propose()
    for name, alert_id in (
        ("limit", identity("A1 2026-02-14")),
        ("outlier", identity("outlier A1 2026-02-13")),
        ("review", identity("review A1")),
        ("incident", identity("systemic 2026-02-14")),
        ("critical", identity("C1 2026-02-10")),
        ("count", identity("count")),
        ("withdrawn", identity("withdrawn")),
    ):
        yield f"/alerts/{alert_id}", "paul", f"alert.html of {name}"
        yield f"/alerts/{alert_id}", "ana", f"alert.html of {name}"
    yield f"/alerts/{identity('A1 2026-02-14')}/transactions", "vera", "transactions.html"
    yield "/accounts/A1", "vera", "account.html"
    yield "/accounts/A1", "ana", "account.html"
    yield "/accounts/A1/paper", "vera", "paper.html"
    yield f"/accounts/N1/paper?alert={identity('count')}", "ana", "paper.html"
    yield "/accounts/N2/paper", "ana", "paper.html"
    for tab in ("mine", "open", "done", "dropped"):
        for name in ("bob", "vera"):
            yield f"/tasks?show={tab}", name, "tasks.html"
    for tab in ("open", "mine", "back", "waiting", "snoozed", "closed", "withdrawn", "all"):
        yield f"/queue?tab={tab}", "ana", "queue.html"
    yield (
        "/queue?kind=review&severity=high&account_id=A1&business_day=2026-02-01",
        "ana",
        "queue.html",
    )
    yield "/queue?done=dispose.1-propose.2-assign.3", "ana", "queue.html"
    yield "/queue?done=take.0", "ana", "queue.html"
    yield "/incidents", "vera", "incidents.html"
    yield f"/incidents/{identity('systemic 2026-02-14')}?done=dispose.1", "paul", "incident.html"
    yield "/limits", "vera", "limits.html"
    yield f"/limits/{LIMIT}?above=1500", "ana", "limit.html"
    yield "/limits/daily-count", "ana", "limit.html"
    yield f"/proposals/{proposal}", "paul", "proposal.html"
    yield f"/proposals/{proposal}", "bob", "proposal.html"
    yield "/team", "vera", "team.html"
    yield "/groups", "vera", "groups.html"
    yield "/groups/current", "vera", "group.html"
    yield "/groups/(none)", "vera", "group.html"
    yield "/groups/nope", "vera", "refused.html"
    for query in EXPLORED:
        yield f"/explore{query}", "vera", "explore.html"
    yield "/explore?theme=nope", "vera", "refused.html"
    yield "/health", "vera", "health.html"
    yield "/login", None, "login.html"
    yield "/setup?token=x", None, "setup.html"
    yield "/setup", None, "setup.html"
    yield "/nope", "vera", "refused.html"
    yield "/alerts/nope", "vera", "refused.html"


def fill_tasks(console: MadeConsole) -> None:
    """Add tasks of each kind that are open, overdue, done and dropped; one of each has a note."""
    served = {**account_day("A1", "2026-02-16"), "tier": "gold", "adviser": "bob"}
    console.take(served, sort=RecordSort.ACCOUNT_DAY)
    alert_id = identity("A1 2026-02-14")
    for step in ("done", "dropped", None):
        task_id = console.open_task()
        if step is not None:
            with console.client("bob") as client:
                path = f"/api/v1/tasks/{task_id}/steps"
                client.post(path, json={"step": step, "note": "because of it"})
    with console.client("ana") as client:
        path = "/api/v1/accounts/A1/tasks"
        client.post(path, json={"task": "recovery", "due": "2026-09-21", "alert_id": alert_id})
        client.post("/queue/views", data={"query": "kind=review", "name": "x", "does": "save"})
    console.clock.now += DAY


def fill_groups(console: MadeConsole) -> None:
    """Add days of segments: limits that differ, of none, and not to be added up; and accounts."""
    days = [segment_day(f"2026-02-{day:02d}") for day in range(14, 29)]
    days[-1]["limits"] = [
        {**days[-1]["limits"][0], "above": 300_000},
        {**days[-1]["limits"][0], "threshold_id": "gone"},
    ]
    days[0]["limits"][0]["values"] = {"relative_error": 0.02, "buckets": [0], "counts": [1]}
    days[-1]["limits"][0]["values"] = {**days[-1]["limits"][0]["values"], "buckets": [0, 100, 400]}
    console.take(*days, segment_day("2026-02-28", None), sort=RecordSort.SEGMENT_DAY)
    console.take(
        counted_hour(), counted_hour(offset=90), late_stretch(), sort=RecordSort.COMPLETENESS
    )
    accounts = [
        account_day(f"D{number}", "2026-02-28")
        | {"segment": "current" if number < 20 else None, "branch": "B1" if number < 15 else None}
        | {"peer_group": None if number < 30 else "C1", "product": f"P{number}"}
        for number in range(40)
    ]
    console.take(*accounts, sort=RecordSort.ACCOUNT_DAY)


def fill_team(console: MadeConsole) -> None:
    """Let Ana close enough alerts for shares and times, each a day and an hour after its report.

    There is a review that reads as a need of service, too.
    """
    need = review("N2")
    console.take({**need, "evidence": {**need["evidence"], "reading": "service-need"}})
    made = [*(limit_alert(f"T{number}") for number in range(10)), outlier("T1")]
    console.take(*made)
    console.clock.now += DAY + HOUR
    with console.client("ana") as client:
        for record in made:
            path = f"/api/v1/alerts/{record['alert_id']}/actions"
            client.post(path, json={"action": "dispose", "disposition": "suspicious"})


def fill(console: MadeConsole) -> None:
    """Add what the fixture has not: alerts of each kind and state, with all their sentences."""
    fill_tasks(console)
    fill_groups(console)
    fill_team(console)
    unread = [{**account_day("N1", "2025-12-01")["totals"][0], "currency": "XXX"}]
    console.take({**account_day("N1", "2025-12-01"), "totals": unread}, sort=RecordSort.ACCOUNT_DAY)
    console.take(
        limit_alert(
            "N1",
            "2025-12-01",
            alert_id=identity("count"),
            kind="daily-count",
            value=41,
            limit=40,
            currency=None,
            value_before=39,
            direction="credit",
            partition=None,
        ),
        limit_alert("N2", alert_id=identity("withdrawn"), revision=1, direction="both"),
        limit_alert(
            "N2",
            alert_id=identity("withdrawn"),
            revision=2,
            status="withdrawn",
            direction="both",
            value="2500.00",
        ),
        {
            **systemic("2026-02-12"),
            "segment": None,
            "verdict": "external-cause",
            "suggested_limit": "2600.00",
            "cause": {"type": "institution", "value": "BANK07", "lift": "4.20"},
        },
    )
    actions = (
        ("ana", "A2 2026-02-14", {"action": "dispose", "disposition": "false-alarm"}),
        ("ana", "C1 2026-02-10", {"action": "dispose", "disposition": "suspicious"}),
        ("ana", "A3 2026-02-14", {"action": "snooze", "until": "2026-10-01T00:00:00Z"}),
        ("ana", "count", {"action": "assign"}),
        ("ana", "A1 2026-02-14", {"action": "comment", "note": "because of it"}),
        ("ana", "A1 2026-02-14", {"action": "release"}),
    )
    for name, alert, body in actions:
        with console.client(name) as client:
            path = f"/api/v1/alerts/{identity(alert)}/actions"
            client.post(path, json=body)
    console.take(limit_alert("A2", revision=2, status="restated", value="3333.00", severity="high"))
    made = Transaction(
        "X1",
        "A1",
        1_771_059_600_000_000,
        7095,
        "EUR",
        "debit",
        "C1",
        "BANK07",
        "api",
        None,
        None,
        None,
    )
    console.transactions.held = [SeenTransaction(7, made), SeenTransaction(8, made)]


def test_no_page_has_a_text_that_is_not_translated(
    console: MadeConsole, marked: MarkedTexts
) -> None:
    fill(console)
    faults: dict[str, str] = {}
    for address, name, template in addresses(console):
        with console.client(name) as client:
            client.cookies.set(COOKIE, "x-marked")
            answer = client.get(address)
        assert answer.status_code in {200, 404}, (address, answer.text)
        faults |= faults_of(answer.text, template)
    assert not faults, "\n".join(f"{left!r} ({place})" for left, place in faults.items())
    ensure_extracted(marked)


def test_lost_files_of_sealed_days_are_told_in_the_language(
    console: MadeConsole, marked: MarkedTexts
) -> None:
    fill(console)
    sealed = seal_quiet_days(console.store, console.clock())
    files = list(Path(f"{console.store.engine.url.database}.days").iterdir())
    for path in files:
        path.unlink()
    with console.client("vera") as client:
        client.cookies.set(COOKIE, "x-marked")
        page = client.get("/health").text
    assert len(files) == len(sealed) > 1
    assert f"The files of {len(sealed)} sealed days are not there, from {sealed[0]} on." in page
    assert not faults_of(page, "health.html")
    ensure_extracted(marked)


def faults_of(page: str, template: str) -> dict[str, str]:
    """Return the texts of a page that are not marked, each with where it may come from."""
    assert BEGIN in page, page
    left = [unmarked(text) for text in VisibleTexts(page).found]
    return {text: f"{template}: {place_of(text)}" for text in left if text}


def ensure_extracted(marked: MarkedTexts) -> None:
    """Fail if a text was asked for that no catalogue can have."""
    known = {
        message.id if isinstance(message.id, str) else message.id[0] for message in extracted()
    }
    missing = marked.asked - known
    assert not missing, f"not extracted: a message inside of another call's? {sorted(missing)}"


def test_every_route_of_a_page_is_looked_at(console: MadeConsole) -> None:
    fill(console)
    looked = [address.partition("?")[0] for address, _, _ in addresses(console)]
    paths = {route.path: route for route in PAGES if route.methods and "GET" in route.methods}
    no_pages = {"/", "/healthz", "/livez", "/readyz", "/events"}
    no_pages |= {path for path in paths if path.startswith("/login/oidc")}  # in oidc/test_pages.py
    unseen = [
        path
        for path, route in paths.items()
        if path not in no_pages and not any(route.path_regex.fullmatch(name) for name in looked)
    ]
    assert not unseen, f"addresses() must yield them: {unseen}"


# -- the templates as they stand ------------------------------------------------------------------

_TRANSLATED: Final = re.compile(r"\{%\s*trans\b.*?%\}.*?\{%\s*endtrans\s*%\}", re.DOTALL)
_SHOWN: Final = re.compile(rf"\b({'|'.join(sorted(SHOWN_ATTRIBUTES))})=\"([^\"]*)\"")


def blanked(text: str) -> str:
    """Return a text of the same lines, with nothing in them."""
    return re.sub(r"[^\n]", " ", text)


def bare_texts(source: str) -> list[tuple[int, str]]:
    """Return the words of a template outside of any expression, each with its line."""
    source = _TRANSLATED.sub(lambda found: blanked(found[0]), source)
    data = "".join(
        text if kind == "data" else re.sub(r"[^\n]", "\0", text)
        for _, kind, text in Environment(autoescape=True).lex(source)
    )
    found = [(data.count("\n", 0, at.start()) + 1, at[2]) for at in _SHOWN.finditer(data)]
    for name in UNSEEN:
        data = re.sub(rf"<{name}\b.*?</{name}>", lambda at: blanked(at[0]), data, flags=re.DOTALL)
    data = re.sub(r"<[^<>]*>", lambda at: blanked(at[0]), data)
    data = data.replace("\0", " ")
    found += list(enumerate(data.split("\n"), 1))
    return [(line, unmarked(text)) for line, text in found if unmarked(text)]


def test_no_template_has_a_bare_text() -> None:
    faults = [
        f"{path.name}:{line}: {text!r}"
        for path in sorted(TEMPLATES.glob("*.html"))
        for line, text in bare_texts(path.read_text(encoding="utf-8"))
    ]
    assert not faults, "put each into _(...), or {% trans %}:\n" + "\n".join(faults)


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("<p>Nobody</p>", [(1, "Nobody")]),
        ("\n<p>{{ name }} waits</p>", [(2, "waits")]),
        ('<a title="Go on">{{ _("Go") }}</a>', [(1, "Go on")]),
        ('<a href="x" class="small">{{ _("Go") }}</a>', []),
        ("{% trans %}All <b>of</b> them{% endtrans %}<kbd>Esc</kbd>", []),
        ('<p{% if x %} class="warning"{% endif %}>{{ x }}, 3</p>', []),
    ],
)
def test_bare_texts_are_found(source: str, texts: list[tuple[int, str]]) -> None:
    assert bare_texts(source) == texts


def test_texts_of_scripts_are_translated(console: MadeConsole, marked: MarkedTexts) -> None:
    with console.client("ana") as client:
        client.cookies.set(COOKIE, "x-marked")
        page = client.get("/queue").text
    found = re.search(r'id="texts"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found is not None
    for name, value in json.loads(found[1]).items():
        for text in value if isinstance(value, list) else [value]:
            assert (text[0], text[-1]) == (BEGIN, END), name
    assert marked.asked
    used = {
        name
        for path in (CONSOLE / "static").glob("*.js")
        for name in re.findall(r"\btexts\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert used == set(json.loads(found[1])), "scripts use what there is"
