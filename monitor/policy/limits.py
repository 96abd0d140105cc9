"""Limits read from a policy's [[limit]] tables; every problem is noted, none ends the reading.

A limit on a business day's amount or count is a `Threshold`: what all account-days are decided by.
A limit that asks for more than these totals is a `GaugeLimit`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from monitor.core.alert import NEVER_SUPPRESSED, Kind
from monitor.core.business_day import MICROSECONDS
from monitor.core.money import EXPONENT
from monitor.core.names import NameList
from monitor.core.table_reader import MISSING, WHOLE_MAX, TableReader, is_whole, shown
from monitor.core.threshold import (
    LIMIT_MEASURES,
    MONEY_MEASURES,
    OF_A_CURRENCY,
    Direction,
    Measure,
    Severity,
    Threshold,
)
from monitor.core.transaction import ID_LENGTH_MAX
from monitor.gauges.gauge import HUNDREDTHS, WHOLE, Gauge, Party
from monitor.gauges.limit import GaugeLimit, Tier
from monitor.gauges.period import DAY, AccountSilence, AccountUsual, NearSums, Period, PeriodSpan
from monitor.gauges.rates import Rates
from monitor.policy.lists import NO_LISTS, Lists
from monitor.policy.where import money_stated, refuse_misspelt, where_stated

LIMIT_KEYS: Final = (
    "id", "measure", "direction", "currency", "base", "period", "window", "where", "per", "of",
    "from", "to", "days", "silent", "usual", "remembered", "above", "at_least", "tiers", "scope",
    "severity",
)  # fmt: skip
SCOPE_KEYS: Final = ("account", "peer_group", "segment", "product", "in_list")
TIER_KEYS: Final = ("above", "at_least", "severity")

WINDOW_DAYS_MAX: Final = 31
"""Transactions are kept for twice as long as a window, so that it has a bound."""

TIERS_MAX: Final = 8

SILENT_DAYS_MAX: Final = 3_660
"""An account is remembered for so many days at most, so that state has a bound."""

REMEMBERED_DAYS: Final = 366
"""A silent account is remembered for so much longer than the silence, if a limit does not say; the
days of a usual are looked for on so many days before."""

USUAL_DAYS_MAX: Final = 90
"""So many days of an account are kept for what is its usual, so that state has a bound."""

NEAR_DAYS_MAX: Final = 31
"""Days near a limit are counted over so many business days at most, so that state has a bound."""

_OF_OTHER_ALERTS: Final = tuple(kind.value for kind in (Kind.OUTLIER, *NEVER_SUPPRESSED))
"""Names that alerts have which no limit raises: else a suppression would mean both."""

_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PEER_GROUP: Final = re.compile(r"[A-H][1-9]?")
_WINDOW: Final = re.compile(r"([1-9][0-9]{0,6})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPANS: Final = (PeriodSpan.DAY, PeriodSpan.WEEK, PeriodSpan.MONTH)
_OF_NEW: Final = (Measure.AMOUNT, Measure.COUNT, Measure.DISTINCT, Measure.SHARE)
_AFTER_SILENCE: Final = (Measure.AMOUNT, Measure.COUNT, Measure.LARGEST)
_DAYS: Final = re.compile(r"([1-9][0-9]{0,3})d")
_FROM_A_SUM: Final = (Measure.SHARE, Measure.RATIO)
_OF_PARTIES: Final = (Measure.DISTINCT, Measure.SHARE)
_SHARE: Final = re.compile(r"([0-9]{1,2})(?:\.([0-9]))? ?%")
_RATIO: Final = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,2}))?")
_OF_A_DAY: Final = (Measure.AMOUNT, Measure.COUNT)
_EVERY: Final = "*"


class Limits(NamedTuple):
    """What a policy has limits on: the totals of days, and gauges."""

    thresholds: tuple[Threshold, ...]
    gauges: tuple[GaugeLimit, ...]


def limits_of(
    document: TableReader,
    lists: Lists = NO_LISTS,
    holidays: tuple[int, ...] = (),
    rates: Rates | None = None,
) -> Limits:
    """Return the limits that the [[limit]] tables of a policy state, as far as they can be read.

    `lists` are those of the policy that limits may name, `holidays` the business days that a filter
    may ask for, sorted. `rates` are those by which limits convert.
    """
    tables = document.get("limit")
    if not isinstance(tables, list) or not tables:
        document.refuse("no [[limit]] is stated: a policy watches at least one")
        return Limits((), ())
    found: list[GaugeLimit] = []
    numbers: list[int] = []
    for number, table in enumerate(tables, 1):
        if not isinstance(table, dict):
            document.refuse(f"limit {number} is not a table: write [[limit]]", "limit", number)
            continue
        limit = _limit(table, number, document, lists, holidays, rates)
        if limit is not None:
            found.append(limit)
            numbers.append(number)
    numbered = list(zip(numbers, found, strict=True))
    _refuse_twins(numbered, lambda limit: limit.limit_id, "have the same id", document)
    _refuse_twins(
        numbered,
        lambda limit: (limit.gauge, limit.threshold[_SCOPE]),
        "measure the same and have the same scope: which one decides?",
        document,
    )
    of_limits = (
        (number, limit.limit_id, limit.gauge, scope_in(limit.threshold))
        for number, limit in numbered
    )
    refuse_shared("limit", of_limits, document)
    # Of those that compete for an account-day all are of one sort, so that one of them decides.
    climbing = {limit.gauge for limit in found if len(limit.tiers) > 1}
    of_a_day = {limit.gauge for limit in found if is_of_a_day(limit.gauge)} - climbing
    return Limits(
        tuple(limit.threshold for limit in found if limit.gauge in of_a_day),
        tuple(limit for limit in found if limit.gauge not in of_a_day),
    )


_SCOPE: Final = slice(Threshold._fields.index("account_id"), None)


def is_of_a_day(gauge: Gauge) -> bool:
    """Return whether what is measured are the totals that every account-day has."""
    plain = Gauge(gauge.measure, gauge.direction, gauge.currency, DAY)
    return gauge == plain and gauge.measure in _OF_A_DAY


def _refuse_twins(
    limits: Sequence[tuple[int, GaugeLimit]],
    key: Callable[[GaugeLimit], object],
    why: str,
    document: TableReader,
) -> None:
    seen: dict[object, GaugeLimit] = {}
    for number, limit in limits:
        twin = seen.setdefault(key(limit), limit)
        if twin is not limit:
            document.refuse(f"limits {twin.limit_id} and {limit.limit_id} {why}", "limit", number)


def _limit(
    table: dict[str, object],
    number: int,
    document: TableReader,
    lists: Lists,
    holidays: tuple[int, ...],
    rates: Rates | None,
) -> GaugeLimit | None:
    limit_id = table.get("id", MISSING)
    is_named = isinstance(limit_id, str) and _SLUG.fullmatch(limit_id)
    if not is_named:
        said = f"id is {shown(limit_id)}: write letters, digits, . _ - (at most 64)"
        document.refuse(f"limit {number}: {said}", "limit", number, "id")
    if limit_id in _OF_OTHER_ALERTS:
        said = f"id is {shown(limit_id)}: alerts of another kind have this name, write another one"
        document.refuse(f"limit {number}: {said}", "limit", number, "id")
    limit = document.reader(table, f"limit {limit_id if is_named else number}: ", "limit", number)
    limit.refuse_unknown(LIMIT_KEYS)
    measure = limit.choice("measure", LIMIT_MEASURES)
    counted = _counted(limit, measure, rates)
    currency = None if counted is None or counted.base else counted.currency
    gauge = _gauge(limit, measure, currency, lists, holidays)
    if gauge is not None and counted is not None and counted.base:
        gauge = gauge._replace(base=counted.base)
    scope = scope_stated(limit, lists)
    if gauge is not None:
        _refuse_new_ones(limit, gauge)
    tiers = () if counted is None else _tiers(limit, counted)
    least_whole = 0 if counted is None else _least_whole(limit, counted)
    if not (is_named and tiers and limit.is_good):
        return None
    assert gauge is not None, "a limit without a problem has one"
    threshold = Threshold(
        str(limit_id), gauge.measure, gauge.direction, gauge.base or gauge.currency,
        tiers[0].above, tiers[0].severity, *scope,
    )  # fmt: skip
    return GaugeLimit(threshold, gauge, tiers, least_whole)


class _Counted(NamedTuple):
    """What values of a limit are of: by it they are read.

    With a `base`, which is its currency then, amounts of all currencies are converted to it.
    """

    measure: Measure
    currency: str | None
    base: str | None = None


def _counted(limit: TableReader, measure: Measure | None, rates: Rates | None) -> _Counted | None:
    """Return what the values of a limit are of; None if that cannot be read."""
    currency = limit.get("currency", None)
    if currency == _EVERY:
        return _converted(limit, measure, rates)
    if "base" in limit.table:
        limit.refuse(f'base is stated: it says in what currency = "{_EVERY}" is summed')
    if currency is not None and not (isinstance(currency, str) and currency in EXPONENT):
        limit.refuse(f"currency is {shown(currency)}: not a code of ISO 4217")
        return None
    if currency is None and measure in OF_A_CURRENCY:
        limit.refuse("currency is missing: amounts of two currencies are never added")
        return None
    return None if measure is None else _Counted(measure, currency)


def _converted(limit: TableReader, measure: Measure | None, rates: Rates | None) -> _Counted | None:
    """Return what the values of a limit on all currencies are of, in its base."""
    base = limit.get("base")
    if measure is not None and measure is not Measure.AMOUNT:
        said = "leave it out for all" if measure not in OF_A_CURRENCY else "name one"
        limit.refuse(f'currency is "{_EVERY}": it goes with measure = "amount" alone; {said}')
    if "silent" in limit.table:
        limit.refuse(f'silent is stated: it does not go with currency = "{_EVERY}"')
    where = limit.get("where", {})
    if isinstance(where, dict) and "counterparty_new" in where:
        limit.refuse(f'where.counterparty_new is stated: it does not go with currency = "{_EVERY}"')
    if rates is None:
        limit.refuse(f'currency is "{_EVERY}": state [rates], by which amounts are converted')
    elif base != rates.base:
        limit.refuse(f'base is {shown(base)}: write "{rates.base}", the base of [rates]')
    elif measure is not None:
        return _Counted(measure, rates.base, rates.base)
    return None


def _gauge(
    limit: TableReader,
    measure: Measure | None,
    currency: str | None,
    lists: Lists,
    holidays: tuple[int, ...],
) -> Gauge | None:
    """Return what a limit measures; None if that cannot be read."""
    direction = limit.choice("direction", tuple(Direction), Direction.BOTH)
    if measure is Measure.NET and direction is Direction.BOTH:
        limit.refuse('direction is missing: net of "debit" is what goes out less what comes in')
    if measure is Measure.THROUGH and direction is not Direction.BOTH:
        limit.refuse("direction is stated: what passes through goes both ways")
    period = _period(limit)
    per = limit.choice("per", tuple(Party)) if "per" in limit.table else None
    distinct = None
    if measure in _OF_PARTIES:
        distinct = limit.choice("of", tuple(Party))
    elif "of" in limit.table and measure is not None:
        limit.refuse(
            'of is stated: it says what measure = "distinct" counts, or whose "share" it is'
        )
    if "from" in limit.table and measure not in {None, Measure.NEAR, *_FROM_A_SUM}:
        limit.refuse(
            'from is stated: it is the least sum of which measure = "share" or "ratio" is told, or'
            ' the least that measure = "near" counts'
        )
    if per is not None and per is distinct:
        limit.refuse(f"per and of are both {per.value}: each has one of itself")
    silence, usual = _silence(limit, measure), _usual(limit, measure)
    near = _near(limit, measure, currency)
    where = where_stated(limit, currency, lists, holidays)
    if not limit.is_good:
        return None
    assert measure is not None
    assert direction is not None
    return Gauge(measure, direction, currency, period, where, per, distinct, silence, usual, near)


def _refuse_new_ones(limit: TableReader, gauge: Gauge) -> None:
    """Refuse a filter by new counterparties where it would not say whom it counts."""
    is_counted = gauge.measure in _OF_NEW and gauge.distinct is not Party.INSTITUTION
    is_plain = gauge.per is None and gauge.silence is None
    if gauge.where.new_within is not None and not (is_counted and is_plain):
        limit.refuse(
            "where.counterparty_new is stated: it goes with amount, count, and with distinct or"
            " share of a counterparty, without per and silent"
        )


def _period(limit: TableReader) -> Period:
    if "window" not in limit.table:
        return Period(limit.choice("period", _SPANS, PeriodSpan.DAY) or PeriodSpan.DAY)
    if "period" in limit.table:
        limit.refuse("period and window are both stated: a limit has one of them")
    value = limit.get("window")
    match = _WINDOW.fullmatch(value) if isinstance(value, str) else None
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if 0 < seconds <= WINDOW_DAYS_MAX * 86_400:
        return Period(PeriodSpan.WINDOW, seconds * MICROSECONDS)
    limit.refuse(
        f"window is {shown(value)}: write a whole number and s, m, h or d, at most"
        f' {WINDOW_DAYS_MAX}d, e.g. "24h"'
    )
    return DAY


def _silence(limit: TableReader, measure: Measure | None) -> AccountSilence | None:
    """Return after which silence a limit measures; None if it asks for none."""
    if "silent" not in limit.table:
        if "remembered" in limit.table and measure not in {None, Measure.RATIO}:
            limit.refuse("remembered is stated, and silent is not: it says for how long")
        return None
    if measure is not None and measure not in _AFTER_SILENCE:
        limit.refuse(f"silent is stated: {measure.value} is no measure of a day after a silence")
    for key in ("period", "window", "per"):
        if limit.get(key, "day") != "day":
            limit.refuse(f"silent and {key} are both stated: what is measured is an account's day")
    days = _days(limit, "silent", None)
    remembered = _days(limit, "remembered", None if days is None else days + REMEMBERED_DAYS)
    if days is None or remembered is None:
        return None
    if remembered <= days:
        limit.refuse(f"remembered is {remembered}d: write more days than those of silent")
    return AccountSilence(days, remembered)


def _usual(limit: TableReader, measure: Measure | None) -> AccountUsual | None:
    """Return of which days a limit's usual is; None if its measure asks for none."""
    if measure is not Measure.RATIO:
        if "usual" in limit.table and measure is not None:
            limit.refuse('usual is stated: it says of how many days measure = "ratio" has its mean')
        return None
    for key in ("period", "window", "per"):
        if limit.get(key, "day") != "day":
            limit.refuse(f"{key} is stated: a ratio is of an account's day")
    days = limit.get("usual")
    remembered = _days(limit, "remembered", REMEMBERED_DAYS)
    if not (is_whole(days) and 0 < days <= USUAL_DAYS_MAX):
        limit.refuse(f"usual is {shown(days)}: write a number of days, at most {USUAL_DAYS_MAX}")
    elif remembered is not None and remembered < days:
        limit.refuse(f"remembered is {remembered}d: write as many days as those of usual, or more")
    return None if remembered is None or not limit.is_good else AccountUsual(days, remembered)


def _near(limit: TableReader, measure: Measure | None, currency: str | None) -> NearSums | None:
    """Return which sums of a day a limit counts as near; None if its measure asks for none."""
    if measure is not Measure.NEAR:
        for key in ("to", "days"):
            if key in limit.table and measure is not None:
                limit.refuse(f'{key} is stated: it goes with measure = "near"')
        return None
    if "window" in limit.table:
        limit.refuse("window is stated: near counts business days, write days")
    days = _near_days(limit)
    low = None if currency is None else money_stated(limit, "from", currency)
    high = None if currency is None else money_stated(limit, "to", currency)
    if low == 0:
        limit.refuse("from is 0: write the least sum of a day that is near")
    if low is not None and high is not None and low > high:
        limit.refuse("from is greater than to: no sum is in between")
    if days is None or low is None or high is None:
        return None
    return NearSums(low, high, days)


def _near_days(limit: TableReader) -> int | None:
    """Return over how many days those near a limit are counted; 0 if a period says it."""
    if "days" not in limit.table:
        if limit.get("period", None) not in {"week", "month"}:
            limit.refuse(
                f"days is missing: write over how many business days, at most {NEAR_DAYS_MAX}, or"
                ' write period = "week" or "month"'
            )
        return 0
    if "period" in limit.table:
        limit.refuse("period and days are both stated: near has one of them")
    days = limit.get("days")
    if is_whole(days) and 0 < days <= NEAR_DAYS_MAX:
        return days
    limit.refuse(f"days is {shown(days)}: write a number of days, at most {NEAR_DAYS_MAX}")
    return None


def _days(limit: TableReader, key: str, default: int | None) -> int | None:
    """Return a number of days that a limit states as "90d"."""
    if key not in limit.table and default is not None:
        return default
    value = limit.get(key)
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if match is not None and int(match[1]) <= SILENT_DAYS_MAX:
        return int(match[1])
    if key in limit.table:
        said = f"write a whole number and d, at most {SILENT_DAYS_MAX}d"
        limit.refuse(f"{key} is {shown(value)}: {said}")
    return None


def _tiers(limit: TableReader, counted: _Counted) -> tuple[Tier, ...]:
    """Return the steps of a limit: one if it states none."""
    if "tiers" not in limit.table:
        severity = limit.choice("severity", tuple(Severity), Severity.MEDIUM)
        above = _above(limit, counted)
        return () if severity is None or above is None else (Tier(above, severity),)
    for key in ("above", "at_least", "severity"):
        if key in limit.table:
            limit.refuse(f"{key} and tiers are both stated: each tier has its own")
    stated = limit.get("tiers")
    if not isinstance(stated, list) or not 0 < len(stated) <= TIERS_MAX:
        limit.refuse(
            'tiers is no list of at most 8: write [{ above = "800.00", severity = "low" }, ...]'
        )
        return ()
    tiers = []
    for number, table in enumerate(stated, 1):
        if not isinstance(table, dict):
            limit.refuse(
                f"tier {number} is not a table: write {{ above = .., severity = .. }}", "tiers"
            )
            continue
        tier = limit.reader(table, f"{limit.where}tier {number}: ", "tiers", number)
        tier.refuse_unknown(TIER_KEYS)
        severity = tier.choice("severity", tuple(Severity))
        above = _above(tier, counted)
        if severity is not None and above is not None:
            tiers.append(Tier(above, severity))
    if any(later.above <= tier.above for tier, later in pairwise(tiers)):
        limit.refuse("tiers do not rise: each must be above the one before it")
    return tuple(tiers)


class StatedScope(NamedTuple):
    """Whom a limit or a review is for, as `Threshold` has it: all must hold; none is everyone."""

    account_id: str | None = None
    segment: str | None = None
    peer_group: str | None = None
    product: str | None = None
    in_list: NameList | None = None


def scope_in(threshold: Threshold) -> StatedScope:
    """Return the scope that a threshold has."""
    return StatedScope(
        threshold.account_id,
        threshold.segment,
        threshold.peer_group,
        threshold.product,
        threshold.in_list,
    )


def scope_stated(reader: TableReader, lists: Lists) -> StatedScope:
    """Return the scope that a table states, by `SCOPE_KEYS`; `lists` are those of the policy."""
    scope = reader.get("scope", {})
    if (
        isinstance(scope, dict)
        and set(scope) <= set(SCOPE_KEYS)
        and all(isinstance(v, str) and 0 < len(v) <= ID_LENGTH_MAX for v in scope.values())
        and _PEER_GROUP.fullmatch(scope.get("peer_group", "A"))
    ):
        for key, name in scope.items():
            refuse_misspelt(reader, f"scope.{key}", name)
        listed = _list_named(scope["in_list"], reader, lists) if "in_list" in scope else None
        return StatedScope(
            scope.get("account"),
            scope.get("segment"),
            scope.get("peer_group"),
            scope.get("product"),
            listed,
        )
    reader.refuse(
        f'scope is {shown(scope)}: write {{ segment = "business" }}, {{ product = "savings" }},'
        ' { peer_group = "B2" } (or "B", with all in it), { account = "A7" },'
        ' { in_list = "pep" }, or several of these'
    )
    return StatedScope()


def _list_named(name: str, reader: TableReader, lists: Lists) -> NameList | None:
    found = lists.get(name)
    if found is not None and found.accounts is not None:
        return found.accounts
    known = [each for each, its in lists.items() if its.accounts is not None]
    reader.refuse(
        f"scope.in_list is {shown(name)}: "
        + (f"one of {', '.join(known)}" if known else "state [lists.NAME] with accounts")
    )
    return None


def refuse_shared(
    what: str, scopes: Iterable[tuple[int, str, object, StatedScope]], document: TableReader
) -> None:
    """Note lists that have an account in common, and scopes that are else alike.

    `what` is the key of the tables whose scopes these are. Each of `scopes` has the number of its
    table, its name, what it is for beside its scope, and the scope.
    """
    alike: dict[object, dict[NameList, tuple[int, str]]] = {}
    for number, name, subject, scope in scopes:
        if scope.in_list is not None:
            of_subject = alike.setdefault((subject, scope[:-1]), {})
            of_subject.setdefault(scope.in_list, (number, name))
    for of_subject in alike.values():
        whose: dict[str, str] = {}  # by account, the first whose list has it
        for its, (number, name) in of_subject.items():
            shared: dict[str, str] = {}  # one account for each other that has any of them
            for account_id in sorted(its.names & whose.keys()):
                shared.setdefault(whose[account_id], account_id)
            for other, account_id in shared.items():
                document.refuse(
                    f"{what}s {other} and {name} are for lists that both have account"
                    f" {shown(account_id)}: which one decides? Take it out of one of them",
                    what,
                    number,
                )
            for account_id in its.names:
                whose.setdefault(account_id, name)


def _above(limit: TableReader, counted: _Counted) -> int | None:
    """Return what must be exceeded; `at_least` is reached by the least that exceeds it."""
    if "at_least" in limit.table:
        if "above" in limit.table:
            limit.refuse("above and at_least are both stated: a limit has one of them")
        least = _value(limit, "at_least", counted)
        if least == 0:
            limit.refuse("at_least is 0: every account-day would be over it")
            return None
        return None if least is None else least - 1
    return _value(limit, "above", counted)


def _value(limit: TableReader, key: str, counted: _Counted) -> int | None:
    value = limit.get(key)
    if counted.measure is Measure.SHARE:
        return _share(limit, key)
    if counted.measure is Measure.RATIO:
        return _ratio(limit, key)
    if counted.measure not in MONEY_MEASURES:
        if is_whole(value) and value >= 0:
            return value
        if isinstance(value, int) and not is_whole(value) and value is not True and value > 0:
            limit.refuse(f"{key} is {shown(value)}: too large, a count is below {WHOLE_MAX:,}")
            return None
        limit.refuse(f"{key} is {shown(value)}: a count is a whole number, e.g. 10")
        return None
    assert counted.currency is not None
    return money_stated(limit, key, counted.currency)


def _least_whole(limit: TableReader, counted: _Counted) -> int:
    """Return the least sum of which a share or a ratio is told, in minor units; 0 without one."""
    if "from" not in limit.table or counted.measure not in _FROM_A_SUM:
        return 0
    assert counted.currency is not None, "a share has one"
    return money_stated(limit, "from", counted.currency) or 0


def _share(limit: TableReader, key: str) -> int | None:
    """Return per cent that a limit states as thousandths."""
    value = limit.get(key)
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if key == "at_least":
        limit.refuse("at_least is stated: write above, because a share is rounded up")
    elif match is None:
        limit.refuse(
            f'{key} is {shown(value)}: a share is less than 100%, with one decimal, e.g. "66.7%"'
        )
    else:
        return WHOLE // 100 * int(match[1]) + int(match[2] or 0)
    return None


def _ratio(limit: TableReader, key: str) -> int | None:
    """Return how many times the usual a limit states, in hundredths."""
    value = limit.get(key)
    text = str(value) if is_whole(value) else value
    match = _RATIO.fullmatch(text) if isinstance(text, str) else None
    if key == "at_least":
        limit.refuse("at_least is stated: write above, because a ratio is rounded up")
    elif match is None:
        limit.refuse(
            f"{key} is {shown(value)}: write how many times the usual, below 10,000 and with at"
            ' most two decimals, e.g. "2.50"'
        )
    else:
        return HUNDREDTHS * int(match[1]) + int(f"{match[2] or 0:0<2}")
    return None
