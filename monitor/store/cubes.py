"""Cubes: alerts counted by what they are and by whose they are, turned by the names of columns."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
from sqlalchemy import Connection, select

from monitor.core.alert import Kind, Status
from monitor.review.reading import Reading
from monitor.store.days import open_days
from monitor.store.schema import alerts

NOT_SAID: Final = "(not said)"
CELL_ALERTS_MAX: Final = 200

DIMENSIONS: Final[Mapping[str, Sequence[str]]] = {
    "breaches": ("segment", "branch", "product", "weekday", "severity", "kind", "limit", "day"),
    "needs": ("segment", "branch", "product", "weekday", "severity", "day"),
}
"""The themes, and what each can be turned by."""


class CubeQuestion(NamedTuple):
    """A theme, what stands down and across, days (texts, None: all), and values that must hold."""

    theme: str
    rows: str
    columns: str
    first: str | None
    last: str | None
    filters: Mapping[str, str]


class Cube(NamedTuple):
    """How many alerts each row has in each column, and the alerts of it, as many as are shown."""

    rows: Sequence[str]
    columns: Sequence[str]
    counts: Mapping[tuple[str, str], int]
    alerts: Sequence[tuple[str, str, str]]  # alert_id, account_id, business_day

    def of_row(self, row: str) -> int:
        """Return the total of a row."""
        return sum(self.counts.get((row, column), 0) for column in self.columns)

    def of_column(self, column: str) -> int:
        """Return the total of a column."""
        return sum(self.counts.get((row, column), 0) for row in self.rows)

    @property
    def total(self) -> int:
        """How many alerts there are."""
        return sum(self.counts.values())


_ALERTS: Final = pa.schema(
    [(name, pa.string()) for name in (
        "alert_id", "account_id", "business_day", "segment", "kind", "severity", "threshold_id",
    )]
)  # fmt: skip


def cube_of(connection: Connection, question: CubeQuestion) -> Cube:
    """Return the cube of a theme. Withdrawn alerts are not in it.

    Branch and product are those of the account-day of the alert; where none is stored, they are
    not said. Raises StoreError if a file of a sealed day is not there.
    """
    names = DIMENSIONS[question.theme]
    assert {question.rows, question.columns, *question.filters} <= {*names}, "its dimensions"
    found = _alerts_of(connection, question)
    days = found["business_day"].to_pylist()
    first, last = (min(days), max(days)) if days else ("", "")
    held = [f'"{name}" = $v{place}' for place, name in enumerate(question.filters)]
    values = {f"v{place}": value for place, value in enumerate(question.filters.values())}
    where = " WHERE " + " AND ".join(held) if held else ""
    with open_days(connection, first, last) as database:
        database.register("found", found)
        database.execute(_JOINED, {"not_said": NOT_SAID})
        counts = database.execute(
            f'SELECT "{question.rows}", "{question.columns}", count(*) FROM joined{where}'  # noqa: S608
            " GROUP BY ALL",
            values,
        ).fetchall()
        chosen = database.execute(
            f"SELECT alert_id, account_id, business_day FROM joined{where}"  # noqa: S608
            f" ORDER BY business_day DESC, account_id, alert_id LIMIT {CELL_ALERTS_MAX}",
            values,
        ).fetchall()
    return Cube(
        sorted({row for row, _, _ in counts}),
        sorted({column for _, column, _ in counts}),
        {(row, column): number for row, column, number in counts},
        chosen,
    )


_JOINED: Final = """
CREATE TEMP TABLE joined AS SELECT
  f.alert_id, coalesce(f.account_id, '') AS account_id, f.business_day,
  coalesce(d.segment, f.segment, $not_said) AS segment,
  coalesce(d.branch, $not_said) AS branch, coalesce(d.product, $not_said) AS product,
  coalesce(isodow(try_cast(f.business_day AS DATE)) || ' '
    || dayname(try_cast(f.business_day AS DATE)), $not_said) AS weekday,
  f.severity, f.kind, coalesce(f.threshold_id, $not_said) AS "limit", f.business_day AS day
FROM found f LEFT JOIN days d
  ON d.account_id = f.account_id AND d.business_day = f.business_day
"""


def _alerts_of(connection: Connection, question: CubeQuestion) -> pa.Table:
    kinds = [Kind.DAILY_AMOUNT.value, Kind.DAILY_COUNT.value]
    if question.theme == "needs":
        kinds = [Kind.REVIEW.value]
    chosen = select(*(alerts.c[name] for name in _ALERTS.names), alerts.c.record).where(
        alerts.c.kind.in_(kinds), alerts.c.status != Status.WITHDRAWN.value
    )
    if question.first is not None:
        chosen = chosen.where(alerts.c.business_day >= question.first)
    if question.last is not None:
        chosen = chosen.where(alerts.c.business_day <= question.last)
    rows = []
    for row in connection.execute(chosen):
        fields: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 - its public name
        del fields["record"]
        if question.theme == "needs":
            evidence = msgspec.json.decode(row.record)["evidence"]
            if evidence.get("reading") != Reading.SERVICE_NEED.value:
                continue
        rows.append(fields)
    return pa.Table.from_pylist(rows, _ALERTS)
