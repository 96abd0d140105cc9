"""Answers how a team works: what is open and how old it is, who decided what, and how right.

Each answer is read by an index, and is bounded: beyond the bound it says so, and from when on it
holds. There is no clock here: whoever asks gives the moment.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, case, func, select

from monitor.core.alert import Kind
from monitor.core.business_day import MICROSECONDS
from monitor.dispositions.deadlines import Deadlines
from monitor.dispositions.disposition import Disposition, needs_two
from monitor.store.intake import stored_action
from monitor.store.people import DAY
from monitor.store.queries import AlertFilter, rows_by_id
from monitor.store.schema import actions, alerts
from monitor.store.standing import Action, Does, State, closed_alone
from monitor.store.store import in_pieces

READ_MAX: Final = 2_000
"""Open alerts, decisions, and first reports of a day that are read at most: each costs a look into
an index, and the page is to take less than a tenth of a second over a million alerts."""

SHARED_MIN: Final = 10
"""Of fewer, no share and no quantile is told: counts alone."""

DECIDES: Final = (Does.DISPOSE, Does.PROPOSE, Does.DECLINE, Does.REOPEN)
"""What counts as a decision about an alert."""

_CLOSES: Final = (Does.DISPOSE.value, Does.PROPOSE.value)

CONFIRMED: Final = (Disposition.SUSPICIOUS.value, Disposition.SERVICE_NEED.value)
"""Dispositions that confirm an alert: it told something of the client that was so."""


class PersonOpen(NamedTuple):
    """Open alerts of a person (None: nobody has them); `oldest` is the first report's moment."""

    name: str | None
    within: int
    late: int
    oldest: int


class OpenAges(NamedTuple):
    """Open alerts by person, nobody first; all of them, or those that matter most."""

    people: Sequence[PersonOpen]
    counted: int
    is_all: bool


def open_ages(
    connection: Connection, now: int, deadlines: Deadlines, limit: int = READ_MAX
) -> OpenAges:
    """Return what is open at `now` (microseconds) by person and by age.

    An alert is late once its first report is longer ago than its severity's deadline. Of more than
    `limit`, the most urgent are counted.
    """
    columns = alerts.c
    chosen = select(columns.place, columns.assignee, columns.severity, columns.raised_at).order_by(
        columns.place
    )
    lengths = deadlines.lengths()
    found: list[Any] = []
    for part in AlertFilter(status=State.OPEN.value, now=now).parts():
        found += connection.execute(chosen.where(*part.conditions()).limit(limit + 1))
    found.sort(key=lambda row: row[0])
    counted: dict[str | None, list[int]] = {None: [0, 0, now]}
    for _, assignee, severity, raised_at in found[:limit]:
        entry = counted.setdefault(assignee, [0, 0, now])
        entry[now - raised_at > lengths[severity]] += 1
        entry[2] = min(entry[2], raised_at)
    people = [PersonOpen(name, *numbers) for name, numbers in counted.items()]
    people.sort(key=lambda person: (person.name is not None, person.name or ""))
    return OpenAges(people, min(len(found), limit), len(found) <= limit)


class TakenDecision(NamedTuple):
    """A person's decision, and the alert as it stands now (None: it is not in the store).

    `at` and `raised_at` (the alert's first report) are microseconds since 1970.
    """

    at: int
    does: str
    by: str
    action_id: str
    alert_id: str
    raised_at: int | None
    kind: str | None
    threshold_id: str | None
    state: str | None
    disposition: str | None
    severity: str | None

    @property
    def waited(self) -> int | None:
        """How long the alert had been told (microseconds), if this closes it or proposes to."""
        if self.raised_at is None or self.does not in _CLOSES:
            return None
        return max(0, self.at - self.raised_at)


class Decided(NamedTuple):
    """Decisions from `since` on, the latest first; if not all were read, `since` is later."""

    decisions: Sequence[TakenDecision]
    since: int
    is_all: bool


def decided_since(connection: Connection, since: int, limit: int = READ_MAX) -> Decided:
    """Return what people decided from a moment on (microseconds); the latest `limit` at most."""
    columns = actions.c
    chosen = (
        select(
            columns.at,
            columns.action,
            columns.by,
            columns.action_id,
            columns.alert_id,
            *(alerts.c[name] for name in TakenDecision._fields[5:]),
        )
        .outerjoin(alerts, alerts.c.alert_id == columns.alert_id)
        .order_by(columns.at.desc())
        .limit(limit + 1)
    )
    found: list[TakenDecision] = []
    for does in DECIDES:
        rows = connection.execute(chosen.where(columns.action == does.value, columns.at >= since))
        found += map(TakenDecision._make, rows)
    found.sort(key=lambda decision: (-decision.at, decision.action_id))
    if len(found) <= limit:
        return Decided(found, since, is_all=True)
    cut = found[limit].at  # of this moment and before, some may be missing
    return Decided([decision for decision in found if decision.at > cut], cut + 1, is_all=False)


class PersonDecided(NamedTuple):
    """How often a person closed, proposed, declined and reopened, and how long alerts had waited.

    `waits` counts those that were closed or proposed; of fewer than SHARED_MIN there is no median
    and no p90 (microseconds).
    """

    name: str
    closed: int
    proposed: int
    declined: int
    reopened: int
    waits: int
    median: int | None
    p90: int | None


EVERYBODY: Final = ""
"""The name of the row that has everybody's decisions."""


def by_person(decisions: Iterable[TakenDecision]) -> list[PersonDecided]:
    """Return what each person decided, by name; everybody first."""
    of_person: dict[str, list[TakenDecision]] = {EVERYBODY: []}
    for decision in decisions:
        of_person[EVERYBODY].append(decision)
        of_person.setdefault(decision.by, []).append(decision)
    return [_person(name, its) for name, its in sorted(of_person.items())]


def _person(name: str, decisions: Sequence[TakenDecision]) -> PersonDecided:
    counts = Counter(decision.does for decision in decisions)
    waits = sorted(wait for wait in (each.waited for each in decisions) if wait is not None)
    is_enough = len(waits) >= SHARED_MIN
    return PersonDecided(
        name,
        closed=counts[Does.DISPOSE.value],
        proposed=counts[Does.PROPOSE.value],
        declined=counts[Does.DECLINE.value],
        reopened=counts[Does.REOPEN.value],
        waits=len(waits),
        median=ranked(waits, 50) if is_enough else None,
        p90=ranked(waits, 90) if is_enough else None,
    )


def ranked(ordered: Sequence[int], percent: int) -> int:
    """Return the nearest-rank quantile of values in order: the least with so many at or below.

    >>> ranked([1, 2, 3, 4], 50), ranked(list(range(1, 11)), 90)
    (2, 9)
    """
    return ordered[-(-len(ordered) * percent // 100) - 1]


class Precision(NamedTuple):
    """What the closed alerts of a name turned out to be: alerts by disposition."""

    name: str | None
    closed: int
    dispositions: Mapping[str, int]

    @property
    def confirmed(self) -> int:
        """Those that told something of the client that was so."""
        return sum(self.dispositions.get(disposition, 0) for disposition in CONFIRMED)

    @property
    def per_mille(self) -> int | None:
        """The confirmed ones of a thousand closed, rounded; None if too few are closed."""
        if self.closed < SHARED_MIN:
            return None
        return (2000 * self.confirmed + self.closed) // (2 * self.closed)


def closed_alerts(decisions: Iterable[TakenDecision]) -> list[TakenDecision]:
    """Return the last closing of each alert that stands closed now: each alert once."""
    last: dict[str, TakenDecision] = {}
    for decision in decisions:  # the latest first
        if decision.does == Does.DISPOSE.value and decision.state == State.CLOSED.value:
            last.setdefault(decision.alert_id, decision)
    return list(last.values())


def alone_in(connection: Connection, closings: Iterable[TakenDecision]) -> list[TakenDecision]:
    """Return closings that needed a second person and had none: the latest first."""
    needing = {each.alert_id: each for each in closings if needs_two(each.severity or "")}
    done: dict[str, list[Action]] = {}
    for piece in in_pieces(sorted(needing)):
        for row in connection.execute(select(actions).where(actions.c.alert_id.in_(piece))):
            done.setdefault(row.alert_id, []).append(stored_action(row))
    alone = [needing[name] for name, its in done.items() if closed_alone(its) is not None]
    return sorted(alone, key=lambda each: (-each.at, each.action_id))


def precision_by(
    closings: Iterable[TakenDecision], name_of: Callable[[TakenDecision], str | None]
) -> list[Precision]:
    """Return what closed alerts turned out to be, by a name of each: most of them first."""
    found: dict[str | None, Counter[str]] = {}
    for closing in closings:
        found.setdefault(name_of(closing), Counter())[closing.disposition or ""] += 1
    rows = [Precision(name, sum(counts.values()), dict(counts)) for name, counts in found.items()]
    return sorted(rows, key=lambda row: (-row.closed, row.name or ""))


class _Evidence(msgspec.Struct):
    model: str | None = None


class _WithModel(msgspec.Struct):
    evidence: _Evidence


def models_of(connection: Connection, closings: Iterable[TakenDecision]) -> dict[str, str | None]:
    """Return the detector behind each strange day that was closed, by the alert's id.

    That is the model's name without its digest, which each partition has of its own, and without
    its day; None: the record names none.
    """
    ids = [closing.alert_id for closing in closings if closing.kind == Kind.OUTLIER.value]
    rows = rows_by_id(connection, ids, (alerts.c.alert_id, alerts.c.record))
    return {name: _model_in(row.record) for name, row in rows.items()}


def _model_in(record: str) -> str | None:
    try:
        model = msgspec.json.decode(record, type=_WithModel).evidence.model
    except msgspec.ValidationError:
        return None  # evidence of another form
    return None if model is None else _DIGEST.sub("", model)


_DIGEST: Final = re.compile(r"(-[0-9a-f]{8})?(@.*)?\Z", re.DOTALL)


class TeamDay(NamedTuple):
    """A day (UTC): alerts that were reported for the first time on it, and decisions.

    `strange` are those of them that an alert budget is for; both count the day's first READ_MAX
    reports alone. `decided` counts closings and proposals; None if not all of the day's decisions
    were read.
    """

    day: str
    raised: int
    strange: int
    decided: int | None


def date_of(at: int) -> str:
    """Return the date of a moment (microseconds since 1970) in UTC."""
    return f"{datetime.fromtimestamp(at // MICROSECONDS, UTC):%Y-%m-%d}"


def days_until(connection: Connection, now: int, days: int, decided: Decided) -> list[TeamDay]:
    """Return so many days up to that of `now` (microseconds), the latest first."""
    closings = Counter(
        date_of(decision.at) for decision in decided.decisions if decision.does in _CLOSES
    )
    found = []
    for begin in range(now - now % DAY, now - now % DAY - days * DAY, -DAY):
        date = date_of(begin)
        is_whole = begin >= decided.since
        raised, strange = _raised(connection, begin, begin + DAY)
        found.append(TeamDay(date, raised, strange, closings[date] if is_whole else None))
    return found


def _raised(connection: Connection, begin: int, end: int) -> tuple[int, int]:
    its = alerts.c.raised_at
    first = select(alerts.c.kind).where(its >= begin, its < end).order_by(its).limit(READ_MAX)
    some = first.subquery()
    is_strange = case((some.c.kind == Kind.OUTLIER.value, 1), else_=0)
    counted = select(func.count(), func.coalesce(func.sum(is_strange), 0)).select_from(some)
    raised, strange = connection.execute(counted).one()
    return int(raised), int(strange)
