"""The systemic board: many accounts at once, from segment-days to what a verdict groups."""

from typing import Final

from streams.reference.dashboards.board import (
    Board,
    Chart,
    Drawing,
    Section,
    greatest,
    growth,
    total,
)

_SYSTEMIC: Final = 'kind="systemic"'
_DAY: Final = "24h"
_BEHIND: Final = greatest("weir_systemic_behind_days", "partition")


def _of_days(part: str) -> str:
    return growth("weir_day_alerts_total", where=f'part="{part}"', within=_DAY)


_NOW: Final = Section(
    "Is it decided?",
    [
        Chart(
            Drawing.FIGURE,
            "Business days behind",
            "Closed business days that the systemic agent has not decided, of the partition"
            " farthest behind.",
            {"": f"max({_BEHIND})"},
            width=6,
            steps=[(None, "green"), (3, "orange"), (8, "red")],
            decimals=0,
            runbooks=["WeirSystemicBehind"],
        ),
        Chart(
            Drawing.FIGURE,
            "Systemic alerts, last 24 hours",
            "Systemic alerts raised in the last 24 hours.",
            {"": growth("weir_alerts_total", where=f'{_SYSTEMIC},status="raised"', within=_DAY)},
            width=6,
            steps=[(None, "blue")],
            decimals=0,
        ),
        Chart(
            Drawing.FIGURE,
            "Account alerts grouped, last 24 hours",
            "Account alerts of the days decided in the last 24 hours that stand under a systemic"
            " alert.",
            {"": _of_days("grouped")},
            width=6,
            steps=[(None, "blue")],
            decimals=0,
        ),
        Chart(
            Drawing.FIGURE,
            "Late segment-days, last 24 hours",
            "Segment-days that came after their day was decided, in the last 24 hours.",
            {"": growth("weir_segment_records_late_total", within=_DAY)},
            width=6,
            steps=[(None, "green"), (1, "orange")],
            decimals=0,
        ),
    ],
)

_SEGMENT_DAYS: Final = Section(
    "Segment-days",
    [
        Chart(
            Drawing.BARS,
            "Segment-days",
            "Segment-days that partitions reported, that the systemic agent joined, and that came"
            " too late for their day.",
            {
                "reported": growth("weir_segment_records_told_total"),
                "joined": growth("weir_segment_records_joined_total"),
                "late": growth("weir_segment_records_late_total"),
            },
            width=12,
        ),
        Chart(
            Drawing.LINES,
            "Days behind by partition",
            "Closed business days of each partition that the systemic agent has not decided yet;"
            " their reviews are kept until it has.",
            {"partition {{partition}}": _BEHIND},
            width=12,
            runbooks=["WeirSystemicBehind"],
        ),
    ],
)

_VERDICTS: Final = Section(
    "Verdicts",
    [
        Chart(
            Drawing.PILES,
            "Systemic alerts by status",
            "Systemic alerts reported in each interval, by status.",
            {"{{status}}": growth("weir_alerts_total", "status", _SYSTEMIC)},
        ),
        Chart(
            Drawing.PILES,
            "Alerts raised, grouped, shown",
            "Account alerts of decided days: those raised, those that stand under a systemic alert,"
            " and those left to look at.",
            {"{{part}}": growth("weir_day_alerts_total", "part")},
        ),
        Chart(
            Drawing.LINES,
            "Share of alerts that are grouped",
            "Of the account alerts of the days decided in the last 24 hours, the share that stands"
            " under a systemic alert. An incident that is found late groups days before, too.",
            {"grouped": f"{_of_days('grouped')} / clamp_min({_of_days('raised')}, 1)"},
            unit="percentunit",
        ),
    ],
)

_REVIEWS: Final = Section(
    "What verdicts change",
    [
        Chart(
            Drawing.PILES,
            "Reviews restated or withdrawn",
            "Reviews that were reported again in each interval: a verdict takes days out of them.",
            {"{{status}}": growth("weir_alerts_total", "status", 'kind="review",status!="raised"')},
        ),
        Chart(
            Drawing.LINES,
            "Accounts kept in state",
            "Accounts with open days, or with days that a review may count until a verdict comes.",
            {"accounts": f"sum({greatest('weir_state_accounts', 'partition')})"},
        ),
        Chart(
            Drawing.LINES,
            "Names of segments and causes",
            "Names that the tables of segments, causes and segment-days hold.",
            {
                "{{table}}": total(
                    "weir_names_held", "table", 'table=~"segments|causes|segment-days"'
                )
            },
        ),
    ],
)

SYSTEMIC: Final = Board(
    "systemic",
    "weir-systemic",
    "Weir: systemic",
    "Many accounts at once: segment-days, verdicts, days behind, and what is grouped.",
    [_NOW, _SEGMENT_DAYS, _VERDICTS, _REVIEWS],
)
