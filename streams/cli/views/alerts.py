"""Alerts and dispositions for a person to read: the figures of one, and a table of many."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from monitor.core.alert import SUPPRESSED
from monitor.core.threshold import Measure
from monitor.dispositions.disposition import Disposed
from monitor.gauges.text import percent_text, times_text
from streams.cli.views.text import plain
from streams.topics.alert_list import TOLD_AT, Dispositions, times_limit

Written = Mapping[str, Any]

HEADER: Final = (
    "alert", "told", "day", "account", "over its limit", "total, when told", "limit", "times",
    "severity", "status", "disposition",
)  # fmt: skip
_RIGHT: Final = frozenset({"total, when told", "limit", "times"})
_OPTIONAL: Final = frozenset({"told", "disposition"})
_SYSTEMIC_AT: Final = HEADER.index("over its limit")
_SYSTEMIC_END: Final = HEADER.index("severity")
"""Columns over which the text of a systemic alert runs: it has no total and no limit of its own."""

_LEAST: Final = (36, 20, 10, 10, 20, 18, 14, 6, 8, 9, 0)
"""Widths of the columns at least, so that a table that goes on keeps its form."""

_VERDICTS: Final = {
    "limit-mis-set": "the limit is set wrongly",
    "external-cause": "something outside",
    "population-shift": "the whole population has moved",
    "data-fault": "the data is at fault",
    "undecided": "many at once, undecided why",
}

_SECONDS: Final = slice(len("2026-01-05T09:00:00"))


def systemic_text(alert: Mapping[str, Any]) -> str:
    """Return what a systemic alert says: its verdict, and what it is about."""
    parts = [_VERDICTS[alert["verdict"]]]
    budget = alert["evidence"].get("breach_budget")
    if budget is not None:
        share = alert["evidence"]["share"]
        parts.append(f"over it are {share:.3%} of account-days, budget {budget:.3%}")
    cause = alert["cause"]
    if cause is not None:
        parts.append(f"{cause['type']} {cause['value']}, {cause['lift']:.1f} times its usual share")
    if alert["limit_ratio"] is not None:
        setter = "history" if budget is None else "the breach budget"
        parts.append(f"{alert['limit_ratio']:.2f} of the limit that {setter} would set")
    if alert["suggested_limit"] is not None:
        parts.append(f"set {alert['suggested_limit']}")
    if alert["threshold_id"] is not None:
        parts.append(f"limit {alert['threshold_id']}")
    if alert["grouped"]:
        parts.append(f"{alert['grouped']:,} alerts under it")
    return "; ".join(parts)


def whose(alert: Mapping[str, Any]) -> str:
    """Return whose an alert is: the account's, or a segment's."""
    if alert["kind"] != "systemic":
        return str(alert["account_id"])
    return "all segments" if alert["segment"] is None else str(alert["segment"])


def over_what(alert: Written) -> str:
    """Return the limit of an alert, and how a review reads."""
    reading = alert["evidence"].get("reading")
    return f"{alert['threshold_id']}: {reading}" if reading else alert["threshold_id"]


def told(alert: Written, name: str) -> str:
    """Return the value or the limit of an alert as a person reads it: 64,830.82 EUR, or 41.

    A share is told as 80.1 %, a ratio as 2.5 times, and days near a limit as 3 days.
    """
    measure = alert["evidence"].get("measured", {}).get("measure")
    if measure == Measure.SHARE.value:
        return f"{percent_text(alert[name])} %"
    if measure == Measure.RATIO.value:
        return f"{times_text(alert[name])} times"
    if measure == Measure.NEAR.value:
        return f"{alert[name]} day{'' if alert[name] == 1 else 's'}"
    whole, point, rest = str(alert[name]).partition(".")
    text = f"{int(whole):,}{point}{rest}"
    if alert["kind"] == "outlier":
        return f"1 in {text}"
    if alert["kind"] == "review":
        return f"{text} days"
    return f"{text} {alert['currency']}" if point or alert["kind"] == "daily-amount" else text


class AlertTable:
    """A table of alerts as plain text, made to fit some alerts.

    A column of `_OPTIONAL` in which none of them has anything is left out. Without alerts it has
    all columns, and what comes has the least widths. Text of others that would move a terminal's
    cursor is escaped.
    """

    def __init__(self, alerts: Iterable[Written] = ()) -> None:
        rows = [(alert["kind"] == "systemic", _cells(alert)) for alert in alerts]
        self._widths = list(_LEAST)
        for is_systemic, cells in rows:
            for place, cell in enumerate(cells):
                if not (is_systemic and place == _SYSTEMIC_AT):
                    self._widths[place] = max(self._widths[place], len(cell))
        self._left_out = {
            place
            for place, name in enumerate(HEADER)
            if rows and name in _OPTIONAL and not any(cells[place] for _, cells in rows)
        }

    def lines(self, alerts: Iterable[Written]) -> Iterator[str]:
        """Yield the header, and a line for each alert."""
        yield self.header
        yield from map(self.line, alerts)

    @property
    def header(self) -> str:
        """The names of the columns."""
        return self._line(HEADER)

    def line(self, alert: Written) -> str:
        """Return an alert as a line."""
        cells = _cells(alert)
        if alert["kind"] != "systemic":
            return self._line(cells)
        widths = self._widths[_SYSTEMIC_AT:_SYSTEMIC_END]
        width = sum(widths) + 2 * (len(widths) - 1)
        before = self._parts(cells[:_SYSTEMIC_AT], 0)
        after = self._parts(cells[_SYSTEMIC_END:], _SYSTEMIC_END)
        return "  ".join([*before, f"{cells[_SYSTEMIC_AT]:<{width}}", *after]).rstrip()

    def _line(self, cells: Sequence[str]) -> str:
        return "  ".join(self._parts(cells, 0)).rstrip()

    def _parts(self, cells: Sequence[str], first: int) -> Iterator[str]:
        for place, cell in enumerate(cells, first):
            if place in self._left_out:
                continue
            is_right = HEADER[place] in _RIGHT
            yield f"{cell:>{self._widths[place]}}" if is_right else f"{cell:<{self._widths[place]}}"


def _cells(alert: Written) -> list[str]:
    """Return the cells of an alert, by the columns of the header."""
    cells = [alert["alert_id"], _moment(alert.get(TOLD_AT)), alert["business_day"], whose(alert)]
    if alert["kind"] == "systemic":
        cells += [systemic_text(alert), "", "", ""]
    else:
        times = times_limit(alert)
        cells += [over_what(alert), told(alert, "value"), told(alert, "limit")]
        cells.append(f"{times:,.2f}" if times else "")
    status = f"{alert['status']}, suppressed" if SUPPRESSED in alert else alert["status"]
    cells += [alert["severity"], status, _disposed(alert)]
    return [plain(cell) for cell in cells]


def _moment(at: str | None) -> str:
    """Return an instant to the second."""
    return "" if at is None else f"{at[_SECONDS]}Z"


def _disposed(alert: Written) -> str:
    held = alert.get("disposition")
    if not held:
        return ""
    text = f"{held['disposition']} by {held['by']}, {_moment(held['at'])}"
    earlier = len(alert["dispositions"]) - 1
    return f"{text} ({earlier} before)" if earlier else text


def disposition_lines(dispositions: Dispositions, shown: Sequence[Disposed]) -> Iterator[str]:
    """Yield dispositions, a line each, with a header; `*` marks the one of an alert that holds."""
    rows: list[tuple[str, ...]] = [("", "alert", "disposition", "by", "at", "note")]
    for disposition in shown:
        fields = {name: str(value or "") for name, value in disposition.fields().items()}
        rows.append(("*" if dispositions.holds(disposition) else "", *map(plain, _in_row(fields))))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _in_row(fields: Mapping[str, str]) -> Iterator[str]:
    for name in ("alert_id", "disposition", "by", "at", "note"):
        yield fields[name]


def said_before(disposed: Disposed) -> str:
    """Return what was said of an alert before, as a warning that it is disposed of once more."""
    fields = disposed.fields()
    return (
        f"alert {plain(disposed.alert_id)} was disposed of before: {disposed.disposition.value} by"
        f" {plain(disposed.by)} at {fields['at']}; both stay, and the later one holds"
    )
