"""Explore: alerts and accounts of the archive as cubes that are turned, filtered and drilled."""

import csv
import io
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from monitor.console.exports import safe_cell
from monitor.console.filters import checked
from monitor.console.language.catalogue import N_
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.formats import day, grouped
from monitor.console.replies import AnswerError, as_json, page, store_of
from monitor.console.words import ATTRIBUTES, KINDS, SEVERITIES, word
from monitor.core.business_day import is_day_text
from monitor.store.cubes import (
    DIMENSIONS,
    LOOK_BACK_DAYS,
    NOT_SAID,
    SILENT_DEFAULT,
    SILENT_MAX,
    Cube,
    CubeQuestion,
    cube_of,
)

ABOUT: Final = {
    "breaches": N_("Breaches of limits"),
    "needs": N_("Service needs"),
    "silent": N_("Accounts that fell silent"),
}
NAMES: Final = {
    **ATTRIBUTES,
    "weekday": N_("Weekday"),
    "severity": N_("Severity"),
    "kind": N_("Kind"),
    "limit": N_("Limit"),
    "day": N_("Business day"),
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
_VALUES: Final = {"weekday": WEEKDAYS, "severity": SEVERITIES, "kind": KINDS}
CELLS_MAX: Final = 20_000
SAID_MAX: Final = 40
"""Characters of a text of others that a refusal repeats."""

_PARAMS: Final = ("rows", "columns", "first", "last", "silent")
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
    return CubeQuestion(theme, down, across, first, last, filters, silent)


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
    """Answer with a theme's cube: the counts of the cells that are not empty, and exact totals."""
    question, cube, _ = _answer(request, request.path_params["theme"])
    return as_json(
        {
            "theme": question.theme,
            "rows": question.rows,
            "columns": question.columns,
            "cells": [
                {"row": row, "column": column, "count": number}
                for (row, column), number in sorted(cube.counts.items())
            ],
            "row_totals": {row: cube.of_row(row) for row in cube.rows},
            "column_totals": {column: cube.of_column(column) for column in cube.columns},
            "total": cube.total,
        }
    )


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
    return day(value) if name == "day" else word(_VALUES.get(name, {}), value)


def _as_csv(question: CubeQuestion, cube: Cube) -> Response:
    text = io.StringIO()
    rows = csv.writer(text)
    head = f"{question.rows} by {question.columns}"
    rows.writerow([head, *map(safe_cell, cube.columns), "total"])
    for row in cube.rows:
        counts = [cube.counts.get((row, column), 0) for column in cube.columns]
        rows.writerow([safe_cell(row), *counts, cube.of_row(row)])
    rows.writerow(["total", *(cube.of_column(column) for column in cube.columns), cube.total])
    headers = {
        "Content-Disposition": f'attachment; filename="weir-{question.theme}.csv"',
        "Cache-Control": "no-store",
    }
    content = text.getvalue().encode("utf-8", "replace")
    return Response(content, 200, headers, "text/csv; charset=utf-8")
