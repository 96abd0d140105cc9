"""What options let one choose from, as help shows it.

The values are those of enums elsewhere; a test holds these against them. They stand here once more
because the start of every command would otherwise import what only some of them need.
"""

from enum import StrEnum


class OfKind(StrEnum):
    """As `monitor.core.alert.Kind`."""

    DAILY_AMOUNT = "daily-amount"
    DAILY_COUNT = "daily-count"
    OUTLIER = "outlier"
    REVIEW = "review"
    SYSTEMIC = "systemic"


class OfStatus(StrEnum):
    """As `monitor.core.alert.Status`."""

    RAISED = "raised"
    RESTATED = "restated"
    WITHDRAWN = "withdrawn"


class SortedBy(StrEnum):
    """As `streams.alert_list.Sort`."""

    TOLD = "told"
    DAY = "day"
    ACCOUNT = "account"


class DisposedAs(StrEnum):
    """As `monitor.disposition.Disposition`."""

    SUSPICIOUS = "suspicious"
    SERVICE_NEED = "service-need"
    FALSE_ALARM = "false-alarm"
    LIMIT_WRONG = "limit-wrong"
    DATA_FAULT = "data-fault"
