"""The published costs and what docs/capacity.md says of them, held against each other."""

import pytest

from streams.lab.capacity.costs import FULL, LIMITS, PARTITION_ACCOUNTS, Costs, costs_of_curve
from streams.lab.capacity.curve import FEW_RECORDS, MANY_RECORDS
from streams.lab.capacity.flushes import buckets, flush_bytes
from tests.support.documents import DOCS, tables

PAGE = DOCS / "capacity.md"
NAMES = (
    "accounts", "open_transactions", "memory_bytes", "state_bytes", "buckets", "decide_us",
    "flush_bytes_few", "flush_us_few", "flush_bytes_many", "flush_us_many", "rebuild_seconds",
)  # fmt: skip

each_policy = pytest.mark.parametrize(
    ("heading", "costs"), [("accounts, limits", LIMITS), ("accounts, everything on", FULL)]
)


def curve_of(heading: str) -> list[dict[str, float]]:
    rows = tables(PAGE, heading)
    assert rows, f"the page has no table {heading!r}"
    return [
        dict(zip(NAMES, (float(cell.replace(",", "")) for cell in row), strict=True))
        for row in rows
    ]


@each_policy
def test_published_costs_follow_from_the_published_curve(heading: str, costs: Costs) -> None:
    for name, value in costs_of_curve(curve_of(heading)).items():
        assert getattr(costs, name) == pytest.approx(value, rel=0.03), name


@each_policy
def test_flushes_write_what_the_formula_says(heading: str, costs: Costs) -> None:
    for point in curve_of(heading):
        if point["accounts"] > PARTITION_ACCOUNTS:
            continue
        for records, name in ((FEW_RECORDS, "flush_bytes_few"), (MANY_RECORDS, "flush_bytes_many")):
            said = flush_bytes(costs, point["accounts"], records)
            assert said == pytest.approx(point[name], rel=0.15), (point["accounts"], name)
        state = point["accounts"] * costs.state_account_bytes
        assert buckets(state) == point["buckets"]
