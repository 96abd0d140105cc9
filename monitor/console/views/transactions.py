"""The transactions behind an alert, read from the topic when somebody asks."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from monitor.console import words
from monitor.console.filters import checked
from monitor.console.language.catalogue import gettext as _
from monitor.console.limits import in_force
from monitor.console.replies import AnswerError, as_json, page, store_of
from monitor.console.transactions import NotReachableError, Transactions, lines_of, partners_of
from monitor.console.views.account import read
from monitor.console.views.alert import found_row
from monitor.core.business_day import Calendar

PAGE: Final = 500
"""Transactions of a page."""


class _Asked(NamedTuple):
    account_id: str
    partition: int
    offset: int
    business_day: str
    calendar: Calendar
    record: dict[str, Any]


def _page_in(params: Mapping[str, str]) -> int:
    """Return the number of a page. Raises AnswerError (400) if it is no whole number from 1 on."""
    text = params.get("page") or "1"
    if not (text.isascii() and text.isdigit() and int(text[:9]) >= 1):
        raise AnswerError(400, f"page must be a whole number from 1 on, not {text[:80]!r}")
    return int(text[:9])


async def transactions(request: Request) -> Response:
    """Show an alert's transactions, and with whom they were."""
    number = _page_in(checked(request.query_params, ("page",)))
    asked = await run_in_threadpool(_asked_for, request)
    fields = await _found(request, asked)
    items = fields["items"]
    begin = min(number - 1, max(len(items) - 1, 0) // PAGE) * PAGE
    shown = {
        "title": _("Transactions of %(account)s", account=asked.account_id),
        "alert_id": request.path_params["alert_id"],
        "account_id": asked.account_id,
        "business_day": asked.business_day,
        "reading": words.word(words.KINDS, asked.record.get("kind")),
        **fields,
        "items": items[begin : begin + PAGE],
        "total": len(items),
        "begin": begin,
        "page_number": begin // PAGE + 1,
    }
    return await run_in_threadpool(page, request, "transactions.html", shown)


async def transaction_list(request: Request) -> Response:
    """Answer with an alert's transactions."""
    checked(request.query_params, ())
    asked = await run_in_threadpool(_asked_for, request)
    fields = await _found(request, asked)
    return as_json({**fields, "partners": [partner._asdict() for partner in fields["partners"]]})


def _asked_for(request: Request) -> _Asked:
    alert_id = request.path_params["alert_id"]
    with store_of(request).reading() as connection:
        row = found_row(connection, alert_id)
        book = in_force(connection).book
    record = json.loads(row.record)
    partition, offset = record.get("partition"), record.get("offset")
    if row.account_id is None or type(partition) is not int or type(offset) is not int:
        raise AnswerError(
            404, _("the alert is of no account, so that no transactions belong to it")
        )
    read(request, "transactions", alert_id)
    calendar = Calendar(ZoneInfo("UTC")) if book is None else book.calendar.calendar()
    return _Asked(row.account_id, partition, offset, row.business_day, calendar, record)


async def _found(request: Request, asked: _Asked) -> dict[str, Any]:
    source: Transactions | None = request.app.state.transactions
    if source is None:
        raise AnswerError(503, _("this console has no broker to read transactions from"))
    try:
        found = await source.of_account(asked.account_id, asked.partition, asked.offset)
    except NotReachableError as error:
        raise AnswerError(503, str(error)) from error
    return {
        "items": lines_of(found.transactions, asked.calendar, asked.business_day, asked.offset),
        "partners": partners_of(found.transactions),
        "partition": asked.partition,
        "first_offset": found.first,
        "last_offset": found.last,
    }
