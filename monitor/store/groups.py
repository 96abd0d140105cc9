"""Groups of alerts: an account's alerts of one episode stand together in the queue.

An episode is a run of an account's alerts in which each begins at most EPISODE_DAYS after the last
day of those before; a review, the limits that it counts, and outliers of these days are one. A
group stands where its most urgent alert stands that nobody has settled and no policy suppresses; if
all are, where the most urgent one does. An alert without an account is a group by itself.

Both columns follow from the alerts of one account alone, whatever came first, and are written with
each change: `group_id` is the id of the episode's first alert, and `place` is a text that sorts as
the queue does. So a page is a piece of an index, groups stay together across pages, and filters
leave out rows without moving others. The price is that a change of the most urgent alert writes
the others of its group again.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from monitor.core.alert import Kind
from monitor.core.business_day import day_of_text, day_text
from monitor.store.schema import alerts
from monitor.store.standing import State
from monitor.store.store import in_pieces, is_among, write_many

EPISODE_DAYS: Final = 10
"""As long as a review looks back by default."""

PRIORITY_MAX: Final = 100
_SETTLED: Final = frozenset({State.CLOSED.value, State.WITHDRAWN.value, State.SUPPRESSED.value})


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
_GROUPED: Final = _MEMBERS.add_columns(alerts.c.group_id)


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
    connection: Connection,
    accounts: Iterable[str | None],
    changed: Mapping[str, GroupMember],
    fresh: Collection[str] = (),
) -> dict[str, Place]:
    """Return the places of `changed`, and of other alerts of accounts that must get another one.

    `changed` are alerts as they will stand, which the database does not have so yet; it has nothing
    at all of those that are `fresh`.
    """
    of_account: dict[str, list[GroupMember]] = {}
    found: dict[str, Place] = {}
    for member in changed.values():
        its = member._replace(place=None)
        if member.account_id is None:
            found |= {alone.alert_id: place for alone, place in placed([its])}
        else:
            of_account.setdefault(member.account_id, []).append(its)
    begun = {
        name for name, its in of_account.items() if all(member.alert_id in fresh for member in its)
    }
    names = {name for name in accounts if name is not None}
    for name, others in _late_members(connection, sorted(names & begun), of_account):
        if others is None:
            begun.discard(name)
        else:
            of_account[name] += others
    for piece in in_pieces(sorted(names - begun)):
        chosen = _MEMBERS.where(is_among(connection, alerts.c.account_id, piece))
        for row in connection.execute(chosen).all():
            if row[0] not in changed:
                of_account.setdefault(row[1], []).append(GroupMember._make(row))
    for members in of_account.values():
        found |= {member.alert_id: place for member, place in placed(members)}
    return found


def _late_members(
    connection: Connection, names: Sequence[str], fresh: Mapping[str, Sequence[GroupMember]]
) -> Iterator[tuple[str, list[GroupMember] | None]]:
    """Yield accounts with their alerts of the episodes that fresh ones may join, or begin.

    An account of a bank has alerts of years, and what comes is of the latest days. Alerts that
    ended EPISODE_DAYS before the first fresh one are in no such episode, unless they are in that of
    an alert which ended later: of such accounts all alerts are needed (None).
    """
    for piece in in_pieces(names):
        first = min(member.business_day for name in piece for member in fresh[name])
        horizon = day_text(max(day_of_text(first) - EPISODE_DAYS, 1))
        found: dict[str, list[tuple[GroupMember, str]]] = {name: [] for name in piece}
        chosen = _GROUPED.where(
            is_among(connection, alerts.c.account_id, piece), alerts.c.last_day >= horizon
        )
        for *its, group_id in connection.execute(chosen).all():
            found[its[1]].append((GroupMember._make(its), group_id))
        for name, members in found.items():
            begins = {member.alert_id: member.business_day for member, _ in members}
            is_whole = all(begins.get(group_id, "") >= horizon for _, group_id in members)
            yield name, [member for member, _ in members] if is_whole else None


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
