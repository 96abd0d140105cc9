"""The team: what is open by person and age, who decided what, capacity, and precision."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.filters import checked
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.formats import duration, per_cent
from monitor.console.limits import in_force
from monitor.console.replies import as_json, now_of, page, store_of
from monitor.console.words import SEVERITIES, joined, word
from monitor.core.business_day import MICROSECONDS, day_of_text, event_time_text
from monitor.dispositions.deadlines import Deadlines
from monitor.dispositions.disposition import Disposition
from monitor.policy.policy import PolicyBook
from monitor.store.figures.team import (
    CONFIRMED,
    READ_MAX,
    SHARED_MIN,
    Decided,
    OpenAges,
    PersonDecided,
    PersonOpen,
    Precision,
    TakenDecision,
    TeamDay,
    alone_in,
    by_person,
    closed_alerts,
    days_until,
    decided_since,
    models_of,
    open_ages,
    precision_by,
)
from monitor.store.people import DAY

WINDOWS: Final = (7, 30)
"""Days that are looked back on."""

CAPACITY_DAYS: Final = 14

ALONE_SHOWN: Final = 20
"""Closings without a second person that the page names; it counts all."""


class PersonWindows(NamedTuple):
    """What a person decided, in each of the windows; None: nothing in it."""

    name: str
    windows: Sequence[PersonDecided | None]


class TeamFigures(NamedTuple):
    """All that the page shows; `budgets` are of the days, None if the policy states none."""

    now: int
    deadlines: Deadlines
    open: OpenAges
    decided: Decided
    people: Sequence[PersonWindows]
    days: Sequence[TeamDay]
    budgets: Sequence[int | None]
    by_limit: Sequence[Precision]
    by_kind: Sequence[Precision]
    by_model: Sequence[Precision]
    alone: Sequence[TakenDecision]

    @property
    def closed(self) -> int:
        """Alerts that were closed in the longest window and stand so."""
        return sum(row.closed for row in self.by_kind)


def team_figures(connection: Connection, now: int, deadlines: Deadlines) -> TeamFigures:
    """Return what the store says of the team at a moment (microseconds since 1970)."""
    decided = decided_since(connection, now - max(WINDOWS) * DAY)
    closings = closed_alerts(decided.decisions)
    models = models_of(connection, closings)
    by_models = [closing for closing in closings if closing.alert_id in models]
    days = days_until(connection, now, CAPACITY_DAYS, decided)
    book = in_force(connection).book
    return TeamFigures(
        now=now,
        deadlines=deadlines,
        open=open_ages(connection, now, deadlines),
        decided=decided,
        people=_people(decided, now),
        days=days,
        budgets=[_budget(book, day.day) for day in days],
        by_limit=precision_by(closings, lambda closing: closing.threshold_id),
        by_kind=precision_by(closings, lambda closing: closing.kind),
        by_model=precision_by(by_models, lambda closing: models[closing.alert_id]),
        alone=alone_in(connection, closings),
    )


def _people(decided: Decided, now: int) -> list[PersonWindows]:
    windows = [
        {
            person.name: person
            for person in by_person(
                each for each in decided.decisions if each.at >= now - days * DAY
            )
        }
        for days in WINDOWS
    ]
    names = sorted(set().union(*windows))
    return [PersonWindows(name, [its.get(name) for its in windows]) for name in names]


def _budget(book: PolicyBook | None, day: str) -> int | None:
    """Return how many strange days the policy of a day lets through; None if it tells of none."""
    settings = None if book is None else book.for_day(day_of_text(day))[0].outliers
    return settings.alerts_per_day if settings is not None and settings.is_told else None


def team(request: Request) -> Response:
    """Show how the team works."""
    checked(request.query_params, ())
    now = now_of(request)
    with store_of(request).reading() as connection:
        figures = team_figures(connection, now, request.app.state.deadlines)
    shown = {
        "title": _("Team"),
        "figures": figures,
        "capacity": list(zip(figures.days, figures.budgets, strict=True)),
        "targets": joined(
            [
                _("%(severity)s %(time)s", severity=word(SEVERITIES, name), time=duration(target))
                for name, target in figures.deadlines.lengths().items()
            ]
        ),
        "windows": WINDOWS,
        "dispositions": list(Disposition),
        "confirmed": CONFIRMED,
        "share": share,
        "shared_min": SHARED_MIN,
        "read_max": READ_MAX,
        "alone_shown": ALONE_SHOWN,
    }
    return page(request, "team.html", shown)


def share(per_mille: int | None) -> str:
    """Return a share of a thousand as per cent; none as "-".

    >>> share(1000), share(5), share(None)
    ('100.0 %', '0.5 %', '-')
    """
    return "-" if per_mille is None else per_cent(f"{per_mille // 10}.{per_mille % 10}")


def team_object(request: Request) -> Response:
    """Answer with how the team works."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        figures = team_figures(connection, now_of(request), request.app.state.deadlines)
    return as_json(team_fields(figures))


def team_fields(figures: TeamFigures) -> dict[str, Any]:
    """Return the figures as the API writes them: lengths in whole seconds, shares per mille.

    No field is an age: two answers differ only if the figures do, and so do their tags.
    """
    decided = figures.decided
    return {
        "target_seconds": figures.deadlines._asdict(),
        "open": {
            "people": [_open_fields(person) for person in figures.open.people],
            "counted": figures.open.counted,
            "is_all": figures.open.is_all,
        },
        "decided": {
            "since": None if decided.is_all else event_time_text(decided.since),
            "is_all": decided.is_all,
            "people": [
                {"name": person.name or None}
                | {
                    f"days_{days}": None if its is None else _decided_fields(its)
                    for days, its in zip(WINDOWS, person.windows, strict=True)
                }
                for person in figures.people
            ],
        },
        "closed_alone": [
            {"alert_id": each.alert_id, "by": each.by, "at": event_time_text(each.at)}
            for each in figures.alone
        ],
        "days": [
            {
                "day": day.day,
                "budget": budget,
                "raised": day.raised,
                "strange": day.strange,
                "is_all_raised": day.raised < READ_MAX,
                "decided": day.decided,
            }
            for day, budget in zip(figures.days, figures.budgets, strict=True)
        ],
        "precision": {
            "closed": figures.closed,
            "confirmed_by": list(CONFIRMED),
            "by_limit": [_precision_fields(row) for row in figures.by_limit],
            "by_kind": [_precision_fields(row) for row in figures.by_kind],
            "by_model": [_precision_fields(row) for row in figures.by_model],
        },
    }


def _seconds(length: int | None) -> int | None:
    return None if length is None else length // MICROSECONDS


def _open_fields(person: PersonOpen) -> dict[str, Any]:
    return {
        "assignee": person.name,
        "within": person.within,
        "late": person.late,
        "oldest": event_time_text(person.oldest),
    }


def _decided_fields(person: PersonDecided) -> Mapping[str, Any]:
    fields = person._asdict()
    del fields["name"]
    median, p90 = fields.pop("median"), fields.pop("p90")
    return {**fields, "median_seconds": _seconds(median), "p90_seconds": _seconds(p90)}


def _precision_fields(row: Precision) -> dict[str, Any]:
    return {
        "name": row.name,
        "closed": row.closed,
        "confirmed": row.confirmed,
        "per_mille": row.per_mille,
        "dispositions": dict(row.dispositions),
    }
