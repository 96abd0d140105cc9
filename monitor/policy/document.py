"""A policy read from TOML, validated whole.

All problems of a text come in one `PolicyError`, so that an operator mends them in one go.
"""

import contextlib
import re
import tomllib
from datetime import time
from typing import Final
from zoneinfo import available_timezones

from monitor.core.business_day import MICROSECONDS
from monitor.core.table_reader import TableReader, TomlLines, day_stated, is_whole, shown
from monitor.policy.limits import LIMIT_KEYS, SCOPE_KEYS, limits_of
from monitor.policy.lists import LIST_KEYS, lists_stated
from monitor.policy.models import DEFAULT_BUDGET, DEFAULT_SYSTEMIC, outlier_settings
from monitor.policy.policy import CalendarSettings, Policy, PolicyError
from monitor.policy.rates import RATE_KEYS, rates_stated
from monitor.policy.reviews import review_rules
from monitor.policy.suppressions import SUPPRESSION_KEYS, suppressions_stated
from monitor.policy.systemic import systemic_settings

POLICY_BYTES_MAX: Final = 1 << 20
"""A policy's text is no longer; some 5,000 limits fit in."""

KEY_PARTS_MAX: Final = 8
"""Parts of a dotted key. A policy's own have 3 at most, and tomllib's time is quadratic in them."""

_PIECE: Final = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*+"""|"(?!"")(?:[^"\\\n]|\\.)*+"'''
    r"""|'''(?:[^']|'(?!''))*+'''|'(?!'')[^'\n]*+'"""
    r"""|\#[^\n]*+|[^"'\#]++""",
    re.DOTALL,
)
"""A string, a comment, or what stands between such; each is tried once, so time is linear."""

_LONG_KEY: Final = re.compile(
    rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{KEY_PARTS_MAX}}}", re.ASCII
)
_DURATION: Final = re.compile(r"([0-9]{1,6})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION_MAX: Final = 3660 * 86_400  # ten years: a slip of the pen beyond, and the end of dates

HOLIDAYS_MAX: Final = 1_000
"""Holidays of a calendar: those of decades."""

_TOO_LONG: Final = f"longer than {POLICY_BYTES_MAX:,} bytes: no policy may be"

__all__ = [
    "CALENDAR_KEYS",
    "DEFAULT_LIMITS",
    "DEFAULT_POLICY",
    "FULL_POLICY",
    "LIMIT_KEYS",
    "LIST_KEYS",
    "POLICY_BYTES_MAX",
    "POLICY_KEYS",
    "RATE_KEYS",
    "SCOPE_KEYS",
    "SUPPRESSION_KEYS",
    "policy_of",
    "policy_of_bytes",
]

CALENDAR_KEYS: Final = (
    "time_zone",
    "cut_off",
    "allowed_lateness",
    "clock_skew",
    "leap",
    "idle_closes_after",
    "holidays",
)
POLICY_KEYS: Final = (
    "version",
    "effective_from",
    "calendar",
    "limit",
    "budget",
    "models",
    "systemic",
    "review",
    "suppression",
    "lists",
    "rates",
)

DEFAULT_LIMITS: Final = """\
version = 1

[calendar]
time_zone = "UTC"

# An alert is raised when the total of the day is greater than `above`.
[[limit]]
id = "daily-amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "2000.00"

# The most specific limit of a measure, direction and currency decides alone.
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

DEFAULT_REVIEW: Final = """
# An account that is over its limits on three of ten business days gets one review.
[review]
"""

DEFAULT_POLICY: Final = DEFAULT_LIMITS + DEFAULT_REVIEW
"""What decides if nobody states a policy: to try Weir with, not to run a bank by."""

FULL_POLICY: Final = (
    "# Everything on: the policy of `weir demo`, and what `weir policy show --default` prints.\n"
    "# To try Weir with, not to run a bank by. docs/policy.md has every key.\n"
    + DEFAULT_POLICY
    + DEFAULT_SYSTEMIC
    + DEFAULT_BUDGET
)
"""All that a policy can switch on. It is `examples/full.policy.toml`, byte for byte."""


def policy_of(text: str, source: str = "policy", written: str | None = None) -> Policy:
    """Return the policy that a TOML text states. Raises PolicyError with all its problems.

    They name lines of the text as somebody has `written` it, if the files of its lists were put
    into it since.
    """
    if len(text) > POLICY_BYTES_MAX or len(text.encode(errors="replace")) > POLICY_BYTES_MAX:
        raise PolicyError([_TOO_LONG], source)
    if _has_a_long_key(text):
        raise PolicyError(
            [f"a key has more than {KEY_PARTS_MAX} parts: a policy's have at most 3"], source
        )
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError is one, and a number of 5,000 digits another
        raise PolicyError([f"not TOML: {error}"], source) from None
    except RecursionError:
        raise PolicyError(["not TOML: nested too deep"], source) from None
    stated = TableReader(document, lines=TomlLines(text if written is None else written))
    stated.refuse_unknown(POLICY_KEYS)
    version = stated.get("version")
    if not is_whole(version) or version < 1:
        stated.refuse("version is missing or no whole number from 1 on")
        version = 0
    effective_from = _effective_from(stated)
    calendar = _calendar(stated)
    lists = lists_stated(stated)
    rates = rates_stated(stated)
    holidays = calendar.holidays if calendar is not None else ()
    limits = limits_of(stated, lists, holidays, rates)
    outliers = outlier_settings(stated)
    systemic = systemic_settings(stated)
    reviews = review_rules(stated, lists)
    suppressions = suppressions_stated(stated)
    of_gauges = [limit.threshold for limit in limits.gauges]
    if outliers is None and any(t.peer_group for t in (*limits.thresholds, *of_gauges)):
        stated.refuse("a limit is for a peer group: these are of the models, so state a [budget]")
    if outliers is None and any(rule.threshold.peer_group for rule in reviews):
        stated.refuse("a review is for a peer group: these are of the models: state a [budget]")
    if stated.problems:
        raise PolicyError(stated.problems, source)
    assert calendar is not None
    return Policy(
        version,
        effective_from,
        calendar,
        limits.thresholds,
        text,
        outliers,
        systemic,
        reviews,
        limits.gauges,
        suppressions,
        lists,
        rates and rates._replace(version=version),
    )


def policy_of_bytes(value: bytes, source: str = "policy", written: str | None = None) -> Policy:
    """Return the policy of a file or a record. Raises PolicyError as `policy_of` does.

    So many bytes are enough to see that there are too many: `POLICY_BYTES_MAX` + 1.
    """
    if len(value) > POLICY_BYTES_MAX:
        raise PolicyError([_TOO_LONG], source)
    try:
        text = value.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError([f"not UTF-8 text: {error}"], source) from None
    return policy_of(text, source, written)


def _has_a_long_key(text: str) -> bool:
    """Return whether a key outside strings and comments has too many parts.

    A string that does not end is left to tomllib, which gets no further than here.
    """
    pieces, end = [], 0
    while piece := _PIECE.match(text, end):
        end = piece.end()
        first = piece[0][0]
        pieces.append("s" if first in "\"'" else "" if first == "#" else piece[0])
    return _LONG_KEY.search("".join(pieces)) is not None


def _effective_from(document: TableReader) -> int:
    value = document.get("effective_from", None)
    if value is None:
        return 0
    day = day_stated(value)
    if day is None:
        document.refuse(f"effective_from is {shown(value)}: write a date, e.g. 2026-03-01")
    return day or 0


def _calendar(document: TableReader) -> CalendarSettings | None:
    table = document.get("calendar", {})
    if not isinstance(table, dict):
        document.refuse("[calendar] is not a table")
        return None
    calendar = document.reader(table, "calendar.", "calendar")
    calendar.refuse_unknown(CALENDAR_KEYS)
    time_zone = calendar.get("time_zone", "UTC")
    if not isinstance(time_zone, str) or time_zone not in available_timezones():
        calendar.refuse(
            f"time_zone is {shown(time_zone)}: not in the IANA list, e.g. Europe/Berlin"
        )
    cut_off = _cut_off(calendar)
    lateness = _duration(calendar, "allowed_lateness", "48h")
    skew = _duration(calendar, "clock_skew", "1h")
    leap = _duration(calendar, "leap", "3d")
    # By no more than the lateness: so one account never closes the day that the others are on.
    lead = leap if "leap" in table else min(leap, lateness)
    idle = _duration(calendar, "idle_closes_after", "1m") if "idle_closes_after" in table else None
    if idle is not None and idle < MICROSECONDS * 60:
        calendar.refuse("idle_closes_after must be at least 1m: a partition rests for moments")
    holidays = _holidays(calendar)
    if not calendar.is_good:
        return None
    assert isinstance(time_zone, str)
    return CalendarSettings(time_zone, cut_off, lateness, skew, leap, lead, idle, holidays)


def _cut_off(calendar: TableReader) -> time:
    value = cut_off = calendar.get("cut_off", "00:00")
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            cut_off = time.fromisoformat(value)
    if isinstance(cut_off, time) and cut_off.tzinfo is None and not cut_off.microsecond:
        return cut_off
    calendar.refuse(f'cut_off is {shown(value)}: write a time of day, e.g. "03:00"')
    return time()


def _holidays(calendar: TableReader) -> tuple[int, ...]:
    """Return the holidays that the calendar lists, sorted."""
    stated = calendar.get("holidays", [])
    if not isinstance(stated, list) or len(stated) > HOLIDAYS_MAX:
        calendar.refuse(f'holidays is no list of at most {HOLIDAYS_MAX:,}: write ["2026-12-25"]')
        return ()
    days = set()
    for value in stated:
        day = day_stated(value)
        if day is None:
            calendar.refuse(f"holidays has {shown(value)}: write dates, e.g. 2026-12-25")
        else:
            days.add(day)
    return tuple(sorted(days))


def _duration(calendar: TableReader, key: str, default: str) -> int:
    value = calendar.get(key, default)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        calendar.refuse(
            f'{key} is {shown(value)}: write a whole number and s, m, h or d, e.g. "48h"'
        )
        return 0
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > _DURATION_MAX:
        calendar.refuse(f"{key} is {shown(value)}: at most {_DURATION_MAX // 86_400}d")
    return seconds * MICROSECONDS
