"""The worklist: the next alerts for a person, and one decision for all that a filter finds.

Whoever takes the next ones holds the alerts of the store until they are assigned, so two people
never take the same. One decision for many is shown first: what it would close, of how many
accounts, and a digest of the alerts as they stand. It is done only to exactly these.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection, Row

from monitor.console.decisions import Done, Seen, decide, needs_second
from monitor.console.language.catalogue import gettext as _
from monitor.console.replies import AnswerError
from monitor.store.intake import hold_alerts
from monitor.store.people import Person
from monitor.store.queries import LIMIT_MAX, AlertFilter, alert_page, listed_rows
from monitor.store.standing import Does, State

MANY_MAX: Final = 5000
"""Alerts that one decision may close."""


class Many(NamedTuple):
    """What one decision would do to many alerts: those of a filter, or an incident's members."""

    alerts: int
    accounts: int
    proposals: int  # alerts that a second person must decide about
    seen: Sequence[Seen]

    @classmethod
    def of_rows(cls, person: Person, rows: Sequence[Row[Any]]) -> Self:
        """Return what closing alerts by a person would do."""
        return cls(
            len(rows),
            len({row.account_id for row in rows}),
            sum(needs_second(person, row) for row in rows),
            [_seen(row) for row in rows],
        )

    @property
    def digest(self) -> str:
        """A hash of the alerts as they stand, in whatever order."""
        return hashlib.sha256(json.dumps(sorted(self.seen)).encode()).hexdigest()

    def counts(self) -> dict[str, Any]:
        """Return its numbers as the API writes them."""
        names = ("alerts", "accounts", "proposals")
        return {name: getattr(self, name) for name in names}

    def fields(self) -> dict[str, Any]:
        """Return it as the API writes it of a filter: a closing names the digest again."""
        return {**self.counts(), "digest": self.digest}


def take_next(
    connection: Connection, person: Person, wanted: AlertFilter, now: int
) -> Sequence[Done]:
    """Assign to a person what matters most of the open alerts that nobody has; empty: none is left.

    The other alerts of its group are assigned with it. Raises AnswerError (403) as `decide` does.
    """
    hold_alerts(connection)
    free = wanted._replace(status=State.OPEN.value, is_unassigned=True, assignee=None)
    rows = alert_page(connection, free, 1).rows
    if not rows:
        return []
    seen = [_seen(row) for row in _group_of(connection, rows[0], now)]
    return decide(connection, person, {"action": Does.ASSIGN.value}, seen, now)


def _group_of(connection: Connection, first: Row[Any], now: int) -> Sequence[Row[Any]]:
    """Return an open alert that nobody has, and those of its group: by their places."""
    if first.account_id is None:
        return [first]
    free = AlertFilter(
        status=State.OPEN.value, account_id=first.account_id, is_unassigned=True, now=now
    )
    rows = alert_page(connection, free, LIMIT_MAX).rows
    others = [row for row in rows if row.group_id == first.group_id]
    return [first, *(row for row in others if row.alert_id != first.alert_id)]


def _seen(row: Row[Any]) -> Seen:
    return Seen(row.alert_id, row.version, row.revision)


def many_of(connection: Connection, person: Person, wanted: AlertFilter) -> Many:
    """Return what closing all open alerts that a filter finds would do.

    Raises AnswerError (400) if they are more than MANY_MAX.
    """
    rows = listed_rows(connection, wanted._replace(status=State.OPEN.value), MANY_MAX + 1)
    if len(rows) > MANY_MAX:
        raise AnswerError(
            400,
            _(
                "one decision closes at most %(most)s alerts: narrow the filters",
                most=f"{MANY_MAX:,}",
            ),
        )
    return Many.of_rows(person, sorted(rows, key=lambda row: str(row.alert_id)))


def close_many(
    connection: Connection,
    person: Person,
    asked: Mapping[str, Any],
    wanted: AlertFilter,
    digest: str,
) -> Sequence[Done]:
    """Close the open alerts that a filter finds, if they are still those of a digest.

    Raises AnswerError (409) if they are others by now, and as `decide` does.
    """
    hold_alerts(connection)
    many = many_of(connection, person, wanted)
    if many.digest != digest:
        raise AnswerError(
            409,
            _(
                "the alerts have changed, and are %(number)s now: look again",
                number=f"{many.alerts:,}",
            ),
            **many.fields(),
        )
    closing = {
        "action": Does.DISPOSE.value,
        "disposition": asked.get("disposition"),
        "note": asked.get("note"),
    }
    return decide(connection, person, closing, many.seen, wanted.now)
