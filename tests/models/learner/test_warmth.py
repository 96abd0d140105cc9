"""The warmth of few accounts: they warm up later, stay so, and say what is lacking until then."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evidence.evidence import T_DAY
from models.evidence.tail import DAYS_MIN, SCORES_MIN
from models.learner.columns import Columns, LearnerSettings
from models.learner.learner import Learner
from models.learner.warmth import LINES_MAX, Warmth, cold_lines, warmth_of
from tests.support.laws import law
from tests.support.made_payments import DAY_FIRST, made_payments, small_learner
from tests.support.seen import observed, part

FEW = LearnerSettings(alerts_per_day=1.0, warm_up_days=30, one_in_at_least=50)
ACCOUNTS, MANY, DAYS = 8, 60, 240


def by_days() -> Iterator[tuple[Learner, Warmth]]:
    """Yield a learner of few accounts, and its warmth, after each day of made payments."""
    learner, stream = small_learner(FEW, ACCOUNTS), made_payments(3, DAYS, ACCOUNTS)
    day, first = np.maximum.accumulate(stream.day), 0
    for end in [*np.flatnonzero(np.diff(day)) + 1, day.size]:
        observed(learner, part(stream, first, int(end)))
        first = int(end)
        yield learner, warmth_of(learner, 5)


def test_few_accounts_warm_up_in_the_end_and_stay_warm() -> None:
    """Within 14 days they have too few scores at any time."""
    warm = []
    for learner, warmth in by_days():
        warm.append(warmth.is_warm)
        latest = sum(int(counts[T_DAY].sum()) for counts in learner.tails.days.values())
        assert latest < SCORES_MIN
    first = warm.index(True)
    assert 30 < first < DAYS - 40
    assert all(warm[first:])


def test_a_cold_partition_says_what_it_lacks_in_the_order_in_which_it_comes() -> None:
    reasons = [warmth.reason() for _, warmth in by_days()]
    said = [reason for reason in reasons if reason is not None]
    stages = ["transactions" if "of transactions" in reason else "days" for reason in said]
    assert said[0] == f"0 of {SCORES_MIN} scores of transactions, on 0 of {DAYS_MIN} finished days"
    assert stages == sorted(stages, reverse=True)
    assert set(stages) == {"transactions", "days"}
    assert reasons[-1] is None


def reports(of_partition: list[int]) -> int:
    """Return the reports of accounts in a partition, once the slowest has been warm for long."""
    stream = made_payments(11, DAYS, MANY)
    kept = np.isin(stream.row, of_partition)
    stream = Columns._make(column[kept] for column in stream)
    share = len(of_partition) / MANY
    learner = small_learner(FEW._replace(alerts_per_day=20 * share), MANY)
    seen = observed(learner, stream)
    assert learner.is_warm
    return sum(stream.day[due.record] - DAY_FIRST >= DAYS // 2 for due in seen.dues)


def test_partitions_report_as_many_together_as_one_where_rarity_is_the_bound() -> None:
    """One in 50 is the bound: a budget of 20 is a third of all account-days."""
    together = reports(list(range(MANY)))
    dealt = sum(reports(list(range(first, MANY, 4))) for first in range(4))
    assert together > 60
    assert abs(dealt - together) <= 0.15 * together


@law(40)
@given(st.integers(0, 12), st.integers(0, 12))
def test_every_cold_partition_is_named_or_counted(cold: int, warm: int) -> None:
    made = warmth_of(Learner(FEW), 0)
    models = [made._replace(partition=number).fields() for number in range(cold)]
    models += [made._replace(partition=cold + n, is_warm=True).fields() for n in range(warm)]
    lines = list(cold_lines(models))
    assert len(lines) == min(cold, LINES_MAX + 1)
    for number in range(min(cold, LINES_MAX)):
        assert f"partition {number} are not warm" in lines[number]
    if cold > LINES_MAX:
        assert f" {cold - LINES_MAX} more of {cold + warm} partitions" in lines[-1]


@pytest.mark.parametrize("days", [29, 30])
def test_with_scores_enough_the_policys_warm_up_is_what_is_lacking(days: int) -> None:
    made = warmth_of(Learner(FEW), 0)
    enough = made.transactions._replace(scores=SCORES_MIN, days=20, is_warm=True)
    warmth = made._replace(transactions=enough, account_days=enough, days=days)
    expected = (
        f"{days} of 30 business days of warm-up"
        if days < 30
        else "the threshold is set when the next business day begins"
    )
    assert warmth.reason() == expected
    assert warmth._replace(is_warm=True).reason() is None
