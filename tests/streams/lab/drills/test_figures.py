"""The figures of a drill: late alerts, and how long a partition stood still."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.lab.drills.figures import Figures, Lateness, Standstill, lateness_of
from streams.lab.recount import Discrepancies
from tests.support.laws import law

SECONDS = st.floats(0, 1000).map(lambda second: round(second, 3))


def alert(number: int, revision: int = 1, transaction: str | None = "T") -> dict[str, object]:
    return {
        "alert_id": str(number),
        "revision": revision,
        "account_id": f"A{number}",
        "transaction_id": transaction,
    }


@law(200)
@given(st.lists(SECONDS, max_size=30), SECONDS)
def test_an_alert_is_late_exactly_if_it_came_more_than_so_long_after_its_record(
    delays: list[float], late_after: float
) -> None:
    sent_at = {(f"A{number}", "T"): 100.0 for number in range(len(delays))}
    told = [(100.0 + delay, alert(number)) for number, delay in enumerate(delays)]
    lateness = lateness_of(told, sent_at, late_after)
    assert lateness.told == len(delays)
    assert lateness.late == sum((100.0 + delay) - 100.0 > late_after for delay in delays)
    assert abs(lateness.seconds_max - max(delays, default=0.0)) <= 0.01


def test_a_report_that_comes_again_counts_as_it_came_first() -> None:
    told = [(101.0, alert(1)), (190.0, alert(1)), (150.0, alert(1, revision=2))]
    assert lateness_of(told, {("A1", "T"): 100.0}, 60.0) == Lateness(2, 0, 50.0)


def test_a_report_that_no_record_caused_is_left_out() -> None:
    told = [(900.0, alert(1, transaction=None)), (900.0, {"alert_id": "S", "revision": 1})]
    assert lateness_of(told, {("A1", "T"): 100.0}, 5.0) == Lateness(0, 0, 0.0)


@law(200)
@given(st.lists(st.tuples(st.integers(0, 3), SECONDS), max_size=60))
def test_a_standstill_is_the_longest_time_between_two_looks_at_one_partition(
    looks: list[tuple[int, float]],
) -> None:
    looks.sort(key=lambda look: look[1])
    standstill = Standstill()
    for partition, now in looks:
        standstill.note(partition, now)
    gaps = [
        b - a
        for number in range(4)
        for a, b in pairwise([now for partition, now in looks if partition == number])
    ]
    assert standstill.seconds_max == max(gaps, default=0.0)
    assert standstill.seconds_total == pytest.approx(sum(gap for gap in gaps if gap > 1))


def test_a_time_in_which_nothing_was_sent_is_no_standstill() -> None:
    standstill = Standstill()
    standstill.note(0, 1.0)
    standstill.forget()
    standstill.note(0, 90.0)
    standstill.note(0, 92.0)
    assert standstill.seconds_max == 2.0


def test_only_lost_doubled_and_wrong_records_make_a_drill_fail() -> None:
    late = Lateness(10, 10, 99.0)
    assert Figures(Discrepancies(repeated=3), late, [50.0, 70.0], Standstill()).is_clean
    for found in (Discrepancies(lost=1), Discrepancies(doubled=1), Discrepancies(wrong=1)):
        assert not Figures(found, late, [], Standstill()).is_clean


def test_a_program_gets_the_median_and_the_longest_recovery() -> None:
    standstill = Standstill()
    standstill.note(0, 1.0)
    standstill.note(0, 4.456)
    figures = Figures(Discrepancies(), Lateness(9, 2, 7.5), [1.0, 9.0, 2.0], standstill)
    fields = figures.fields()
    assert (fields["recovery_seconds"], fields["recovery_seconds_max"]) == (2.0, 9.0)
    assert (fields["late"], fields["alert_seconds_max"]) == (2, 7.5)
    assert (fields["standstill_seconds_max"], fields["standstill_seconds_total"]) == (3.46, 3.5)
    assert (
        Figures(Discrepancies(), Lateness(0, 0, 0.0), [], standstill).fields()["recovery_seconds"]
        == 0
    )
