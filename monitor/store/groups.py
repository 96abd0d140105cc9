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

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class Member(NamedTuple):
    """An alert as its group sees it: it is of its business day, or of more up to `last_day`."""

    alert_id: str
    account_id: str | None
    business_day: str
    last_day: str
    state: str
    priority: int
    place: str | None = None


_MEMBERS: Final = select(*(alerts.c[name] for name in Member._fields))


class Place(NamedTuple):
    """Where an alert stands: its group, and the text by which the queue sorts."""

    group_id: str
    place: str


def place_of(rank: int, group_id: str, priority: int, alert_id: str) -> str:
    """Return a text that sorts by rank, group and priority: the greatest first, then by ids.

    >>> place_of(70, "g", 25, "a")
    '030 g 075 a'
    """
    return f"{PRIORITY_MAX - rank:03d} {group_id} {PRIORITY_MAX - priority:03d} {alert_id}"


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


def placed(members: Iterable[Member]) -> Iterator[tuple[Member, str, str]]:
    """Yield the alerts of one account, each with the group and the place that it must have."""
    group: list[Member] = []
    last = 0
    for member in sorted(members, key=_by_day):
        if group and day_of_text(member.business_day) - last > EPISODE_DAYS:
            yield from _of_group(group)
            group, last = [], 0
        group.append(member)
        last = max(last, day_of_text(member.last_day))
    yield from _of_group(group)


def _by_day(member: Member) -> tuple[str, str]:
    return member.business_day, member.alert_id


def _of_group(group: Sequence[Member]) -> Iterator[tuple[Member, str, str]]:
    if group:
        ranks = [member.priority for member in group if member.state not in _SETTLED]
        rank = max(ranks or [member.priority for member in group])
        group_id = group[0].alert_id
        for member in group:
            yield member, group_id, place_of(rank, group_id, member.priority, member.alert_id)


def place_changes(
    connection: Connection, accounts: Iterable[str | None], changed: Mapping[str, Member]
) -> dict[str, Place]:
    """Return the places of `changed`, and of other alerts of accounts that must get another one.

    `changed` are alerts as they will stand, which the database does not have so yet.
    """
    of_account: dict[str, list[Member]] = {}
    found: dict[str, Place] = {}
    for member in changed.values():
        if member.account_id is None:
            found |= {alone.alert_id: Place(*its) for alone, *its in _of_group([member])}
        else:
            of_account.setdefault(member.account_id, []).append(member)
    names = sorted({name for name in accounts if name is not None})
    for piece in in_pieces(names):
        for row in connection.execute(_MEMBERS.where(alerts.c.account_id.in_(piece))).all():
            member = Member(*row)
            if member.alert_id not in changed:
                of_account.setdefault(str(member.account_id), []).append(member)
    for members in of_account.values():
        for member, group_id, place in placed(members):
            if place != member.place or member.alert_id in changed:
                found[member.alert_id] = Place(group_id, place)
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
