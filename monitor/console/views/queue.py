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
from monitor.console.filters import CHOICES, OF_QUEUE, checked, filter_of
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
from monitor.dispositions.disposition import MEANINGS
from monitor.store.intake import latest_change
from monitor.store.queries import (
    COUNTED_MAX,
    QueryError,
    alert_page,
    counts,
    group_page,
    others_of_accounts,
)
from monitor.store.standing import Does, State
from monitor.store.work.saved_views import views_of

SEEN_MAX: Final = 500
"""Alerts that one form may name."""

_DONE: Final = re.compile(r"([a-z]{4,10})\.([0-9]{1,6})")
_SAID: Final = {
    Does.DISPOSE.value: "closed",
    Does.PROPOSE.value: "wait for a second person",
    Does.DECLINE.value: "declined",
    Does.REOPEN.value: "reopened",
    Does.ASSIGN.value: "assigned",
    Does.RELEASE.value: "released",
    Does.SNOOZE.value: "snoozed",
    Does.WAKE.value: "woken",
    Does.COMMENT.value: "commented on",
}


class Line(NamedTuple):
    """A row of the queue: the alert in words. `is_first` of its group on the page."""

    row: Row[Any]
    record: Mapping[str, Any]
    state: str
    is_first: bool
    more: int  # open alerts of the account that are not on this page

    @property
    def seen(self) -> str:
        """How a form names the alert as it is shown."""
        return seen_text(self.row)


def seen_text(row: Row[Any]) -> str:
    """Return how a form names an alert as it is shown."""
    return json.dumps([row.alert_id, row.version, row.revision], separators=(",", ":"))


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
        shown = {
            "title": f"{words.TABS.get(chosen.tab, 'Search')} - Queue",
            "filter": chosen,
            "exports": addresses_of(chosen, person.name),
            "lines": lines,
            "views": views_of(connection, person.name),
            "counts": counts(connection, person.name, now),
            "counted_max": COUNTED_MAX,
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
        return "Nothing is left here that nobody has."
    parts = [
        f"{words.quantity(int(number), 'alert')} {_SAID[does]}"
        for does, number in _DONE.findall(text)
        if does in _SAID
    ]
    return f"{', '.join(parts)}." if parts else ""


def done_text(done: Sequence[Done]) -> str:
    """Return actions as an address names them."""
    names = [action.does.value for action in done]
    return "-".join(f"{name}.{names.count(name)}" for name in dict.fromkeys(names))


def act_on_many(request: Request, body: Body) -> Response:
    """Do one thing with all alerts that a form has selected, or with none of them."""
    chosen = body["lists"].get("alert", [])
    if len(chosen) > SEEN_MAX:
        raise AnswerError(400, f"choose at most {SEEN_MAX} alerts, not {len(chosen)}")
    seen = [seen_of(text) for text in chosen]
    with store_of(request).begin() as connection:
        done = decide(connection, person_of(request), body, seen, now_of(request))
    query = body.get("query", "")
    return see_other(f"/queue?{query}&done={done_text(done)}".replace("?&", "?"))
