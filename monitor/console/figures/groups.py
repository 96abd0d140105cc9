"""Groups of accounts: a segment's closed days, limits, drift, verdicts, and what marks it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.decisions import state_of
from monitor.console.filters import checked
from monitor.console.language.catalogue import N_
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.formats import grouped, per_cent
from monitor.console.limits import in_force, measure_text
from monitor.console.replies import AnswerError, as_json, now_of, page, store_of
from monitor.console.words import ATTRIBUTES as ATTRIBUTE_WORDS
from monitor.console.words import word
from monitor.core.alert import written
from monitor.core.threshold import Threshold
from monitor.insight.describe import ColumnRelevance, Description, Question, describe
from monitor.insight.table import NONE, table_of
from monitor.policy.policy import PolicyBook, threshold_of
from monitor.store.figures.segments import (
    BEFORE,
    QUANTILES,
    WEEK,
    AccountSample,
    LimitDrift,
    LimitSpan,
    SegmentFigures,
    SegmentSums,
    Span,
    account_sample,
    distance,
    latest_span,
    quantile,
    segment_figures,
    segment_sums,
    verdicts_of,
)
from monitor.store.figures.team import SHARED_MIN

NO_SEGMENT: Final = NONE
"""How an address, and the API, name the accounts that have no segment."""

_LIKE_NONE: Final = re.compile(rf"\(*{re.escape(NO_SEGMENT)}\)*")

ATTRIBUTES: Final = ("branch", "product", "peer_group")
"""What an account-day may say of its account, beside its segment."""

TOLD_MAX: Final = 12
"""Tuples and marks of a description at most."""

VALUES_MAX: Final = 2 * TOLD_MAX
"""Values at most of an attribute that combinations have."""

_NO_VALUE: Final = {NONE: N_("(none)")}
_MISSING: Final = {
    "branch": N_("No account-day says its branch."),
    "product": N_("No account-day says its product."),
    "peer_group": N_("No account-day says its peer group."),
}
_OF: Final = "is"
_INSIDE: Final = "inside"


class SegmentDescription(NamedTuple):
    """What marks a segment's accounts; `why_not` says why nothing is told, and is empty if it is.

    `missing` are attributes that no account-day has.
    """

    sample: AccountSample | None
    missing: Sequence[str]
    description: Description | None
    why_not: str


class GroupFigures(NamedTuple):
    """All that the page of a segment shows; `thresholds` are those that a policy version states."""

    segment: str
    span: Span
    figures: SegmentFigures
    sums: Sequence[SegmentSums]
    thresholds: Mapping[str, Threshold]
    verdicts: Sequence[Row[Any]]
    described: SegmentDescription


def named(segment: str) -> str:
    """Return how an address names a segment: one that is named as none is has parentheses more.

    >>> named(""), named("(none)"), named("((none))"), named("a")
    ('(none)', '((none))', '(((none)))', 'a')
    """
    if not segment:
        return NO_SEGMENT
    return f"({segment})" if _LIKE_NONE.fullmatch(segment) else segment


def segment_named(name: str) -> str:
    """Return the segment that an address names.

    >>> segment_named("(none)"), segment_named("((none))"), segment_named("a")
    ('', '(none)', 'a')
    """
    if name == NO_SEGMENT:
        return ""
    return name[1:-1] if _LIKE_NONE.fullmatch(name) else name


def shown_name(segment: str) -> str:
    """Return how a page names a segment."""
    return word(_NO_VALUE, named(segment))


def group_figures(connection: Connection, name: str) -> GroupFigures:
    """Return what is known of a segment. Raises AnswerError (404) if nothing is."""
    segment = segment_named(name)
    span = None if "\0" in segment else latest_span(connection)
    figures = None if span is None else segment_figures(connection, segment, span)
    if span is None or figures is None:
        raise AnswerError(
            404,
            _(
                "of the last %(days)s days, no closed day of segment %(name)s is known",
                days=WEEK + BEFORE,
                name=name,
            ),
        )
    book = in_force(connection).book
    return GroupFigures(
        segment,
        span,
        figures,
        segment_sums(connection, span),
        {} if book is None else _thresholds(book, [limit.threshold_id for limit in figures.limits]),
        verdicts_of(connection, segment),
        described(account_sample(connection), segment),
    )


def _thresholds(book: PolicyBook, names: Sequence[str]) -> dict[str, Threshold]:
    found = {}
    for name in names:
        try:
            found[name] = threshold_of(name, book, book.policies[-1])
        except LookupError:
            continue  # its values are told without their unit
    return found


def described(sample: AccountSample | None, segment: str) -> SegmentDescription:
    """Return what marks the accounts of a segment among those of a sample, in few words.

    Attributes alone are told, never amounts. Rows of the segment and of others are needed.
    """
    if sample is None:
        return SegmentDescription(None, ATTRIBUTES, None, _("No closed account-day is known."))
    inside = [str(record.get("segment") or "") == segment for record in sample.records]
    if min(sum(inside), len(inside) - sum(inside)) < SHARED_MIN:
        why_not = _(
            "A description needs %(least)s account-days of the segment, and as many of others.",
            least=SHARED_MIN,
        )
        return SegmentDescription(sample, (), None, why_not)
    columns = {name: _column(sample, name) for name in ATTRIBUTES}
    missing = [name for name, column in columns.items() if not any(column)]
    kept = {name: column for name, column in columns.items() if any(column)}
    if not kept:
        why_not = _("Account-days have no other attribute.")
        return SegmentDescription(sample, missing, None, why_not)
    table = table_of({_OF: [_INSIDE if is_in else "outside" for is_in in inside], **kept})
    question = Question([f"{_OF}={_INSIDE}"], values_max=VALUES_MAX, tuples_max=TOLD_MAX)
    return SegmentDescription(sample, missing, describe(table.as_words(kept), question), "")


def removed_attributes(description: Description | None) -> list[str]:
    """Return a sentence for each attribute that is not in a description's combinations."""
    relevances = [] if description is None else description.attributes
    return [_why_removed(relevance) for relevance in relevances if relevance.removed]


def _why_removed(relevance: ColumnRelevance) -> str:
    attribute = word(ATTRIBUTE_WORDS, relevance.attribute)
    if relevance.values == 1:
        return _(
            "%(attribute)s is left out of the combinations: all account-days have the same.",
            attribute=attribute,
        )
    if relevance.values > VALUES_MAX:
        return _(
            "%(attribute)s is left out of the combinations: it has %(number)s values,"
            " more than %(most)s.",
            attribute=attribute,
            number=grouped(relevance.values),
            most=VALUES_MAX,
        )
    return _(
        "%(attribute)s is left out of the combinations: with it there are more than %(most)s.",
        attribute=attribute,
        most=TOLD_MAX,
    )


def _column(sample: AccountSample, name: str) -> list[str | None]:
    values = [record.get(name) for record in sample.records]
    return [value if isinstance(value, str) and value.strip() else None for value in values]


def groups(request: Request) -> Response:
    """Show the segments, those with most accounts first."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        span = latest_span(connection)
        rows = [] if span is None else segment_sums(connection, span)
    shown = {
        "title": _("Groups"),
        "span": span,
        "rows": rows,
        "named": named,
        "shown_name": shown_name,
        "share_of": share_of,
        "shared_min": SHARED_MIN,
        "before_days": BEFORE,
    }
    return page(request, "groups.html", shown)


def share_of(part: int, whole: int) -> str:
    """Return a share as per cent with two decimals, rounded half up; "-" of too few.

    >>> share_of(1, 3), share_of(1, 30), share_of(1, 9)
    ('-', '3.33 %', '-')
    """
    if whole < SHARED_MIN:
        return "-"
    hundredths = (20_000 * part + whole) // (2 * whole)
    return per_cent(f"{hundredths // 100}.{hundredths % 100:02d}")


def group_list(request: Request) -> Response:
    """Answer with the segments, those with most accounts first."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        span = latest_span(connection)
        rows = [] if span is None else segment_sums(connection, span)
    items = [_sums_fields(row) for row in rows]
    return as_json({"span": span and span._asdict(), "items": items, "next": None})


def _sums_fields(row: SegmentSums) -> dict[str, Any]:
    return {**row._asdict(), "segment": named(row.segment)}


def group(request: Request) -> Response:
    """Show a segment: its days, its limits now and before, its verdicts, and what marks it."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        found = group_figures(connection, request.path_params["segment"])
    now = now_of(request)
    shown = {
        "title": _("Group %(name)s", name=shown_name(found.segment)),
        "span": found.span,
        "days": found.figures.days,
        "limits": [
            limit_fields(limit, found.thresholds.get(limit.threshold_id))
            for limit in found.figures.limits
        ],
        "left_out": found.figures.left_out,
        "sums": _compared(found),
        "told_max": TOLD_MAX,
        "verdicts": [
            {"row": row, "record": json.loads(row.record), "state": state_of(row, now).value}
            for row in found.verdicts
        ],
        "described": found.described,
        "missing": [word(_MISSING, name) for name in found.described.missing],
        "removed": removed_attributes(found.described.description),
        "no_value": _NO_VALUE,
        "share_of": share_of,
        "shared_min": SHARED_MIN,
        "quantiles": QUANTILES,
        "before_days": BEFORE,
    }
    return page(request, "group.html", shown)


def _compared(found: GroupFigures) -> list[tuple[str, int, int]]:
    """Return account-days and breaches of the segment and of all others, in the week and before."""
    own = [row for row in found.sums if row.segment == found.segment]
    others = [row for row in found.sums if row.segment != found.segment]
    return [
        (
            title,
            sum(getattr(row, f"account_days{when}") for row in rows),
            sum(getattr(row, f"breaches{when}") for row in rows),
        )
        for title, rows, when in (
            (_("this one, this week"), own, ""),
            (_("all others, this week"), others, ""),
            (_("this one, before"), own, "_before"),
            (_("all others, before"), others, "_before"),
        )
    ]


def group_object(request: Request) -> Response:
    """Answer with what is known of a segment."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        found = group_figures(connection, request.path_params["segment"])
    fields = {
        "segment": named(found.segment),
        "span": found.span._asdict(),
        "days": [day._asdict() for day in found.figures.days],
        "limits": [
            limit_fields(limit, found.thresholds.get(limit.threshold_id))
            for limit in found.figures.limits
        ],
        "left_out": found.figures.left_out,
        "incidents": [row.alert_id for row in found.verdicts],
        "description": _description_fields(found.described),
    }
    return as_json(fields)


def limit_fields(limit: LimitDrift, threshold: Threshold | None) -> dict[str, Any]:
    """Return a limit in the week and before as the API writes it: money as text.

    Without its threshold, values are minor units or transactions, as the topic has them.
    """

    def told(value: int | None) -> str | None:
        if value is None:
            return None
        return str(value if threshold is None else written(threshold, value))

    def span_fields(span: LimitSpan | None) -> dict[str, Any] | None:
        if span is None or not span.measured:
            return None
        bounds = {percent: quantile(span.values, percent) for percent in QUANTILES}
        return {
            "account_days": span.measured,
            "breaches": span.breaches,
            "lowest_limit": told(span.lowest),
            "highest_limit": told(span.highest),
            "quantiles": {
                str(percent): {"from": told(least), "to": told(greatest)}
                for percent, (least, greatest) in bounds.items()
            },
        }

    apart = None
    if limit.week is not None and limit.before is not None:
        apart = distance(limit.week.values, limit.before.values)
        if min(limit.week.measured, limit.before.measured) < SHARED_MIN:
            apart = None
    return {
        "threshold_id": limit.threshold_id,
        "measures": None if threshold is None else measure_text(threshold),
        "week": span_fields(limit.week),
        "before": span_fields(limit.before),
        "distance": None
        if apart is None
        else {
            "difference": f"{float(apart.difference):.4f}",  # a share, and no money
            "at": told(apart.at),
            "is_higher": apart.is_higher,
        },
    }


def _description_fields(found: SegmentDescription) -> dict[str, Any]:
    description = found.description
    return {
        "business_day": None if found.sample is None else found.sample.business_day,
        "account_days": 0 if found.sample is None else len(found.sample.records),
        "is_all": found.sample is None or found.sample.is_all,
        "missing": list(found.missing),
        "why_not": found.why_not or None,
        "marks": []
        if description is None
        else [
            {
                "attribute": mark.attribute,
                "value": mark.value,
                "account_days": mark.rows,
                "share": round(mark.t_weight, 6),
                "share_elsewhere": round(mark.share_elsewhere, 6),
            }
            for mark in description.marks[:TOLD_MAX]
        ],
        "tuples": []
        if description is None
        else [
            {
                "values": dict(counted.values),
                "account_days": counted.target.rows,
                "t_weight": round(counted.target.t_weight, 6),
                "d_weight": round(counted.target.d_weight, 6),
            }
            for counted in description.tuples
            if counted.target.rows
        ],
    }
