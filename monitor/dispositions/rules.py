"""Rules that dispositions teach: an online tree over disposed alerts, and a recount.

The tree is never stored: it is made again from the dispositions and alerts themselves, in the order
of the dispositions' times, so that whoever has these has the rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from models.rules.stream_tree import StreamTree
from monitor.dispositions.disposition import Disposed, holding
from monitor.dispositions.features import CATEGORIES, Features, features_of
from monitor.insight.rule_counts import Counted, counted

Written = Mapping[str, Any]
"""An alert as it is written."""

_Told = TypeVar("_Told", bound=Written)


class Lesson(NamedTuple):
    """The rules, and what they rest on.

    `disposed` counts the alerts that were learned; `unknown` are dispositions' alert_ids that no
    alert has.
    """

    rules: list[Counted]
    disposed: int
    unknown: list[str]

    def fields(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "disposed": self.disposed,
            "unknown": self.unknown,
            "rules": [rule.fields() for rule in self.rules],
        }

    def met_by(self, alert: Written) -> list[Counted]:
        """Return the rules that an alert meets; one without conditions says nothing of it."""
        features = features_of(alert)
        return [rule for rule in self.rules if rule.rule.conditions and rule.rule.holds(features)]


def last_told(alerts: Iterable[_Told]) -> dict[str, _Told]:
    """Return what holds of each alert: its greatest revision."""
    last: dict[str, _Told] = {}
    for alert in alerts:
        before = last.get(alert["alert_id"])
        if before is None or before["revision"] < alert["revision"]:
            last[alert["alert_id"]] = alert
    return last


def lesson_of(alerts: Iterable[Written], dispositions: Iterable[Disposed]) -> Lesson:
    """Return what dispositions teach of alerts; neither's order of arrival matters.

    Each alert teaches once, as it was told last, by the disposition that holds.
    """
    held = sorted(
        holding(dispositions).values(), key=lambda disposed: (disposed.at, disposed.alert_id)
    )
    told = last_told(alerts)
    known = [disposed for disposed in held if disposed.alert_id in told]
    rows: Sequence[Features] = [features_of(told[disposed.alert_id]) for disposed in known]
    labels = [disposed.disposition.value for disposed in known]
    tree = StreamTree(frozenset(CATEGORIES))
    for row, label in zip(rows, labels, strict=True):
        tree.learn(row, label)
    unknown = sorted(disposed.alert_id for disposed in held if disposed.alert_id not in told)
    return Lesson(counted(tree.rules(), rows, labels), len(known), unknown)
