"""Cubes: alerts or accounts counted by what they are and whose, turned by names of columns."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import duckdb
import msgspec
import pyarrow as pa
from sqlalchemy import Connection, select

from monitor.core.alert import Kind, Status
from monitor.core.business_day import day_of_text, day_text
from monitor.review.reading import Reading
from monitor.store.days import closed_day, open_days
from monitor.store.schema import alerts

NOT_SAID: Final = "(not said)"
LISTED_MAX: Final = 200
SILENT_DEFAULT: Final = 5
SILENT_MAX: Final = 60
LOOK_BACK_DAYS: Final = 90
"""Of accounts that fell silent, if no first day is asked for: calendar days, to the last one."""

DIMENSIONS: Final[Mapping[str, Sequence[str]]] = {
    "breaches": ("segment", "branch", "product", "weekday", "severity", "kind", "limit", "day"),
    "needs": ("segment", "branch", "product", "weekday", "severity", "day"),
    "silent": ("segment", "branch", "product", "peer_group", "weekday", "day"),
}
"""The themes, and what each can be turned by."""


class CubeQuestion(NamedTuple):
    """A theme, what stands down and across, days (texts, None: all), and values that must hold.

    `silent` is for how many closed business days, the last ones, an account has no day.
    """

    theme: str
    rows: str
    columns: str
    first: str | None
    last: str | None
    filters: Mapping[str, str]
    silent: int = SILENT_DEFAULT


class Cube(NamedTuple):
    """How many each row has in each column, and what they are, as many as are shown.

    Of an alert that is its alert_id, account and day, of an account "", itself and its last day.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    counts: Mapping[tuple[str, str], int]
    listed: Sequence[tuple[str, str, str]]

    def of_row(self, row: str) -> int:
        """Return the total of a row."""
        return sum(self.counts.get((row, column), 0) for column in self.columns)

    def of_column(self, column: str) -> int:
        """Return the total of a column."""
        return sum(self.counts.get((row, column), 0) for row in self.rows)

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())


_ALERTS: Final = pa.schema(
    [
        (name, pa.string())
        for name in (
            "alert_id",
            "account_id",
            "business_day",
            "segment",
            "kind",
            "severity",
            "threshold_id",
        )
    ]
)


def cube_of(connection: Connection, question: CubeQuestion) -> Cube:
    """Return the cube of a theme. Withdrawn alerts are not in it.

    An account fell silent if it has an account-day, and none on the last closed business days: days
    on which any account did something. It is counted as its last day has it.

    Branch and product are those of the account-day of the alert; where none is stored, they are
    not said. Raises StoreError if a file of a sealed day is not there.
    """
    names = DIMENSIONS[question.theme]
    assert {question.rows, question.columns, *question.filters} <= {*names}, "its dimensions"
    held = [f'"{name}" = $v{place}' for place, name in enumerate(question.filters)]
    values = {f"v{place}": value for place, value in enumerate(question.filters.values())}
    where = " WHERE " + " AND ".join(held) if held else ""
    joined = _silent if question.theme == "silent" else _alerts_with_days
    with joined(connection, question) as database:
        counts = database.execute(
            f'SELECT "{question.rows}", "{question.columns}", count(*) FROM joined{where}'  # noqa: S608
            " GROUP BY ALL",
            values,
        ).fetchall()
        chosen = database.execute(
            f"SELECT alert_id, account_id, business_day FROM joined{where}"  # noqa: S608
            f" ORDER BY business_day DESC, account_id, alert_id LIMIT {LISTED_MAX}",
            values,
        ).fetchall()
    return Cube(
        sorted({row for row, _, _ in counts}),
        sorted({column for _, column, _ in counts}),
        {(row, column): number for row, column, number in counts},
        chosen,
    )


@contextmanager
def _alerts_with_days(
    connection: Connection, question: CubeQuestion
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database whose table `joined` has the alerts of a theme."""
    found = _alerts_of(connection, question)
    days = found["business_day"].to_pylist()
    first, last = (min(days), max(days)) if days else ("", "")
    with open_days(connection, first, last) as database:
        database.register("found", found)
        database.execute(_JOINED, {"not_said": NOT_SAID})
        yield database


@contextmanager
def _silent(connection: Connection, question: CubeQuestion) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database whose table `joined` has the accounts that fell silent."""
    last = question.last or closed_day(connection) or ""
    first = question.first or (last and day_text(max(day_of_text(last) - LOOK_BACK_DAYS + 1, 1)))
    with open_days(connection, first, last) as database:
        database.execute(_SILENT, {"not_said": NOT_SAID, "silent": question.silent})
        yield database


_WEEKDAY: Final = """coalesce(isodow(try_cast({day} AS DATE)) || ' '
    || dayname(try_cast({day} AS DATE)), $not_said)"""

_SILENT: Final = f"""
CREATE TEMP TABLE joined AS
WITH latest AS (
  SELECT * FROM days
  QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY business_day DESC) = 1
), closed AS (
  SELECT DISTINCT business_day FROM days ORDER BY business_day DESC LIMIT $silent
)
SELECT '' AS alert_id, account_id, business_day,
  coalesce(nullif(segment, ''), $not_said) AS segment,
  coalesce(nullif(branch, ''), $not_said) AS branch,
  coalesce(nullif(product, ''), $not_said) AS product,
  coalesce(nullif(peer_group, ''), $not_said) AS peer_group,
  {_WEEKDAY.format(day="business_day")} AS weekday, business_day AS day
FROM latest WHERE business_day < (SELECT min(business_day) FROM closed)
"""  # noqa: S608 - our own names

_JOINED: Final = f"""
CREATE TEMP TABLE joined AS SELECT
  f.alert_id, coalesce(f.account_id, '') AS account_id, f.business_day,
  coalesce(nullif(d.segment, ''), nullif(f.segment, ''), $not_said) AS segment,
  coalesce(nullif(d.branch, ''), $not_said) AS branch,
  coalesce(nullif(d.product, ''), $not_said) AS product,
  {_WEEKDAY.format(day="f.business_day")} AS weekday,
  f.severity, f.kind, coalesce(f.threshold_id, $not_said) AS "limit", f.business_day AS day
FROM found f LEFT JOIN days d
  ON d.account_id = f.account_id AND d.business_day = f.business_day
"""  # noqa: S608 - our own names


def _alerts_of(connection: Connection, question: CubeQuestion) -> pa.Table:
    kinds = [Kind.DAILY_AMOUNT.value, Kind.DAILY_COUNT.value]
    columns = [alerts.c[name] for name in _ALERTS.names]
    is_of_reviews = question.theme == "needs"
    if is_of_reviews:  # records of others are not read: there may be a million
        kinds = [Kind.REVIEW.value]
        columns.append(alerts.c.record)
    chosen = select(*columns).where(
        alerts.c.kind.in_(kinds), alerts.c.status != Status.WITHDRAWN.value
    )
    if question.first is not None:
        chosen = chosen.where(alerts.c.business_day >= question.first)
    if question.last is not None:
        chosen = chosen.where(alerts.c.business_day <= question.last)
    rows = [
        dict(zip(_ALERTS.names, row, strict=False))
        for row in connection.execute(chosen)
        if not is_of_reviews or _is_need(row.record)
    ]
    return pa.Table.from_pylist(rows, _ALERTS)


def _is_need(record: str) -> bool:
    """Return whether a review reads as a service need."""
    reading = msgspec.json.decode(record)["evidence"].get("reading")
    return bool(reading == Reading.SERVICE_NEED.value)
