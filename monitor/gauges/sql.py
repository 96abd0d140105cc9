"""The SQL that recounts a limit: for who wants to see that an alert is right, and for the tests.

It is DuckDB's, over a table `transactions` of what is left of each transaction after reversals:
`account_id`, `business_day` (DATE), `event_time` (BIGINT, microseconds since 1970), `direction`,
`currency`, `amount` (BIGINT, what is left in minor units), `booked` (the amount as it came),
`counterparty_id`, `counterparty_institution`, `channel`, `branch`, and `minute`, that of the day in
the policy's time zone. Transactions of which nothing is left are not in it. The rates by which a
limit on all currencies converts stand in its query.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from monitor.core.business_day import day_text
from monitor.core.threshold import Direction, Measure
from monitor.gauges.gauge import HUNDREDTHS, RATIO_MAX, WHOLE, Gauge, Party
from monitor.gauges.limit import GaugeLimit
from monitor.gauges.period import PeriodSpan
from monitor.gauges.rates import Rates, scale_of
from monitor.gauges.text import scope_text
from monitor.gauges.where import GaugeFilter

_COLUMNS: Final = {
    Party.COUNTERPARTY: "counterparty_id",
    Party.INSTITUTION: "counterparty_institution",
}

_PLACE: Final = re.compile(r"\{[a-z]+\}")

_COUNTRY: Final = (
    "CASE WHEN regexp_full_match(counterparty_institution,"
    " '[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?')"
    " THEN counterparty_institution[5:6] END"
)


def sql_of(limit: GaugeLimit, rates: Rates | None = None) -> str:
    """Return the query of all that exceeds a limit, whoever it is for, by a policy's rates.

    Its rows are `account_id`, `per` (empty where the limit has none), `moment` (the period's first
    day, or the event time at which the window ends that began an alert) and `value`. What is put
    into it are numbers, names of columns, and texts with their quotes doubled.
    """
    gauge = limit.gauge
    is_rolling, is_share = gauge.period.is_rolling, gauge.measure is Measure.SHARE
    usual, remembers = gauge.usual, gauge.silence or gauge.usual
    near = gauge.near
    query = _WINDOWS if is_rolling else "{exceeding}\n" if usual is None else _OF_USUAL
    is_converted = gauge.base is not None
    if near is not None:
        query = _OF_NEAR_DAYS if near.days else _OF_NEAR
    value, party = _value(gauge), _COLUMNS[gauge.distinct] if gauge.distinct else ""
    whole = "sum(part)" if is_share else "amount"
    shapes = {
        "{exceeding}": _OF_PARTS
        if is_share
        else _CONVERTED
        if is_converted
        else "{parts} HAVING {value} > {above}",
        "{parts}": _ENDS if is_rolling else _OF_DAYS if gauge.silence is None else _AFTER_SILENCE,
    }
    filled = {
        "{moment}": _period(gauge),
        "{measured}": f"{party} AS party, sum(amount) AS part"
        if is_share
        else "business_day, currency, sum(amount) AS amount"
        if is_converted
        else f"{value} AS value",
        "{base}": gauge.base or "",
        "{rates}": "" if rates is None or not is_converted else _rates(rates),
        "{held}": "" if rates is None else str(rates.days_most),
        "{per}": _per(gauge),
        "{value}": value,
        "{above}": str(limit.threshold.above),
        "{length}": str(gauge.period.length),
        "{least}": f" AND {whole} >= {limit.least_whole}" if limit.least_whole else "",
        "{silent}": "" if gauge.silence is None else f"{gauge.silence.days + 1}",
        "{days}": "" if usual is None else str(usual.days),
        "{factor}": "" if usual is None else str(HUNDREDTHS * usual.days),
        "{most}": str(RATIO_MAX),
        "{low}": "" if near is None else str(near.low),
        "{high}": "" if near is None else str(near.high),
        "{before}": str(gauge.days_near),
        "{remembered}": "" if remembers is None else str(remembers.remembered),
        "{filter}": " AND ".join(_parts(gauge.where)) or "true",
        "{condition}": _condition(gauge),
    }
    for place, shape in shapes.items():
        query = query.replace(place, shape)
    # All at once: names of a filter may look like a place.
    return _PLACE.sub(lambda place: filled.get(place[0], place[0]), query)


def remarks_of(limit: GaugeLimit, limits: Iterable[GaugeLimit]) -> str:
    """Return what the query leaves out, as lines of SQL's comments: whom the limit is for."""
    whose, is_default = scope_text(limit.threshold), limit.threshold.specificity == 0
    narrower = [
        f"{other.limit_id} ({scope_text(other.threshold)})"
        for other in limits
        if other.gauge == limit.gauge and other.threshold.specificity > limit.threshold.specificity
    ]
    lines = [] if is_default else [f"For {whose} alone: the table says nothing of scopes."]
    if limit.gauge.base is not None:
        lines.append("What has no rate on its business day is left out: Weir says what that is.")
    if narrower:
        lines.append(f"Not for whom a more specific limit decides: {', '.join(narrower)}.")
    return "".join(f"-- {' '.join(line.splitlines())}\n" for line in lines)


def _period(gauge: Gauge) -> str:
    """Return the first business day of the period that a transaction is in."""
    span = gauge.period.span
    of_period = f"CAST(date_trunc('{span.value}', business_day) AS DATE)"
    return "business_day" if span is PeriodSpan.DAY else of_period


_OF_DAYS: Final = """\
SELECT account_id, {per} AS per, {moment} AS moment, {measured}
FROM transactions
WHERE {condition}
GROUP BY ALL"""

_AFTER_SILENCE: Final = """\
SELECT account_id, '' AS per, business_day AS moment, {measured}
FROM transactions JOIN (  -- each day with something, and the one with something before it
  SELECT account_id, business_day, lag(business_day) OVER (
    PARTITION BY account_id ORDER BY business_day) AS active
  FROM (SELECT DISTINCT account_id, business_day FROM transactions WHERE {filter})
) USING (account_id, business_day)
WHERE business_day - active BETWEEN {silent} AND {remembered} AND {condition}
GROUP BY ALL"""

_OF_USUAL: Final = """\
SELECT account_id, '' AS per, business_day AS moment,
  least(({factor} * amount + total - 1) // total, {most}) AS value
FROM (  -- each day with anything, beside the days with anything before it
  SELECT account_id, business_day, amount, sum(amount) OVER before AS total,
    count(*) OVER before AS days, min(business_day) OVER before AS first
  FROM (
    SELECT account_id, business_day, sum(amount) AS amount FROM transactions
    WHERE {condition} GROUP BY account_id, business_day
  )
  WINDOW before AS (
    PARTITION BY account_id ORDER BY business_day ROWS BETWEEN {days} PRECEDING AND 1 PRECEDING)
)
WHERE days = {days} AND business_day - first <= {remembered} AND total > 0
  AND value > {above}{least}
"""

_OF_NEAR: Final = """\
SELECT account_id, per, {moment} AS moment, count(*) AS value
FROM (  -- the days whose sum is near
  SELECT account_id, {per} AS per, business_day FROM transactions
  WHERE {condition} GROUP BY ALL HAVING sum(amount) BETWEEN {low} AND {high}
)
GROUP BY ALL HAVING count(*) > {above}
"""

_OF_NEAR_DAYS: Final = """\
SELECT account_id, per, business_day AS moment, count(*) OVER (
  PARTITION BY account_id, per ORDER BY business_day
  RANGE BETWEEN INTERVAL {before} DAYS PRECEDING AND CURRENT ROW) AS value
FROM (  -- the days whose sum is near
  SELECT account_id, {per} AS per, business_day FROM transactions
  WHERE {condition} GROUP BY ALL HAVING sum(amount) BETWEEN {low} AND {high}
)
QUALIFY value > {above}
"""

_NEW: Final = """counterparty_id <> '' AND NOT EXISTS (
  SELECT 1 FROM transactions AS paid WHERE paid.account_id = transactions.account_id
    AND paid.counterparty_id = transactions.counterparty_id AND paid.direction = 'debit'
    AND paid.business_day < transactions.business_day
    AND paid.business_day >= transactions.business_day - {days})"""

_ENDS: Final = """\
SELECT t.account_id, t.per, t.event_time AS moment, {measured}
  FROM (SELECT DISTINCT account_id, per, event_time FROM measured) AS t
  JOIN measured AS m ON m.account_id = t.account_id AND m.per = t.per
    AND m.event_time > t.event_time - {length} AND m.event_time <= t.event_time
  GROUP BY ALL"""

_OF_PARTS: Final = """\
SELECT account_id, per, moment, {value} AS value FROM (
{parts}
) GROUP BY ALL HAVING {value} > {above}{least}"""

_CONVERTED: Final = """\
SELECT account_id, per, moment, sum(part) AS value FROM (
  SELECT account_id, per, moment, CASE  -- minor units of the base, each rounded half up
    WHEN sums.currency = '{base}' THEN amount
    WHEN published >= business_day - {held}
    THEN (2 * amount * times + divided) // (2 * divided) END AS part
  FROM (
{parts}
  ) AS sums ASOF LEFT JOIN (VALUES  -- the last rate up to each business day
{rates}
  ) AS rates(currency, published, times, divided)
  ON sums.currency = rates.currency AND business_day >= published
) GROUP BY ALL HAVING sum(part) > {above}"""

_WINDOWS: Final = """\
WITH RECURSIVE measured AS (
  SELECT *, {per} AS per FROM transactions WHERE {condition}
), windows AS (  -- those that exceed the limit, by the time at which they end
  {exceeding}
), begins AS (  -- the first, and then each first one that does not overlap the one before
  SELECT account_id, per, min(moment) AS moment FROM windows GROUP BY ALL
  UNION ALL
  SELECT b.account_id, b.per, min(w.moment) FROM begins AS b
  JOIN windows AS w ON w.account_id = b.account_id AND w.per = b.per
    AND w.moment >= b.moment + {length}
  GROUP BY b.account_id, b.per
)
SELECT b.account_id, b.per, b.moment, max(w.value) AS value
FROM begins AS b JOIN windows AS w ON w.account_id = b.account_id AND w.per = b.per
  AND w.moment >= b.moment AND w.moment < b.moment + {length}
GROUP BY ALL
"""


def _rates(rates: Rates) -> str:
    """Return the rates as rows: currency, day, and what minor units are multiplied and divided by.

    They are of 128 bits, so that nothing in between overflows.
    """
    rows = [
        (currency, day_text(rate.day), *scale_of(rate.text, currency, rates.base))
        for currency, published in sorted(rates.published.items())
        for rate in published
    ]
    return ",\n".join(
        f"    ('{currency}', DATE '{day}', {times}::HUGEINT, {divided}::HUGEINT)"
        for currency, day, times, divided in rows
    )


def _per(gauge: Gauge) -> str:
    return "''" if gauge.per is None else _COLUMNS[gauge.per]


def _value(gauge: Gauge) -> str:
    """Return what a group of transactions amounts to."""
    paid_out = "coalesce(sum(amount) FILTER (direction = 'debit'), 0)"
    paid_in = "coalesce(sum(amount) FILTER (direction = 'credit'), 0)"
    match gauge.measure:
        case Measure.COUNT:
            return "count(*)"
        case Measure.LARGEST:
            return "max(amount)"
        case Measure.NET:
            first, second = (
                (paid_in, paid_out) if gauge.direction == "credit" else (paid_out, paid_in)
            )
            return f"{first} - {second}"
        case Measure.THROUGH:
            return f"least({paid_out}, {paid_in})"
        case Measure.DISTINCT:
            assert gauge.distinct is not None, "it says whom it counts"
            return f"count(DISTINCT {_COLUMNS[gauge.distinct]})"
        case Measure.SHARE:  # whole numbers, rounded up
            greatest = f"{WHOLE} * max(part) FILTER (party <> '')"
            return f"({greatest} + sum(part) - 1) // nullif(sum(part), 0)"
        case _:
            return "sum(amount)"


def _condition(gauge: Gauge) -> str:
    parts = list(_parts(gauge.where))
    if gauge.currency is not None:
        parts.append(f"currency = '{gauge.currency}'")
    if gauge.direction is not Direction.BOTH and gauge.measure is not Measure.NET:
        parts.append(f"direction = '{gauge.direction.value}'")
    distinct = None if gauge.measure is Measure.SHARE else gauge.distinct
    parts += [f"{_COLUMNS[party]} <> ''" for party in (gauge.per, distinct) if party]
    return " AND ".join(parts) or "true"


def _parts(where: GaugeFilter) -> Iterator[str]:
    """Yield what must hold by a filter."""
    listed = where.counterparty_in
    names = [
        ("channel", where.channel),
        ("counterparty_id", where.counterparty),
        ("counterparty_id", () if listed is None else sorted(listed.names)),
        ("counterparty_institution", where.institution),
        (_COUNTRY, where.country),
        ("branch", where.branch),
    ]
    for column, of_column in names:
        if of_column:
            yield f"{column} IN ({_texts(of_column)})"
    if where.amount_from is not None:
        yield f"booked >= {where.amount_from}"
    if where.amount_to is not None:
        yield f"booked <= {where.amount_to}"
    if where.multiple_of is not None:
        yield f"booked % {where.multiple_of} = 0"
    if where.hours is not None:
        begin, end = where.hours
        both = "AND" if begin < end else "OR"
        yield f"(minute >= {begin} {both} minute < {end})"
    if where.new_within is not None:
        yield _NEW.replace("{days}", str(where.new_within))
    if where.is_weekend is not None:
        yield f"(isodow(business_day) >= 6) = {str(where.is_weekend).lower()}"
    if where.is_holiday is not None:
        days = ", ".join(f"DATE '{day_text(day)}'" for day in where.holidays)
        yield f"(business_day IN ({days})) = {str(where.is_holiday).lower()}"


def _texts(names: Sequence[str]) -> str:
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)
