"""Account alerts of a systemic alert, among alerts as they are written."""

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.core.alert import Kind
from monitor.dispositions.rules import last_told
from monitor.explain.comparison import LIMIT_KINDS
from monitor.review.membership import is_member
from streams.topics.alert_list import natural

Written = Mapping[str, Any]


class IncidentAlerts:
    """The systemic alerts and the alerts of limits that were told, each as it was told last."""

    def __init__(self, alerts: Iterable[Written]) -> None:
        last = last_told(alerts).values()
        self._incidents = sorted(
            (incident for incident in last if incident["kind"] == Kind.SYSTEMIC.value),
            key=lambda incident: (incident["business_day"], incident["alert_id"]),
        )
        self._by_day: dict[str, list[Written]] = {}
        for alert in last:
            if alert["kind"] in LIMIT_KINDS:
                self._by_day.setdefault(alert["business_day"], []).append(alert)

    def members_of(self, incident: Written) -> list[Written]:
        """Return the account alerts that a systemic alert explains, by day and account."""
        members = [
            alert
            for day in incident["evidence"]["days"]
            for alert in self._by_day.get(day, ())
            if is_member(incident, alert)
        ]
        return sorted(
            members,
            key=lambda member: (
                member["business_day"],
                natural(member["account_id"]),
                member["threshold_id"],
            ),
        )

    def leaving_out(self, review: Written) -> list[tuple[str, Written]]:
        """Return the systemic alerts that explain days which a review leaves out, with the day.

        If several that the review names are of one day, those that have an alert of its account
        are given; a day near a limit has no such alert, and all of them are.
        """
        evidence = review["evidence"]
        named = {*evidence.get("incident_ids", ())}
        found: list[tuple[str, Written]] = []
        for day in evidence.get("grouped_days", ()):
            of_day = [
                incident
                for incident in self._incidents
                if incident["alert_id"] in named and day in incident["evidence"]["days"]
            ]
            own = [
                alert
                for alert in self._by_day.get(day, ())
                if alert["account_id"] == review["account_id"]
            ]
            of_own = [
                incident for incident in of_day if any(is_member(incident, alert) for alert in own)
            ]
            found += [(day, incident) for incident in of_own or of_day]
        return found


def member_fields(alert: Written) -> dict[str, Any]:
    """Return what a member is shown by."""
    names = ("alert_id", "account_id", "business_day", "kind", "threshold_id", "currency",
             "value", "limit", "status")  # fmt: skip
    return {name: alert[name] for name in names}


def incident_fields(day: str, incident: Written) -> dict[str, Any]:
    """Return what an incident is shown by, beside a day that a review leaves out."""
    return {
        "business_day": day,
        "alert_id": incident["alert_id"],
        "verdict": incident["verdict"],
        "segment": incident["segment"],
        "threshold_id": incident["threshold_id"],
        "cause": incident["cause"],
    }
