"""The lesson of dispositions: the same in any order, and nothing while they are few."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.teaching.terms import TERMS
from monitor.core.business_day import Calendar
from monitor.dispositions.disposition import Disposed, Disposition
from monitor.outliers.lesson import labels_of, version_of
from monitor.policy.weights import Weights, WeightsBook
from tests.support.laws import law
from tests.support.transactions import book

CALENDAR: Calendar = book().calendar.calendar()
FIRST, DAYS, A_DAY = 739_000, 20, 10
Alerts = list[dict[str, Any]]


def made(seed: int, days: int = DAYS) -> tuple[Alerts, list[Disposed]]:
    """Return alerts whose days are suspicious by their count, and what was decided a day later."""
    rng = np.random.default_rng(seed)
    alerts, disposed = [], []
    for number in range(days * A_DAY):
        terms = dict(zip(TERMS, rng.normal(size=len(TERMS)).round(6).tolist(), strict=True))
        name = f"alert-{number}"
        taught = {"score": round(float(rng.normal(1, 2)), 6), "terms": terms}
        alerts.append({"alert_id": name, "revision": 1, "evidence": {"taught": taught}})
        is_odd = rng.random() < 1 / (1 + np.exp(2 - 3 * terms["count"]))
        said = Disposition.SUSPICIOUS if is_odd else Disposition.FALSE_ALARM
        at = CALENDAR.start_of(FIRST + number // A_DAY) + number
        disposed.append(Disposed(name, said, "A", at))
    return alerts, disposed


def weights_of(alerts: Alerts, disposed: list[Disposed], day: int) -> Weights | None:
    return version_of(labels_of(alerts, disposed, CALENDAR), day, WeightsBook()).weights


def test_what_tells_suspicions_apart_is_learned() -> None:
    weights = weights_of(*made(1), FIRST + DAYS)
    assert weights is not None
    assert weights.fields()["count"] > 0.5
    assert max(abs(each) for each in weights.terms[:-1]) < weights.fields()["count"]


@law(20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_alerts_and_dispositions_does_not_matter(rng: Random) -> None:
    alerts, disposed = made(2)
    expected = version_of(labels_of(alerts, disposed, CALENDAR), FIRST + DAYS, WeightsBook())
    rng.shuffle(alerts)
    rng.shuffle(disposed)
    labels = labels_of(alerts, disposed, CALENDAR)
    assert version_of(labels, FIRST + DAYS, WeightsBook()) == expected


@law(20)
@given(st.integers(0, 100), st.integers(1, DAYS - 1))
def test_a_version_has_nothing_of_its_own_days_or_later_ones(seed: int, days: int) -> None:
    alerts, disposed = made(seed)
    known = A_DAY * days
    early = version_of(
        labels_of(alerts[:known], disposed[:known], CALENDAR), FIRST + days, WeightsBook()
    )
    whole = version_of(labels_of(alerts, disposed, CALENDAR), FIRST + days, WeightsBook())
    assert whole == early
    assert whole.labels == known


@law(20)
@given(st.integers(0, 100))
def test_few_dispositions_leave_the_scores_as_they_are(seed: int) -> None:
    assert weights_of(*made(seed, days=1), FIRST + 1) is None


def test_of_no_dispositions_there_is_a_version_without_weights() -> None:
    version = version_of([], FIRST, WeightsBook())
    assert (version.version, version.weights, version.labels) == (1, None, 0)


def test_versions_are_counted_on_and_never_begin_earlier() -> None:
    first = version_of([], FIRST + 5, WeightsBook())
    following = version_of([], FIRST, WeightsBook([first]))
    assert (following.version, following.effective_from) == (2, FIRST + 5)


def test_a_disposition_is_about_the_revision_that_it_names() -> None:
    alerts, disposed = made(3, days=1)
    later = alerts[0] | {"revision": 2}
    later["evidence"] = {"taught": {"score": 9.0, "terms": dict.fromkeys(TERMS, 2.0)}}
    for revision, score in ((1, alerts[0]["evidence"]["taught"]["score"]), (2, 9.0), (None, 9.0)):
        said = disposed[0]._replace(revision=revision)
        (label,) = labels_of([alerts[0], later], [said], CALENDAR)
        assert label.score == pytest.approx(score)


def test_wrong_records_and_other_alerts_teach_nothing() -> None:
    alerts, disposed = made(4, days=1)
    wrong = [one._replace(disposition=Disposition.DATA_FAULT) for one in disposed]
    assert labels_of(alerts, wrong, CALENDAR) == []
    assert labels_of([one | {"evidence": {}} for one in alerts], disposed, CALENDAR) == []
