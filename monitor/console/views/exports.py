"""Alerts as files: those that a list has, of an account, or of an incident."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from monitor.console.exports import FORMATS
from monitor.console.filters import OF_EXPORT, Filter, api_wanted, checked
from monitor.console.replies import now_of, person_of, store_of
from monitor.store import audit
from monitor.store.programs.exports import flat_alerts


def export_alerts(request: Request) -> Response:
    """Send the alerts that are asked for, and keep that they were read."""
    params, now = checked(request.query_params, OF_EXPORT), now_of(request)
    name = params.get("format") or "csv"
    wanted = api_wanted(params, now)._replace(is_back=params.get("is_back") == "true")
    with store_of(request).begin() as connection:
        audit.append(
            connection,
            at=now,
            actor=person_of(request).name,
            action="export",
            subject=f"alerts as {name}",
            after={key: value for key, value in params.items() if value},
        )
    rows = flat_alerts(store_of(request), wanted)
    headers = {
        "Content-Disposition": f'attachment; filename="alerts.{name}"',
        "Cache-Control": "no-store",
    }
    chosen = FORMATS[name]
    return StreamingResponse(chosen.write(rows), headers=headers, media_type=chosen.media_type)


def addresses(**params: str) -> dict[str, str]:
    """Return the address of an export in each format."""
    return {
        name: f"/api/v1/exports/alerts?{urlencode({'format': name, **params})}" for name in FORMATS
    }


def addresses_of(chosen: Filter, person: str) -> dict[str, str]:
    """Return the addresses of what a tab of the queue shows."""
    tabs = {
        "mine": {"status": "open", "assignee": person},
        "back": {"status": "open", "is_back": "true"},
        "all": {},
    }
    return addresses(**{**chosen.values, **tabs.get(chosen.tab, {"status": chosen.tab})})
