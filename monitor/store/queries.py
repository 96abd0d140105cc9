"""Answers what pages ask of a store: queues, an alert with its history, accounts, incidents."""

import base64
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    and_,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from monitor.core.alert import Kind
from monitor.store.days import latest_of_account, lost_days
from monitor.store.intake import stored_action
from monitor.store.schema import (
    IS_SYSTEMIC,
    actions,
    alerts,
    outbox,
    progress,
    rejection_counts,
    rejections,
    revisions,
    users,
)
from monitor.store.standing import Action, State
from monitor.store.store import in_pieces

Columns = ReadOnlyColumnCollection[str, Any]

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 500


class QueryError(ValueError):
    """A question that cannot be answered: the message says why."""


class AlertFilter(NamedTuple):
    """Which alerts are asked for: those that every part allows; None allows all.

    `status` is a State; `part` one of the parts that `parts` has. `now` (microseconds) decides
    whether a snooze has ended. `text` is the beginning of an account's id, or a whole alert_id, as
    it is given, in upper case or in lower case.
    """

    status: str | None = None
    kind: str | None = None
    severity: str | None = None
    account_id: str | None = None
    incident_id: str | None = None
    assignee: str | None = None
    is_unassigned: bool = False
    is_back: bool = False
    business_day: str | None = None
    text: str | None = None
    now: int = 0
    part: str | None = None
    begins_alone: bool = False  # the id of an alert is asked for elsewhere

    def parts(self) -> list["AlertFilter"]:
        """Return what is wanted in parts that exclude each other, each in the order of an index."""
        if self.status is None:
            return [self._replace(status=state.value, part=AS_STORED) for state in State]
        if self.status != State.OPEN.value:
            return [self]
        return [self._replace(part=part) for part in (AS_STORED, SNOOZE_ENDED)]

    def conditions(self, columns: Columns = alerts.c) -> list[ColumnElement[bool]]:
        """Return what a row of `alerts`, or of some of them, must meet."""
        found: list[ColumnElement[bool]] = []
        if self.status is not None:
            found.append(_stands(columns, self.status, self.now, self.part))
        for name in ("kind", "severity", "account_id", "incident_id", "assignee", "business_day"):
            value = getattr(self, name)
            if name == "kind" and value == Kind.SYSTEMIC.value and columns is alerts.c:
                found.append(IS_SYSTEMIC)
            elif value is not None:
                found.append(columns[name] == value)
        if self.is_unassigned:
            found.append(columns.assignee.is_(None))
        if self.is_back:
            found.append(columns.is_back)
        if self.text is not None:
            begins = or_(*(_begins(columns, its) for its in spellings(self.text)))
            is_it = columns.alert_id.in_(spellings(self.text))
            found.append(begins if self.begins_alone else or_(is_it, begins))
        return found

    def narrow(self, connection: Connection) -> list[ColumnElement[bool]] | None:
        """Return what alone leaves few rows, by indexes; None if nothing does.

        They are conditions that exclude each other: a row meets one of them. The alerts of an
        account are few, and so are those of accounts that begin with a long text.
        """
        if self.account_id is not None:
            return [alerts.c.account_id == self.account_id]
        if self.text is None:
            return None
        begins = [_begins(alerts.c, its) for its in spellings(self.text)]
        is_covered = not any(getattr(self, name) for name in _NOT_COVERED)
        if not _are_few(connection, begins, _NARROW_MAX) and (
            not is_covered
            or self._is_usual(connection, begins)
            or not _are_few(connection, begins, _COVERED_MAX)
        ):
            return None
        is_other = or_(alerts.c.account_id.is_(None), not_(or_(*begins)))
        return [*begins, and_(alerts.c.alert_id.in_(spellings(self.text)), is_other)]

    def _is_usual(self, connection: Connection, begins: Sequence[ColumnElement[bool]]) -> bool:
        """Return whether a good part of what the queue begins with is found: pages are full soon.

        So a text that many accounts begin with is not counted to the end.
        """
        its = self._replace(text=None).parts()[0]
        chosen = select(or_(*begins)).where(*its.conditions()).order_by(alerts.c.place)
        found = connection.execute(chosen.limit(_SAMPLE)).scalars().all()
        return bool(found) and _USUAL * sum(map(bool, found)) >= len(found)


def _are_few(connection: Connection, conditions: Iterable[ColumnElement[bool]], most: int) -> bool:
    """Return whether so many alerts at most meet conditions that exclude each other.

    Each is counted by itself and in the order of its index: else a database reads whole rows.
    """
    left = most
    for condition in conditions:
        some = select(literal(1)).select_from(alerts).where(condition)
        some = some.order_by(alerts.c.account_id).limit(left + 1)
        its = select(func.count()).select_from(some.subquery())
        left -= connection.execute(its).scalar_one()
        if left < 0:
            return False
    return True


def spellings(text: str) -> list[str]:
    """Return a text as it is, in upper case and in lower case: none begins with another.

    >>> spellings("De12"), spellings("12")
    (['De12', 'DE12', 'de12'], ['12'])
    """
    found = dict.fromkeys((text, text.upper(), text.lower()))
    return [
        its for its in found if not any(its != other and its.startswith(other) for other in found)
    ]


_NARROW_MAX: Final = 2000
"""So many rows are read and sorted sooner than the queue is searched for them."""

_COVERED_MAX: Final = 15_000
"""The same if the index of accounts has all that is asked of them."""

_SAMPLE: Final = 200
"""Rows that the queue begins with, of which a search asks how many it finds."""

_USUAL: Final = 16
"""One of so many is a good part of them."""

_COVERED: Final = ("alert_id", "account_id", "business_day", "state", "place", "snoozed_until")
_NOT_COVERED: Final = (
    "kind",
    "severity",
    "incident_id",
    "assignee",
    "is_unassigned",
    "is_back",
)


def _begins(columns: Columns, text: str) -> ColumnElement[bool]:
    """Return that an account's id begins with a text: a range of an index, bytes by bytes."""
    begin = columns.account_id >= text
    last = ord(text[-1])
    if last == sys.maxunicode:
        its: ColumnElement[bool] = columns.account_id.startswith(text, autoescape=True)
        return and_(begin, its)
    # Half characters (from U+D800 on) are in no text, so the next character is beyond them.
    following = chr(_BEYOND_HALVES if last + 1 in _HALVES else last + 1)
    return and_(begin, columns.account_id < text[:-1] + following)


_HALVES: Final = range(0xD800, 0xE000)
_BEYOND_HALVES: Final = _HALVES.stop

AS_STORED: Final = "as-stored"  # whatever has become of a snooze since
SNOOZE_ENDED: Final = "snooze-ended"


def _stands(columns: Columns, status: str, now: int, part: str | None) -> ColumnElement[bool]:
    is_so: ColumnElement[bool] = columns.state == status
    ended = and_(columns.state == State.SNOOZED.value, columns.snoozed_until <= now)
    if part == SNOOZE_ENDED:
        return ended
    if part == AS_STORED:
        return is_so
    if status == State.OPEN.value:
        return or_(is_so, ended)
    if status == State.SNOOZED.value:
        return and_(is_so, columns.snoozed_until > now)
    return is_so


class Page(NamedTuple):
    """Rows of alerts, and the cursor of the next page; None if it is the last."""

    rows: Sequence[Row[Any]]
    next: str | None


LISTED: Final[Sequence[Column[Any]]] = [column for column in alerts.c if column.name != "record"]
"""The columns of an alert without its record."""


def alert_page(
    connection: Connection,
    wanted: AlertFilter,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
) -> Page:
    """Return the alerts that matter most, a page of them. Raises QueryError if it is no cursor.

    An account's alerts of one episode stand together, where the most urgent of them does (see
    `groups`). A page begins after the place that the cursor names, so nothing moves when alerts
    come meanwhile.
    """
    limit = max(1, min(limit, LIMIT_MAX))
    after = None if cursor is None else _read_cursor(cursor)
    places = _first_places(connection, wanted, after, limit + 1)
    ids = [alert_id for _, alert_id in places[:limit]]
    found = rows_by_id(connection, ids, alerts.c)
    rows = [found[alert_id] for alert_id in ids]
    return Page(rows, cursor_of(rows[-1]) if len(places) > limit else None)


def group_page(
    connection: Connection,
    wanted: AlertFilter,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
) -> Page:
    """Return the first alert of each group that has any that is wanted, a page of them.

    Raises QueryError as `alert_page`.
    """
    after = None if cursor is None else _read_cursor(cursor)
    heads: dict[str, str] = {}  # a group's beginning of places, and the id of its first alert
    while len(heads) <= limit:
        places = _first_places(connection, wanted, after, _PLACES_AT_A_TIME)
        for place, alert_id in places:
            heads.setdefault(_group_in(place), alert_id)
        if len(places) < _PLACES_AT_A_TIME:
            break
        after = _group_in(places[-1][0]) + _BEYOND
    groups = list(heads)[:limit]
    found = rows_by_id(connection, [heads[group] for group in groups], alerts.c)
    rows = [found[heads[group]] for group in groups]
    return Page(rows, _cursor(groups[-1] + _BEYOND) if len(heads) > limit else None)


def group_rows(
    connection: Connection, wanted: AlertFilter, heads: Sequence[Row[Any]]
) -> dict[str, list[Row[Any]]]:
    """Return the alerts that are wanted of the groups of some, by group and in their order.

    Those without an account are groups by themselves, and are left out.
    """
    groups = {row.group_id for row in heads}
    accounts = sorted({row.account_id for row in heads if row.account_id is not None})
    found: dict[str, list[Any]] = {}
    for piece in in_pieces(accounts):
        few = _few([alerts.c.account_id.in_(piece)])
        chosen = select(*few).where(*wanted.conditions(few)).order_by(few.place)
        for row in connection.execute(chosen).all():
            if row.group_id in groups:
                found.setdefault(row.group_id, []).append(row)
    return found


_PLACES_AT_A_TIME: Final = 200
_BEYOND: Final = "~"
"""After all that stands in a place: with it, a cursor is beyond a whole group."""


def _group_in(place: str) -> str:
    """Return how all places of a group begin."""
    return place[: place.index(" ", place.index(" ") + 1) + 1]


def _first_places(
    connection: Connection, wanted: AlertFilter, after: str | None, limit: int
) -> list[tuple[str, str]]:
    """Return the first places after another, each with its alert's id, of what is wanted.

    What is open is asked for in two parts, what nobody has snoozed and what a snooze has ended of:
    so each is read in the order of an index, and a page does not sort all that is open.
    """
    narrow = wanted.narrow(connection)
    asked: list[tuple[Columns, AlertFilter]]
    if narrow is not None:
        # They are read once and sorted, so there is nothing to gain from parts.
        names: tuple[str, ...] = _COVERED
        if any(getattr(wanted, name) for name in _NOT_COVERED):
            names += ("kind", "severity", "incident_id", "assignee", "is_back")
        asked = [(_few(narrow, [alerts.c[name] for name in names]), wanted)]
    else:
        asked = [(alerts.c, part) for part in wanted.parts()]
        if wanted.text is not None:
            asked = [(columns, part._replace(begins_alone=True)) for columns, part in asked]
            asked.append((_few([alerts.c.alert_id.in_(spellings(wanted.text))]), wanted))
    places: set[tuple[str, str]] = set()
    for columns, part in asked:
        chosen = select(columns.place, columns.alert_id).where(*part.conditions(columns))
        if after is not None:
            chosen = chosen.where(columns.place > after)
        found = connection.execute(chosen.order_by(columns.place).limit(limit))
        places |= {(row.place, row.alert_id) for row in found}
    return sorted(places)[:limit]


def _few(narrow: Sequence[ColumnElement[bool]], columns: Sequence[Column[Any]] = LISTED) -> Columns:
    """Return columns of rows that are found first, whatever else is asked of them.

    Left to itself, a database goes through the whole queue in its order to find them. Each of the
    conditions is asked for by itself, so that each has its index, and the index may be enough.
    """
    found = union_all(*(select(*columns).where(condition) for condition in narrow))
    return found.cte("few").prefix_with("MATERIALIZED").c


def cursor_of(row: Row[Any]) -> str:
    """Return the cursor of the page that begins after an alert."""
    return _cursor(row.place)


def _cursor(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode()


_PLACE: Final = re.compile(r"[01][0-9]{2} [^ \0]{1,64} (~|[01][0-9]{2} [^ \0]{1,64})")


def _read_cursor(cursor: str) -> str:
    return _text_in(cursor, _PLACE)


def _text_in(cursor: str, form: re.Pattern[str]) -> str:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except ValueError:
        text = ""
    if not form.fullmatch(text):
        raise QueryError(f"cursor must be one that a page gave as `next`, not {cursor!r}")
    return text


def others_of_accounts(
    connection: Connection, account_ids: Sequence[str], now: int
) -> dict[str, int]:
    """Return how many open alerts each account has that has any.

    What is open is told apart here: so the database has one index to choose, that of accounts.
    """
    columns = alerts.c
    chosen = select(columns.account_id, columns.state, columns.snoozed_until)
    counted: Counter[str] = Counter()
    for piece in in_pieces(account_ids):
        for account_id, state, until in connection.execute(
            chosen.where(columns.account_id.in_(piece))
        ):
            is_awake = state == State.SNOOZED.value and until is not None and until <= now
            if state == State.OPEN.value or is_awake:
                counted[account_id] += 1
    return dict(counted)


def alert_row(connection: Connection, alert_id: str) -> Row[Any] | None:
    """Return an alert; None if no alert has this id."""
    return connection.execute(select(alerts).where(alerts.c.alert_id == alert_id)).one_or_none()


def revisions_of(connection: Connection, alert_id: str) -> Sequence[Row[Any]]:
    """Return all that was reported of an alert, by revision."""
    its = select(revisions).where(revisions.c.alert_id == alert_id)
    return connection.execute(its.order_by(revisions.c.revision)).all()


def actions_of(connection: Connection, alert_id: str) -> list[Action]:
    """Return all that people did with an alert, by time."""
    its = select(actions).where(actions.c.alert_id == alert_id)
    rows = connection.execute(its.order_by(actions.c.at, actions.c.action_id)).all()
    return [stored_action(row) for row in rows]


def days_of_account(
    connection: Connection, account_id: str, limit: int = 90
) -> list[Mapping[str, Any]]:
    """Return the latest closed days of an account, by day: the records of the topic."""
    return latest_of_account(connection, account_id, limit)


def alerts_of_account(
    connection: Connection, account_id: str, limit: int = 200
) -> Sequence[Row[Any]]:
    """Return the latest alerts of an account, the latest business day first."""
    its = select(alerts).where(alerts.c.account_id == account_id)
    return connection.execute(
        its.order_by(alerts.c.business_day.desc(), alerts.c.alert_id).limit(limit)
    ).all()


def alert_count(connection: Connection, account_id: str) -> int:
    """Return how many alerts an account has: counted in an index."""
    its = select(func.count()).select_from(alerts).where(alerts.c.account_id == account_id)
    return int(connection.execute(its).scalar_one())


def actions_of_account(connection: Connection, account_id: str, limit: int = 100) -> list[Action]:
    """Return the latest actions on any alert of an account, the latest first."""
    its = select(actions).join(alerts, alerts.c.alert_id == actions.c.alert_id)
    rows = connection.execute(
        its.where(alerts.c.account_id == account_id)
        .order_by(actions.c.at.desc(), actions.c.action_id)
        .limit(limit)
    ).all()
    return [stored_action(row) for row in rows]


def incident_page(
    connection: Connection, limit: int = LIMIT_DEFAULT, cursor: str | None = None
) -> Page:
    """Return the systemic alerts, the latest business day first, a page of them.

    Raises QueryError if it is no cursor.
    """
    return _page_by_day(connection, IS_SYSTEMIC, limit, cursor)


def account_page(
    connection: Connection,
    account_id: str,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
    kind: str | None = None,
) -> Page:
    """Return the alerts of an account, of a kind if one is named, a page as of `incident_page`."""
    its = alerts.c.account_id == account_id
    if kind is not None:
        its = and_(its, alerts.c.kind == kind)
    return _page_by_day(connection, its, limit, cursor)


def _page_by_day(
    connection: Connection, wanted: ColumnElement[bool], limit: int, cursor: str | None
) -> Page:
    its = select(alerts).where(wanted)
    if cursor is not None:
        day, alert_id = _text_in(cursor, _BY_DAY).split(" ")
        earlier, same = alerts.c.business_day < day, alerts.c.business_day == day
        its = its.where(or_(earlier, and_(same, alerts.c.alert_id > alert_id)))
    by_day = its.order_by(alerts.c.business_day.desc(), alerts.c.alert_id)
    found = connection.execute(by_day.limit(limit + 1)).all()
    rows = found[:limit]
    is_last = len(found) <= limit
    return Page(rows, None if is_last else _cursor(f"{rows[-1].business_day} {rows[-1].alert_id}"))


_BY_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [^ \0]{1,64}")


def members_of(
    connection: Connection, incident_id: str, limit: int = LIMIT_MAX
) -> Sequence[Row[Any]]:
    """Return account alerts that a systemic alert explains, by day and account."""
    its = select(alerts).where(alerts.c.incident_id == incident_id)
    return connection.execute(
        its.order_by(alerts.c.business_day, alerts.c.account_id, alerts.c.alert_id).limit(limit)
    ).all()


def open_members(connection: Connection, incident_id: str, now: int) -> Sequence[Row[Any]]:
    """Return all members of a systemic alert that are open, by day and account: the listed columns.

    A bank has many of them, so their records are left out.
    """
    return listed_rows(connection, AlertFilter(status="open", incident_id=incident_id, now=now))


def listed_rows(
    connection: Connection, wanted: AlertFilter, limit: int | None = None
) -> Sequence[Row[Any]]:
    """Return alerts that are wanted, by day and account: the listed columns."""
    its = select(*LISTED).where(*wanted.conditions())
    return connection.execute(
        its.order_by(alerts.c.business_day, alerts.c.account_id, alerts.c.alert_id).limit(limit)
    ).all()


def rows_by_id(
    connection: Connection, ids: Sequence[str], columns: Iterable[Any] = LISTED
) -> dict[str, Row[Any]]:
    """Return alerts by their ids: the listed columns. One that is not there is left out."""
    found: dict[str, Row[Any]] = {}
    for piece in in_pieces(ids):
        chosen = select(*columns).where(alerts.c.alert_id.in_(piece))
        found |= {row.alert_id: row for row in connection.execute(chosen)}
    return found


def assignable(connection: Connection) -> Sequence[str]:
    """Return the names of the people who may work alerts."""
    may = select(users.c.name).where(users.c.is_active, users.c.role != "viewer")
    return connection.execute(may.order_by(users.c.name)).scalars().all()


def member_counts(connection: Connection, incident_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many members each systemic alert has, by state; none of one without members."""
    found: dict[str, dict[str, int]] = {incident_id: {} for incident_id in incident_ids}
    for piece in in_pieces(incident_ids):
        rows = connection.execute(
            select(alerts.c.incident_id, alerts.c.state, func.count())
            .where(alerts.c.incident_id.in_(piece))
            .group_by(alerts.c.incident_id, alerts.c.state)
        ).all()
        for incident_id, state, number in rows:
            found[incident_id][state] = number
    return found


class Health(NamedTuple):
    """How far the store is, and what was rejected. Times are microseconds since 1970."""

    positions: Sequence[Row[Any]]
    rejected: Sequence[Row[Any]]  # hour, reason, rejected: the latest hours first
    samples: Sequence[Row[Any]]
    unsent: int  # decisions of people that the broker does not have yet
    latest: int | None  # when the latest alert was reported
    lost_days: Sequence[str]  # sealed business days whose files are not there


def health(connection: Connection, hours: int = 48) -> Health:
    """Return what the page of health shows."""
    return Health(
        connection.execute(select(progress).order_by(*progress.primary_key)).all(),
        connection.execute(
            select(rejection_counts)
            .order_by(rejection_counts.c.hour.desc(), rejection_counts.c.reason)
            .limit(hours)
        ).all(),
        connection.execute(
            select(rejections).order_by(rejections.c.told_at.desc()).limit(20)
        ).all(),
        int(
            connection.execute(
                select(func.count()).select_from(outbox).where(outbox.c.sent_at.is_(None))
            ).scalar_one()
        ),
        connection.execute(
            select(alerts.c.told_at).order_by(alerts.c.change.desc()).limit(1)
        ).scalar(),
        lost_days(connection),
    )


def changed_since(connection: Connection, change: int, limit: int = 100) -> Sequence[Row[Any]]:
    """Return alerts that the store was told of after a change, in the order of changes."""
    later = select(*LISTED).where(alerts.c.change > change)
    return connection.execute(later.order_by(alerts.c.change).limit(limit)).all()
