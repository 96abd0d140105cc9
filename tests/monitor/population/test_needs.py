"""Needs of a made population: who has them, when, and what they come to."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.population import Population
from monitor.population.behaviour import TYPES
from monitor.population.labels import kind_of
from monitor.population.movements import USUAL
from monitor.population.needs import KINDS, LABEL_FIRST, Needs
from tests.support.laws import law

GROWING, SEASONAL, SALARY = range(3)
WITH = Population(3_000, 45, 1, date(2026, 1, 5), anomaly_share=0.0, with_needs=True)
DAYS = list(WITH.made_days())


def needs_of(population: Population) -> Needs:
    assert population.needs is not None
    return population.needs


@law(50)
@given(st.integers(1, 3_000), st.integers(0, 1 << 40))
def test_no_account_has_two_needs_and_each_is_of_a_type_that_may(accounts: int, seed: int) -> None:
    population = Population(accounts, 1, seed, with_needs=True)
    needs = needs_of(population)
    assert np.unique(needs.account).size == needs.account.size
    may = {GROWING: {"merchant", "sme"}, SALARY: {"salaried", "affluent"}}
    may[SEASONAL] = may[GROWING]
    for kind, account in zip(needs.kind.tolist(), needs.account.tolist(), strict=True):
        assert TYPES[population.drawn.type[account]] in may[kind]
    assert (needs.begin < needs.end).all()


@law(50)
@given(st.integers(0, 1 << 40), st.integers(0, 400))
def test_an_account_without_a_need_on_a_day_is_as_it_was_drawn(seed: int, number: int) -> None:
    population = Population(500, 1, seed, with_needs=True)
    needs, drawn = needs_of(population), population.drawn
    changed = needs.changed(drawn, number)
    others = np.setdiff1d(np.arange(500), needs.account[needs.active(number)])
    for before, after in zip(drawn, changed, strict=True):
        assert np.array_equal(before[others], after[others])
    assert (changed.daily_count >= drawn.daily_count).all()
    assert (changed.amount_log_mean >= drawn.amount_log_mean).all()


def test_a_label_says_what_a_day_is_of() -> None:
    needs = needs_of(WITH)
    for number, made in enumerate(DAYS):
        label, account = made.movements.label, made.movements.account
        of_day = needs.active(number)
        assert set(account[label != USUAL]) <= set(needs.account[of_day])
        for kind in range(len(KINDS)):
            whose = needs.account[of_day & (needs.kind == kind)]
            assert set(account[label == LABEL_FIRST + kind]) <= set(whose)
    assert kind_of(LABEL_FIRST + SEASONAL) == "seasonal-trade"


def of_needs(kind: int, *, active: bool) -> tuple[float, float]:
    """Return the mean transactions and the median amount of days of accounts with a kind of need.

    Of a shop that grows, days count from its twentieth on.
    """
    needs, counts, amounts = needs_of(WITH), [], []
    for number, made in enumerate(DAYS):
        is_active = needs.active(number)
        if active and kind == GROWING:
            is_active &= number >= needs.begin + 20
        whose = needs.account[(needs.kind == kind) & (is_active == active)]
        is_theirs = np.isin(made.movements.account, whose)
        counts.append((int(is_theirs.sum()), whose.size))
        amounts.append(made.movements.amount[is_theirs])
    movements, days = map(sum, zip(*counts, strict=True))
    return movements / days, float(np.median(np.concatenate(amounts)))


def test_shops_and_seasons_have_more_transactions_and_salaries_greater_amounts() -> None:
    for kind in (GROWING, SEASONAL):
        (count, amount), (before, amount_before) = (
            of_needs(kind, active=active) for active in (True, False)
        )
        assert 1.5 * before < count < 4 * before
        assert 0.5 * amount_before < amount < 2 * amount_before
    (count, amount), (before, amount_before) = (
        of_needs(SALARY, active=active) for active in (True, False)
    )
    assert 1.4 * amount_before < amount < 3 * amount_before
    assert count < 1.5 * before


def test_a_season_ends_and_the_rest_goes_on() -> None:
    needs = needs_of(WITH)
    is_season = needs.kind == SEASONAL
    assert 0 < (needs.end - needs.begin)[is_season].max() <= 21
    assert needs.active(3_000)[~is_season].all()
    assert not needs.active(3_000)[is_season].any()
