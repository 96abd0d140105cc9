"""The queue: what is to be worked, by priority; an account's alerts of an episode are together."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import Response

from monitor.console import words
from monitor.console.decisions import SNOOZE_DAYS_MAX, Done, Seen, decide, state_of
from monitor.console.filters import ALL, CHOICES, OF_QUEUE, checked, filter_of
from monitor.console.language.catalogue import N_, ngettext, nN_
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.formats import grouped
from monitor.console.replies import (
    AnswerError,
    Body,
    now_of,
    page,
    person_of,
    see_other,
    store_of,
)
from monitor.console.views.exports import addresses_of
from monitor.console.worklist import MANY_MAX
from monitor.dispositions.disposition import MEANINGS
from monitor.store.figures.standings import counts
from monitor.store.intake import latest_change
from monitor.store.queries import (
    QueryError,
    alert_page,
    group_page,
    group_rows,
    others_of_accounts,
)
from monitor.store.standing import Does, State
from monitor.store.work.saved_views import views_of

SEEN_MAX: Final = MANY_MAX
"""Alerts that one form may name: a row stands for all of its episode, however many."""

_NAMES: Final = {**words.TABS, ALL: N_("Search")}
_DONE: Final = re.compile(r"([a-z]{4,10})\.([0-9]{1,6})")
_SAID: Final = {
    Does.DISPOSE.value: nN_("%(num)s alert closed", "%(num)s alerts closed"),
    Does.PROPOSE.value: nN_(
        "%(num)s alert waits for a second person", "%(num)s alerts wait for a second person"
    ),
    Does.DECLINE.value: nN_("%(num)s alert declined", "%(num)s alerts declined"),
    Does.REOPEN.value: nN_("%(num)s alert reopened", "%(num)s alerts reopened"),
    Does.ASSIGN.value: nN_("%(num)s alert assigned", "%(num)s alerts assigned"),
    Does.RELEASE.value: nN_("%(num)s alert released", "%(num)s alerts released"),
    Does.SNOOZE.value: nN_("%(num)s alert snoozed", "%(num)s alerts snoozed"),
    Does.WAKE.value: nN_("%(num)s alert woken", "%(num)s alerts woken"),
    Does.COMMENT.value: nN_("%(num)s alert commented on", "%(num)s alerts commented on"),
}


class Line(NamedTuple):
    """A row of the queue: the alert in words. `is_first` of its group on the page."""

    row: Row[Any]
    record: Mapping[str, Any]
    state: str
    is_first: bool
    more: int  # open alerts of the account that are not on this page
    members: Sequence[Row[Any]] = ()  # the alerts that it stands for; none: its own alone

    @property
    def seen(self) -> str:
        """How a form names the alerts that the row stands for, as they are shown."""
        return seen_text(*(self.members or (self.row,)))


def seen_text(*rows: Row[Any]) -> str:
    """Return how a form names an alert, or all those of a row, as they are shown."""
    seen = [[row.alert_id, row.version, row.revision] for row in rows]
    return json.dumps(seen if len(seen) > 1 else seen[0], separators=(",", ":"))


def all_seen_of(text: str) -> list[Seen]:
    """Return the alerts that a row of a form names. Raises AnswerError as `seen_of`."""
    try:
        named = json.loads(text)
    except (ValueError, RecursionError):
        named = None
    if isinstance(named, list) and named and isinstance(named[0], list):
        return [seen_of(json.dumps(its)) for its in named]
    return [seen_of(text)]


def seen_of(text: str) -> Seen:
    """Return the alert that a form names. Raises AnswerError (400) if it names none."""
    try:
        alert_id, version, revision = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        alert_id, version, revision = None, None, None
    if isinstance(alert_id, str) and type(version) is int and type(revision) is int:
        return Seen(alert_id, version, revision)
    raise AnswerError(400, f"alert must be as the page gave it, not {text[:80]!r}")


def lines_of(
    connection: Connection, rows: Sequence[Row[Any]], now: int, *, counts_more: bool = True
) -> list[Line]:
    """Return alerts as rows; those of one group stand together, where the first of them is.

    `counts_more`: the first of each account says how many open ones it has beside these.
    """
    groups: dict[str, list[Row[Any]]] = {}
    for row in rows:
        groups.setdefault(row.group_id, []).append(row)
    more: dict[str, int] = {}
    accounts = sorted({row.account_id for row in rows if row.account_id is not None})
    if counts_more and accounts:
        more = dict(others_of_accounts(connection, accounts, now))
        for row in rows:
            if row.account_id in more and state_of(row, now) is State.OPEN:
                more[row.account_id] -= 1
    return [
        Line(
            row,
            json.loads(row.record),
            state_of(row, now).value,
            place == 0,
            max(0, more.pop(row.account_id, 0)),
        )
        for its in groups.values()
        for place, row in enumerate(its)
    ]


def queue(request: Request) -> Response:
    """Show a tab of the queue, with the filters that the address has: a row for each group."""
    params = checked(request.query_params, OF_QUEUE)
    chosen, person, now = filter_of(params), person_of(request), now_of(request)
    wanted = chosen.wanted(person.name, now)
    with store_of(request).reading() as connection:
        after = latest_change(connection)
        try:
            page_of = group_page if chosen.folds else alert_page
            found = page_of(connection, wanted, cursor=params.get("cursor") or None)
        except QueryError as error:
            raise AnswerError(400, str(error)) from error
        lines = lines_of(connection, found.rows, now)
        if chosen.folds:
            members = group_rows(connection, wanted, found.rows)
            lines = [line._replace(members=members.get(line.row.group_id, ())) for line in lines]
        shown = {
            "title": _("%(tab)s - Queue", tab=words.word(_NAMES, chosen.tab)),
            "filter": chosen,
            "exports": addresses_of(chosen, person.name),
            "lines": lines,
            "views": views_of(connection, person.name),
            "counts": counts(connection, person.name, now),
            "next_query": chosen.query(cursor=found.next) if found.next else None,
            "is_later": bool(params.get("cursor")),
            "done": _done(params.get("done", "")),
            "choices": CHOICES,
            "meanings": MEANINGS,
            "snooze_days_max": SNOOZE_DAYS_MAX,
            "live_after": after,
        }
    return page(request, "queue.html", shown)


def _done(text: str) -> str:
    """Return a sentence about the actions that an address names; nothing if it names none."""
    if text == "take.0":
        return _("Nothing is left here that nobody has.")
    parts = [
        ngettext(*_SAID[does], int(number), num=grouped(int(number)))
        for does, number in _DONE.findall(text)
        if does in _SAID
    ]
    return _("%(done)s.", done=words.joined(parts)) if parts else ""


def done_text(done: Sequence[Done]) -> str:
    """Return actions as an address names them."""
    names = [action.does.value for action in done]
    return "-".join(f"{name}.{names.count(name)}" for name in dict.fromkeys(names))


def act_on_many(request: Request, body: Body) -> Response:
    """Do one thing with all alerts that a form has selected, or with none of them."""
    seen = [its for text in body["lists"].get("alert", []) for its in all_seen_of(text)]
    if len(seen) > SEEN_MAX:
        raise AnswerError(
            400,
            _("choose at most %(most)s alerts, not %(number)s", most=SEEN_MAX, number=len(seen)),
        )
    with store_of(request).begin() as connection:
        done = decide(connection, person_of(request), body, seen, now_of(request))
    query = body.get("query", "")
    return see_other(f"/queue?{query}&done={done_text(done)}".replace("?&", "?"))
