"""The risk team's board: what was reported, what nobody watches, and whether the console is fed."""

from typing import Final

from streams.reference.dashboards.board import (
    Board,
    Chart,
    Drawing,
    Section,
    greatest,
    growth,
    of_group,
    per_second,
    ratio,
    total,
)

_RAISED: Final = 'status="raised"'
_REVIEWS: Final = 'kind="review"'
_DAY: Final = "24h"
_FAILED: Final = 'status="5xx"'
_REQUESTS: Final = "weir_console_request_duration_seconds_count"

_NOW: Final = Section(
    "Today",
    [
        Chart(
            Drawing.FIGURE,
            "Alerts, last hour",
            "Alerts raised in the last hour, of every kind.",
            {"": growth("weir_alerts_total", where=_RAISED, within="1h")},
            width=4,
            steps=[(None, "blue")],
            decimals=0,
        ),
        Chart(
            Drawing.FIGURE,
            "Alerts, last 24 hours",
            "Alerts raised in the last 24 hours, of every kind.",
            {"": growth("weir_alerts_total", where=_RAISED, within=_DAY)},
            width=4,
            steps=[(None, "blue")],
            decimals=0,
        ),
        Chart(
            Drawing.FIGURE,
            "Reviews, last 24 hours",
            "Reviews raised in the last 24 hours: accounts that need a decision, not a day.",
            {"": growth("weir_alerts_total", where=f"{_REVIEWS},{_RAISED}", within=_DAY)},
            width=4,
            steps=[(None, "blue")],
            decimals=0,
        ),
        Chart(
            Drawing.FIGURE,
            "Records rejected",
            "The share of the records of the last minutes that were rejected, and so are in no"
            " total.",
            {"": of_group("weir:rejections:ratio_rate5m")},
            unit="percentunit",
            width=4,
            steps=[(None, "green"), (0.01, "orange")],
            runbooks=["WeirRejectionsHigh"],
        ),
        Chart(
            Drawing.FIGURE,
            "Too late, last hour",
            "Records of the last hour whose business day was closed already: they changed no"
            " total.",
            {"": growth("weir_rejections_total", where='reason="too-late"', within="1h")},
            width=4,
            steps=[(None, "green"), (1, "orange")],
            decimals=0,
            runbooks=["WeirTooLateMany"],
        ),
        Chart(
            Drawing.FIGURE,
            "Decisions that wait",
            "Decisions of people that the broker does not have yet. They count in the console.",
            {"": total("weir_console_unsent_decisions")},
            width=4,
            steps=[(None, "green"), (1, "orange")],
            decimals=0,
            runbooks=["WeirDecisionsWait"],
        ),
    ],
)

_ALERTS: Final = Section(
    "Alerts",
    [
        Chart(
            Drawing.PILES,
            "Alerts by kind",
            "Alerts raised in each interval, by kind.",
            {"{{kind}}": growth("weir_alerts_total", "kind", _RAISED)},
        ),
        Chart(
            Drawing.PILES,
            "Alerts by status",
            "Alerts reported in each interval, by status: a late or reversing record restates or"
            " withdraws one.",
            {"{{status}}": growth("weir_alerts_total", "status")},
        ),
        Chart(
            Drawing.PILES,
            "Reviews by status",
            "Reviews reported in each interval: raised, restated as days are added, withdrawn as"
            " too few are left.",
            {"{{status}}": growth("weir_alerts_total", "status", _REVIEWS)},
        ),
        Chart(
            Drawing.PILES,
            "Suppressed alerts by kind",
            "Alerts raised in each interval with the mark of a suppression, by kind: they are in"
            " the other charts, too, and not in the console's queue.",
            {"{{kind}}": growth("weir_suppressed_alerts_total", "kind", _RAISED)},
        ),
        Chart(
            Drawing.BARS,
            "Alerts raised in an hour, by kind",
            "How many alerts of each kind a team gets in an hour.",
            {"{{kind}}": growth("weir_alerts_total", "kind", _RAISED, within="1h")},
        ),
        Chart(
            Drawing.LINES,
            "Alerts of a thousand account-days",
            "Alerts raised for each thousand account-days that closed in the last hour.",
            {
                "{{kind}}": f"1000 * {growth('weir_alerts_total', 'kind', _RAISED, '1h')}"
                f" / on () group_left () ({growth('weir_account_days_closed_total', within='1h')}"
                " > 0)"
            },
        ),
    ],
)

_UNWATCHED: Final = Section(
    "Records that no limit sees",
    [
        Chart(
            Drawing.AREAS,
            "Rejections per second by reason",
            "Records rejected, by reason. Some late and doubled ones are usual; a step is not.",
            {"{{reason}}": per_second("weir_rejections_total", "reason")},
            runbooks=["WeirRejectionsHigh", "WeirTooLateMany"],
            width=12,
        ),
        Chart(
            Drawing.BARS,
            "Transactions that no limit watches",
            "Transactions of the last hour in a currency that no limit of their day watches: no"
            " total of them can raise an alert.",
            {"{{currency}}": growth("weir_unwatched_transactions_total", "currency", within="1h")},
            runbooks=["WeirCurrencyUnwatched"],
            width=12,
        ),
        Chart(
            Drawing.AREAS,
            "Currencies of limits that came",
            "1 once a transaction in a currency that limits name has come to any worker; 0 may be a"
            " slip of the pen in the policy.",
            {"{{currency}}": greatest("weir_limit_currency_seen", "currency")},
            width=8,
        ),
        Chart(
            Drawing.BARS,
            "Transactions without a rate",
            "Transactions of the last hour that limits on all currencies cannot convert: no rate of"
            " their business day is in the policy, so these limits are undecided.",
            {
                "{{currency}}": growth("weir_undecided_transactions_total", "currency", within="1h")
                + " or vector(0)"
            },
            width=8,
        ),
        Chart(
            Drawing.AREAS,
            "Limits that cannot decide yet",
            "Limits that a later policy brought, in the partition where most of them wait: each"
            " decides from its first period or window on that is measured whole.",
            {"limits": greatest("weir_limits_waiting")},
            width=8,
        ),
    ],
)

_CONSOLE: Final = Section(
    "Console",
    [
        Chart(
            Drawing.LINES,
            "Decisions of people",
            "Decisions that wait for the broker, and those published a second.",
            {
                "waiting": total("weir_console_unsent_decisions"),
                "published a second": per_second("weir_console_published_total"),
            },
            runbooks=["WeirDecisionsWait"],
        ),
        Chart(
            Drawing.BARS,
            "Decisions published in an hour",
            "Decisions of people that were published in the last hour.",
            {"published": growth("weir_console_published_total", within="1h")},
        ),
        Chart(
            Drawing.LINES,
            "Webhooks",
            "Events that wait for a webhook's address, and tries to deliver them by outcome.",
            {
                "waiting": total("weir_console_webhook_waiting"),
                "{{outcome}}": per_second("weir_console_webhook_tries_total", "outcome"),
            },
        ),
        Chart(
            Drawing.LINES,
            "Records that the console does not show yet",
            "Records of alerts, rejections, account-days and decisions that wait for the archive.",
            {"{{topic}}": total("weir_archive_lag_records", "topic")},
            runbooks=["WeirArchiveBehind"],
        ),
        Chart(
            Drawing.AREAS,
            "Requests per second by status",
            "Requests to the console, by method and the first digit of their status.",
            {
                "{{method}} {{status}}": per_second(_REQUESTS, "method, status"),
            },
        ),
        Chart(
            Drawing.LINES,
            "Requests that failed",
            "The share of requests to the console that ended in a fault of ours (5xx).",
            {
                "failed": ratio(
                    f"({per_second(_REQUESTS, where=_FAILED)} or vector(0))",
                    per_second(_REQUESTS),
                )
            },
            unit="percentunit",
            most=1,
        ),
    ],
)

RISK_TEAM: Final = Board(
    "risk-team",
    "weir-risk-team",
    "Weir: risk team",
    "Alerts and reviews, records that no limit sees, and the console where people decide.",
    [_NOW, _ALERTS, _UNWATCHED, _CONSOLE],
)
