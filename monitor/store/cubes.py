"""Cubes: alerts or accounts counted, or money summed up, turned by names of columns."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import duckdb
import msgspec
import pyarrow as pa
from sqlalchemy import Connection, select

from monitor.core.alert import Kind, Status
from monitor.core.business_day import day_of_text, day_text
from monitor.core.money import EXPONENT, amount_text, minor_units
from monitor.core.transaction import DEBIT
from monitor.review.reading import Reading
from monitor.store.days import READ_AT_A_TIME, closed_day, open_days
from monitor.store.schema import alerts

NOT_SAID: Final = "(not said)"
SEVERAL: Final = "(several)"
"""Instead of an institution: the alerts of an account-day name more than one."""

ONE_PAYMENT: Final = "one-payment"
SEVERAL_PAYMENTS: Final = "several-payments"
NOT_NAMED: Final = "not-named"
NO_ALERT: Final = "no-alert"
"""What is known of where an account-day's money went: see `_leaving`."""

LISTED_MAX: Final = 200
SILENT_DEFAULT: Final = 5
SILENT_MAX: Final = 60
LOOK_BACK_DAYS: Final = 90
"""Of account-days, if no first day is asked for: calendar days, to the last one."""

DIMENSIONS: Final[Mapping[str, Sequence[str]]] = {
    "breaches": ("segment", "branch", "product", "weekday", "severity", "kind", "limit", "day"),
    "needs": ("segment", "branch", "product", "weekday", "severity", "day"),
    "silent": ("segment", "branch", "product", "peer_group", "weekday", "day"),
    "leaves": (
        "institution",
        "known",
        "segment",
        "branch",
        "product",
        "peer_group",
        "weekday",
        "day",
    ),
}
"""The themes, and what each can be turned by."""


class CubeQuestion(NamedTuple):
    """A theme, what stands down and across, days (texts, None: all), and values that must hold.

    `silent` is for how many closed business days, the last ones, an account has no day. `currency`
    is that of money; None: the one of most account-days.
    """

    theme: str
    rows: str
    columns: str
    first: str | None
    last: str | None
    filters: Mapping[str, str]
    silent: int = SILENT_DEFAULT
    currency: str | None = None


class Listed(NamedTuple):
    """An alert behind a cube; or an account-day, whose `alert_id` is empty.

    `value` is decimal text of the `currency`, or a number: of what the alert's kind counts, or of
    closed business days without the account.
    """

    alert_id: str
    account_id: str
    business_day: str
    kind: str
    value: str
    currency: str | None


class Money(NamedTuple):
    """What a cube of money is of, and how much of it is known.

    `known` has what the cube holds by what is known of it. Of all that was looked at, whatever the
    filters are: `account_days` counts those with money out by currency, `unread` those whose totals
    cannot be read, and `not_closed` those that are not closed and have an alert of this currency.
    `currency` is None if none was asked for, and no account-day has money out.
    """

    currency: str | None
    known: Mapping[str, int]
    account_days: Mapping[str, int]
    unread: int
    not_closed: int

    def text(self, minor: int) -> str:
        """Return minor units as decimal text."""
        return amount_text(minor, 0 if self.currency is None else EXPONENT[self.currency])


class Cube(NamedTuple):
    """How many alerts or accounts each row has in each column, and what they are.

    As many as are shown are `listed`. A cube of money counts account-days, and has the minor units
    of its cells in `amounts`.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    counts: Mapping[tuple[str, str], int]
    listed: Sequence[Listed]
    amounts: Mapping[tuple[str, str], int] | None = None
    money: Money | None = None

    @property
    def figures(self) -> Mapping[tuple[str, str], int]:
        """The figures of the cells: minor units of money, else the counts."""
        return self.counts if self.amounts is None else self.amounts

    def of_row(self, row: str) -> int:
        """Return the total of a row's figures."""
        return sum(self.figures.get((row, column), 0) for column in self.columns)

    def of_column(self, column: str) -> int:
        """Return the total of a column's figures."""
        return sum(self.figures.get((row, column), 0) for row in self.rows)

    @property
    def total(self) -> int:
        """The total of all figures."""
        return sum(self.figures.values())

    @property
    def number(self) -> int:
        """How many alerts, accounts or account-days there are."""
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
            "value",
            "currency",
        )
    ]
)


def cube_of(connection: Connection, question: CubeQuestion) -> Cube:
    """Return the cube of a theme. Withdrawn alerts are not in it.

    An account fell silent if it has an account-day, and none on the last closed business days: days
    on which any account did something. It is counted as its last day has it.

    Money that leaves is the debits of closed account-days, in one currency. To which institution it
    went is told by the alert of a daily amount: it names that of the payment which took the
    account-day over the limit, and of no other payment.

    Branch and product are those of the account-day of the alert; where none is stored, they are
    not said. Raises StoreError if a file of a sealed day is not there.
    """
    names = DIMENSIONS[question.theme]
    assert {question.rows, question.columns, *question.filters} <= {*names}, "its dimensions"
    held = [f'"{name}" = $v{place}' for place, name in enumerate(question.filters)]
    values = {f"v{place}": value for place, value in enumerate(question.filters.values())}
    where = " WHERE " + " AND ".join(held) if held else ""
    if question.theme == "leaves":
        return _money_cube(connection, question, where, values)
    joined = _silent if question.theme == "silent" else _alerts_with_days
    with joined(connection, question) as database:
        return _turned(database, question, where, values)


def _turned(
    database: duckdb.DuckDBPyConnection,
    question: CubeQuestion,
    where: str,
    values: Mapping[str, str],
) -> Cube:
    """Return the cube of what stands in the table `joined`, under filters."""
    counts = database.execute(
        f'SELECT "{question.rows}", "{question.columns}", count(*) FROM joined{where}'  # noqa: S608
        " GROUP BY ALL",
        values,
    ).fetchall()
    chosen = database.execute(
        f"SELECT {', '.join(Listed._fields)} FROM joined{where}"  # noqa: S608
        f" ORDER BY business_day DESC, account_id, alert_id LIMIT {LISTED_MAX}",
        values,
    ).fetchall()
    return Cube(
        sorted({row for row, _, _ in counts}),
        sorted({column for _, column, _ in counts}),
        {(row, column): number for row, column, number in counts},
        [Listed(*its) for its in chosen],
    )


def _money_cube(
    connection: Connection, question: CubeQuestion, where: str, values: Mapping[str, str]
) -> Cube:
    first, last = _looked_at(connection, question)
    with open_days(connection, first, last) as database:
        database.execute(_PAID)
        found = database.execute(
            "SELECT currency, count(*) FROM paid GROUP BY ALL ORDER BY count(*) DESC, currency"
        ).fetchall()
        account_days = dict(found)
        currency = question.currency or next(iter(account_days), None)
        tipped = _tipped(connection, currency, first, last)
        database.register("tipped", tipped)
        asked = {"currency": currency, "not_said": NOT_SAID, "several": SEVERAL}
        database.execute(_LEAVING, asked)
        cube = _turned(database, question, where, values)
        amounts = database.execute(
            f'SELECT "{question.rows}", "{question.columns}", known, sum(minor)::HUGEINT'  # noqa: S608
            f" FROM joined{where} GROUP BY ALL",
            values,
        ).fetchall()
        (unread,) = database.sql("SELECT count(*) FROM days WHERE totals IS NULL").fetchall()[0]
        (not_closed,) = database.sql(
            "SELECT count(*) FROM (SELECT DISTINCT account_id, business_day FROM tipped)"
            " ANTI JOIN days USING (account_id, business_day)"
        ).fetchall()[0]
    its: Counter[tuple[str, str]] = Counter()
    known: Counter[str] = Counter()
    for row, column, how, minor in amounts:
        its[row, column] += minor
        known[how] += minor
    money = Money(currency, known, account_days, unread, not_closed)
    listed = [item._replace(value=money.text(int(item.value))) for item in cube.listed]
    return cube._replace(amounts=its, money=money, listed=listed)


def _looked_at(connection: Connection, question: CubeQuestion) -> tuple[str, str]:
    """Return the first and last day of a question about account-days; both may be empty."""
    last = question.last or closed_day(connection) or ""
    first = question.first or (last and day_text(max(day_of_text(last) - LOOK_BACK_DAYS + 1, 1)))
    return first, last


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
    first, last = _looked_at(connection, question)
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
), every AS MATERIALIZED (
  SELECT business_day, row_number() OVER (ORDER BY business_day DESC) - 1 AS later
  FROM (SELECT DISTINCT business_day FROM days)
)
SELECT '' AS alert_id, account_id, business_day,
  coalesce(nullif(segment, ''), $not_said) AS segment,
  coalesce(nullif(branch, ''), $not_said) AS branch,
  coalesce(nullif(product, ''), $not_said) AS product,
  coalesce(nullif(peer_group, ''), $not_said) AS peer_group,
  {_WEEKDAY.format(day="business_day")} AS weekday, business_day AS day,
  '' AS kind, NULL AS currency, later::VARCHAR AS value
FROM latest JOIN every USING (business_day)
WHERE later >= $silent
"""  # noqa: S608 - our own names

_JOINED: Final = f"""
CREATE TEMP TABLE joined AS SELECT
  f.alert_id, coalesce(f.account_id, '') AS account_id, f.business_day,
  coalesce(nullif(d.segment, ''), nullif(f.segment, ''), $not_said) AS segment,
  coalesce(nullif(d.branch, ''), $not_said) AS branch,
  coalesce(nullif(d.product, ''), $not_said) AS product,
  {_WEEKDAY.format(day="f.business_day")} AS weekday,
  f.severity, f.kind, coalesce(f.threshold_id, $not_said) AS "limit", f.business_day AS day,
  coalesce(f.value, '') AS value, f.currency
FROM found f LEFT JOIN days d
  ON d.account_id = f.account_id AND d.business_day = f.business_day
"""  # noqa: S608 - our own names

_PAID: Final = """
CREATE TEMP TABLE paid AS SELECT * FROM (
  SELECT account_id, business_day, segment, branch, product, peer_group,
    unnest(totals, recursive := true) FROM days
) WHERE debit_count > 0
"""

_LEAVING: Final = f"""
CREATE TEMP TABLE joined AS
WITH named AS (
  SELECT account_id, business_day, count(DISTINCT institution) AS institutions,
    min(institution) AS institution, min(payment) AS least, max(payment) AS most,
    count(payment) = count(*) AS is_alone
  FROM tipped GROUP BY ALL
)
SELECT '' AS alert_id, p.account_id, p.business_day, '' AS kind, p.currency,
  p.debit_amount::VARCHAR AS value, p.debit_amount AS minor,
  CASE WHEN n.institutions > 1 THEN $several ELSE coalesce(n.institution, $not_said) END
    AS institution,
  CASE WHEN n.account_id IS NULL THEN '{NO_ALERT}' WHEN n.institutions = 0 THEN '{NOT_NAMED}'
    WHEN n.institutions = 1 AND n.is_alone AND p.debit_count = 1 AND n.least = n.most
      AND n.least = p.debit_amount THEN '{ONE_PAYMENT}'
    ELSE '{SEVERAL_PAYMENTS}' END AS known,
  coalesce(nullif(p.segment, ''), $not_said) AS segment,
  coalesce(nullif(p.branch, ''), $not_said) AS branch,
  coalesce(nullif(p.product, ''), $not_said) AS product,
  coalesce(nullif(p.peer_group, ''), $not_said) AS peer_group,
  {_WEEKDAY.format(day="p.business_day")} AS weekday, p.business_day AS day
FROM paid p LEFT JOIN named n USING (account_id, business_day)
WHERE p.currency = $currency
"""  # noqa: S608 - our own names
"""All of an account-day went to the institution that its alerts name if its one payment is the one
that took it over the limit; else the institution is that of one of its payments."""

_TIPPED: Final = pa.schema(
    [
        ("account_id", pa.string()),
        ("business_day", pa.string()),
        ("institution", pa.string()),
        ("payment", pa.decimal128(38, 0)),
    ]
)
"""An alert of a daily amount out: the institution that it names, and the minor units of the payment
that raised it if that was the only one by then; else null."""


class _Origin(msgspec.Struct):
    institution: str | None = None


class _Total(msgspec.Struct):
    currency: str
    debit_count: int
    debit_amount: str


class _Evidence(msgspec.Struct):
    totals: list[_Total] = []
    origin: _Origin | None = None


class _Told(msgspec.Struct):
    evidence: _Evidence
    direction: str | None = None


_told_of: Final = msgspec.json.Decoder(_Told).decode


def _tipped(connection: Connection, currency: str | None, first: str, last: str) -> pa.Table:
    """Return the standing alerts of daily amounts that went out, in a currency or in any."""
    chosen = select(
        alerts.c.account_id, alerts.c.business_day, alerts.c.status, alerts.c.record
    ).where(
        alerts.c.kind == Kind.DAILY_AMOUNT.value,
        alerts.c.status != Status.WITHDRAWN.value,
        alerts.c.business_day.between(first, last),
    )
    if currency is not None:
        chosen = chosen.where(alerts.c.currency == currency)
    found: list[tuple[str, str, str | None, int | None]] = []
    for account_id, business_day, status, record in connection.execute(
        chosen, execution_options={"yield_per": READ_AT_A_TIME}
    ):
        try:
            told = _told_of(record)
        except msgspec.ValidationError:  # an odd record names nothing
            told = _Told(_Evidence(), DEBIT)
        if told.direction != DEBIT:
            continue
        payment = None
        if currency is not None and status == Status.RAISED.value:  # restated: later totals
            for total in told.evidence.totals:
                if total.debit_count == 1 and total.currency == currency:
                    payment = minor_units(total.debit_amount, EXPONENT[currency])
        origin = told.evidence.origin
        institution = (origin.institution if origin else None) or None
        found.append((account_id, business_day, institution, payment))
    columns = zip(*found, strict=True) if found else [()] * len(_TIPPED)
    return pa.table([list(column) for column in columns], schema=_TIPPED)


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
