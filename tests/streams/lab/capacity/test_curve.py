"""The costs of one partition over its size, measured for real on small sizes."""

import pytest

from monitor.policy.document import DEFAULT_LIMITS, FULL_POLICY
from streams.lab.capacity.costs import LIMITS
from streams.lab.capacity.curve import MANY_RECORDS, curve
from streams.lab.capacity.flushes import flush_bytes


@pytest.mark.slow
@pytest.mark.parametrize("policy", [DEFAULT_LIMITS, FULL_POLICY], ids=["limits", "full"])
def test_a_curve_has_each_size_and_grows_with_it(policy: str) -> None:
    said: list[str] = []
    small, more, large = curve(policy, [(500, 1), (500, 4), (5000, 1)], said.append)
    assert [point.accounts for point in (small, more, large)] == [500, 500, 5000]
    assert [point.open_transactions for point in (small, more, large)] == [500, 2000, 5000]
    assert said[1] == "500 accounts, 4 open transactions of each"
    assert small.state_bytes < more.state_bytes < large.state_bytes
    for point in (small, more, large):
        assert point.buckets >= 256
        assert min(point.decide_us, point.flush_us_few, point.flush_us_many) > 0
        assert 0 < point.flush_bytes_few <= point.flush_bytes_many
        assert point.rebuild_seconds > 0


@pytest.mark.slow
def test_a_flush_writes_as_many_bytes_as_the_formula_says() -> None:
    (point,) = curve(DEFAULT_LIMITS, [(20_000, 1)])
    own = LIMITS._replace(state_account_bytes=point.state_bytes / 20_000 - 33)
    said = flush_bytes(own, 20_000, MANY_RECORDS)
    assert said == pytest.approx(point.flush_bytes_many, rel=0.15)
