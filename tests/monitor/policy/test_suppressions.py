"""[[suppression]] of a policy: what is marked, that nothing else changes, and what is refused."""

import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import NEVER_SUPPRESSED, Alert, Suppressed
from monitor.core.business_day import day_text
from monitor.engine.engine import Engine, plain_engine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook, PolicyError
from monitor.policy.suppressions import Suppression
from tests.support.calls import calls_of
from tests.support.gauged_streams import BEGIN, DAY, HEAD, any_items, with_any_limits
from tests.support.laws import law
from tests.support.transactions import POLICY, book, observed, transaction

FIRST_DAY = BEGIN // DAY + 719_163  # the ordinal of 1970-01-01

ON_DAYS = """
[[limit]]
id = "amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "10.00"
[[limit]]
id = "count"
measure = "count"
above = 2
[review]
days = 2
window_days = 10
"""


def any_suppressions(rng: random.Random) -> Iterator[str]:
    """Yield tables of suppressions of the accounts and limits of made streams; none is twice."""
    stated = {
        (f"A{rng.randrange(5)}", rng.choice([None, "amount", "count", "g0", "g1", "none"]))
        for _ in range(rng.randrange(12))
    }
    for account_id, limit in sorted(stated, key=str):
        until = day_text(FIRST_DAY + rng.randrange(-2, 8))
        named = "" if limit is None else f'limit = "{limit}"\n'
        yield f'[[suppression]]\naccount = "{account_id}"\n{named}until = {until}\nreason = "x"\n'


def mark_by_scan(alert: Alert, suppressions: Iterable[Suppression]) -> Suppressed | None:
    """Return the mark of an alert by going through all suppressions, the narrow ones first."""
    for stated in sorted(suppressions, key=lambda each: each.threshold_id is None):
        is_its = stated.account_id == alert.account_id
        is_its &= stated.threshold_id in {None, alert.threshold.threshold_id}
        if is_its and alert.business_day <= stated.until and alert.kind not in NEVER_SUPPRESSED:
            return Suppressed(stated.until, "x")
    return None


@law(200)
@given(seed=st.integers(0, 10**6))
def test_the_alerts_are_those_without_suppressions_and_each_has_the_mark_that_it_must(
    seed: int,
) -> None:
    rng = random.Random(seed)  # noqa: S311 - made data
    head = HEAD.format(version=1, zone="UTC", cut_off="03:00", lateness=rng.choice([0, 24, 48]))
    text = with_any_limits(rng, head + ON_DAYS, 2) + "\n"
    marking = policy_of(text + "".join(any_suppressions(rng)))
    items = any_items(rng, 60)
    plain, marked = (
        observed(plain_engine(0, PolicyBook([policy]), 1), *items).alerts
        for policy in (policy_of(text), marking)
    )
    assert [alert._replace(suppressed=None) for alert in marked] == plain
    assert [alert.suppressed for alert in marked] == [
        mark_by_scan(alert, marking.suppressions) for alert in plain
    ]


def suppressed(text: str) -> Engine:
    return plain_engine(0, book(POLICY + text), 1)


ONE = """
[[suppression]]
account = "A1"
limit = "daily-amount"
until = "2026-01-06"
reason = "sells its house"
"""


def test_the_last_day_is_marked_and_the_next_is_not() -> None:
    engine = suppressed(ONE)
    rows = [transaction(f"t{n}", hours=24 * n, amount="501.00") for n in range(3)]
    marks = [alert.fields().get("suppressed") for alert in observed(engine, *rows).alerts]
    mark = {"until": "2026-01-06", "reason": "sells its house"}
    assert marks == [mark, mark, None]


def test_another_limit_and_another_account_are_not_marked() -> None:
    engine = suppressed(ONE)
    few = [transaction(f"t{n}", amount="1.00") for n in range(4)]
    other = transaction("o", amount="501.00", account_id="A2")
    alerts = observed(engine, *few, other).alerts
    assert [alert.threshold.threshold_id for alert in alerts] == ["daily-count", "daily-amount"]
    assert not any("suppressed" in alert.fields() for alert in alerts)


def test_one_of_the_limit_goes_before_one_of_all_limits() -> None:
    engine = suppressed(ONE + ONE.replace('limit = "daily-amount"', "").replace("sells", "buys"))
    rows = [transaction(f"t{n}", amount="130.00") for n in range(4)]
    alerts = observed(engine, *rows).alerts
    marks = {a.threshold.threshold_id: a.suppressed and a.suppressed.reason for a in alerts}
    assert marks == {"daily-amount": "sells its house", "daily-count": "buys its house"}


def test_the_version_that_decides_for_the_day_has_the_say() -> None:
    later = POLICY.replace("version = 1", 'version = 2\neffective_from = "2026-01-06"')
    engine = plain_engine(0, PolicyBook([policy_of(POLICY), policy_of(later + ONE)]), 1)
    rows = [transaction(f"t{n}", hours=24 * n, amount="501.00") for n in range(2)]
    alerts = observed(engine, *rows).alerts
    assert [alert.suppressed is not None for alert in alerts] == [False, True]


def test_a_reversal_withdraws_a_marked_alert_with_its_mark() -> None:
    engine = suppressed(ONE)
    alerts = observed(
        engine,
        transaction("a", amount="501.00"),
        transaction("r", amount="100.00", hours=1, reverses="a"),
    ).alerts
    assert [(alert.status, alert.suppressed is not None) for alert in alerts] == [
        ("raised", True), ("withdrawn", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('account = "A1"', "", "suppression 1: account is missing: write the account's id"),
        ('account = "A1"', "account = 1", "suppression 1: account is 1: write the account's id"),
        (
            '"A1"',
            '"A1 "',
            "suppression 1: account has 'A1 ': a name has no blanks",
        ),
        ('"daily-amount"', '" "', "suppression 1: limit has ' ': a name has no blanks"),
        ('"daily-amount"', '""', "limit is '': write a limit's id, or leave it out for all limits"),
        ('until = "2026-01-06"', "", "until is missing: write the last business day"),
        ('"2026-01-06"', '"2026-02-30"', "until is '2026-02-30': write the last business day"),
        ('"2026-01-06"', "2026-01-06T00:00:00Z", "write the last business day, e.g. 2026-12-31"),
        ('"sells its house"', '" "', "reason is ' ': write why, as one line of at most 500"),
        ('"sells its house"', '"a\\nb"', 'reason is "a\\nb": write why, as one line'),
        ('"sells its house"', f'"{"x" * 501}"', "as one line of at most 500 characters"),
        ("account", 'from = "2026-01-01"\naccount', "from is not known: use one of account"),
        ("[[suppression]]", "[suppression]", "not a list of tables: write [[suppression]]"),
        ("[[suppression]]", f"{ONE}\n[[suppression]]", "suppression 2: there is another one of"),
    ],
)
def test_what_is_refused_says_what_to_do(old: str, new: str, said: str) -> None:
    with pytest.raises(PolicyError) as error:
        policy_of(POLICY + ONE.replace(old, new, 1))
    assert said in str(error.value)


def test_thousands_of_suppressions_are_read_in_moments_and_cost_an_alert_nothing() -> None:
    each = [
        f'[[suppression]]\naccount = "A{n}"\nlimit = "x"\nuntil = 2026-01-06\nreason = "y"\n'
        for n in range(10_000)
    ]
    few, many = (POLICY + "".join(each[:count]) for count in (1_000, 10_000))
    assert calls_of(lambda: book(many)) < 15 * calls_of(lambda: book(few))
    policies = book(many)
    alerts = observed(plain_engine(0, book(), 1), transaction("a", amount="501.00")).alerts
    assert policies.marked(alerts * 1_000) == alerts * 1_000
    assert calls_of(lambda: policies.marked(alerts * 1_000)) < 10_000
