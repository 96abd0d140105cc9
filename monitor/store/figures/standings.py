"""Counts of alerts in each state, by person: kept up in the transaction of each change.

A page of the queue shows seven counts. To count them from the alerts took PostgreSQL most of a
page's time, up to a limit of ten thousand each. Whoever changes alerts holds them all
(`hold_alerts`), so nobody waits for a row of these counts.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, select

from monitor.store.schema import alerts, standing_counts
from monitor.store.standing import State
from monitor.store.store import in_pieces, insert_into, is_among, write_many

NOBODY: Final = ""
"""Stands for no assignee, as a key has no empty column."""


class CountedStanding(NamedTuple):
    """What alerts are counted by: the stored state, who has them, and whether they came back."""

    state: str
    assignee: str
    is_back: bool


def counted_by(state: str, assignee: str | None, is_back: bool) -> CountedStanding:  # noqa: FBT001 - a row's columns
    """Return by what an alert is counted."""
    return CountedStanding(state, assignee or NOBODY, bool(is_back))


def counted_among(connection: Connection, ids: Sequence[str]) -> Counter[CountedStanding]:
    """Return how many alerts of some ids stand in each way now; those not there count nothing."""
    columns = alerts.c
    chosen = select(columns.state, columns.assignee, columns.is_back)
    counted: Counter[CountedStanding] = Counter()
    for piece in in_pieces(ids):
        rows = connection.execute(chosen.where(is_among(connection, columns.alert_id, piece)))
        counted.update(counted_by(*row) for row in rows)
    return counted


def move(
    connection: Connection,
    before: Counter[CountedStanding],
    after: Counter[CountedStanding],
) -> None:
    """Count alerts as they stand after a change, and no longer as they stood before it.

    The transaction must hold the alerts.
    """
    changes = {its: after[its] - before[its] for its in before.keys() | after.keys()}
    rows = [
        {**its._asdict(), "alerts": number} for its, number in sorted(changes.items()) if number
    ]
    if not rows:
        return
    statement = insert_into(connection, standing_counts)
    sums = {"alerts": standing_counts.c.alerts + statement.excluded.alerts}
    keys = list(CountedStanding._fields)
    write_many(connection, statement.on_conflict_do_update(index_elements=keys, set_=sums), rows)
    if any(row["alerts"] < 0 for row in rows):
        connection.execute(delete(standing_counts).where(standing_counts.c.alerts == 0))


def take_away_from_counts(connection: Connection, ids: Sequence[str]) -> None:
    """Count alerts no longer, before they are taken away. The transaction must hold the alerts."""
    move(connection, counted_among(connection, ids), Counter())


def counts(connection: Connection, name: str, now: int) -> dict[str, int]:
    """Return how many alerts each tab of the queue has, for a person. `now` is microseconds.

    An alert whose snooze has ended is open, as in `queries.AlertFilter`.
    """
    stored: Counter[CountedStanding] = Counter()
    for state, assignee, is_back, number in connection.execute(_STORED):
        stored[CountedStanding(state, assignee, is_back)] = number
    columns = alerts.c
    ended = (
        select(columns.assignee, columns.is_back, func.count())
        .where(columns.snoozed_until <= now, columns.state == State.SNOOZED.value)
        .group_by(columns.assignee, columns.is_back)
    )
    for assignee, is_back, number in connection.execute(ended):
        its = CountedStanding(State.SNOOZED.value, assignee or NOBODY, is_back)
        stored[its] -= number
        stored[its._replace(state=State.OPEN.value)] += number
    found = dict.fromkeys(("mine", "back", *(state.value for state in State)), 0)
    for its, number in stored.items():
        found[its.state] += number
        if its.state == State.OPEN.value:
            found["mine"] += number if its.assignee == name else 0
            found["back"] += number if its.is_back else 0
    return found


_STORED: Final = select(*(standing_counts.c[name] for name in (*CountedStanding._fields, "alerts")))
