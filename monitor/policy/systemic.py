"""Settings of the systemic detection, as a policy states them in [systemic].

Without that table there is none; an empty one is enough.
"""

from typing import Final, NamedTuple

from monitor.core.table_reader import TableReader, is_whole, key_shown, shown
from monitor.core.threshold import Severity

SYSTEMIC_KEYS: Final = ("severity", "breach_budget", "pay_days")
QUIET_DAYS: Final = 3
"""An incident is open while it alarms again within so many days."""

LASTING_DAYS: Final = 14
"""What has lasted so long is the new usual; and no incident begins so many days before the day on
which it is found."""

REACH_DAYS: Final = LASTING_DAYS - 1 + QUIET_DAYS
"""A decision changes what is explained on days so far back, and on none before."""

NO_SEGMENT: Final = "*"
"""In `breach_budget`: every segment that has no budget of its own."""

LAST: Final = "last"
LAST_BUSINESS_DAY: Final = 0
"""Among pay-days: what `LAST` states, the last day of a month from Monday to Friday."""

MONTH_DAYS_MAX: Final = 31
FROM_END_MAX: Final = 3
"""Pay-days may be counted from a month's end, up to so many days."""


class SystemicSettings(NamedTuple):
    """How much a systemic alert matters, and which share of account-days may breach a limit.

    `breach_budget` is by segment, `NO_SEGMENT` for all others. Where it names none, a suggested
    limit restores the share that the segment's own history had. `pay_days` are days of the month,
    from 1; from its end, from -1; and `LAST_BUSINESS_DAY`.
    """

    severity: Severity = Severity.HIGH
    breach_budget: tuple[tuple[str, float], ...] = ()
    pay_days: tuple[int, ...] = ()

    def budget_of(self, segment: str | None) -> float | None:
        """Return the share of a segment's account-days that may breach; None if none is set."""
        budgets = dict(self.breach_budget)
        others = budgets.get(NO_SEGMENT)
        return others if segment is None else budgets.get(segment, others)


def systemic_settings(document: TableReader) -> SystemicSettings | None:
    """Return what [systemic] of a policy states; None if there is no such table."""
    table = document.get("systemic", None)
    if table is None:
        return None
    if not isinstance(table, dict):
        document.refuse("[systemic] is not a table")
        return None
    systemic = document.reader(table, "systemic.", "systemic")
    systemic.refuse_unknown(SYSTEMIC_KEYS)
    severity = systemic.choice("severity", tuple(Severity), Severity.HIGH) or Severity.HIGH
    return SystemicSettings(severity, _budgets(systemic), _pay_days(systemic))


def _pay_days(systemic: TableReader) -> tuple[int, ...]:
    stated = systemic.get("pay_days", [])
    if not isinstance(stated, list):
        systemic.refuse(f'pay_days is {shown(stated)}: it must be a list, e.g. [1, 15, "{LAST}"]')
        return ()
    days: set[int] = set()
    for value in stated:
        if value == LAST:
            days.add(LAST_BUSINESS_DAY)
        elif is_whole(value) and (1 <= value <= MONTH_DAYS_MAX or -FROM_END_MAX <= value <= -1):
            days.add(value)
        else:
            systemic.refuse(
                f"pay_days has {shown(value)}: it must be a day of the month from 1 to"
                f" {MONTH_DAYS_MAX}, from its end from -1 to -{FROM_END_MAX}, or"
                f' "{LAST}", its last business day'
            )
    return tuple(sorted(days))


def _budgets(systemic: TableReader) -> tuple[tuple[str, float], ...]:
    value = systemic.get("breach_budget", {})
    by_segment = value if isinstance(value, dict) else {NO_SEGMENT: value}
    budgets: list[tuple[str, float]] = []
    for segment, share in by_segment.items():
        if isinstance(share, float) and 0 < share < 1:
            budgets.append((segment, share))
            continue
        part = "" if segment == NO_SEGMENT else f".{key_shown(segment)}"
        systemic.refuse(
            f"breach_budget{part} is {shown(share)}: a share of account-days between 0 and 1,"
            " e.g. 0.01"
        )
    return tuple(sorted(budgets))
