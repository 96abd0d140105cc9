"""One account: its attributes, its days as a chart and a table, its alerts, and what was done."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from monitor.console import words
from monitor.console.filters import checked
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.formats import written_minute
from monitor.console.replies import AnswerError, now_of, page, person_of, store_of
from monitor.console.views.exports import addresses
from monitor.console.views.queue import lines_of
from monitor.console.work.tasks import today_of
from monitor.core.alert import LIMIT_KINDS, Kind
from monitor.store import audit
from monitor.store.queries import (
    actions_of_account,
    alert_count,
    alerts_of_account,
    days_of_account,
)
from monitor.store.standing import Action
from monitor.store.work.tasklist import TaskFilter, tasks_of

ATTRIBUTES: Final = ("segment", "branch", "product", "peer_group")
_SERIES: Final = {"debit_amount": "out", "credit_amount": "in"}
_COUNTS: Final = ("debit_count", "credit_count")


class Days(NamedTuple):
    """Days of an account in one currency: what a chart draws, and a table of the same.

    Money is text, as the topic has it. `limit` is that of the alert, if it is of such a unit.
    """

    unit: str
    rows: Sequence[Mapping[str, Any]]
    limit: str | None
    marked: str | None

    @property
    def shown_unit(self) -> str:
        """The unit for a person."""
        return _("transactions") if self.unit == "transactions" else self.unit

    def chart(self) -> dict[str, Any]:
        """Return what the chart draws."""
        names = _COUNTS if self.unit == "transactions" else tuple(_SERIES)
        return {
            "unit": self.shown_unit,
            "days": [row["business_day"] for row in self.rows],
            "out": [row[names[0]] for row in self.rows],
            "in": [row[names[1]] for row in self.rows],
            "limit": self.limit,
            "marked": self.marked,
        }


class HistoryEntry(NamedTuple):
    """What a person did: in words, with what they gave as the reason."""

    alert_id: str
    at: int
    by: str
    did: str
    detail: str
    note: str


def entry_of(action: Action) -> HistoryEntry:
    """Return an action in words."""
    detail = action.detail
    about = [
        words.word(words.DISPOSITIONS, detail.get("disposition")),
        str(detail.get("assignee") or ""),
        written_minute(str(detail.get("until") or "")),
    ]
    if action.revision is not None:
        about.append(_("seen at revision %(revision)s", revision=action.revision))
    did = words.word(words.ACTIONS, action.does.value)
    return HistoryEntry(
        action.alert_id,
        action.at,
        action.by,
        did,
        words.joined([text for text in about if text]),
        str(detail.get("note") or ""),
    )


def read(request: Request, noun: str, name: str) -> None:
    """Keep in the audit that a page about somebody was read."""
    with store_of(request).begin() as connection:
        audit.append(
            connection,
            at=now_of(request),
            actor=person_of(request).name,
            action="read",
            subject=f"{noun} {name}"[:256],
        )


def days_of(records: Sequence[Mapping[str, Any]], alert: Mapping[str, Any] | None) -> Days | None:
    """Return days as a page shows them; None if there are none.

    They are in the currency of the alert, else in the one that most days have; as numbers of
    transactions if the alert is about these.
    """
    totals = [
        (record, total) for record in records for total in words.rows_of(record.get("totals"))
    ]
    currencies = [str(total.get("currency")) for _, total in totals]
    if not currencies:
        return None
    said = alert or {}
    currency = said.get("currency")
    if currency not in currencies:
        currency = max(sorted(set(currencies)), key=currencies.count)
    rows = [
        {
            "business_day": str(record.get("business_day")),
            "breaches": words.joined([str(name) for name in words.listed(record.get("breaches"))]),
            **{name: str(total.get(name, "")) for name in (*_SERIES, *_COUNTS)},
        }
        for record, total in totals
        if str(total.get("currency")) == currency
    ]
    limit = _limit_in(said, currency)
    is_count = said.get("kind") == Kind.DAILY_COUNT.value
    marked = said.get("business_day")
    return Days(
        "transactions" if is_count else str(currency),
        rows,
        None if limit is None else str(limit),
        None if marked is None else str(marked),
    )


def _limit_in(alert: Mapping[str, Any], currency: object) -> object:
    """Return the limit that an alert is about; of a review that of its latest day in a currency."""
    if alert.get("kind") in LIMIT_KINDS:
        return alert.get("limit")
    days = words.rows_of(words.evidence(alert).get("days"))
    limits = [day.get("limit") for day in days if day.get("currency") == currency]
    return limits[-1] if limits else None


def known_days(connection: Connection, account_id: str) -> list[Mapping[str, Any]]:
    """Return the latest closed days of an account; none, if only alerts of it are known.

    Raises AnswerError (404) if nothing is known of it.
    """
    if "\0" in account_id:
        raise AnswerError(404, _("there is no such account"))
    records = days_of_account(connection, account_id)
    if not records and not alerts_of_account(connection, account_id, 1):
        raise AnswerError(404, _("nothing is known of account %(account)s", account=account_id))
    return records


def subject_of(account_id: str, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an account with its attributes, as the latest of its closed days has them."""
    latest = records[-1] if records else {}
    return {
        "account_id": account_id,
        **{name: latest.get(name) for name in ATTRIBUTES},
        "as_of": latest.get("business_day"),
    }


def account(request: Request) -> Response:
    """Show an account, and keep that it was read. Raises AnswerError (404) if nothing is known."""
    checked(request.query_params, ())
    account_id, now = request.path_params["account_id"], now_of(request)
    with store_of(request).reading() as connection:
        records = known_days(connection, account_id)
        rows = alerts_of_account(connection, account_id)
        total = alert_count(connection, account_id)
        lines = lines_of(connection, rows, now, counts_more=False)
        tasks = tasks_of(connection, TaskFilter(account_id=account_id))
        entries = [entry_of(action) for action in actions_of_account(connection, account_id)]
    of_limit = next((row for row in rows if row.kind == Kind.DAILY_AMOUNT.value), None)
    subject = subject_of(account_id, records)
    shown = {
        "title": _("Account %(account)s", account=account_id),
        "account_id": account_id,
        "attributes": [(name, subject[name]) for name in ATTRIBUTES],
        "as_of": subject["as_of"],
        "days": days_of(records, None if of_limit is None else _limit_of(of_limit.record)),
        "lines": lines,
        "lines_total": max(total, len(lines)),
        "entries": entries,
        "tasks": tasks,
        "today": today_of(now),
        "exports": addresses(account_id=account_id),
    }
    read(request, "account", account_id)
    return page(request, "account.html", shown)


def _limit_of(record: str) -> dict[str, Any]:
    """Return an alert's limit, without the day that it is about."""
    return {**json.loads(record), "business_day": None}
