"""Systemic detection on public data: injected episodes on cards, and a real bank's month ends."""

from collections.abc import Iterator
from datetime import date

import duckdb
import numpy as np
import pytest

from models.arrays import Ints
from models.sketches.histogram import Sketch
from monitor.policy.systemic import SystemicSettings
from monitor.systemic.alert import SystemicNotice
from monitor.systemic.detector import Systemic
from monitor.systemic.segment_day import HOT_Z, LimitDay, SegmentDay
from tests.support.made_days import KNOWN_FROM, OwnUsual
from tests.support.references import BERKA, HANDBOOK, path_of

pytestmark = pytest.mark.slow


EPISODES = [date(2018, 5, 20), date(2018, 6, 6), date(2018, 6, 23), date(2018, 7, 10),
            date(2018, 7, 27)]  # fmt: skip


class Payments:
    """Payments by column: `account` from 0, `day` an ordinal, `amount` and `debit` in cents."""

    def __init__(self, account: Ints, day: Ints, amount: Ints, debit: Ints) -> None:
        self.account, self.day, self.amount, self.debit = account, day, amount, debit

    def segment_days(self, above: int) -> Iterator[SegmentDay]:
        """Yield each day as one segment: debits over a limit, and hot accounts."""
        size = int(self.account.max()) + 1
        usual = OwnUsual(np.zeros(size, np.int64))
        for day in np.unique(self.day).tolist():
            here = self.day == day
            account = self.account[here]
            active = np.flatnonzero(np.bincount(account, minlength=size))
            sums = np.log(np.maximum(np.bincount(account, self.amount[here], size)[active], 1))
            values = np.bincount(account, self.debit[here], size)[active].astype(np.int64)
            known = usual.count[active] >= KNOWN_FROM
            hot = known & (usual.z(active, sums) > HOT_Z)
            sketch = Sketch()
            sketch.add(values)
            limit = LimitDay(above, int((values > above).sum()), sketch, {})
            yield SegmentDay(
                day, None, active.size, {"daily-amount": limit}, int(known.sum()), int(hot.sum()),
                {}, {},
            )  # fmt: skip
            usual.learn(active, sums)


def told_of(payments: Payments, above: int) -> list[SystemicNotice]:
    systemic = Systemic(SystemicSettings())
    return [
        notice
        for segment_day in payments.segment_days(above)
        for notice in systemic.observe(segment_day.day, {None: segment_day})
    ]


@pytest.fixture(scope="module")
def handbook() -> Payments:
    files = f"{path_of(HANDBOOK)}/*.parquet"
    found = duckdb.execute(
        "SELECT dense_rank() OVER (ORDER BY CUSTOMER_ID) - 1 AS account,"
        " date_diff('day', DATE '0001-01-01', CAST(TX_DATETIME AS DATE)) + 1 AS day,"
        " CAST(round(TX_AMOUNT * 100) AS BIGINT) AS amount"
        " FROM read_parquet(?) ORDER BY TX_DATETIME, CUSTOMER_ID",
        [files],
    ).fetchnumpy()
    account, day, amount = (found[name].astype(np.int64) for name in ("account", "day", "amount"))
    return Payments(account, day, amount, amount)


def injected(payments: Payments, factor: int, share: float) -> Payments:
    """Return the payments, some active accounts' multiplied on each day of an episode."""
    rng = np.random.default_rng(7)
    amount = payments.amount.copy()
    for on in EPISODES:
        is_day = payments.day == on.toordinal()
        active = np.unique(payments.account[is_day])
        picked = rng.choice(active, round(share * active.size), replace=False)
        amount[is_day & np.isin(payments.account, picked)] *= factor
    return Payments(payments.account, payments.day, amount, amount)


def test_nothing_is_told_of_cards_without_an_episode(handbook: Payments) -> None:
    assert told_of(handbook, 500_00) == []


@pytest.mark.parametrize(("factor", "share"), [(3, 0.05), (10, 0.02)])
def test_episodes_on_cards_are_told_on_their_day_and_on_no_other(
    handbook: Payments, factor: int, share: float
) -> None:
    days = [notice.business_day for notice in told_of(injected(handbook, factor, share), 500_00)]
    episodes = {on.toordinal() for on in EPISODES}
    assert len(episodes & set(days)) >= 4
    assert set(days) <= episodes


def test_month_ends_of_a_bank_are_silent_once_two_were_seen() -> None:
    lines = path_of(BERKA).read_text(encoding="utf-8").splitlines()[1:-1]  # the last one is cut
    cells = [line.replace('"', "").split(";") for line in lines]
    numbers = {name: n for n, name in enumerate(sorted({cell[1] for cell in cells}))}
    on = [date(1900 + int(c[2][:2]), int(c[2][2:4]), int(c[2][4:])).toordinal() for c in cells]
    amount = np.array([round(float(cell[5]) * 100) for cell in cells])
    payments = Payments(
        np.array([numbers[cell[1]] for cell in cells]),
        np.array(on),
        amount,
        np.where([cell[3] == "PRIJEM" for cell in cells], 0, amount),
    )
    ends = {day for day in on if date.fromordinal(day + 1).day == 1}
    touched = [sum(day == end for day in on) for end in sorted(ends)]
    assert max(touched) > 1_000, "month ends are what touches everybody"
    told = {notice.business_day for notice in told_of(payments, 20_000_00)}
    assert len(ends) >= 14
    assert not told & set(sorted(ends)[2:])
