"""Groups of alerts: an account's alerts of one episode stand together in the queue.

An episode is a run of an account's alerts in which each begins at most EPISODE_DAYS after the last
day of those before; a review, the limits that it counts, and outliers of these days are one. A
group stands where its most urgent alert stands that nobody has settled; if all are settled, where
the most urgent one does. An alert without an account is a group by itself.

Both columns follow from the alerts of one account alone, whatever came first, and are written with
each change: `group_id` is the id of the episode's first alert, and `place` is a text that sorts as
the queue does. So a page is a piece of an index, groups stay together across pages, and filters
leave out rows without moving others. The price is that a change of the most urgent alert writes
the others of its group again.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from monitor.core.alert import Kind
from monitor.core.business_day import day_of_text, day_text
from monitor.store.schema import alerts
from monitor.store.standing import State
from monitor.store.store import in_pieces, write_many

EPISODE_DAYS: Final = 10
"""As long as a review looks back by default."""

PRIORITY_MAX: Final = 100
_SETTLED: Final = frozenset({State.CLOSED.value, State.WITHDRAWN.value})


class GroupMember(NamedTuple):
    """An alert as its group sees it: it is of its business day, or of more up to `last_day`."""

    alert_id: str
    account_id: str | None
    business_day: str
    last_day: str
    state: str
    priority: int
    place: str | None = None


_MEMBERS: Final = select(*(alerts.c[name] for name in GroupMember._fields))


class Place(NamedTuple):
    """Where an alert stands: its group, and the text by which the queue sorts."""

    group_id: str
    place: str


def last_day_of(record: Mapping[str, Any]) -> str:
    """Return the last business day that an alert is about: of a review, and of strange days.

    A record whose list is in another form is of its business day alone.
    """
    listed = record["evidence"].get(_LISTED.get(record["kind"], ""))
    days = [_day_in(item) for item in listed] if isinstance(listed, list) else []
    return max([str(record["business_day"]), *(day for day in days if day is not None)])


_LISTED: Final = {Kind.REVIEW.value: "days", Kind.OUTLIER.value: "strange_days"}


def _day_in(item: object) -> str | None:
    text = item.get("business_day") if isinstance(item, dict) else None
    try:
        return day_text(day_of_text(text)) if isinstance(text, str) else None
    except ValueError:
        return None


def placed(members: Iterable[GroupMember]) -> Iterator[tuple[GroupMember, Place]]:
    """Yield the alerts of one account that must stand elsewhere than their `place` says.

    A text of a place sorts by the group's rank and id, and by the alert's priority and id: the
    greatest of ranks and priorities first.

    >>> alone = GroupMember("a", "A1", "2026-01-05", "2026-01-05", "open", 70)
    >>> for _, place in placed([alone]):
    ...     print(place.place)
    030 a 030 a
    """
    for group in _episodes(members):
        ranks = [member.priority for member in group if member.state not in _SETTLED]
        rank = max(ranks or [member.priority for member in group])
        group_id = group[0].alert_id
        begin = f"{PRIORITY_MAX - rank:03d} {group_id} "
        for member in group:
            if member.place is None or not member.place.startswith(begin):
                place = f"{begin}{PRIORITY_MAX - member.priority:03d} {member.alert_id}"
                yield member, Place(group_id, place)


_by_day: Final = attrgetter("business_day", "alert_id")


def _episodes(members: Iterable[GroupMember]) -> Iterator[list[GroupMember]]:
    group: list[GroupMember] = []
    last = 0
    for member in sorted(members, key=_by_day):
        first = _number_of(member.business_day)
        if group and first - last > EPISODE_DAYS:
            yield group
            group, last = [], 0
        group.append(member)
        last = max(last, _number_of(member.last_day))
    if group:
        yield group


_number_of: Final = lru_cache(4096)(day_of_text)


def place_changes(
    connection: Connection, accounts: Iterable[str | None], changed: Mapping[str, GroupMember]
) -> dict[str, Place]:
    """Return the places of `changed`, and of other alerts of accounts that must get another one.

    `changed` are alerts as they will stand, which the database does not have so yet.
    """
    of_account: dict[str, list[GroupMember]] = {}
    found: dict[str, Place] = {}
    for member in changed.values():
        its = member._replace(place=None)
        if member.account_id is None:
            found |= {alone.alert_id: place for alone, place in placed([its])}
        else:
            of_account.setdefault(member.account_id, []).append(its)
    names = sorted({name for name in accounts if name is not None})
    for piece in in_pieces(names):
        for row in connection.execute(_MEMBERS.where(alerts.c.account_id.in_(piece))).all():
            if row[0] not in changed:
                of_account.setdefault(row[1], []).append(GroupMember._make(row))
    for members in of_account.values():
        found |= {member.alert_id: place for member, place in placed(members)}
    return found


_PLACE: Final = (
    update(alerts)
    .where(alerts.c.alert_id == bindparam("of_alert"))
    .values(group_id=bindparam("group_id"), place=bindparam("place"))
)


def write_places(connection: Connection, places: Mapping[str, Place]) -> None:
    """Write where alerts stand, by their ids."""
    rows = [{"of_alert": name, **places[name]._asdict()} for name in sorted(places)]
    if rows:
        write_many(connection, _PLACE, rows)
