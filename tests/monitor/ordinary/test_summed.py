"""A day is summed up from rows as it is from the same account-days as objects."""

from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.account import Account, AccountDay
from monitor.ledger.ledger import OpenDay
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.systemic.record import segment_records_of
from monitor.systemic.summary import DaySum, SummedRows
from streams.wire import codec
from tests.monitor.engine.test_closed_rows import SYSTEMIC
from tests.monitor.ordinary.test_written import EDGES, Made, put
from tests.support.laws import law

figures = st.tuples(*[st.integers(0, 3)] * 4).map(lambda drawn: [*drawn, 0])
made_days = st.builds(
    Made,
    st.integers(0, 12).map("A{}".format),
    st.sampled_from(["EUR", "USD", "JPY"]),
    figures | st.just([0, 7, 0, 7, 0]),
    st.sampled_from([None, "business", "retail", "s3"]),
    st.just(EDGES[0].attributes) | st.just(EDGES[2].attributes),
)


def told(day_sum: DaySum, units: int) -> list[bytes]:
    """Return the records of all segments, summed up so many units at a time."""
    while not day_sum.is_done:
        assert day_sum.work(units) <= units
    return [
        codec.segment_record_bytes(made) for made in segment_records_of(0, day_sum.segment_days)
    ]


def sum_of(
    open_day: OpenDay, account_days: list[AccountDay], rows: SummedRows | None = None
) -> DaySum:
    return DaySum(open_day.day, account_days, open_day.limits, None, {}, {}, rows)


def policies() -> PolicyBook:
    return PolicyBook([policy_of(SYSTEMIC)._replace(outliers=None)])


@given(
    st.lists(made_days, min_size=1, max_size=12, unique_by=lambda made: made.account_id),
    st.integers(1, 14),
    st.sets(st.integers(0, 11)),
)
@example(
    [Made(f"A{n}", "EUR", [n % 2, 9, 0, 0, 0], "s3", EDGES[0].attributes) for n in range(4)],
    2, {1},
)  # fmt: skip
@law(300)
def test_rows_are_summed_up_as_objects_are(made: list[Made], units: int, left: set[int]) -> None:
    ordinary, open_day, _ = put(made, policies())
    places = list(range(len(made)))
    closed = ordinary.close(open_day)
    ordinary.open_days_are([])
    assert closed is not None
    objects = [ordinary.view(place, open_day.limits) for place in places]
    expected = told(sum_of(open_day, objects), 3)
    day_sum = sum_of(open_day, [], closed)
    for number in left.intersection(places):  # these become objects meanwhile
        account = Account(made[number].account_id, 0, "")
        ordinary.make_object(account, {})
    assert told(day_sum, units) == expected


def test_a_row_is_counted_beside_objects() -> None:
    ordinary, open_day, _ = put([EDGES[0]._replace(totals=[1, 5, 0, 0, 0])], policies())
    closed = ordinary.close(open_day)
    ordinary.open_days_are([])
    assert closed is not None
    (account_day,) = [ordinary.view(0, open_day.limits)]
    both = told(sum_of(open_day, [account_day], closed), 1)
    assert both == told(sum_of(open_day, [account_day, account_day]), 1)
