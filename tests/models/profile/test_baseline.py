"""What is usual for an account: measured before it is learned, clipped, left alone if frozen."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.learner.learner import Learner
from models.profile.baseline import (
    COUNT_MAX,
    COUNTERPARTIES,
    FEATURES,
    MEAN_WEIGHT,
    VARIANCE_WEIGHT,
    measure,
    new_accounts,
    new_groups,
)
from models.profile.learning import (
    CLIP_SD,
    CLIPS_FROM,
    DAY_STEP,
    DAYS_PLAIN,
    GROUP_STEP,
    LEVEL_CLIP,
    SILENT_DAYS_MAX,
    close_day,
    learn,
)
from tests.support.laws import law
from tests.support.made_payments import (
    SETTINGS,
    Payment,
    columns_of,
    copied,
    made_payments,
    small_learner,
)
from tests.support.seen import everything, learned, observed, part, same

NOON = 1_767_603_600
DAY = 86_400
BASELINES = (
    "count", "log_mean", "log_var", "clipped_mean", "gap_mean", "days", "days_active", "rate",
    "sum_log_mean", "sum_log_var", "hours", "channels", "weekend", "credit", "counterparties",
)  # fmt: skip


class Watched:
    """An account with its group, measured and taught by hand."""

    def __init__(self) -> None:
        self.accounts, self.groups = new_accounts(1), new_groups(1)

    @property
    def account(self) -> Any:  # noqa: ANN401 - a record of numpy
        return self.accounts[0]

    @property
    def group(self) -> Any:  # noqa: ANN401 - a record of numpy
        return self.groups[0]

    def measured(  # noqa: PLR0913 - a payment's columns
        self, *, second: int = NOON, hour: int = 12, amount: float = 30.0, is_credit: int = 0,
        channel: int = 0, counterparty: int = 0, is_late: bool = False,
    ) -> dict[str, float]:  # fmt: skip
        """Return what is strange about a payment; the day goes on, and nothing is learned."""
        out = np.empty(len(FEATURES))
        measure(
            self.account, self.group, second, hour, amount, is_credit, channel, counterparty,
            is_late, out,
        )  # fmt: skip
        return dict(zip(FEATURES, out.tolist(), strict=True))

    def take(
        self, amount: float = 30.0, second: int = NOON, hour: int = 12, counterparty: int = 0
    ) -> dict[str, float]:
        """Measure a payment, and learn it."""
        found = self.measured(amount=amount, second=second, hour=hour, counterparty=counterparty)
        learn(self.account, self.group, second, hour, 0, amount, 0, 0, counterparty)
        self.account["second_last"] = max(self.account["second_last"], second)
        return found

    def copy(self) -> "Watched":
        made = Watched()
        made.accounts, made.groups = self.accounts.copy(), self.groups.copy()
        return made


def settled(days: int = 40) -> Watched:
    """Return an account that pays about 30 to one of three others at noon, twice a day."""
    rng = np.random.default_rng(11)
    made = Watched()
    for day in range(1, days + 1):
        for number in range(2):
            amount = float(np.exp(rng.normal(3.4, 0.4)))
            second = NOON + (day - days) * DAY + number * 600 - DAY
            made.take(amount, second, 12, counterparty=1 + int(rng.integers(0, 3)))
        close_day(made.account, made.group, day, 1)
    return made


SETTLED = settled()


# -- before it is learned --------------------------------------------------------------------------


def test_payments_are_measured_by_what_was_learned_of_those_before() -> None:
    """As by hand: the first of all by the beginnings, and each further one before it is learned."""
    day = [Payment(0, 0, 900 * n, 20.0 + 7 * n, counterparty=1 + n % 3) for n in range(12)]
    columns, made = columns_of(day), Watched()
    features = everything(small_learner(), columns)["features"]
    for place, payment in enumerate(day):
        second, hour = int(columns.second[place]), int(columns.hour[place])
        found = made.take(payment.amount, second, hour, payment.counterparty)
        assert features[place].tolist() == list(found.values()), place


@pytest.mark.parametrize("detector", ["half-space-trees", "gaussian"])
def test_a_payment_is_measured_and_scored_before_it_is_learned(detector: str) -> None:
    """Whether it is learned or not, what is said of it is the same."""
    columns, learner = made_payments(8), small_learner(SETTINGS._replace(detector=detector))
    first = len(columns.row) - 60
    observed(learner, part(columns, 0, first))
    for place in range(first, len(columns.row)):
        row = part(columns, place, place + 1)
        said = [
            everything(copied(learner), row._replace(is_learned=np.array([is_learned])))
            for is_learned in (0, 1)
        ]
        for name in ("features", "scores", "day_scores"):
            assert same(said[0][name], said[1][name]), (place, name)
        observed(learner, row)


def test_what_is_measured_is_not_learned_by_it() -> None:
    made = SETTLED.copy()
    made.measured(amount=1e6, hour=3, channel=5, counterparty=99)
    for name in BASELINES:
        assert same(np.array(made.account[name]), np.array(SETTLED.account[name])), name
    assert same(made.groups, SETTLED.groups)


# -- higher is stranger ----------------------------------------------------------------------------

LADDERS: dict[str, list[dict[str, Any]]] = {
    "amount_z": [{"amount": amount} for amount in (1, 30, 31, 300, 1e6, 1e12)],
    "ratio": [{"amount": amount} for amount in (1, 30, 31, 300, 1e6, 1e12)],
    "sum_z": [{"amount": amount} for amount in (1, 30, 31, 300, 1e6, 1e12)],
    "pass_through": [{"amount": amount, "is_credit": 1} for amount in (1e3, 5e3, 7e4, 1e5)],
    "hour": [{"hour": 12}, {"hour": 3}],
    "channel": [{"channel": 0}, {"channel": 5}],
    "new_counterparty": [{"counterparty": 2}, {"counterparty": 99}],
    "gap": [{"second": NOON + pause} for pause in (0, 3600, DAY, 9 * DAY)],
}
"""Payments of the settled account, each stranger than the one before."""


@pytest.mark.parametrize("name", LADDERS)
def test_a_higher_feature_is_stranger(name: str) -> None:
    before = SETTLED.copy()
    if name == "pass_through":
        before.measured(amount=1e5)
    values = [before.copy().measured(**payment)[name] for payment in LADDERS[name]]
    assert values == sorted(set(values)), values


def test_more_payments_on_a_day_are_stranger_and_so_are_more_within_an_hour() -> None:
    in_haste, at_leisure = SETTLED.copy(), SETTLED.copy()
    haste = [in_haste.take(second=NOON + number) for number in range(12)]
    leisure = [at_leisure.take(second=NOON + number * 6000) for number in range(12)]
    for name in ("count_z", "velocity"):
        values = [fields[name] for fields in haste]
        assert values == sorted(set(values)), name
    for fast, slow in zip(haste[1:], leisure[1:], strict=True):
        assert fast["count_z"] == slow["count_z"]
        assert fast["velocity"] > slow["velocity"]


def test_no_counterparty_is_no_new_one() -> None:
    assert SETTLED.copy().measured(counterparty=0)["new_counterparty"] == 0.0
    assert Watched().measured(counterparty=0)["new_counterparty"] == 0.0


# -- beginning, and fading -------------------------------------------------------------------------


@given(st.floats(0.5, 9), st.floats(0.05, 4), st.floats(1, 1e6), st.floats(0.1, 30))
def test_a_new_account_begins_as_its_group_is(
    log_mean: float, log_var: float, clipped_mean: float, rate: float
) -> None:
    made = Watched()
    hours, channels = [0.1, 0.2, 0.3, 0.4], [0.5, 0.25, 0.05, 0.04, 0.04, 0.04, 0.04, 0.04]
    made.groups[0] = (500, 500, log_mean, log_var, clipped_mean, rate, 5, 2, hours, channels)
    usual = made.copy().measured(amount=math.exp(log_mean) - 1, hour=20, channel=1)
    assert usual["amount_z"] == pytest.approx(0, abs=1e-9)
    assert usual["ratio"] == pytest.approx((math.exp(log_mean) - 1) / clipped_mean)
    assert usual["hour"] == pytest.approx(-math.log(0.4 + 1e-3))
    assert usual["channel"] == pytest.approx(-math.log(0.25 + 1e-3))
    assert usual["gap"] == 0  # nothing is known of its pauses
    great = made.copy().measured(amount=math.exp(log_mean + 3) - 1)
    spread = math.sqrt(log_var * (1 + 1 / MEAN_WEIGHT) + 0.01)
    assert great["amount_z"] == pytest.approx(3 / spread)
    day = made.copy().measured(amount=math.exp(5) - 1)
    assert day["sum_z"] == pytest.approx(0, abs=1e-9)
    assert (day["count_z"] > 0) == (rate < 1)


@given(st.integers(0, 90))
def test_the_rate_of_a_silent_account_fades_as_if_each_silent_day_had_been_learned(
    silent: int,
) -> None:
    made = SETTLED.copy()
    close_day(made.account, made.group, 41 + silent, 1)
    rate, days = float(SETTLED.account["rate"]), float(SETTLED.account["days"])
    for _ in range(min(silent, SILENT_DAYS_MAX) + 1):  # the day that is closed had nothing either
        rate *= 1 - (1 / (days + 1) if days < DAYS_PLAIN else DAY_STEP)
        days += 1
    assert float(made.account["rate"]) == pytest.approx(rate, rel=1e-6)
    assert float(made.account["days"]) == days
    assert rate < float(SETTLED.account["rate"])


def test_a_longer_silence_fades_more_until_it_counts_no_more() -> None:
    rates = []
    for silent in (0, 10, 30, 60, 300):
        made = SETTLED.copy()
        close_day(made.account, made.group, 41 + silent, 1)
        rates.append(float(made.account["rate"]))
    assert rates[:4] == sorted(rates[:4], reverse=True)
    assert rates[3] == rates[4] > 0


# -- clipping --------------------------------------------------------------------------------------

great_amounts = st.floats(0, 1e16)


@given(great_amounts, st.integers(0, 60))
def test_one_great_amount_moves_the_baselines_by_no_more_than_clipping_allows(
    amount: float, usual: int
) -> None:
    made = SETTLED.copy()
    for number in range(usual):
        made.take(25.0 + number % 9)
    before = made.copy()
    made.take(amount)
    old, new = before.account, made.account
    count = float(old["count"])
    assert CLIPS_FROM < count <= COUNT_MAX
    step = 1 / (count + 1) if count < COUNT_MAX else 1 / COUNT_MAX
    variance = (count * float(old["log_var"]) + VARIANCE_WEIGHT * before.group["log_var"]) / (
        count + VARIANCE_WEIGHT
    )
    moved = abs(float(new["log_mean"]) - float(old["log_mean"]))
    assert moved <= step * CLIP_SD * math.sqrt(variance) + 1e-6
    assert float(new["log_var"]) <= float(old["log_var"]) + step * CLIP_SD**2 * variance + 1e-6
    clipped = (
        count * float(old["clipped_mean"]) + MEAN_WEIGHT * float(before.group["clipped_mean"])
    ) / (count + MEAN_WEIGHT)
    raised = float(new["clipped_mean"]) - float(old["clipped_mean"])
    assert raised <= step * (3 * clipped - float(old["clipped_mean"])) + 1e-4
    of_group = made.group["clipped_mean"] / before.group["clipped_mean"]
    step = max(GROUP_STEP, 1 / (before.group["count"] + 1))
    assert of_group <= 1 + step * (LEVEL_CLIP - 1) + 1e-9


@given(great_amounts)
def test_one_great_day_moves_the_daily_baselines_by_no_more_than_clipping_allows(
    amount: float,
) -> None:
    made = SETTLED.copy()
    made.measured(amount=amount)
    close_day(made.account, made.group, 41, 1)
    old, new = SETTLED.account, made.account
    step = DAY_STEP if old["days_active"] >= DAYS_PLAIN else 1 / (float(old["days_active"]) + 1)
    spread = CLIP_SD * math.sqrt(float(old["sum_log_var"]) + 0.05)
    assert abs(float(new["sum_log_mean"]) - float(old["sum_log_mean"])) <= step * spread + 1e-6
    assert float(new["sum_log_var"]) <= float(old["sum_log_var"]) + step * spread**2 + 1e-6


def test_a_great_amount_is_clipped_at_all() -> None:
    made, twin = SETTLED.copy(), SETTLED.copy()
    made.take(1e4)
    twin.take(1e9)
    for name in ("log_mean", "log_var", "clipped_mean"):
        assert made.account[name] == twin.account[name] > SETTLED.account[name]


# -- what leaves no trace --------------------------------------------------------------------------


def baselines(learner: Learner) -> dict[str, NDArray[Any]]:
    """Return all that is learned of what is usual: by accounts, groups and forests."""
    kept = learned(learner)
    names = [f"account {name}" for name in BASELINES]
    names += [name for name in kept if name.startswith(("group ", "forest ", "day forest "))]
    return {name: kept[name] for name in names}


def test_a_frozen_day_leaves_no_trace_in_any_baseline() -> None:
    """Two streams that differ in one account's day, which is in breach, and the day after it."""
    columns, learner = made_payments(9), small_learner()
    observed(learner, columns)
    last = int(columns.day[-1]) - columns_of([Payment(0, 0)]).day[0] + 1
    frozen = [
        Payment(7, last, 20_000 + 60 * n, 900.0 * (n + 1), channel=5, counterparty=77 + n,
                is_learned=False)
        for n in range(20)
    ]  # fmt: skip
    learner.budget["threshold"] = 1e9  # nothing is told: else an alert might freeze another day
    others = [row for row in range(60) if row != 7]  # enough for the day before to be closed
    usual = [Payment(row, last, 5000 + 100 * row) for row in others]
    after = [Payment(row, last + 1, 5000 + 100 * row) for row in others]
    traced, clean = copied(learner), copied(learner)
    observed(traced, columns_of([*usual, *frozen, *after]))
    observed(clean, columns_of([*usual, *after]))
    kept = baselines(clean)
    for name, array in baselines(traced).items():
        assert same(array, kept[name]), name
    assert traced.accounts["day_last"][7] == columns_of(frozen).day[0]  # but that it is over


def test_a_day_that_breaks_a_limit_is_frozen_from_there_on() -> None:
    learner = small_learner()
    day = [Payment(3, 0, 60 * n, 10.0 + n, is_learned=n != 4) for n in range(9)]
    said = everything(learner, columns_of([*day, Payment(3, 1)]))
    assert said["learned"].tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0, 1]
    assert learner.accounts["days_active"][3] == 0  # the day as such is not learned at all
    assert learner.accounts["count"][3] == 5


def test_a_late_payment_changes_nothing_of_the_day() -> None:
    columns, learner = made_payments(9, days=12), small_learner()
    observed(learner, columns)
    day = int(columns.day[-1])
    names = [name for name in learner.accounts.dtype.names or () if name.startswith("day")]
    names += ["velocity", "score_days", "scores", "rate", "sum_log_mean", "sum_log_var"]
    before = {name: learner.accounts[name].copy() for name in names}
    rows = [0, *np.flatnonzero(learner.accounts["day"][: learner.count] == day)[:5].tolist(), 59]
    late = columns_of([Payment(row, 3, amount=5000.0, is_credit=True) for row in rows])
    seen = observed(learner, late)
    assert len(rows) == 7
    assert np.isfinite(seen.scores).all()  # the amount as such is scored,
    assert np.isnan(seen.day_scores).all()
    for name in names:
        assert same(learner.accounts[name], before[name]), name
    assert learner.accounts["count"][0] > 0  # and learned


def test_a_late_payment_is_measured_by_amount_hour_channel_and_counterparty() -> None:
    made = SETTLED.copy()
    late = made.measured(amount=900.0, hour=3, channel=5, counterparty=99, is_late=True)
    assert same(made.accounts, SETTLED.accounts)
    on_time = made.measured(amount=900.0, hour=3, channel=5, counterparty=99)
    assert {name for name in FEATURES if late[name] != on_time[name]} == {
        "sum_z", "count_z", "velocity", "gap",
    }  # fmt: skip
    assert late["sum_z"] == late["count_z"] == late["velocity"] == late["gap"] == 0


# -- counterparties --------------------------------------------------------------------------------


@law(200)
@given(st.lists(st.integers(0, 12), max_size=40))
def test_the_latest_six_counterparties_are_remembered_each_once(names: list[int]) -> None:
    made = Watched()
    latest: list[int] = []
    for name in names:
        expected = 0.0 if name == 0 or name in latest else 1.0
        assert made.copy().measured(counterparty=name)["new_counterparty"] == expected
        made.take(counterparty=name)
        if name:
            latest = [name, *(known for known in latest if known != name)][:COUNTERPARTIES]
        kept = made.account["counterparties"].tolist()
        assert kept == latest + [0] * (COUNTERPARTIES - len(latest))
