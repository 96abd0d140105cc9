"""A policy in words says all that the policy does: no key is without its words."""

from pathlib import Path

import pytest

from monitor.core.business_day import event_time_of
from monitor.policy import (
    document,
    limits,
    lists,
    models,
    rates,
    reviews,
    suppressions,
    systemic,
    where,
)
from monitor.policy.document import FULL_POLICY, policy_of
from streams.cli.views.policy import (
    SUPPRESSIONS_SHOWN,
    duration_text,
    notes_of,
    summary,
    summary_text,
)

EXAMPLE = Path(__file__).parents[3] / "examples" / "full.policy.toml"

PLAIN = """
version = 1
effective_from = 2026-01-05
[calendar]
time_zone = "UTC"
cut_off = "00:00"
allowed_lateness = "48h"
clock_skew = "1h"
leap = "72h"
idle_closes_after = "6h"
holidays = ["2026-12-25", 2026-12-26]
[[limit]]
id = "x"
measure = "amount"
direction = "debit"
currency = "EUR"
above = 500
severity = "low"
[budget]
alerts_per_day = 20
warm_up_days = 30
one_in_at_least = 50
severity = "medium"
taught = false
[models]
detector = "loda"
population_amount = false
seed = 1
[systemic]
severity = "high"
breach_budget = 0.01
pay_days = [25]
[review]
days = 3
window_days = 10
near_share = 0.9
severity = "critical"
[lists.pep]
accounts = ["A7"]
counterparties = ["P1"]
[[suppression]]
account = "A1"
limit = "x"
until = "2026-12-31"
reason = "agreed"
"""

BASE = f"""{PLAIN}
[rates]
base = "CHF"
at_most_old = "4d"
since = 2026-01-01
csv = "Date,USD\\n2026-01-05,1.25\\n2025-12-31,1.26"
"""
NEAR = 'measure = "near"\ncurrency = "EUR"\nfrom = "7.00"\nabove = 2'

CHANGED = {
    "version": ("version = 1", "version = 2"),
    "effective_from": ("2026-01-05", "2026-01-06"),
    "calendar.time_zone": ('"UTC"', '"Europe/Berlin"'),
    "calendar.cut_off": ('"00:00"', '"03:00"'),
    "calendar.allowed_lateness": ('"48h"', '"49h"'),
    "calendar.clock_skew": ('"1h"', '"2h"'),
    "calendar.leap": ('"72h"', '"96h"'),
    "calendar.idle_closes_after": ('"6h"', '"7h"'),
    "calendar.holidays": ("2026-12-26", "2026-12-31"),
    "limit.id": ('id = "x"', 'id = "y"'),
    "limit.measure": ('measure = "amount"', 'measure = "count"'),
    "limit.direction": ('"debit"', '"both"'),
    "limit.currency": ('"EUR"', '"SEK"'),
    "limit.base": ('currency = "EUR"', 'currency = "*"\nbase = "CHF"'),
    "limit.above": ("above = 500", "above = 501"),
    "limit.severity": ('severity = "low"', 'severity = "high"'),
    "limit.scope": ('"low"', '"low"\nscope = { segment = "s" }'),
    "limit.at_least": ("above = 500", "at_least = 502"),
    "limit.tiers": (
        'above = 500\nseverity = "low"',
        'tiers = [{ above = 500, severity = "low" }, { above = 600, severity = "high" }]',
    ),
    "limit.period": ('"low"', '"low"\nperiod = "week"'),
    "limit.window": ('"low"', '"low"\nwindow = "10m"'),
    "limit.per": ('"low"', '"low"\nper = "counterparty"'),
    "limit.of": (
        'measure = "amount"\ndirection', 'measure = "distinct"\nof = "institution"\ndirection'
    ),
    "limit.from": (
        'measure = "amount"\ndirection = "debit"\ncurrency = "EUR"\nabove = 500',
        'measure = "share"\nof = "institution"\ncurrency = "EUR"\nfrom = "9.00"\nabove = "80%"',
    ),
    "limit.silent": ('"low"', '"low"\nsilent = "90d"\nremembered = "400d"'),
    "limit.usual": (
        'measure = "amount"\ndirection = "debit"\ncurrency = "EUR"\nabove = 500',
        'measure = "ratio"\nusual = 20\ncurrency = "EUR"\nabove = "2.50"',
    ),
    "limit.to": (
        'measure = "amount"\ndirection = "debit"\ncurrency = "EUR"\nabove = 500',
        f'{NEAR}\nto = "8.00"\ndays = 7',
    ),
    "limit.days": (
        'measure = "amount"\ndirection = "debit"\ncurrency = "EUR"\nabove = 500',
        f'{NEAR}\nto = "9.00"\ndays = 8',
    ),
    "limit.remembered": ('"low"', '"low"\nsilent = "90d"\nremembered = "500d"'),
    "limit.where": ('"low"', '"low"\nwhere = { channel = "atm" }'),
    "where.channel": ('"low"', '"low"\nwhere = { channel = "cash" }'),
    "where.counterparty": ('"low"', '"low"\nwhere = { counterparty = "P1" }'),
    "where.counterparty_institution": (
        '"low"', '"low"\nwhere = { counterparty_institution = "I" }'
    ),
    "where.counterparty_institution_country": (
        '"low"', '"low"\nwhere = { counterparty_institution_country = "DE" }'
    ),
    "where.branch": ('"low"', '"low"\nwhere = { branch = "B" }'),
    "where.amount": ('"low"', '"low"\nwhere = { amount = { from = "2.00" } }'),
    "where.hours": ('"low"', '"low"\nwhere = { hours = "22:00-06:00" }'),
    "where.weekend": ('"low"', '"low"\nwhere = { weekend = true }'),
    "where.holiday": ('"low"', '"low"\nwhere = { holiday = true }'),
    "where.counterparty_new": ('"low"', '"low"\nwhere = { counterparty_new = "9d" }'),
    "scope.account": ('"low"', '"low"\nscope = { account = "s" }'),
    "scope.peer_group": ('"low"', '"low"\nscope = { peer_group = "B" }'),
    "scope.segment": ('"low"', '"low"\nscope = { segment = "t" }'),
    "scope.product": ('"low"', '"low"\nscope = { product = "s" }'),
    "scope.in_list": ('"low"', '"low"\nscope = { in_list = "pep" }'),
    "budget": (
        ("[budget]\nalerts_per_day = 20\nwarm_up_days = 30\none_in_at_least = 50\n"
        'severity = "medium"\ntaught = false'),
        "",
    ),
    "budget.taught": ("taught = false", "taught = true"),
    "budget.alerts_per_day": ("alerts_per_day = 20", "alerts_per_day = 21"),
    "budget.warm_up_days": ("warm_up_days = 30", "warm_up_days = 31"),
    "budget.one_in_at_least": ("one_in_at_least = 50", "one_in_at_least = 60"),
    "budget.severity": ('severity = "medium"', 'severity = "high"'),
    "models.detector": ('"loda"', '"gaussian"'),
    "models.population_amount": ("false", "true"),
    "models.seed": ("seed = 1", "seed = 2"),
    "systemic": ('[systemic]\nseverity = "high"\nbreach_budget = 0.01\npay_days = [25]', ""),
    "systemic.severity": ('severity = "high"', 'severity = "low"'),
    "systemic.pay_days": ("pay_days = [25]", 'pay_days = [25, "last"]'),
    "systemic.breach_budget": ("0.01", '{ s = 0.02, "*" = 0.01 }'),
    "review.days": ("days = 3\n", "days = 4\n"),
    "review.window_days": ("window_days = 10", "window_days = 11"),
    "review.near_share": ("0.9", "0.8"),
    "review.severity": ('"critical"', '"low"'),
    "lists.accounts": ('["A7"]', '["A8", "A7"]'),
    "lists.counterparties": ('["P1"]', '["P2"]'),
    "where.counterparty_in": ('"low"', '"low"\nwhere = { counterparty_in = "pep" }'),
    "rates.base": ('base = "CHF"', 'base = "SEK"'),
    "rates.at_most_old": ('"4d"', '"6d"'),
    "rates.since": ("since = 2026-01-01", "since = 2025-12-01"),
    "rates.csv": ("1.25", "1.24"),
    "suppression.account": ('"A1"', '"A2"'),
    "suppression.limit": ('limit = "x"', ""),
    "suppression.until": ('"2026-12-31"', "2027-01-01"),
    "suppression.reason": ('"agreed"', '"moves house"'),
    "review.scope": ('"critical"', '"critical"\nscope = { segment = "s" }'),
}  # fmt: skip
"""By key, what stands for it in `BASE`, and another value."""

TABLES = {
    "calendar",
    "limit",
    "budget",
    "models",
    "systemic",
    "review",
    "suppression",
    "lists",
    "rates",
}
KEYS = {
    *(key for key in document.POLICY_KEYS if key not in TABLES),
    *(f"calendar.{key}" for key in document.CALENDAR_KEYS),
    *(f"limit.{key}" for key in limits.LIMIT_KEYS),
    *(f"scope.{key}" for key in limits.SCOPE_KEYS),
    *(f"where.{key}" for key in where.WHERE_KEYS),
    *(f"budget.{key}" for key in models.BUDGET_KEYS),
    *(f"models.{key}" for key in models.MODELS_KEYS),
    *(f"systemic.{key}" for key in systemic.SYSTEMIC_KEYS),
    *(f"review.{key}" for key in reviews.REVIEW_KEYS),
    *(f"lists.{key}" for key in lists.LIST_KEYS if not key.endswith("_file")),
    *(f"rates.{key}" for key in rates.RATE_KEYS if key != "file"),
    *(f"suppression.{key}" for key in suppressions.SUPPRESSION_KEYS),
}


def test_no_key_is_forgotten_here() -> None:
    assert CHANGED.keys() >= KEYS


@pytest.mark.parametrize("key", CHANGED)
def test_every_key_changes_what_is_said(key: str) -> None:
    stands, other = CHANGED[key]
    assert stands in BASE
    changed = BASE.replace(stands, other, 1)
    before, after = policy_of(BASE), policy_of(changed)
    assert summary(before) != summary(after)
    assert summary_text(before) != summary_text(after)
    if key.startswith("scope."):
        other_scope = BASE.replace(stands, other.replace("scope", "# scope"), 1)
        assert summary_text(policy_of(other_scope)) == summary_text(before)


@pytest.mark.parametrize("key", CHANGED)
def test_what_is_said_has_no_notation_of_python(key: str) -> None:
    said = summary_text(policy_of(BASE.replace(*CHANGED[key], 1)))
    assert not set('[]{}_"') & set(said)
    assert "None" not in said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"), (1, "1 second"), (90, "90 seconds"), (60, "1 minute"), (3600, "1 hour"),
        (86_400, "24 hours"), (172_800, "48 hours"), (345_600, "4 days"),
        (86_400 * 3660, "3,660 days"),
    ],
)  # fmt: skip
def test_a_duration_is_said_as_a_policy_has_it(seconds: int, said: str) -> None:
    assert duration_text(seconds * 1_000_000) == said


def test_the_full_policy_is_the_one_that_the_program_has() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == FULL_POLICY
    policy = policy_of(FULL_POLICY)
    assert policy.outliers is not None
    assert policy.outliers.is_told
    assert policy.systemic is not None
    assert policy.reviews
    business = [t for t in policy.thresholds if t.segment == "business"]
    assert {t.measure.value for t in business} == {"amount", "count"}


def test_a_person_sees_some_suppressions_and_how_many_more_there_are() -> None:
    more = "".join(
        f'[[suppression]]\naccount = "B{n}"\nuntil = "2026-02-01"\nreason = "agreed"\n'
        for n in range(30)
    )
    policy = policy_of(BASE + more)
    said = summary(policy)["suppressions"]
    assert isinstance(said, list)
    assert len(said) == 31
    text = summary_text(policy)
    assert text.count("agreed") == SUPPRESSIONS_SHOWN
    assert "and 11 more" in text


def test_suppressions_that_are_over_or_of_no_limit_are_noted_and_no_others() -> None:
    more = """
[[suppression]]
account = "A1"
limit = "outlier"
until = "2026-02-01"
reason = "ends today"
[[suppression]]
account = "A2"
until = "2026-01-31"
reason = "ended"
[[suppression]]
account = "A3"
limit = "xx"
until = "2026-02-02"
reason = "misspelt"
[[suppression]]
account = "A4"
until = "2026-01-04"
reason = "never began"
"""
    now = event_time_of("2026-02-01T12:00:00Z")
    assert now is not None
    base = PLAIN.replace('[lists.pep]\naccounts = ["A7"]\ncounterparties = ["P1"]\n', "")
    assert notes_of(policy_of(base + more), now) == [
        "the suppression of account A2 has ended on 2026-01-31: take it out, or set a later until",
        (
            "the suppression of account A3 for limit xx marks nothing: no such limit is stated;"
            " correct its limit"
        ),
        (
            "the suppression of account A4 marks nothing: it ends on 2026-01-04, before the policy"
            " is in force; take it out, or set a later until"
        ),
    ]


ASKING = """
[[limit]]
id = "to-pep"
measure = "count"
where = { counterparty_in = "pep", holiday = false }
above = 1
[[review]]
scope = { in_list = "pep" }
"""


def test_lists_that_nothing_asks_for_and_holidays_that_have_run_out_are_noted() -> None:
    now = event_time_of("2026-12-26T12:00:00Z")
    later = event_time_of("2026-12-27T12:00:00Z")
    assert now is not None
    assert later is not None
    unused = "list pep has {} that nothing asks for: name it in a {}, or take them out"
    assert notes_of(policy_of(PLAIN), later) == [
        unused.format("accounts", "scope.in_list"),
        unused.format("counterparties", "where.counterparty_in"),
    ]
    asking = policy_of(PLAIN.replace("[review]", "[[review]]") + ASKING)
    assert notes_of(asking, now) == []
    (note,) = notes_of(asking, later)
    assert note.startswith("the last of calendar.holidays is 2026-12-26, and limit to-pep asks")


GAUGE = """
version = 1
[[limit]]
id = "x"
measure = "count"
period = "week"
above = 3
where = { channel = ["a\\nb\\u001b[31m"] }
"""


def test_a_review_without_a_limit_that_counts_for_it_says_so() -> None:
    says = "reviews count limits on a day's amount or count alone, and the policy has none"
    plain = '[[limit]]\nid = "y"\nmeasure = "count"\nabove = 3\n'
    for text, is_said in ((GAUGE, True), (GAUGE + plain, False)):
        policy = policy_of(f"{text}[review]\n")
        assert (says in str(summary(policy)["reviews"])) is is_said
        assert (says in summary_text(policy)) is is_said


def test_no_name_of_a_policy_moves_the_cursor_of_a_terminal() -> None:
    said = summary_text(policy_of(GAUGE))
    assert r"where channel a\nb\x1b[31m, for everyone" in said
    assert said.replace("\n", "").isprintable()
