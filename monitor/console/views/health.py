"""The health of the store: that it answers, and how far it is."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from monitor.console import words
from monitor.console.filters import checked
from monitor.console.language.catalogue import gettext as _
from monitor.console.limits import SetAlone, in_force, set_alone
from monitor.console.replies import now_of, page, store_of
from monitor.core.business_day import MICROSECONDS, event_time_text
from monitor.store.figures.completeness import CompletenessReport, completeness
from monitor.store.figures.segments import closed_days
from monitor.store.programs.webhooks import delivery_counts
from monitor.store.queries import Health, health
from monitor.store.store import STORE_SAYS

STALE_SECONDS: Final = 3600
"""Without any report for so long, the page says that the stream may stand still."""


def healthz(request: Request) -> Response:
    """Answer "ok" if the store does."""
    if not store_of(request).answers():
        return PlainTextResponse("the store does not answer", 503)
    return PlainTextResponse("ok")


def livez(request: Request) -> Response:
    """Answer "ok": the process is there."""
    del request
    return PlainTextResponse("ok")


def readyz(request: Request) -> Response:
    """Answer why the console is ready or not, as JSON.

    Whoever asks here has not logged in: what waits for a broker, and which, is for the port of the
    metrics to say.
    """
    is_ready = store_of(request).answers()
    body = {
        "ready": is_ready,
        "reasons": {"store": {"ok": is_ready, "says": STORE_SAYS[is_ready]}},
        "notes": {},
    }
    return JSONResponse(body, 200 if is_ready else 503, {"Cache-Control": "no-store"})


def health_page(request: Request) -> Response:
    """Show positions, rejections, unsent decisions, and when the latest alert was reported."""
    checked(request.query_params, ())
    now = now_of(request)
    with store_of(request).reading() as connection:
        found, days = health(connection), closed_days(connection)
        hooks, counted = delivery_counts(connection), completeness(connection)
        alone = policy_alone(connection)
    silence = 0 if found.latest is None else (now - found.latest) // MICROSECONDS
    shown = {
        "title": _("Health"),
        "health": found,
        "days": days,
        "counted": counted,
        "partitions": sorted({number for day in days for number in day.partitions}),
        "webhooks": hooks,
        "alone": alone,
        "samples": samples_of(found),
        "latest": "" if found.latest is None else words.ago(found.latest, now),
        "is_stale": silence > STALE_SECONDS,
    }
    return page(request, "health.html", shown)


def policy_alone(connection: Connection) -> SetAlone | None:
    """Return the policy version that is in force last, if no second person approved it here."""
    policies = in_force(connection)
    alone = set_alone(connection, policies)
    is_last = alone and policies.book and alone[0].version == policies.last.version
    return alone[0] if is_last else None


def samples_of(found: Health) -> list[Mapping[str, Any]]:
    """Return rejected records as a page shows them."""
    samples: list[Mapping[str, Any]] = []
    for row in found.samples:
        record = json.loads(row.record)
        samples.append(
            {
                "told_at": row.told_at,
                "reason": row.reason,
                "place": f"{row.topic} {row.partition}:{row.offset}",
                "detail": str(record.get("detail") or ""),
                "record": str(record.get("record") or "")[: words.LONG],
            }
        )
    return samples


def health_fields(connection: Connection) -> dict[str, Any]:
    """Return the same for a program."""
    found, alone = health(connection), policy_alone(connection)
    return {
        "positions": [
            {"topic": row.topic, "partition": row.partition, "next_offset": row.next_offset}
            for row in found.positions
        ],
        "rejected": [
            {"hour": event_time_text(row.hour), "reason": row.reason, "rejected": row.rejected}
            for row in found.rejected
        ],
        "closed_days": [day._asdict() for day in closed_days(connection)],
        "completeness": completeness_fields(completeness(connection)),
        "unsent": found.unsent,
        "lost_days": list(found.lost_days),
        "webhooks": delivery_counts(connection)._asdict(),
        "policy_set_alone": None
        if alone is None
        else {"version": alone.version, "at": event_time_text(alone.at)},
        "latest": None if found.latest is None else event_time_text(found.latest),
    }


def completeness_fields(report: CompletenessReport) -> dict[str, Any]:
    """Return what partitions counted for a program, as the topic says it."""
    times = ("written_from", "written_to", "decided_from", "decided_to")
    return {
        "hours": [
            {**hour._asdict(), "hour": event_time_text(hour.hour), "unaccounted": hour.unaccounted}
            for hour in report.hours
        ],
        "not_counted": [gap._asdict() for gap in report.gaps],
        "not_monitored": [
            {
                **{name: getattr(row, name) for name in ("partition", "offset", "next_offset")},
                "records": row.records,
                "accounts": row.accounts,
                **{name: event_time_text(getattr(row, name)) for name in times},
            }
            for row in report.not_monitored
        ],
    }
