import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.peers.fields import (
    COARSE_FIELDS,
    DIFFERENCE_MIN,
    FIELDS,
    LIKE_MOST,
    WEIGHTS,
    WORDS,
    names_of,
)


def differences(**fields: float) -> list[float]:
    return [fields.get(field, 0.0) for field in FIELDS]


def names(*groups: dict[str, float]) -> list[str]:
    return names_of(np.array([differences(**group) for group in groups]))


def test_there_are_fourteen_fields_and_each_has_a_weight() -> None:
    assert len(set(FIELDS)) == len(FIELDS) == len(WEIGHTS) == 14
    assert (WEIGHTS > 0).all()
    assert [FIELDS[place] for place in COARSE_FIELDS] == [
        "log_amount_mean", "log_daily_rate", "credit_share", "branch_share", "api_share",
        "weekend_share",
    ]  # fmt: skip


def test_the_most_different_fields_are_told_first_and_the_direction_with_them() -> None:
    assert names(
        {"log_amount_mean": 1.0, "card_share": 2.0, "log_daily_rate": 0.9, "weekend_share": 0.8},
        {"log_amount_mean": -1.0, "evening_share": 1.5, "log_daily_rate": -0.9},
        {"credit_share": 0.5, "log_amount_sd": -0.7},
    ) == [
        "by card, large amounts, many a day",
        "in the evening, small amounts, few a day",
        "amounts much alike, much coming in",
    ]


def test_of_hours_and_of_channels_one_field_is_told() -> None:
    assert names({"card_share": 2.0, "web_share": -1.9, "mobile_share": -1.8}) == ["by card"]
    assert names({"morning_share": -2.0, "evening_share": 1.9}) == ["seldom in the morning"]


def test_what_does_not_differ_is_not_told() -> None:
    just_below = np.nextafter(DIFFERENCE_MIN, 0)
    assert names({"log_amount_mean": just_below}, {"credit_share": -DIFFERENCE_MIN}) == [
        LIKE_MOST, "little coming in",
    ]  # fmt: skip


def test_groups_that_would_share_a_name_get_more_words_until_they_do_not() -> None:
    alike = {"log_amount_mean": 3.0, "log_daily_rate": 2.0, "card_share": 1.0}
    long = "large amounts, many a day, by card"
    assert names(alike | {"weekend_share": 0.5}, alike | {"weekend_share": -0.5}, alike) == [
        f"{long}, at week-ends", f"{long}, seldom at week-ends", long,
    ]  # fmt: skip
    assert names(alike, alike) == [long, long]  # nothing tells them apart


@given(st.integers(0, 1000), st.integers(1, 12))
def test_a_name_is_short_unless_another_is_like_it(seed: int, groups: int) -> None:
    made = names_of(np.random.default_rng(seed).normal(0, 1, (groups, len(FIELDS))))
    assert len(made) == groups
    for name in made:
        shortened = ", ".join(name.split(", ")[:WORDS])
        assert name == shortened or any(
            other != name and other.startswith(shortened) for other in made
        )
