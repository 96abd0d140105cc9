"""A limit: what it measures of a day, and which of several decides."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.account import SERIES, SERIES_INDEX, Account, AccountDay
from monitor.core.threshold import Direction, LimitSet, Measure, Severity, Threshold

CURRENCIES = ("EUR", "JPY", "USD")


LIMIT = Threshold("x", Measure.AMOUNT, Direction.DEBIT, "EUR", 500, Severity.LOW, None, None)


counts = st.integers(0, 1 << 70)
totals = st.lists(counts, min_size=4, max_size=4).map(lambda drawn: [*drawn, 0])
days = st.dictionaries(st.sampled_from(CURRENCIES), totals)
measures = st.sampled_from([Measure.AMOUNT, Measure.COUNT])
subjects = st.tuples(measures, st.sampled_from(Direction), st.sampled_from(CURRENCIES))
limits = subjects.map(
    lambda drawn: LIMIT._replace(measure=drawn[0], direction=drawn[1], currency=drawn[2])
)


def day_of(figures: dict[str, list[int]], segment: str | None = None) -> AccountDay:
    account_day = AccountDay(Account("A1", 0, "0 "), 739_000)
    account_day.segment = segment
    for currency, totals_of in figures.items():
        account_day.totals_in(currency)[:] = totals_of
    return account_day


@given(days, limits)
def test_both_directions_are_the_sum_of_the_two(
    figures: dict[str, list[int]], threshold: Threshold
) -> None:
    debit, credit, both = (
        threshold._replace(direction=direction).value_of(day_of(figures)) for direction in Direction
    )
    assert both == debit + credit


@given(days, st.sampled_from(Direction))
def test_a_count_without_a_currency_is_the_sum_of_all(
    figures: dict[str, list[int]], direction: Direction
) -> None:
    count = LIMIT._replace(measure=Measure.COUNT, direction=direction, currency=None)
    each = [count._replace(currency=currency).value_of(day_of(figures)) for currency in CURRENCIES]
    assert count.value_of(day_of(figures)) == sum(each)


def test_each_measure_has_its_place() -> None:
    whole = day_of({"EUR": [1, 20, 300, 4000, 0], "USD": [50_000, 600_000, 7, 8, 0]})
    values = {
        (measure, direction): LIMIT._replace(measure=measure, direction=direction).value_of(whole)
        for measure in (Measure.AMOUNT, Measure.COUNT)
        for direction in Direction
    }
    assert values == {
        (Measure.COUNT, Direction.DEBIT): 1, (Measure.AMOUNT, Direction.DEBIT): 20,
        (Measure.COUNT, Direction.CREDIT): 300, (Measure.AMOUNT, Direction.CREDIT): 4000,
        (Measure.COUNT, Direction.BOTH): 301, (Measure.AMOUNT, Direction.BOTH): 4020,
    }  # fmt: skip
    assert LIMIT._replace(currency="JPY").value_of(whole) == 0


# -- which one decides ---------------------------------------------------------------------------

no_scope: dict[str, Any] = {}
scopes = st.sampled_from([
    no_scope, {"account_id": "A1"}, {"account_id": "A2"}, {"segment": "retail"},
    {"segment": "business"},
])  # fmt: skip
scoped = st.tuples(limits, scopes).map(lambda drawn: drawn[0]._replace(**drawn[1]))
policies = st.lists(
    scoped,
    unique_by=lambda threshold: (threshold.subject, threshold.account_id, threshold.segment),
    max_size=12,
).map(
    lambda drawn: tuple(
        threshold._replace(threshold_id=f"t{n}") for n, threshold in enumerate(drawn)
    )
)


@given(policies, st.sampled_from(["A1", "A2", "A3"]), st.sampled_from([None, "retail", "private"]))
def test_for_each_subject_the_most_specific_that_applies_decides_alone(
    thresholds: tuple[Threshold, ...], account_id: str, segment: str | None
) -> None:
    deciding = LimitSet(thresholds).deciding(account_id, segment)
    applying = [
        threshold for threshold in thresholds
        if threshold.account_id in (None, account_id) and threshold.segment in (None, segment)
    ]  # fmt: skip
    assert list(deciding) == [threshold for threshold in thresholds if threshold in deciding], (
        "in the policy's order"
    )
    assert {threshold.subject for threshold in deciding} == {
        threshold.subject for threshold in applying
    }
    assert len({threshold.subject for threshold in deciding}) == len(deciding)
    for threshold in deciding:
        rivals = [rival for rival in applying if rival.subject == threshold.subject]
        assert threshold.specificity == max(rival.specificity for rival in rivals)


def test_an_account_comes_before_its_segment_and_that_before_the_default() -> None:
    default = LIMIT
    segment = LIMIT._replace(threshold_id="s", segment="business")
    account = LIMIT._replace(threshold_id="a", account_id="A7")
    limit_set = LimitSet((default, segment, account))
    assert 0 == default.specificity < segment.specificity < account.specificity
    assert limit_set.deciding("A7", "business") == (account,)
    assert limit_set.deciding("A8", "business") == (segment,)
    assert limit_set.deciding("A8", "retail") == limit_set.deciding("A8", None) == (default,)


@given(policies, st.sampled_from(range(len(SERIES))), st.sampled_from([None, "business"]))
def test_a_transaction_is_watched_by_just_the_limits_that_it_can_move(
    thresholds: tuple[Threshold, ...], series: int, segment: str | None
) -> None:
    limit_set = LimitSet(thresholds)
    direction, currency = SERIES[series]
    figures = [1, 1, 0, 0, 0] if direction == "debit" else [0, 0, 1, 1, 0]
    still, moved = (
        day_of({currency: [0, 0, 0, 0, 0]}, segment),
        day_of({currency: figures}, segment),
    )
    watches = limit_set.watch(moved, series)
    assert [watch.threshold for watch in watches] == [
        threshold
        for threshold in limit_set.deciding("A1", segment)
        if threshold.value_of(still) != threshold.value_of(moved)
    ]
    for watch in watches:
        assert figures[watch.first] + figures[watch.second] == watch.threshold.value_of(moved)
        assert watch.look_above == watch.threshold.above
        assert watch.all_currencies == (watch.threshold.currency is None)
    assert limit_set.watches_of("A1", segment)[series] == watches


def test_a_series_has_one_place() -> None:
    assert len(set(SERIES)) == len(SERIES)
    for place, (direction, currency) in enumerate(SERIES):
        assert SERIES_INDEX[direction][currency] == place
