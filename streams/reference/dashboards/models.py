"""The models' board: whether they are warm, what they report, and what their budget held back."""

from typing import Final

from streams.reference.dashboards.board import (
    Board,
    Chart,
    Drawing,
    Section,
    greatest,
    growth,
    over_partitions,
    per_second,
    ratio,
    total,
)

_PARTITION: Final = "partition {{partition}}"
_OUTLIERS: Final = 'kind="outlier"'
_RAISED: Final = 'kind="outlier",status="raised"'


def _reported(within: str) -> str:
    """Return the share of closed account-days that were reported as outliers."""
    alerts = growth("weir_alerts_total", where=_RAISED, within=within)
    return ratio(alerts, growth("weir_account_days_closed_total", within=within))


_READY: Final = Section(
    "Are they ready?",
    [
        Chart(
            Drawing.FIGURE,
            "Partitions with warm models",
            "Partitions whose outlier models are warmed up. Before, they report nothing.",
            {"": over_partitions("weir_models_warm")},
            width=6,
            decimals=0,
        ),
        Chart(
            Drawing.FIGURE,
            "Outliers, last 24 hours",
            "Outlier alerts raised in the last 24 hours.",
            {"": growth("weir_alerts_total", where=_RAISED, within="24h")},
            width=6,
            steps=[(None, "blue")],
            decimals=0,
        ),
        Chart(
            Drawing.FIGURE,
            "Account-days held back",
            "Strange account-days that ended unreported, of all partitions: the budget had no room"
            " for them.",
            {"": over_partitions("weir_outliers_held_back")},
            width=6,
            decimals=0,
        ),
        Chart(
            Drawing.FIGURE,
            "Parts of models refused, last 24 hours",
            "Parts of the models' state that could not be used; they begin afresh.",
            {"": growth("weir_model_refusals_total", within="24h")},
            width=6,
            steps=[(None, "green"), (1, "red")],
            decimals=0,
            runbooks=["WeirModelsRefused"],
        ),
    ],
)

_WARMTH: Final = Section(
    "Warmth",
    [
        Chart(
            Drawing.AREAS,
            "Warmed up",
            "1 once the models of a partition are warmed up; before, they report nothing. There is"
            " nothing here if no policy has a budget.",
            {_PARTITION: greatest("weir_models_warm", "partition")},
            width=12,
        ),
        Chart(
            Drawing.LINES,
            "Scores of tails",
            "Scores of the finished days that say how rare another one is. With fewer than 250 of"
            " either kind (500 in the first 14 days) a partition reports no outliers. Account-days"
            " have scores once transactions have as many.",
            {
                "partition {{partition}}, {{kind}}": greatest(
                    "weir_outlier_tail_scores", "partition, kind"
                )
            },
            width=12,
        ),
        Chart(
            Drawing.AREAS,
            "Compiling",
            "1 while a worker compiles the models, before it joins the group.",
            {"{{instance}}": greatest("weir_models_compiling", "instance")},
            width=12,
        ),
        Chart(
            Drawing.BARS,
            "Refused parts of what was learned",
            "Parts of the models' state that could not be used, in an hour; what they held began"
            " afresh.",
            {"{{instance}}": growth("weir_model_refusals_total", "instance", within="1h")},
            width=12,
            runbooks=["WeirModelsRefused"],
        ),
    ],
)

_REPORTED: Final = Section(
    "Outliers and their budget",
    [
        Chart(
            Drawing.PILES,
            "Outliers by status",
            "Outlier alerts reported in each interval, by status.",
            {"{{status}}": growth("weir_alerts_total", "status", _OUTLIERS)},
        ),
        Chart(
            Drawing.LINES,
            "Held back by partition",
            "Strange account-days that ended unreported: the budget had no room for them.",
            {_PARTITION: greatest("weir_outliers_held_back", "partition")},
        ),
        Chart(
            Drawing.LINES,
            "Outliers raised and account-days closed",
            "What came of the days that closed, in an hour: outlier alerts, beside the number of"
            " account-days.",
            {
                "outliers": growth("weir_alerts_total", where=_RAISED, within="1h"),
                "account-days closed": growth("weir_account_days_closed_total", within="1h"),
            },
        ),
    ],
)

_TAUGHT: Final = Section(
    "What analysts taught",
    [
        Chart(
            Drawing.LINES,
            "Dispositions learned from",
            "Dispositions that the weights of the evidence were learned from. It is 0 until"
            " `weir teach` has run.",
            {"{{instance}}": greatest("weir_weights_labels", "instance")},
        ),
        Chart(
            Drawing.LINES,
            "Version of the weights",
            "The greatest version of the weights that each worker has; all have the same, soon.",
            {"{{instance}}": greatest("weir_weights_version", "instance")},
        ),
        Chart(
            Drawing.LINES,
            "Age of the weights, and versions that came late",
            "Seconds since the first business day of the latest weights began (below 0: it is to"
            " come), and how many versions came when a day had begun that a replay scores by them.",
            {
                "age": f"time() - {greatest('weir_weights_effective_timestamp_seconds')}",
                "late": growth("weir_weights_late_total", within="24h"),
            },
        ),
    ],
)

_DRIFT: Final = Section(
    "Drift",
    [
        Chart(
            Drawing.LINES,
            "Share of account-days that are outliers",
            "Outlier alerts raised for each closed account-day, of an hour and of a day. If the"
            " hour stays apart from the day, accounts behave otherwise than the models learned.",
            {"an hour": _reported("1h"), "a day": _reported("24h")},
            unit="percentunit",
            width=12,
        ),
        Chart(
            Drawing.LINES,
            "First records of a day for the models",
            "Records a second on which Python decided because a day of the models began.",
            {"a second": per_second("weir_records_in_python_total", where='reason="models-day"')},
            width=12,
        ),
    ],
)

_NAMES: Final = Section(
    "Tables of names",
    [
        Chart(
            Drawing.LINES,
            "Names held",
            "Names that each table holds which records fill; each table has a bound.",
            {"{{table}}": total("weir_names_held", "table")},
            width=12,
        ),
        Chart(
            Drawing.LINES,
            "Counted without a name of their own",
            "Observations counted without their own name, because a table of names was full.",
            {"{{table}}": f"{total('weir_names_beyond', 'table')} or vector(0)"},
            width=12,
        ),
    ],
)

MODELS: Final = Board(
    "models",
    "weir-models",
    "Weir: models",
    "The outlier models: warmth, outliers, account-days held back by the budget, drift.",
    [_READY, _WARMTH, _REPORTED, _TAUGHT, _DRIFT, _NAMES],
)
