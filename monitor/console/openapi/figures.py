"""The schemas of figures: of the store's health, of the team, and of groups of accounts."""

from typing import Any, Final

from monitor.console.figures.team import WINDOWS
from monitor.console.openapi.schemas import (
    NUMBER,
    TEXT,
    TIME,
    all_of,
    list_of,
    object_of,
    or_null,
)
from monitor.core.threshold import Severity
from monitor.dispositions.disposition import Disposition
from monitor.store.figures.segments import QUANTILES

COUNT: Final = {**NUMBER, "minimum": 0}
DATE: Final = {"type": "string", "format": "date"}
YES: Final = {"type": "boolean"}
COUNTS: Final = {"type": "object", "additionalProperties": COUNT}
SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}


def _about(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}


def health_schema() -> dict[str, Any]:
    """Return the schema of how far the store is."""
    policy = object_of({"version": NUMBER, "at": TIME}, ["version", "at"])
    return object_of(
        {
            "positions": list_of(object_of({})),
            "closed_days": list_of(object_of({})),
            "completeness": all_of(
                hours=_about(
                    list_of(
                        all_of(
                            hour=TIME,
                            received=COUNT,
                            decided=COUNT,
                            rejected=COUNT,
                            skipped=COUNT,
                            silent=_about(list_of(COUNT), "Partitions without any record."),
                            unaccounted=_about(NUMBER, "Records that came to nothing: 0."),
                        )
                    ),
                    "By the hour in which records were written, the latest first.",
                ),
                not_counted=_about(
                    list_of(all_of(partition=COUNT, offset=COUNT, next_offset=COUNT)),
                    "Offsets that no worker counted, `next_offset` not among them.",
                ),
                not_monitored=_about(
                    list_of(
                        all_of(
                            partition=COUNT,
                            offset=COUNT,
                            next_offset=COUNT,
                            records=COUNT,
                            accounts=COUNT,
                            written_from=TIME,
                            written_to=TIME,
                            decided_from=TIME,
                            decided_to=TIME,
                        )
                    ),
                    "Records that were decided late, the latest first.",
                ),
            ),
            "unsent": NUMBER,
            "policy_set_alone": _about(
                or_null(policy), "The version in force last, if no second person approved it here."
            ),
        }
    )


def team_schema() -> dict[str, Any]:
    """Return the schema of how the team works."""
    decided = all_of(
        closed=COUNT,
        proposed=COUNT,
        declined=COUNT,
        reopened=COUNT,
        waits=_about(COUNT, "Closings and proposals of alerts that the store has."),
        median_seconds=_about(or_null(COUNT), "From the first report on; null of fewer than ten."),
        p90_seconds=or_null(COUNT),
    )
    precision = all_of(
        name=or_null(TEXT),
        closed=COUNT,
        confirmed=COUNT,
        per_mille=_about(
            or_null({**COUNT, "maximum": 1000}), "Confirmed of closed; null of fewer than ten."
        ),
        dispositions=COUNTS,
    )
    person = all_of(
        assignee=_about(or_null(TEXT), "Null: nobody has them."),
        within=COUNT,
        late=COUNT,
        oldest=TIME,
    )
    who = {"name": _about(or_null(TEXT), "Null: everybody together.")}
    return all_of(
        target_seconds=all_of(**{severity.value: COUNT for severity in Severity}),
        open=all_of(people=list_of(person), counted=COUNT, is_all=YES),
        decided=all_of(
            since=_about(or_null(TIME), "Null: all of the windows' days were read."),
            is_all=_about(YES, "False: there are too many, and `since` says from when on."),
            people=list_of(all_of(**who, **{f"days_{days}": or_null(decided) for days in WINDOWS})),
        ),
        closed_alone=_about(
            list_of(all_of(alert_id=TEXT, by=TEXT, at=TIME)),
            "Alerts that stand closed, and needed a second person who had no part in it.",
        ),
        days=list_of(
            all_of(
                day=DATE,
                budget=_about(or_null(COUNT), "Of strange days; null: the policy states none."),
                raised=COUNT,
                strange=COUNT,
                is_all_raised=_about(YES, "False: counting stopped, and there may be more."),
                decided=_about(or_null(COUNT), "Null: not all of the day was read."),
            )
        ),
        precision=all_of(
            closed=COUNT,
            confirmed_by=list_of({"enum": [name.value for name in Disposition]}),
            by_limit=list_of(precision),
            by_kind=list_of(precision),
            by_model=list_of(precision),
        ),
    )


def span_schema() -> dict[str, Any]:
    """Return the schema of a closed week, and of the days before it."""
    return all_of(first=DATE, week=_about(DATE, "The first day of the week."), last=DATE)


def sums_schema() -> dict[str, Any]:
    """Return the schema of what a segment counts in a week and in the days before."""
    names = ("days", "account_days", "breaches")
    return all_of(
        segment=_about(TEXT, "(none): the accounts without one."),
        **{f"{name}{when}": COUNT for name in names for when in ("", "_before")},
    )


def group_schema() -> dict[str, Any]:
    """Return the schema of a segment."""
    bounds = all_of(**{"from": TEXT, "to": TEXT})
    span = all_of(
        account_days=COUNT,
        breaches=COUNT,
        lowest_limit=or_null(TEXT),
        highest_limit=or_null(TEXT),
        quantiles=_about(
            all_of(**{str(percent): bounds for percent in QUANTILES}),
            "By per cent: the ends of the bucket of values that it lies in.",
        ),
    )
    day = dict.fromkeys(("account_days", "breaches", "known", "hot"), COUNT)
    apart = all_of(
        difference=_about(TEXT, "The greatest difference of shares at or below a value."),
        at=TEXT,
        is_higher=_about(YES, "The week's values lie higher there."),
    )
    mark = all_of(
        attribute=TEXT, value=TEXT, account_days=COUNT, share=SHARE, share_elsewhere=SHARE
    )
    counted = all_of(
        values={"type": "object", "additionalProperties": TEXT},
        account_days=COUNT,
        t_weight=SHARE,
        d_weight=SHARE,
    )
    return all_of(
        segment=TEXT,
        span=span_schema(),
        days=list_of(all_of(business_day=DATE, **day)),
        limits=list_of(
            all_of(
                threshold_id=TEXT,
                measures=_about(
                    or_null(TEXT), "Null: no policy states it; values are as the topic has them."
                ),
                week=or_null(span),
                before=or_null(span),
                distance=or_null(apart),
            )
        ),
        left_out=COUNT,
        incidents=list_of(TEXT),
        description=all_of(
            business_day=or_null(DATE),
            account_days=COUNT,
            is_all=YES,
            missing=list_of(TEXT),
            why_not=or_null(TEXT),
            marks=list_of(mark),
            tuples=list_of(counted),
        ),
    )
