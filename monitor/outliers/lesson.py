"""The lesson of dispositions of outlier alerts about the scores of account-days, as weights.

An alert carries the terms of the account-day that it tells of, and the score that this had before
anything was taught (monitor/outliers/taught.py). What is learned follows from these and from the
dispositions alone, in whatever order they came.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np

from models.teaching.teacher import Teacher
from models.teaching.terms import TERMS
from models.teaching.weights import TermScale
from monitor.core.business_day import Calendar
from monitor.dispositions.disposition import Disposed, Disposition, holding
from monitor.outliers.taught import DIGITS
from monitor.policy.weights import Weights, WeightsBook, WeightsVersion

_SCALE: Final = TermScale(np.zeros(len(TERMS) + 1), np.ones(len(TERMS) + 1))
"""An alert's terms are on a scale already."""


class Label(NamedTuple):
    """A disposition of an alert, and what the alert says of its account-day."""

    day: int  # business day on which it was given
    alert_id: str
    is_confirmed: bool
    score: float
    terms: tuple[float, ...]


def labels_of(
    alerts: Iterable[Mapping[str, Any]], disposed: Iterable[Disposed], calendar: Calendar
) -> list[Label]:
    """Return the labels, in order, of alerts (as their topic has them) that can teach anything.

    A disposition is about the revision that it names, else about the latest one. Where the records
    were wrong, the day teaches nothing.
    """
    held = {
        alert_id: disposed
        for alert_id, disposed in holding(disposed).items()
        if disposed.disposition != Disposition.DATA_FAULT
    }
    seen: dict[str, Mapping[str, Any]] = {}
    for alert in alerts:
        of_alert = held.get(alert["alert_id"])
        if of_alert is None or "taught" not in alert["evidence"]:
            continue
        if of_alert.revision is not None and alert["revision"] > of_alert.revision:
            continue
        known = seen.get(alert["alert_id"])
        if known is None or known["revision"] <= alert["revision"]:
            seen[alert["alert_id"]] = alert
    return sorted(_label(held[name], alert, calendar) for name, alert in seen.items())


def _label(disposed: Disposed, alert: Mapping[str, Any], calendar: Calendar) -> Label:
    taught = alert["evidence"]["taught"]
    return Label(
        calendar.day_of(disposed.at),
        disposed.alert_id,
        disposed.disposition == Disposition.SUSPICIOUS,
        float(taught["score"]),
        tuple(float(taught["terms"][name]) for name in TERMS),
    )


def version_of(labels: Sequence[Label], effective_from: int, book: WeightsBook) -> WeightsVersion:
    """Return the next version of weights, for the business days from `effective_from` on.

    Labels that are given on that day or later are not in it.
    """
    known = [label for label in labels if label.day < effective_from]
    teacher = Teacher(_SCALE)
    for day, of_day in groupby(known, key=lambda label: label.day):
        some = list(of_day)
        teacher.give(
            day,
            np.array([label.terms for label in some]),
            np.array([label.score for label in some]),
            np.array([label.is_confirmed for label in some]),
        )
    found, latest = teacher.weights(effective_from), book.latest
    weights = None
    if found is not None:
        terms = tuple(np.round(found.terms, DIGITS).tolist())
        weights = Weights(round(found.score, DIGITS), terms)
    return WeightsVersion(
        1 if latest is None else latest.version + 1,
        effective_from if latest is None else max(effective_from, latest.effective_from),
        weights,
        len(known),
        sum(label.is_confirmed for label in known),
        round(teacher.log_evidence, DIGITS),
        sha256(json.dumps(known).encode()).hexdigest(),
    )
