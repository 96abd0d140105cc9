"""Explore: alerts, accounts and money of the archive as cubes: turned, filtered and drilled."""

import csv
import io
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from monitor.console.exports import safe_cell
from monitor.console.filters import checked
from monitor.console.language.catalogue import N_, ngettext
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.formats import day, grouped
from monitor.console.replies import AnswerError, as_json, page, store_of
from monitor.console.words import ATTRIBUTES, KINDS, SEVERITIES, amount, word
from monitor.core.business_day import is_day_text
from monitor.core.money import EXPONENT
from monitor.store.cubes import (
    DIMENSIONS,
    LOOK_BACK_DAYS,
    NO_ALERT,
    NOT_NAMED,
    NOT_SAID,
    ONE_PAYMENT,
    SEVERAL,
    SEVERAL_PAYMENTS,
    SILENT_DEFAULT,
    SILENT_MAX,
    Cube,
    CubeQuestion,
    Listed,
    cube_of,
)

ABOUT: Final = {
    "breaches": N_("Breaches of limits"),
    "needs": N_("Service needs"),
    "silent": N_("Accounts that fell silent"),
    "leaves": N_("Money that leaves"),
}
NAMES: Final = {
    **ATTRIBUTES,
    "weekday": N_("Weekday"),
    "severity": N_("Severity"),
    "kind": N_("Kind"),
    "limit": N_("Limit"),
    "day": N_("Business day"),
    "institution": N_("Institution"),
    "known": N_("What is known"),
}
"""The words for what a table is turned by."""

WEEKDAYS: Final = {
    "1 Monday": N_("Monday"),
    "2 Tuesday": N_("Tuesday"),
    "3 Wednesday": N_("Wednesday"),
    "4 Thursday": N_("Thursday"),
    "5 Friday": N_("Friday"),
    "6 Saturday": N_("Saturday"),
    "7 Sunday": N_("Sunday"),
}
FIGURES: Final = {
    "breaches": N_("Value"),
    "needs": N_("Days that count"),
    "silent": N_("Closed business days since"),
    "leaves": N_("Amount"),
}
"""The words for the figure of an alert, an account or an account-day behind a cube."""

KNOWN: Final = {
    ONE_PAYMENT: N_("all went to it, in one payment"),
    SEVERAL_PAYMENTS: N_("one of several payments went to it"),
    NOT_NAMED: N_("the payment over the limit names none"),
    NO_ALERT: N_("no alert of a daily amount"),
}
"""What is known of where the money of account-days went: most first."""

_VALUES: Final = {"weekday": WEEKDAYS, "severity": SEVERITIES, "kind": KINDS, "known": KNOWN}
CELLS_MAX: Final = 20_000
SAID_MAX: Final = 40
"""Characters of a text of others that a refusal repeats."""

_PARAMS: Final = ("rows", "columns", "first", "last", "silent", "currency")
_ALL: Final = tuple(sorted({name for names in DIMENSIONS.values() for name in names}))


def _question(theme: str, params: dict[str, str]) -> CubeQuestion:
    names = DIMENSIONS.get(theme)
    if names is None:
        known = ", ".join(DIMENSIONS)
        raise AnswerError(
            404,
            _(
                "a theme must be one of %(known)s, not %(theme)s",
                known=known,
                theme=repr(theme[:SAID_MAX]),
            ),
        )
    down, across = params.get("rows") or names[0], params.get("columns") or names[1]
    for name in (down, across, *(key for key in params if key not in _PARAMS)):
        if name not in names:
            raise AnswerError(
                400,
                _(
                    "%(theme)s has %(names)s, and no %(name)s",
                    theme=theme,
                    names=", ".join(names),
                    name=repr(name[:SAID_MAX]),
                ),
            )
    if down == across:
        raise AnswerError(400, _("rows and columns must differ, and both are %(name)s", name=down))
    for name in ("first", "last"):
        if params.get(name):
            _ensure_day(name, params[name])
    filters = {name: value for name, value in params.items() if name in names and value}
    first, last = params.get("first") or None, params.get("last") or None
    silent = _silent_of(theme, params.get("silent"))
    currency = _currency_of(theme, params.get("currency"))
    return CubeQuestion(theme, down, across, first, last, filters, silent, currency)


def _currency_of(theme: str, text: str | None) -> str | None:
    if not text:
        return None
    if theme != "leaves":
        raise AnswerError(400, _("currency is of the theme leaves, not of %(theme)s", theme=theme))
    if text not in EXPONENT:
        raise AnswerError(
            400, _("currency must be a code as EUR, not %(text)s", text=repr(text[:SAID_MAX]))
        )
    return text


def _silent_of(theme: str, text: str | None) -> int:
    if not text:
        return SILENT_DEFAULT
    if theme != "silent":
        raise AnswerError(400, _("silent is of the theme silent, not of %(theme)s", theme=theme))
    days = int(text) if text.isascii() and text.isdigit() and len(text) <= len("60") else 0
    if not 1 <= days <= SILENT_MAX:
        raise AnswerError(
            400,
            _(
                "silent must be 1 to %(most)s business days, not %(text)s",
                most=SILENT_MAX,
                text=repr(text[:SAID_MAX]),
            ),
        )
    return days


def _ensure_day(name: str, text: str) -> None:
    if not is_day_text(text):  # days are compared as texts
        raise AnswerError(
            400,
            _(
                "%(name)s must be a day as 2026-01-05, not %(text)s",
                name=name,
                text=repr(text[:SAID_MAX]),
            ),
        )


def _answer(request: Request, theme: str, *more: str) -> tuple[CubeQuestion, Cube, dict[str, str]]:
    params = checked(request.query_params, (*_PARAMS, *_ALL, *more))
    asked = {name: value for name, value in params.items() if name not in more}
    question = _question(theme, asked)
    with store_of(request).reading() as connection:
        cube = cube_of(connection, question)
    if len(cube.rows) * len(cube.columns) > CELLS_MAX:
        raise AnswerError(
            400,
            _(
                "the table has more than %(most)s cells: filter it, or turn it",
                most=grouped(CELLS_MAX),
            ),
        )
    return question, cube, params


def explore_object(request: Request) -> Response:
    """Answer with a theme's cube: the cells that are not empty, and exact totals."""
    question, cube, _ = _answer(request, request.path_params["theme"])
    told: dict[str, Any] = {
        "theme": question.theme,
        "rows": question.rows,
        "columns": question.columns,
    }
    money = cube.money
    cells = [
        {"row": row, "column": column, "count": number}
        | ({} if money is None else {"amount": _text_of(cube, row, column)})
        for (row, column), number in sorted(cube.counts.items())
    ]
    totals: dict[str, Any] = {
        "row_totals": {row: cube.of_row(row) for row in cube.rows},
        "column_totals": {column: cube.of_column(column) for column in cube.columns},
        "total": cube.total,
    }
    if money is not None:
        told["currency"] = money.currency
        for name in ("row_totals", "column_totals"):
            totals[name] = {key: money.text(minor) for key, minor in totals[name].items()}
        totals["total"] = money.text(cube.total)
        totals["count"] = cube.number
        totals["known"] = {how: money.text(minor) for how, minor in sorted(money.known.items())}
        totals["account_days"] = money.account_days
        totals["unread"], totals["not_closed"] = money.unread, money.not_closed
    return as_json({**told, "cells": cells, **totals})


def _text_of(cube: Cube, row: str, column: str) -> str:
    """Return the figure of a cell as data: decimal text of money, else the number."""
    figure = cube.figures.get((row, column), 0)
    return str(figure) if cube.money is None else cube.money.text(figure)


def explore(request: Request) -> Response:
    """Show a theme's cube: table, bars, and what is behind it; or send it as CSV."""
    theme = request.query_params.get("theme") or "breaches"
    question, cube, params = _answer(request, theme, "theme", "format")
    if params.get("format") == "csv":
        return _as_csv(question, cube)
    if params.get("format"):
        text = repr(params["format"][:SAID_MAX])
        raise AnswerError(400, _("format must be csv, not %(text)s", text=text))
    kept = {
        "theme": theme,
        "rows": question.rows,
        "columns": question.columns,
        "first": question.first or "",
        "last": question.last or "",
        "silent": str(question.silent) if theme == "silent" else "",
        "currency": question.currency or "",
        **question.filters,
    }

    def address(**other: str) -> str:
        query = {name: value for name, value in {**kept, **other}.items() if value}
        return f"/explore?{urlencode(query)}"

    greatest = max((cube.of_row(row) for row in cube.rows), default=0)
    shown: dict[str, Any] = {
        "title": _("Explore: %(theme)s", theme=word(ABOUT, theme)),
        "themes": ABOUT,
        "theme": theme,
        "names": DIMENSIONS[theme],
        "question": question,
        "cube": cube,
        "greatest": greatest,
        "figure": lambda number: grouped(cube.money.text(number) if cube.money else number),
        "figure_of": figure_of,
        "figure_names": FIGURES,
        "known": KNOWN,
        "currencies": sorted({*cube.money.account_days, cube.money.currency or ""} - {""})
        if cube.money
        else [],
        "dimensions": NAMES,
        "told": told,
        "look_back": LOOK_BACK_DAYS,
        "silent_max": SILENT_MAX,
        "turned": address(rows=question.columns, columns=question.rows),
        "download": address(format="csv"),
        "cell": lambda row, column: address(**{question.rows: row, question.columns: column}),
        "without": {name: address(**{name: ""}) for name in question.filters},
    }
    return page(request, "explore.html", shown)


def told(name: str, value: str) -> str:
    """Return a value of what a table is turned by, as a page has it."""
    if value == NOT_SAID:
        return _("(not said)")
    if name == "institution" and value == SEVERAL:
        return _("(several)")
    return day(value) if name == "day" else word(_VALUES.get(name, {}), value)


def figure_of(item: Listed) -> str:
    """Return what an alert, an account or an account-day behind a cube comes to, as a page has it.

    >>> figure_of(Listed("", "A1", "2026-01-05", "", "1200.50", "EUR"))
    '1,200.50 EUR'
    """
    if item.alert_id or item.currency or not item.value:
        return amount(item._asdict())
    silent = int(item.value)
    return ngettext("%(num)s day", "%(num)s days", silent, num=grouped(silent))


def _as_csv(question: CubeQuestion, cube: Cube) -> Response:
    text = io.StringIO()
    rows = csv.writer(text)
    head = f"{question.rows} by {question.columns}"
    money = cube.money
    if money is not None:
        head += f", {money.currency}"

    def written(figure: int) -> int | str:
        return figure if money is None else money.text(figure)

    rows.writerow([head, *map(safe_cell, cube.columns), "total"])
    for row in cube.rows:
        cells = [_text_of(cube, row, column) for column in cube.columns]
        rows.writerow([safe_cell(row), *cells, written(cube.of_row(row))])
    totals = (written(cube.of_column(column)) for column in cube.columns)
    rows.writerow(["total", *totals, written(cube.total)])
    headers = {
        "Content-Disposition": f'attachment; filename="weir-{question.theme}.csv"',
        "Cache-Control": "no-store",
    }
    content = text.getvalue().encode("utf-8", "replace")
    return Response(content, 200, headers, "text/csv; charset=utf-8")
