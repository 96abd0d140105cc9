"""The working paper for a suspicion report: one page that is printed, and the same as JSON."""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.decisions import state_of
from monitor.console.language.catalogue import N_, Said, quoting
from monitor.console.language.catalogue import gettext as _
from monitor.console.limits import in_force
from monitor.console.paper import (
    PaperAlert,
    alert_fields,
    amounts_of,
    chronology,
    days_about,
    decisions,
    transaction_fields,
)
from monitor.console.replies import AnswerError, as_json, now_of, page, store_of
from monitor.console.transactions import FoundTransactions, NotReachableError, Transactions
from monitor.console.views.account import entry_of, read, subject_of
from monitor.console.views.alert import found_row
from monitor.core.business_day import Calendar
from monitor.store.queries import actions_of, alerts_of_account, days_of_account, revisions_of

CHOSEN_MAX: Final = 25
"""Alerts of a paper: each is a read of the topic."""

DAYS_MAX: Final = 3660
"""Closed account-days of an account that are looked through."""


class _Asked(NamedTuple):
    alerts: Sequence[PaperAlert]
    fields: dict[str, Any]
    calendar: Calendar


async def paper(request: Request) -> Response:
    """Show the working paper of an account and chosen alerts, and keep that it was read."""
    asked = await run_in_threadpool(_asked_for, request)
    fields = {**asked.fields, **await _transactions(request, asked)}
    shown = {
        "title": _("Working paper: %(account)s", account=fields["subject"]["account_id"]),
        "paper": fields,
        "why_not": _why_not(fields["transactions_why_not"]),
        "entries": [
            entry_of(action)
            for action in sorted(
                (action for alert in asked.alerts for action in alert.actions),
                key=lambda action: (action.at, action.action_id),
            )
        ],
    }
    return await run_in_threadpool(page, request, "paper.html", shown)


def _why_not(why: str | None) -> str:
    """Return a sentence that says why no transactions are there; empty if they are."""
    if why is None:
        return ""
    if isinstance(why, Said):
        return _("The transactions are not on this paper: %(why)s.", why=why)
    return quoting(N_("The transactions are not on this paper: %(english)s."), why)


async def paper_object(request: Request) -> Response:
    """Answer with the working paper of an account and chosen alerts."""
    asked = await run_in_threadpool(_asked_for, request)
    return as_json({**asked.fields, **await _transactions(request, asked)})


def _asked_for(request: Request) -> _Asked:
    account_id, now = request.path_params["account_id"], now_of(request)
    chosen = _chosen(request)
    if "\0" in account_id:
        raise AnswerError(404, _("there is no such account"))
    with store_of(request).reading() as connection:
        rows = _rows(connection, account_id, chosen)
        alerts = [_paper_alert(connection, row, now) for row in rows]
        records = days_of_account(connection, account_id, DAYS_MAX)
        book = in_force(connection).book
    about = set(days_about(alerts, (str(record.get("business_day")) for record in records)))
    of_days = [record for record in records if str(record.get("business_day")) in about]
    amounts, left_out = amounts_of(of_days)
    named = {day for alert in alerts for day in alert.days()}
    fields = {
        "subject": subject_of(account_id, records),
        "period": {
            "from": min(named | about),
            "to": max(named | about),
            "business_days": sorted(named | about),
            "days_without_totals": sorted(named - about),
        },
        "amounts": amounts,
        "amounts_left_out": left_out,
        "alerts": [alert_fields(alert, records) for alert in alerts],
        "chronology": chronology(alerts),
        "decisions": decisions(alerts),
    }
    read(request, "paper", account_id)
    for alert in alerts:
        read(request, "alert", alert.alert_id)
    return _Asked(
        alerts, fields, Calendar(ZoneInfo("UTC")) if book is None else book.calendar.calendar()
    )


def _chosen(request: Request) -> list[str]:
    """Return the alert ids that a query names, each once; none: all of the account."""
    found: dict[str, None] = {}
    for name, value in request.query_params.multi_items():
        if name != "alert":
            raise AnswerError(400, f"a query parameter must be alert, not {name!r}")
        found[value] = None
    return list(found)


def _rows(connection: Connection, account_id: str, chosen: Sequence[str]) -> Sequence[Row[Any]]:
    if len(chosen) > CHOSEN_MAX:
        raise AnswerError(
            400,
            _(
                "a paper is of at most %(most)s alerts, not %(number)s",
                most=CHOSEN_MAX,
                number=len(chosen),
            ),
        )
    if not chosen:
        rows = alerts_of_account(connection, account_id, CHOSEN_MAX + 1)
        if not rows:
            raise AnswerError(
                404, _("account %(account)s has no alerts to write a paper of", account=account_id)
            )
        if len(rows) > CHOSEN_MAX:
            raise AnswerError(
                400,
                _(
                    "the account has more than %(most)s alerts: choose some by alert=ID",
                    most=CHOSEN_MAX,
                ),
            )
        return rows
    rows = [found_row(connection, alert_id) for alert_id in chosen]
    for row in rows:
        if row.account_id != account_id:
            raise AnswerError(
                404,
                _(
                    "alert %(alert_id)s is not of account %(account)s",
                    alert_id=row.alert_id,
                    account=account_id,
                ),
            )
    return sorted(rows, key=lambda row: (row.business_day, row.alert_id), reverse=True)


def _paper_alert(connection: Connection, row: Row[Any], now: int) -> PaperAlert:
    told = [
        (revision.told_at, json.loads(revision.record))
        for revision in revisions_of(connection, row.alert_id)
    ]
    return PaperAlert(
        row.alert_id,
        row.kind,
        row.business_day,
        state_of(row, now).value,
        row.disposition,
        told or [(row.told_at, json.loads(row.record))],
        actions_of(connection, row.alert_id),
    )


async def _transactions(request: Request, asked: _Asked) -> dict[str, Any]:
    """Return the paper's transactions; if the topic cannot be read, none and why."""
    places: dict[tuple[int, int], None] = {}
    without_place = 0
    for alert in asked.alerts:
        partition, offset = alert.record.get("partition"), alert.record.get("offset")
        if type(partition) is int and type(offset) is int:
            places[partition, offset] = None
        else:
            without_place += 1
    source: Transactions | None = request.app.state.transactions
    found: dict[int, list[FoundTransactions]] = {}
    why_not: str | None = None
    account_id = asked.fields["subject"]["account_id"]
    if source is None:
        places, why_not = {}, _("this console has no broker to read transactions from")
    else:
        try:
            for partition, offset in places:
                part = await source.of_account(account_id, partition, offset)
                found.setdefault(partition, []).append(part)
        except NotReachableError as error:
            found, why_not = {}, str(error)
    return {
        **await run_in_threadpool(transaction_fields, asked.alerts, found, asked.calendar),
        "alerts_without_place": without_place,
        "transactions_why_not": why_not,
    }
