"""A policy read from TOML, validated whole.

All problems of a text come in one `PolicyError`, so that an operator mends them in one go.
"""

import contextlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final, TypeGuard, TypeVar
from zoneinfo import available_timezones

from monitor.core.business_day import MICROSECONDS
from monitor.core.money import EXPONENT, minor_units
from monitor.core.threshold import LIMIT_MEASURES, Direction, Measure, Severity, Threshold
from monitor.core.transaction import ID_LENGTH_MAX
from monitor.outliers import outlier_settings
from monitor.policy import CalendarSettings, Policy, PolicyError

_DURATION: Final = re.compile(r"([0-9]{1,6})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION_MAX: Final = 3660 * 86_400  # ten years: a slip of the pen beyond, and the end of dates
_WHOLE_MAX: Final = 10**18  # state and alerts hold 64 bits
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MISSING: Final = object()
_Member = TypeVar("_Member", bound=StrEnum)

CALENDAR_KEYS: Final = ("time_zone", "cut_off", "allowed_lateness", "clock_skew")
LIMIT_KEYS: Final = (
    "id", "measure", "direction", "currency", "above", "scope", "severity",
)  # fmt: skip
POLICY_KEYS: Final = ("version", "effective_from", "calendar", "limit", "budget", "models")

DEFAULT_POLICY: Final = """\
version = 1

[calendar]
time_zone = "UTC"

[[limit]]
id = "daily-amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "2000.00"

[[limit]]
id = "daily-amount-business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "50000.00"
scope = { segment = "business" }
severity = "high"

[[limit]]
id = "daily-count"
measure = "count"
above = 15

[[limit]]
id = "daily-count-business"
measure = "count"
above = 40
scope = { segment = "business" }
"""
"""What decides where nobody states a policy: to try Weir with, not to run a bank by."""


def policy_of(text: str, source: str = "policy") -> Policy:
    """Return the policy that a TOML text states. Raises PolicyError with all its problems."""
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError is one, and a number of 5,000 digits another
        raise PolicyError([f"not TOML: {error}"], source) from None
    except RecursionError:
        raise PolicyError(["not TOML: nested too deep"], source) from None
    problems: list[str] = []
    _refuse_unknown(document, POLICY_KEYS, "", problems)
    version = document.get("version")
    if not _is_whole(version) or version < 1:
        problems.append("version is missing or no whole number from 1 on")
        version = 0
    effective_from = _effective_from(document.get("effective_from"), problems)
    calendar = _calendar(document.get("calendar", {}), problems)
    thresholds = _thresholds(document.get("limit"), problems)
    outliers = outlier_settings(document, problems)
    if problems:
        raise PolicyError(problems, source)
    assert calendar is not None
    return Policy(version, effective_from, calendar, thresholds, text, outliers)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _WHOLE_MAX


def _refuse_unknown(
    table: Mapping[str, object], known: tuple[str, ...], where: str, problems: list[str]
) -> None:
    problems.extend(
        f"{where}{key} is not known: use one of {', '.join(known)}"
        for key in table
        if key not in known
    )


def _effective_from(value: object, problems: list[str]) -> int:
    if value is None:
        return 0
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.toordinal()
    problems.append(f"effective_from is {value!r}: write a date, e.g. 2026-03-01")
    return 0


def _calendar(table: object, problems: list[str]) -> CalendarSettings | None:
    if not isinstance(table, dict):
        problems.append("[calendar] is not a table")
        return None
    found = len(problems)
    _refuse_unknown(table, CALENDAR_KEYS, "calendar.", problems)
    time_zone = table.get("time_zone", "UTC")
    if not isinstance(time_zone, str) or time_zone not in available_timezones():
        problems.append(
            f"calendar.time_zone is {time_zone!r}: not in the IANA list, e.g. Europe/Berlin"
        )
    cut_off = _cut_off(table.get("cut_off", "00:00"), problems)
    lateness = _duration(table, "allowed_lateness", "48h", problems)
    skew = _duration(table, "clock_skew", "1h", problems)
    if len(problems) > found:
        return None
    assert isinstance(time_zone, str)
    return CalendarSettings(time_zone, cut_off, lateness, skew)


def _cut_off(value: object, problems: list[str]) -> time:
    cut_off = value
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            cut_off = time.fromisoformat(value)
    if isinstance(cut_off, time) and cut_off.tzinfo is None and not cut_off.microsecond:
        return cut_off
    problems.append(f'calendar.cut_off is {value!r}: write a time of day, e.g. "03:00"')
    return time()


def _duration(table: dict[str, object], key: str, default: str, problems: list[str]) -> int:
    value = table.get(key, default)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        problems.append(
            f'calendar.{key} is {value!r}: write a whole number and s, m, h or d, e.g. "48h"'
        )
        return 0
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > _DURATION_MAX:
        problems.append(f"calendar.{key} is {value!r}: at most {_DURATION_MAX // 86_400}d")
    return seconds * MICROSECONDS


def _thresholds(tables: object, problems: list[str]) -> tuple[Threshold, ...]:
    if not isinstance(tables, list) or not tables:
        problems.append("no [[limit]] is stated: a policy watches at least one")
        return ()
    thresholds = []
    for number, table in enumerate(tables, 1):
        if not isinstance(table, dict):
            problems.append(f"limit {number} is not a table: write [[limit]]")
            continue
        threshold = _threshold(table, number, problems)
        if threshold is not None:
            thresholds.append(threshold)
    _refuse_twins(thresholds, lambda t: t.threshold_id, "have the same id", problems)
    _refuse_twins(
        thresholds,
        lambda t: (t.subject, t.account_id, t.segment),
        "have the same measure, direction, currency and scope: which one decides?",
        problems,
    )
    return tuple(thresholds)


def _refuse_twins(
    thresholds: list[Threshold],
    key: Callable[[Threshold], object],
    why: str,
    problems: list[str],
) -> None:
    seen: dict[object, Threshold] = {}
    for threshold in thresholds:
        twin = seen.setdefault(key(threshold), threshold)
        if twin is not threshold:
            problems.append(f"limits {twin.threshold_id} and {threshold.threshold_id} {why}")


def _threshold(table: dict[str, object], number: int, problems: list[str]) -> Threshold | None:
    found = len(problems)
    threshold_id = table.get("id")
    if not isinstance(threshold_id, str) or not _SLUG.fullmatch(threshold_id):
        problems.append(
            f"limit {number}: id is {threshold_id!r}: write letters, digits, . _ - (at most 64)"
        )
        threshold_id = ""
    where = f"limit {threshold_id or number}: "
    _refuse_unknown(table, LIMIT_KEYS, where, problems)
    measure = _member(table, "measure", LIMIT_MEASURES, _MISSING, where, problems)
    direction = _member(table, "direction", tuple(Direction), Direction.BOTH, where, problems)
    severity = _member(table, "severity", tuple(Severity), Severity.MEDIUM, where, problems)
    currency = table.get("currency")
    if currency is not None and not (isinstance(currency, str) and currency in EXPONENT):
        problems.append(f"{where}currency is {currency!r}: not a code of ISO 4217")
    elif currency is None and measure is Measure.AMOUNT:
        problems.append(f"{where}currency is missing: amounts of two currencies are never added")
    account_id, segment = _scope(table.get("scope", {}), where, problems)
    if len(problems) > found:
        return None
    assert measure is not None
    assert direction is not None
    assert severity is not None
    assert currency is None or isinstance(currency, str)
    above = _above(table.get("above", _MISSING), measure, currency, where, problems)
    if above is None:
        return None
    return Threshold(
        threshold_id, measure, direction, currency, above, severity, account_id, segment
    )


def _member(
    table: dict[str, object],
    key: str,
    choices: Sequence[_Member],
    default: object,
    where: str,
    problems: list[str],
) -> _Member | None:
    value = table.get(key, default)
    for choice in choices:
        if value == choice.value:
            return choice
    said = "missing" if value is _MISSING else repr(value)
    problems.append(f"{where}{key} is {said}: one of {', '.join(choices)}")
    return None


def _scope(scope: object, where: str, problems: list[str]) -> tuple[str | None, str | None]:
    if (
        isinstance(scope, dict)
        and len(scope) <= 1
        and set(scope) <= {"account", "segment"}
        and all(isinstance(v, str) and 0 < len(v) <= ID_LENGTH_MAX for v in scope.values())
    ):
        return scope.get("account"), scope.get("segment")
    problems.append(
        f'{where}scope is {scope!r}: write {{ segment = "business" }} or {{ account = "A7" }}'
    )
    return None, None


def _above(
    value: object, measure: Measure, currency: str | None, where: str, problems: list[str]
) -> int | None:
    if measure is Measure.COUNT:
        if _is_whole(value) and value >= 0:
            return value
        said = "missing" if value is _MISSING else repr(value)
        problems.append(f"{where}above is {said}: a count is a whole number, e.g. 10")
        return None
    assert currency is not None
    text = str(value) if _is_whole(value) else value
    minor = minor_units(text, EXPONENT[currency]) if isinstance(text, str) else None
    if minor is None:
        said = "missing" if value is _MISSING else repr(value)
        problems.append(
            f"{where}above is {said}: write the amount as text with at most"
            f' {EXPONENT[currency]} decimals, e.g. "500{".00" if EXPONENT[currency] else ""}"'
        )
    return minor
