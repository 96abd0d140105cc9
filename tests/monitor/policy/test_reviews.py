"""[review] of a policy: what it states, which rule decides, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.review import (
    DayFacts,
    DayTold,
    EndedReview,
    FoldedDays,
    Mark,
    NotedDay,
    Review,
    ReviewTold,
)
from monitor.core.review_fields import review_fields, review_of
from monitor.core.transaction import Origin
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyError
from monitor.policy.reviews import ReviewRule, review_threshold
from streams.cli.views.policy import summary
from tests.support.transactions import POLICY


def rules(text: str) -> tuple[ReviewRule, ...]:
    return policy_of(POLICY + text).reviews


def test_an_empty_table_is_enough_and_none_is_no_review() -> None:
    (rule,) = rules("[review]")
    assert (rule.days, rule.window_days, rule.near_permille) == (3, 10, 900)
    assert rule.threshold.severity == "high"
    assert rules("") == ()


def test_the_most_specific_rule_decides_alone() -> None:
    text = """
[[review]]
[[review]]
days = 4
scope = { segment = "business" }
[[review]]
days = 5
scope = { account = "A7" }
[[review]]
days = 6
scope = { product = "savings" }
"""
    policy = policy_of(POLICY + text)
    scopes = [
        ("A1", None, None, None), ("A1", "business", None, "savings"),
        ("A7", "business", None, None), ("A1", "retail", None, "savings"),
    ]  # fmt: skip
    found = [policy.review_of(scope) for scope in scopes]
    assert [rule and rule.days for rule in found] == [3, 4, 5, 6]
    only = policy_of(POLICY + '[review]\nscope = { segment = "business" }')
    assert only.review_of(("A1", "retail", None, None)) is None


@given(st.integers(0, 10**17), st.integers(0, 10**17), st.integers(500, 1000))
def test_near_is_above_the_share_and_not_over_the_limit(
    value: int, limit: int, permille: int
) -> None:
    rule = ReviewRule(review_threshold(2, policy_of(POLICY).thresholds[0].severity), 10, permille)
    assert rule.is_near(value, limit) == (limit * permille < value * 1000 <= limit * 1000)
    assert not rule.is_near(limit + 1, limit)
    assert rule.is_near(limit, limit) == (permille < 1000 and limit > 0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[review]\ndays = 0", "review.days is 0: a whole number from 1 to window_days"),
        ("[review]\ndays = 11", "review.days is 11: a whole number from 1 to window_days"),
        ("[review]\nwindow_days = 32", "review.window_days is 32: a whole number from 1 to 31"),
        ("[review]\nnear_share = 0.4", "near_share is 0.4: a share from 0.5 to 1"),
        ("[review]\nnear_share = 1.5", "near_share is 1.5: a share from 0.5 to 1"),
        ("[review]\nnear_share = 0.9001", "at most three decimals"),
        ("[review]\nnear_share = nan", "near_share is nan"),
        ("[review]\nnear_share = true", "near_share is true"),
        ("[review]\nseverity = 'odd'", "review.severity is 'odd': one of low"),
        ("[review]\nscope = { branch = 'B' }", "review.scope is { branch = 'B' }: write"),
        ("[review]\nnear = 1", "review.near is not known: use one of days"),
        ("[review]\nscope = { peer_group = 'B' }", "a review is for a peer group"),
        ("[[review]]\n[[review]]\ndays = 2", "two [[review]] have the same scope"),
        ("[[review]]\n[[review]]\ndays = 0\nscope = { account = 'A' }", "review 2.days is 0"),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, problem: str) -> None:
    with pytest.raises(PolicyError) as error:
        policy_of(POLICY + text)
    assert problem in str(error.value)


def test_a_review_that_is_no_table_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"review is not a table: write \[review\]"):
        policy_of("review = 3\n" + POLICY)


def test_a_policy_is_summed_up_with_its_reviews() -> None:
    text = '[[review]]\nnear_share = 1\n[[review]]\ndays = 2\nscope = { product = "savings" }\n'
    assert summary(policy_of(POLICY + text))["reviews"] == [
        "3 breach days within 10 business days, for everyone, high",
        (
            "2 breach days within 10 business days, days above 0.9 of a limit count half,"
            " for product savings, high"
        ),
    ]


# -- state ---------------------------------------------------------------------------------------

sums = st.integers(0, 1 << 70)
names = st.none() | st.sampled_from(["retail", "B2"])
some_facts = st.tuples(
    st.dictionaries(st.integers(0, (1 << 32) - 1), sums, max_size=3), sums, sums,
    st.integers(0, 99), st.integers(0, 99),
)  # fmt: skip
marks = st.builds(
    Mark, st.sampled_from(["a", "b"]), sums, sums, st.none() | st.just("EUR"), st.booleans(),
    st.booleans(), st.none() | st.builds(Origin, names, names, names, names),
)  # fmt: skip
tolds = st.builds(
    ReviewTold, st.sampled_from(["raised", "withdrawn"]), st.integers(1, 9), st.integers(0, 9),
    st.integers(0, 9), st.just("high"),
    st.lists(st.builds(DayTold, st.integers(1, 99), st.integers(0, 2), st.integers(0, 3))).map(
        tuple
    ),
    st.just("unclear"), st.integers(0, (1 << 64) - 1), st.booleans(),
    st.lists(st.tuples(st.integers(1, 99), sums), max_size=2).map(tuple),
)  # fmt: skip


@st.composite
def reviews(draw: st.DrawFn) -> Review:
    review = Review()
    for day in draw(st.sets(st.integers(700_000, 700_009), max_size=4)):
        review.closed[day] = draw(noted_days(day))
    review.folded = draw(folded)
    review.told = draw(st.dictionaries(st.integers(700_000, 700_009), tolds, max_size=3))
    for day in draw(st.sets(st.integers(699_000, 699_009), max_size=2)):
        days = tuple(draw(noted_days(day + more)) for more in range(2))
        review.ended[day] = EndedReview(
            draw(tolds), days, draw(folded), 3, draw(names), draw(names), draw(names)
        )
    return review


folded = st.none() | st.builds(FoldedDays, *[st.integers(0, 99)] * 5)


@st.composite
def noted_days(draw: st.DrawFn, day: int) -> NotedDay:
    facts = DayFacts()
    facts.payees, facts.others, facts.unnamed, facts.amounts, facts.round = draw(some_facts)
    return NotedDay(
        day, draw(names), draw(names), draw(names), 3, tuple(draw(st.lists(marks, max_size=3))),
        "EUR", draw(sums), draw(sums), facts, draw(st.none() | st.floats(0, 1)),
    )  # fmt: skip


@given(reviews(), st.sampled_from([int, str]))
def test_what_an_account_keeps_for_its_reviews_comes_back(
    review: Review, written: type[int] | type[str]
) -> None:
    back = review_of(review_fields(review, written))
    assert review_fields(back, int) == review_fields(review, int)
    assert (back.told, back.folded) == (review.told, review.folded)
    assert [(first, ended.told, ended[2:]) for first, ended in back.ended.items()] == [
        (first, ended.told, ended[2:]) for first, ended in review.ended.items()
    ]
    assert [noted.marks for noted in back.closed.values()] == [
        review.closed[day].marks for day in sorted(review.closed)
    ]
