"""Streams for gauges: few accounts that do much, in any order within the lateness, with reversals.

What is left of each transaction is counted here by itself, and handed to SQL.
"""

import contextlib
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import duckdb

from monitor.core.alert import Alert, Kind, Status
from monitor.core.business_day import MICROSECONDS, Calendar, day_text, event_time_text
from monitor.core.gauged import gauged_fields, gauged_of
from monitor.core.transaction import Transaction
from monitor.engine.engine import Engine, plain_engine
from monitor.gauges.limit import GaugeLimit
from monitor.gauges.rates import Rates
from monitor.gauges.sql import sql_of
from monitor.policy.document import policy_of
from monitor.policy.policy import Policy, PolicyBook, PolicyError
from streams.state.keys import packed, unpacked

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400 * MICROSECONDS
BEGIN: Final = 20_454 * DAY  # 2026-01-01, in event time
CHANNELS: Final = ("atm", "card", "online", None)
INSTITUTIONS: Final = ("DEUTDEFF", "BNPAFRPPXXX", "Sparbank", None)

HEAD: Final = """
version = {version}
[calendar]
time_zone = "{zone}"
cut_off = "{cut_off}"
allowed_lateness = "{lateness}h"
leap = "3660d"
holidays = ["2026-01-01", "2026-01-06", "2026-01-09", "2026-02-02"]
[lists.some]
counterparties = ["P1", "P3", "P9"]
"""


class Standing(NamedTuple):
    """What stands of a limit: an account's period, or a counterparty's or institution's in it."""

    account_id: str
    per: str
    at: int | str


class Shares(NamedTuple):
    """Such shares of limits measure a day after a silence, a ratio, or days near a limit.

    Of others that can, such a share asks for new counterparties.
    """

    silences: float = 0.1
    news: float = 0.2
    ratios: float = 0.1
    nears: float = 0.1


def any_limit(
    rng: random.Random,
    limit_id: str,
    *,
    has_holidays: bool,
    **shares: float,
) -> str:
    """Return the table of a limit on any gauge of a policy with or without holidays.

    `shares` are those of `Shares`.
    """
    asked = Shares(**shares)
    is_silent = rng.random() < asked.silences
    for share, made in ((asked.ratios, _any_ratio), (asked.nears, _any_near)):
        if rng.random() < share:
            return made(rng, limit_id, has_holidays=has_holidays)
    return _any_other(rng, limit_id, asked, has_holidays=has_holidays, is_silent=is_silent)


def _any_other(
    rng: random.Random, limit_id: str, shares: Shares, *, has_holidays: bool, is_silent: bool
) -> str:
    measures = ["amount", "count", "largest"]
    others = [] if is_silent else ["net", "through", "distinct", "share"]
    measure = rng.choice(measures + others)
    lines = [f'id = "{limit_id}"', f'measure = "{measure}"', *_when(rng, is_silent=is_silent)]
    if measure == "net":
        lines.append(f'direction = "{rng.choice(["debit", "credit"])}"')
    elif measure != "through" and rng.random() < 0.5:
        lines.append(f'direction = "{rng.choice(["debit", "credit", "both"])}"')
    if measure not in {"count", "distinct"} or rng.random() < 0.3:
        lines.append('currency = "EUR"')
    party = rng.choice(["counterparty", "institution"])
    if measure in {"distinct", "share"}:
        lines.append(f'of = "{party}"')
    elif not is_silent and rng.random() < 0.3:
        lines.append(f'per = "{party}"')
    if measure == "share" and rng.random() < 0.5:
        lines.append(f'from = "{rng.randint(1, 60)}.50"')
    lines.append(_above(rng, measure))
    where = _where(rng, has_currency='currency = "EUR"' in lines, has_holidays=has_holidays)
    is_of_one = measure in {"amount", "count"} or 'of = "counterparty"' in lines
    may_be_new = is_of_one and not is_silent and not any("per =" in line for line in lines)
    if may_be_new and rng.random() < shares.news:
        where.append(f'counterparty_new = "{rng.randint(1, 5)}d"')
    if where:
        lines.append(f"where = {{ {', '.join(where)} }}")
    return "\n".join(["[[limit]]", *lines])


def _any_ratio(rng: random.Random, limit_id: str, *, has_holidays: bool) -> str:
    lines = [f'id = "{limit_id}"', 'measure = "ratio"', 'currency = "EUR"']
    lines.append(f"usual = {rng.randint(1, 4)}")
    if rng.random() < 0.7:
        lines.append(f'remembered = "{rng.randint(4, 20)}d"')
    if rng.random() < 0.5:
        lines.append(f'direction = "{rng.choice(["debit", "credit", "both"])}"')
    if rng.random() < 0.5:
        lines.append(f'from = "{rng.randint(1, 30)}.50"')
    lines.append(_above(rng, "ratio"))
    where = _where(rng, has_currency=True, has_holidays=has_holidays)
    if where:
        lines.append(f"where = {{ {', '.join(where)} }}")
    return "\n".join(["[[limit]]", *lines])


def _any_near(rng: random.Random, limit_id: str, *, has_holidays: bool) -> str:
    low = rng.choice([1, 4, 12])
    lines = [f'id = "{limit_id}"', 'measure = "near"', 'currency = "EUR"']
    lines += [f'from = "{low}.00"', f'to = "{low + rng.choice([8, 20, 60])}.00"']
    spans = [f"days = {rng.randint(1, 9)}", 'period = "week"', 'period = "month"']
    lines.append(rng.choice([spans[0], *spans]))
    if rng.random() < 0.5:
        lines.append(f'direction = "{rng.choice(["debit", "credit", "both"])}"')
    if rng.random() < 0.2:
        lines.append(f'per = "{rng.choice(["counterparty", "institution"])}"')
    lines.append(_above(rng, "near"))
    where = _where(rng, has_currency=True, has_holidays=has_holidays)
    if where:
        lines.append(f"where = {{ {', '.join(where)} }}")
    return "\n".join(["[[limit]]", *lines])


def _when(rng: random.Random, *, is_silent: bool) -> list[str]:
    """Return over which period a limit measures."""
    if is_silent:
        remembered = [f'remembered = "{rng.randint(5, 20)}d"'] if rng.random() < 0.7 else []
        return [f'silent = "{rng.randint(1, 4)}d"', *remembered]
    period = rng.choice(["day", "week", "month", "window", "window"])
    if period == "window":
        return [f'window = "{rng.choice(["10m", "1h", "24h", "3d"])}"']
    return [f'period = "{period}"']


def _above(rng: random.Random, measure: str) -> str:
    """Return what must be exceeded, in one tier or in two."""
    low, high = {
        "count": (rng.randint(0, 4), rng.randint(5, 9)),
        "distinct": (rng.randint(0, 4), rng.randint(5, 9)),
        "near": (rng.choice([0, 1, 1, 2]), 3),
        "ratio": (f'"{rng.choice(["0", "1", "0.33", "1.5"])}"', '"2.51"'),
        "share": (f'"{rng.choice(["0", "33.3", "50", "66.6"])}%"', '"80%"'),
    }.get(measure, (f'"{rng.randint(0, 40)}.00"', f'"{rng.randint(41, 80)}.00"'))
    if rng.random() < 0.7:
        return f"above = {low}"
    tiers = zip((low, high), ("low", "high"), strict=True)
    steps = (f'{{ above = {above}, severity = "{severity}" }}' for above, severity in tiers)
    return f"tiers = [{', '.join(steps)}]"


def _where(rng: random.Random, *, has_currency: bool, has_holidays: bool) -> list[str]:
    parts = []
    if rng.random() < 0.2:
        parts.append('channel = ["atm", "online", "{condition}", "it\'s {per}"]')
    if rng.random() < 0.1:
        parts.append('counterparty_institution_country = ["DE", "FR"]')
    if rng.random() < 0.1:
        parts.append('counterparty_institution = "Sparbank"')
    if rng.random() < 0.15 and has_currency:
        parts.append('amount = { from = "3.00", multiple_of = "1.50" }')
    if rng.random() < 0.15:
        parts.append(f'hours = "{rng.choice(["22:00-06:00", "08:30-12:00"])}"')
    if rng.random() < 0.15:
        parts.append(f"weekend = {rng.choice(['true', 'false'])}")
    if has_holidays and rng.random() < 0.2:
        parts.append(f"holiday = {rng.choice(['true', 'false'])}")
    if rng.random() < 0.15:
        parts.append('counterparty_in = "some"')
    return parts


def any_policy(
    rng: random.Random,
    limits: int,
    version: int = 1,
    **shares: float,
) -> str:
    """Return a policy with so many limits at most, no two of which measure the same."""
    head = HEAD.format(
        version=version,
        zone=rng.choice(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
        cut_off=rng.choice(["00:00", "03:00"]),
        lateness=rng.choice([0, 24, 48, 96]),
    )
    return with_any_limits(rng, head, limits, **shares)


def with_any_limits(
    rng: random.Random,
    text: str,
    limits: int,
    **shares: float,
) -> str:
    """Return a policy with so many limits on gauges more, at most: none measures what another does.

    Of a policy that has other tables, they come before all these.
    """
    for number in range(limits):
        has_holidays = "holidays = [" in text
        limit = any_limit(rng, f"g{number}", has_holidays=has_holidays, **shares)
        more = f"{text}\n{limit}"
        with contextlib.suppress(PolicyError):
            policy_of(more)
            text = more
    return text


def scoped_policies(rng: random.Random) -> list[str]:
    """Return one or two versions with limits for all and for segments, some of which compete."""
    head = HEAD.format(version=1, zone="UTC", cut_off="00:00", lateness=rng.choice([0, 24]))
    texts = []
    for version in range(1, rng.randint(1, 2) + 1):
        text = head.replace("version = 1", f"version = {version}")
        if version > 1:
            text = text.replace("[calendar]", 'effective_from = "2026-01-04"\n[calendar]', 1)
        for number in range(rng.randint(1, 3)):
            limit = any_limit(rng, f"g{version}-{number}", has_holidays=False)
            scoped = limit.replace('id = "g', 'id = "s') + '\nscope = { segment = "s1" }'
            for table in (limit, scoped)[: rng.randint(1, 2)]:
                with contextlib.suppress(PolicyError):  # another one may measure the same
                    policy_of(f"{text}\n{table}")
                    text = f"{text}\n{table}"
        texts.append(text)
    return texts


def any_items(
    rng: random.Random,
    count: int,
    spans: Sequence[int] = (3, 12, 40),
    segments: Sequence[str | None] = (None,),
) -> list[Transaction]:
    """Return transactions of few accounts over some weeks; reversals name some that came before.

    They are of so many days, by one of `spans`.
    """
    days = rng.choice(spans)
    accounts = [f"A{number}" for number in range(rng.randint(2, 4))]
    at, items = BEGIN, list[Transaction]()
    for number in range(count):
        at += rng.choice([0, 0, 1, rng.randrange(2 * days * DAY // count + 1)])
        late = rng.choice([0, 0, 0, rng.randrange(3 * DAY)])
        reverses = None
        account_id, currency = rng.choice(accounts), rng.choice(["EUR", "EUR", "USD"])
        amount, direction = (
            50 * rng.randint(0, rng.choice([3, 40])),
            rng.choice(["debit", "credit"]),
        )
        if items and rng.random() < 0.15:
            undone = rng.choice(items[-20:])
            reverses, account_id, currency = (
                undone.transaction_id,
                undone.account_id,
                undone.currency,
            )
            amount = rng.choice([undone.amount_minor, undone.amount_minor // 2])
        items.append(
            Transaction(
                f"t{number}",
                account_id,
                at - late,
                amount,
                currency,
                direction,
                rng.choice(["P1", "P2", "P3", None]),
                rng.choice(INSTITUTIONS),
                rng.choice(CHANNELS),
                segments[0] if len(segments) == 1 else rng.choice(segments),
                None,
                reverses,
            )
        )
    return items


class Recount:
    """What was taken in of a stream, and what is left of it."""

    def __init__(self, engine: Engine) -> None:
        self.alerts: list[Alert] = []
        self._engine = engine
        self._left: dict[str, int] = {}
        self._taken: dict[str, Transaction] = {}

    def observe(self, items: Sequence[Transaction]) -> None:
        """Let the engine take items, and note what became of them."""
        first = self._engine.ledger.offset_last + 1
        offsets = range(first, first + len(items))
        self._engine.observe(offsets, items)
        step = self._engine.take_step()
        self.alerts += step.alerts
        not_taken = {offset for offset, _ in step.rejections}
        not_taken |= {waiting.offset for waiting in step.waiting}
        for offset, item in zip(offsets, items, strict=True):
            if offset not in not_taken:
                self._note(item)

    def observe_all(self, rng: random.Random, items: Sequence[Transaction]) -> None:
        """Let the engine take items in runs of any length, and go on from its state at times."""
        while items:
            size = rng.randint(1, 40)
            self.observe(items[:size])
            items = items[size:]
            if rng.random() < 0.3:
                self.put_back()

    def put_back(self) -> None:
        """Let what gauges hold go through the bytes of state."""
        for account in self._engine.ledger.accounts.values():
            if account.gauged is not None:
                busy = account.gauged.busy
                account.gauged = gauged_of(unpacked(packed(gauged_fields(account.gauged, int))))
                account.gauged.busy = busy

    def _note(self, item: Transaction) -> None:
        self._taken[item.transaction_id] = item
        self._left[item.transaction_id] = item.amount_minor or 1
        undone, sign = item, -1
        while undone.reverses is not None:  # of a reversal, what that one took is restored
            undone = self._taken[undone.reverses]
            units = item.amount_minor or (not undone.amount_minor)
            self._left[undone.transaction_id] += sign * units
            sign = -sign

    def table(self) -> list[tuple[object, ...]]:
        """Return the rows that `monitor.gauges.sql` asks for."""
        calendar = self._engine.ledger.calendar
        return [
            (
                item.account_id,
                day_text(calendar.day_of(item.event_time)),
                item.event_time,
                item.direction,
                item.currency,
                self._left[name] if item.amount_minor else 0,
                item.amount_minor,
                item.counterparty_id,
                item.counterparty_institution,
                item.channel,
                item.branch,
                _minute_of(item.event_time, calendar),
            )
            for name, item in self._taken.items()
            if item.reverses is None and self._left[name] > 0
        ]

    def standing(self, limit: GaugeLimit) -> dict[Standing, int]:
        """Return what stands of a limit by what was told last, with the value told."""
        last = {alert.alert_id: alert for alert in self.alerts if alert.kind is Kind.LIMIT}.values()
        found = {}
        for alert in last:
            if alert.threshold.threshold_id != limit.limit_id or alert.status is Status.WITHDRAWN:
                continue
            measured = alert.evidence["measured"]
            assert isinstance(measured, dict)
            per = next(iter(measured.get("per", {"": ""}).values()))
            at = measured["to"] if limit.gauge.period.is_rolling else day_text(alert.business_day)
            found[Standing(alert.account_id, per, at)] = alert.value
        return found


def _minute_of(event_time: int, calendar: Calendar) -> int:
    """Return the minute of the day that a clock shows, by the library's own reckoning."""
    moment = (EPOCH + timedelta(microseconds=event_time)).astimezone(calendar.time_zone)
    return 60 * moment.hour + moment.minute


def exceeding(
    limit: GaugeLimit, rows: Iterable[tuple[object, ...]], rates: Rates | None = None
) -> dict[Standing, int]:
    """Return what exceeds a limit by its SQL, and by a policy's rates."""
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE transactions (account_id TEXT, business_day DATE, event_time BIGINT,"
            " direction TEXT, currency TEXT, amount BIGINT, booked BIGINT, counterparty_id TEXT,"
            " counterparty_institution TEXT, channel TEXT, branch TEXT, minute INT)"
        )
        for row in rows:
            connection.execute(
                "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row
            )
        found = connection.execute(sql_of(limit, rates)).fetchall()
    return {
        Standing(
            account_id, per, event_time_text(at) if limit.gauge.period.is_rolling else str(at)
        ): int(value)
        for account_id, per, at, value in found
    }


def assert_what_stands(rng: random.Random, policy: Policy, items: list[Transaction]) -> None:
    """Fail where what was told of items, in runs of any length, is not what the SQL finds."""
    recount = Recount(plain_engine(0, PolicyBook([policy]), 1))
    recount.observe_all(rng, items)
    rows = recount.table()
    for limit in policy.gauges:
        assert recount.standing(limit).keys() == exceeding(limit, rows).keys(), limit
