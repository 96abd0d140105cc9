"""A policy is read whole: what it states is what decides, and all its mistakes come at once."""

import tomllib
from datetime import time
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from monitor.core.threshold import Direction, Measure, Severity
from monitor.policy.document import (
    DEFAULT_POLICY,
    KEY_PARTS_MAX,
    POLICY_BYTES_MAX,
    policy_of,
    policy_of_bytes,
)
from monitor.policy.policy import PROBLEM_LENGTH_MAX, PROBLEMS_MAX, Policy, PolicyError
from streams.cli.options import policy_of_file
from tests.support.laws import law

SHORT = """
version = 1
[calendar]
time_zone = "UTC"
[[limit]]
id = "daily-amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "500.00"
"""
HOUR = 3_600_000_000


def limit(**changes: str | None) -> str:
    """Return a policy of one limit, whose lines are as given (in TOML); None leaves one out."""
    lines = {
        "id": '"x"', "measure": '"amount"', "direction": '"debit"', "currency": '"EUR"',
        "above": '"500.00"',
    }  # fmt: skip
    stated = {key: value for key, value in {**lines, **changes}.items() if value is not None}
    return "version = 1\n[[limit]]\n" + "".join(f"{k} = {v}\n" for k, v in stated.items())


def calendar(*lines: str) -> str:
    return SHORT.replace('time_zone = "UTC"', "\n".join(lines))


def problems_of(text: str) -> list[str]:
    with pytest.raises(PolicyError) as raised:
        policy_of(text)
    assert raised.value.problems
    return raised.value.problems


def outcome_of(text: str) -> Policy | PolicyError:
    try:
        return policy_of(text)
    except PolicyError as error:
        return error


# -- what it states ------------------------------------------------------------------------------


def test_the_shortest_policy() -> None:
    policy = policy_of(SHORT)
    (threshold,) = policy.thresholds
    assert policy.version == 1
    assert (policy.effective_from, policy.effective_from_text) == (0, None)
    assert threshold.threshold_id == "daily-amount"
    assert threshold.subject == (Measure.AMOUNT, Direction.DEBIT, "EUR")
    assert threshold.above == 50_000
    assert (threshold.severity, threshold.specificity) == (Severity.MEDIUM, 0)


def test_what_is_not_stated() -> None:
    policy = policy_of('version = 1\n[[limit]]\nid = "n"\nmeasure = "count"\nabove = 10\n')
    (threshold,) = policy.thresholds
    assert policy.calendar.time_zone == "UTC"
    assert policy.calendar.cut_off == time(0)
    assert policy.calendar.allowed_lateness == 48 * HOUR
    assert policy.calendar.clock_skew == HOUR
    assert (policy.calendar.leap, policy.calendar.lead) == (72 * HOUR, 48 * HOUR)
    assert threshold.above == 10
    assert threshold.subject == (Measure.COUNT, Direction.BOTH, None)


def test_a_calendar() -> None:
    text = calendar(
        'time_zone = "Europe/Berlin"', 'cut_off = "03:00"', 'allowed_lateness = "2d"',
        'clock_skew = "90s"',
    )  # fmt: skip
    found = policy_of(text).calendar
    assert (found.time_zone, found.cut_off) == ("Europe/Berlin", time(3))
    assert (found.allowed_lateness, found.clock_skew) == (48 * HOUR, 90_000_000)


@pytest.mark.parametrize(
    ("lines", "leap", "lead"),
    [
        (['leap = "2h"'], 2, 2),
        (['leap = "90d"'], 2160, 2160),  # what is stated counts, even beyond the lateness
        (['allowed_lateness = "1h"'], 72, 1),
        (['allowed_lateness = "30d"'], 72, 72),
    ],
)
def test_one_account_leads_by_the_leap_or_by_default_by_at_most_the_lateness(
    lines: list[str], leap: int, lead: int
) -> None:
    found = policy_of(calendar(*lines)).calendar
    assert (found.leap, found.lead) == (leap * HOUR, lead * HOUR)


@pytest.mark.parametrize(
    ("written", "hours"), [("0s", 0), ("120m", 2), ("48h", 48), ("3660d", 87_840)]
)
def test_a_duration(written: str, hours: int) -> None:
    found = policy_of(calendar(f'allowed_lateness = "{written}"')).calendar
    assert found.allowed_lateness == hours * HOUR


@pytest.mark.parametrize("cut_off", ['"03:00"', '"03:00:00"', "03:00:00", '"03"'])
def test_a_cut_off_is_a_time_of_day(cut_off: str) -> None:
    assert policy_of(calendar(f"cut_off = {cut_off}")).calendar.cut_off == time(3)


def test_a_scope_and_a_severity() -> None:
    for scope, account, segment in (("account", "A7", None), ("segment", None, "A7")):
        text = limit(scope=f'{{ {scope} = "A7" }}', severity='"critical"')
        (threshold,) = policy_of(text).thresholds
        assert (threshold.account_id, threshold.segment) == (account, segment)
        assert threshold.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("currency", "above", "minor"),
    [
        ("EUR", '"500"', 50_000), ("EUR", "500", 50_000), ("EUR", '"0.01"', 1), ("EUR", '"0"', 0),
        ("JPY", '"500"', 500), ("KWD", '"0.001"', 1),
    ],
)  # fmt: skip
def test_an_amount_is_exact(currency: str, above: str, minor: int) -> None:
    (threshold,) = policy_of(limit(currency=f'"{currency}"', above=above)).thresholds
    assert threshold.above == minor


@pytest.mark.parametrize("written", ["2026-03-01", '"2026-03-01"'])
def test_the_day_from_which_it_decides(written: str) -> None:
    policy = policy_of(SHORT.replace("version = 1", f"version = 1\neffective_from = {written}"))
    assert policy.effective_from_text == "2026-03-01"


def test_the_default_policy_can_be_used() -> None:
    assert policy_of(DEFAULT_POLICY).thresholds


# -- what is wrong with it -----------------------------------------------------------------------


RATIO = {"measure": '"ratio"', "usual": "20", "above": '"3"'}
NEAR = {
    "measure": '"near"', "from": '"9.00"', "to": '"9.99"', "days": "7", "above": "2",
}  # fmt: skip
SHARE = {
    "measure": '"share"', "of": '"counterparty"', "above": '"80%"',
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": None}, "id is missing: write letters"),
        ({"id": '"a b"'}, "id is 'a b'"),
        ({"id": '""'}, "id is ''"),
        ({"id": f'"{"x" * 65}"'}, "at most 64"),
        ({"id": "3"}, "id is 3"),
        ({"measure": None}, "measure is missing: one of amount, count"),
        ({"measure": '"sum"'}, "measure is 'sum'"),
        ({"measure": '["amount"]'}, "measure is ['amount']"),
        ({"direction": '"in"'}, "direction is 'in': one of debit, credit, both"),
        ({"severity": '"red"'}, "severity is 'red': one of low, medium, high, critical"),
        ({"currency": None}, "currency is missing"),
        ({"currency": '"eur"'}, "currency is 'eur'"),
        ({"currency": '["EUR"]'}, "currency is ['EUR']"),
        ({"currency": "{ code = 1 }"}, "currency is { code = 1 }"),
        ({"above": None}, "above is missing"),
        ({"above": '"500.001"'}, "at most 2 decimals"),
        ({"above": "500.0"}, "above is 500.0"),  # a float is not exact
        ({"above": '"-1"'}, "above is '-1'"),
        ({"above": "true"}, "above is true"),
        (
            {"above": '"12345678901234567.00"'},
            "too large, an amount is at most 9999999999999999",
        ),
        ({"above": "1_000_000_000_000_000_000"}, "too large, an amount is at most"),
        ({"currency": '"JPY"', "above": '"1000000000000000000"'}, "at most 999999999999999999"),
        ({"currency": '"JPY"', "above": '"1000000000000000000.5"'}, "at most 0 decimals"),
        ({"above": f"0x{'f' * 5_000}"}, "too large, an amount is at most"),
        ({"above": '["1", true]'}, "above is ['1', true]: write the amount"),
        ({"above": "2026-01-01"}, "above is 2026-01-01: write the amount"),
        ({"above": "2026-01-01T03:00:00Z"}, "above is 2026-01-01T03:00:00+00:00: write the amount"),
        ({"id": '"a\\n"'}, 'id is "a\\n": write letters'),
        ({"id": "true"}, "id is true: write letters"),
        ({"currency": "true"}, "currency is true: not a code"),
        ({"scope": "{ segment = true, x = 2026-01-01 }"}, "{ segment = true, x = 2026-01-01 }: w"),
        ({"where": "true"}, "where is true: write"),
        ({'"a\\u001b[31m"': "1"}, '"a\\u001b[31m" is not known: use one of id'),
        ({"measure": '"count"', "currency": None, "above": '"10"'}, "a count is a whole number"),
        ({"measure": '"count"', "above": "-1"}, "above is -1"),
        ({"measure": '"count"', "above": "true"}, "above is true"),
        ({"measure": '"count"', "above": "1_000_000_000_000_000_000"}, "too large, a count"),
        ({"scope": '"business"'}, "scope is 'business'"),
        ({"scope": '{ account = "a", wat = "b" }'}, "scope is"),
        ({"period": '"year"'}, "period is 'year': one of day, week, month"),
        ({"period": '"week"', "window": '"1h"'}, "period and window are both stated"),
        ({"window": '"32d"'}, "window is '32d': write a whole number"),
        ({"window": '"0h"'}, "window is '0h'"),
        ({"window": "60"}, "window is 60"),
        ({"measure": '"net"', "direction": None}, "direction is missing: net of"),
        ({"measure": '"through"'}, "direction is stated: what passes through goes both ways"),
        ({"measure": '"largest"', "currency": None}, "currency is missing"),
        ({"measure": '"distinct"', "above": "3"}, "of is missing: one of counterparty"),
        ({"of": '"counterparty"'}, "of is stated"),
        ({"measure": '"share"', "above": '"80%"'}, "of is missing: one of counterparty"),
        ({**SHARE, "currency": None}, "currency is missing"),
        ({**SHARE, "above": "80"}, "above is 80: a share is less than 100%"),
        ({**SHARE, "above": '"100%"'}, "above is '100%': a share is less than 100%"),
        ({**SHARE, "above": '"66.67%"'}, "above is '66.67%'"),
        ({**SHARE, "above": None, "at_least": '"80%"'}, "at_least is stated: write above"),
        ({**SHARE, "from": '"1.001"'}, "from is '1.001': write the amount as text"),
        ({"from": '"1.00"'}, "from is stated: it is the least sum"),
        ({**RATIO, "currency": None}, "currency is missing"),
        ({**RATIO, "above": '"2.505"'}, "above is '2.505': write how many times the usual"),
        ({**RATIO, "above": "2.5"}, "above is 2.5: write how many times the usual"),
        ({**RATIO, "above": "10_000"}, "above is 10000: write how many times the usual, below"),
        ({**RATIO, "above": None, "at_least": "3"}, "at_least is stated: write above"),
        ({**RATIO, "usual": None}, "usual is missing: write a number of days, at most 90"),
        ({**RATIO, "usual": "0"}, "usual is 0: write a number of days"),
        ({**RATIO, "usual": "91"}, "usual is 91: write a number of days, at most 90"),
        ({**RATIO, "usual": '"20d"'}, "usual is '20d': write a number of days"),
        ({**RATIO, "remembered": '"19d"'}, "remembered is 19d: write as many days as those of"),
        ({**RATIO, "period": '"week"'}, "period is stated: a ratio is of an account's day"),
        ({**RATIO, "window": '"24h"'}, "window is stated: a ratio is of an account's day"),
        ({**RATIO, "per": '"counterparty"'}, "per is stated: a ratio is of an account's day"),
        ({**RATIO, "silent": '"9d"'}, "silent is stated: ratio is no measure of a day"),
        ({**RATIO, "where": '{ counterparty_new = "9d" }'}, "counterparty_new is stated: it goes"),
        ({"usual": "20"}, "usual is stated: it says of how many days"),
        ({"id": '"outlier"'}, "id is 'outlier': alerts of another kind have this name"),
        ({"id": '"review"'}, "id is 'review': alerts of another kind have this name"),
        ({"id": '"systemic"'}, "id is 'systemic': alerts of another kind have this name"),
        ({**NEAR, "currency": None}, "currency is missing"),
        ({**NEAR, "from": None}, "from is missing: write the amount as text"),
        ({**NEAR, "to": None}, "to is missing: write the amount as text"),
        ({**NEAR, "from": '"0"'}, "from is 0: write the least sum of a day that is near"),
        ({**NEAR, "from": '"10.00"'}, "from is greater than to: no sum is in between"),
        ({**NEAR, "days": None}, "days is missing: write over how many business days, at most 31"),
        ({**NEAR, "days": None, "period": '"day"'}, "days is missing: write over how many"),
        ({**NEAR, "days": "0"}, "days is 0: write a number of days, at most 31"),
        ({**NEAR, "days": "32"}, "days is 32: write a number of days, at most 31"),
        ({**NEAR, "period": '"week"'}, "period and days are both stated: near has one of them"),
        ({**NEAR, "window": '"7d"'}, "window is stated: near counts business days, write days"),
        ({**NEAR, "silent": '"9d"'}, "silent is stated: near is no measure of a day"),
        ({**NEAR, "where": '{ counterparty_new = "9d" }'}, "counterparty_new is stated: it goes"),
        ({**NEAR, "above": '"2"'}, "above is '2': a count is a whole number"),
        ({"to": '"9.99"'}, 'to is stated: it goes with measure = "near"'),
        ({"days": "7"}, 'days is stated: it goes with measure = "near"'),
        (
            {"measure": '"distinct"', "of": '"institution"', "per": '"institution"', "above": "3"},
            "per and of are both institution",
        ),
        ({"per": '"payee"'}, "per is 'payee': one of counterparty, institution"),
        ({"silent": '"90"'}, "silent is '90': write a whole number and d, at most 3660d"),
        ({"silent": '"3661d"'}, "silent is '3661d'"),
        ({"silent": '"9d"', "remembered": '"9d"'}, "remembered is 9d: write more days"),
        ({"silent": '"9d"', "remembered": "9"}, "remembered is 9: write a whole number and d"),
        ({"remembered": '"9d"'}, "remembered is stated, and silent is not"),
        ({"silent": '"9d"', "period": '"week"'}, "silent and period are both stated"),
        ({"silent": '"9d"', "window": '"3d"'}, "silent and window are both stated"),
        ({"silent": '"9d"', "per": '"institution"'}, "silent and per are both stated"),
        ({**SHARE, "silent": '"9d"'}, "silent is stated: share is no measure of a day"),
        ({"at_least": '"5.00"'}, "above and at_least are both stated"),
        ({"above": None, "at_least": '"0.00"'}, "at_least is 0"),
        ({"tiers": '[{ above = "1.00", severity = "low" }]'}, "above and tiers are both stated"),
        ({"above": None, "tiers": "[]"}, "tiers is no list of at most 8"),
        ({"above": None, "tiers": '["low"]'}, "tier 1 is not a table"),
        ({"above": None, "tiers": '[{ above = "1.00" }]'}, "tier 1: severity is missing"),
        (
            {
                "above": None,
                "tiers": '[{ above = "2.00", severity = "low" },'
                ' { at_least = "2.01", severity = "high" }]',
            },
            "tiers do not rise",
        ),
        ({"where": '"atm"'}, "where is 'atm'"),
        ({"where": "{ hour = 3 }"}, "where.hour is not known: use one of channel"),
        ({"where": "{ channel = [] }"}, "where.channel is []"),
        ({"where": "{ channel = [1] }"}, "where.channel is [1]"),
        ({"where": "{ amount = 5 }"}, "where.amount is 5"),
        ({"where": '{ amount = { from = "9", to = "8" } }'}, "from is greater than to"),
        ({"where": '{ amount = { multiple_of = "0" } }'}, "multiple_of is 0"),
        ({"where": '{ amount = { to = "0.00" } }'}, "amount is { to = '0.00' }: no amount but 0"),
        ({"where": '{ amount = { to = "5", multiple_of = "6" } }'}, "no amount but 0 fits it"),
        (
            {"where": '{ amount = { from = "7", to = "11.99", multiple_of = "6" } }'},
            "no amount but 0 fits it",
        ),
        (
            {"where": '{ channel = ["a", " atm"] }'},
            "where.channel has ' atm': a name has",
        ),
        ({"where": '{ branch = "b\\t" }'}, 'where.branch has "b\\t": a name has no blanks'),
        (
            {"where": '{ counterparty_institution_country = ["GB", "UK"] }'},
            "_country has 'UK': a country is two capital letters of ISO 3166, e.g. \"GB\" for",
        ),
        (
            {"where": '{ counterparty_institution_country = "ru" }'},
            "_country has 'ru': a country",
        ),
        (
            {"where": '{ counterparty_institution_country = ["GB", "Russia"] }'},
            "_country has 'Russia': a country is two capital letters of ISO 3166",
        ),
        ({"where": '{ amount = { from = "1.001" } }'}, "where.amount.from is '1.001'"),
        (
            {
                "measure": '"count"',
                "currency": None,
                "above": "3",
                "where": '{ amount = { to = "1" } }',
            },
            "where.amount is stated, and the limit has no currency",
        ),
        ({"where": '{ hours = "25:00-06:00" }'}, "where.hours is '25:00-06:00'"),
        ({"where": '{ hours = "06:00-06:00" }'}, "where.hours is"),
        ({"where": "{ holiday = true }"}, "where.holiday is stated, and the policy has none"),
        ({"where": "{ holiday = 1 }"}, "where.holiday is 1: write true, or false"),
        ({"where": "{ counterparty_new = true }"}, "where.counterparty_new is true: write within"),
        ({"where": '{ counterparty_new = "367d" }'}, "where.counterparty_new is '367d'"),
        (
            {"measure": '"largest"', "where": '{ counterparty_new = "9d" }'},
            "where.counterparty_new is stated: it goes with amount, count",
        ),
        (
            {"per": '"counterparty"', "where": '{ counterparty_new = "9d" }'},
            "where.counterparty_new is stated: it goes with",
        ),
        (
            {"silent": '"9d"', "where": '{ counterparty_new = "9d" }'},
            "where.counterparty_new is stated: it goes with",
        ),
        ({"where": "{ weekend = 1 }"}, "where.weekend is 1"),
        ({"scope": '{ branch = "b" }'}, "scope is"),
        ({"scope": '{ account = "" }'}, "scope is"),
        ({"scope": '{ account = "A1 " }'}, "scope.account has 'A1 ': a name has no blanks"),
        ({"scope": '{ segment = " " }'}, "scope.segment has ' ': a name has no blanks"),
        ({"scope": '{ product = "\\tx" }'}, 'scope.product has "\\tx": a name has no blanks'),
        ({"scope": f'{{ account = "{"a" * 257}" }}'}, "scope is"),
        ({"limit": '"500"'}, "limit is not known: use one of id, measure"),
    ],
)
def test_a_mistake_in_a_limit(changes: dict[str, str | None], said: str) -> None:
    (problem,) = problems_of(limit(**changes))
    assert problem.startswith("limit ")
    assert said in problem


@law(200)
@given(
    st.none() | st.integers(0, 60),
    st.none() | st.integers(0, 60),
    st.none() | st.integers(1, 60),
)
def test_an_amount_filter_is_taken_if_an_amount_above_0_fits_it(
    low: int | None, high: int | None, multiple: int | None
) -> None:
    keys = {"from": low, "to": high, "multiple_of": multiple}
    parts = [f"{key} = {value}" for key, value in keys.items() if value is not None]
    assume(parts)
    text = limit(where=f"{{ amount = {{ {', '.join(parts)} }} }}", currency='"JPY"', above="1")
    fits = any(
        (low or 0) <= amount and (high is None or amount <= high) and amount % (multiple or 1) == 0
        for amount in range(1, 121)
    )
    if fits:
        assert policy_of(text).gauges
    else:
        assert problems_of(text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('time_zone = "Berlin"', "time_zone is 'Berlin'"),
        ('time_zone = ["UTC"]', "time_zone is ['UTC']"),
        ('cut_off = "25:00"', "cut_off is '25:00'"),
        ('cut_off = "03:00+01:00"', "cut_off is '03:00+01:00'"),
        ('cut_off = "03:00:00.5"', "cut_off is '03:00:00.5'"),
        ("cut_off = 10", "cut_off is 10"),
        ('allowed_lateness = "2w"', "allowed_lateness is '2w'"),
        ("allowed_lateness = 48", "allowed_lateness is 48"),
        ('allowed_lateness = "-1h"', "allowed_lateness is '-1h'"),
        ('allowed_lateness = "3661d"', "at most 3660d"),
        ('clock_skew = "999999d"', "at most 3660d"),
        ('holidays = "2026-12-25"', "holidays is no list of at most 1,000"),
        ('holidays = ["2026-12-25", "25.12."]', "holidays has '25.12.': write dates"),
        ("holidays = [2026-12-25T00:00:00]", "holidays has 2026-12-25T00:00:00"),
        ("leap = 3", "leap is 3"),
        ('zone = "UTC"', "calendar.zone is not known"),
    ],
)
def test_a_mistake_in_the_calendar(line: str, said: str) -> None:
    (problem,) = problems_of(calendar(line))
    assert problem.startswith("calendar.")
    assert said in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = ", "not TOML"),
        ("a = " + "[" * 20_000, "nested too deep"),
        ("version = " + "9" * 5_000, "not TOML"),
        (SHORT.replace("version = 1", ""), "version is missing"),
        (SHORT.replace("version = 1", "version = 0"), "version is missing or no whole number"),
        (SHORT.replace("version = 1", "version = true"), "version is missing or no whole number"),
        (SHORT.replace("version = 1", "version = 10_000_000_000_000_000_000"), "no whole number"),
        (SHORT.replace("version = 1", "version = 1\nname = 2"), "name is not known"),
        (SHORT.replace("version = 1", "version = 1\neffective_from = 2026-01-05T00:00:00"),
         "effective_from is"),
        (SHORT.replace("version = 1", 'version = 1\neffective_from = "soon"'),
         "effective_from is 'soon'"),
        ("version = 1", "no [[limit]] is stated"),
        ("version = 1\nlimit = []", "no [[limit]] is stated"),
        ("version = 1\nlimit = [3]", "limit 1 is not a table"),
        (limit().replace("[[limit]]", "[limit]"), "no [[limit]] is stated"),
        ("calendar = 3\n" + limit(), "[calendar] is not a table"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_whole(text: str, said: str) -> None:
    (problem,) = problems_of(text)
    assert said in problem


def test_two_limits_may_not_be_taken_for_one_another() -> None:
    same_id = limit() + limit(direction='"credit"').removeprefix("version = 1\n")
    assert problems_of(same_id) == ["limits x and x have the same id (line 8)"]
    same_subject = limit() + limit(id='"y"', above='"9"').removeprefix("version = 1\n")
    (problem,) = problems_of(same_subject)
    assert problem.startswith("limits x and y measure the same and have the same scope")


def test_all_mistakes_come_in_one_message() -> None:
    text = """
    version = 0
    effective_from = "soon"
    [calendar]
    time_zone = "Berlin"
    cut_off = "25:00"
    [[limit]]
    id = "a b"
    measure = "sum"
    [[limit]]
    id = "ok"
    measure = "amount"
    above = 3.5
    """
    with pytest.raises(PolicyError) as raised:
        policy_of(text, "policy.toml")
    message = str(raised.value)
    assert message.startswith("policy.toml cannot be used:\n")
    for said in ("version", "soon", "Berlin", "25:00", "'a b'", "'sum'", "currency is missing"):
        assert message.count(said) >= 1, said
    assert message.count("\n  - ") == len(raised.value.problems) == 7


# -- what is too much of it ----------------------------------------------------------------------


def test_a_text_has_a_greatest_size() -> None:
    room = POLICY_BYTES_MAX - len(SHORT.encode()) - 1
    assert policy_of_bytes((SHORT + "#" + "x" * room).encode()).version == 1
    for longer in (SHORT + "#" + "x" * (room + 1), SHORT + "#" + "\u00e4" * (room // 2 + 1)):
        assert problems_of(longer) == ["longer than 1,048,576 bytes: no policy may be"]
        with pytest.raises(PolicyError, match="longer than 1,048,576 bytes"):
            policy_of_bytes(longer.encode())


def test_a_file_is_read_no_further_than_a_policy_may_be_long() -> None:
    with pytest.raises(PolicyError, match=r"/dev/zero cannot be used:\n  - longer than"):
        policy_of_file(Path("/dev/zero"))


PART = st.sampled_from(["a", "b-1", '"a.b"', "'c'", '"\\""', "3"])
DOT = st.sampled_from([".", " . ", "\t."])


@given(
    st.lists(PART, min_size=1, max_size=3 * KEY_PARTS_MAX), DOT, st.sampled_from(["[{}]", "{} = 1"])
)
def test_a_key_of_too_many_parts_never_reaches_the_parser(
    parts: list[str], dot: str, place: str
) -> None:
    text = place.format(dot.join(parts))
    with pytest.MonkeyPatch.context() as patch:
        parsed: list[str] = []

        def parse(text: str) -> dict[str, object]:
            parsed.append(text)
            return {}

        patch.setattr("monitor.policy.document.tomllib.loads", parse)
        problems = problems_of(text)
    is_long = len(parts) > KEY_PARTS_MAX
    assert (problems == ["a key has more than 8 parts: a policy's have at most 3"]) is is_long
    assert bool(parsed) is not is_long


DOTTED = "a.b.c.d.e.f.g.h.i.j.k.l"


@given(
    st.lists(
        st.sampled_from([
            f"# {DOTTED} = 1 \" '\n", f'x{{}} = "{DOTTED} \\" # {DOTTED}"\n',
            f"x{{}} = '{DOTTED} # \"'\n", f'x{{}} = """\n{DOTTED} "" {DOTTED}"""""\n',
            f"x{{}} = '''{DOTTED}\n'{DOTTED}'''\n", "x{} = 1.5 # it's\n", "x{} = ''\n",
            'x{} = ""\n',
        ]),
        max_size=12,
    )
)  # fmt: skip
def test_dots_in_strings_and_comments_are_no_key(lines: list[str]) -> None:
    text = "".join(line.replace("{}", str(number)) for number, line in enumerate(lines))
    assert tomllib.loads(text) is not None
    assert not any("parts" in problem for problem in problems_of(text))


def test_a_problem_names_the_line_of_its_key_or_else_of_its_table() -> None:
    text = """
version = 1
effective_from = "soon"
[calendar]
cut_off = "25:00"
wat = 1
[[limit]]
id = "x"
measure = "count"  # and `above` is missing
[[limit]]
id = "y"
measure = "largest"
currency = "EUR"
where = { channel = [""], amount = { from = "x" } }
tiers = [
  { above = "1.00", severity = "red" },
]
[[suppression]]
account = "A"
until = "never"
reason = "z"
[review]
days = 0
"""
    lines = text.splitlines()
    said = [lines[int(problem.split("(line ")[1][:-1]) - 1] for problem in problems_of(text)]
    where = 'where = { channel = [""], amount = { from = "x" } }'
    keys = ['effective_from = "soon"', 'cut_off = "25:00"', "wat = 1", where, where, "tiers = ["]
    assert sorted(said) == sorted([*keys, "[[limit]]", 'until = "never"', "days = 0"])


def test_a_problem_of_one_key_hides_none_of_another() -> None:
    wrong = {"of": '"nobody"', "scope": "1", "above": '"100%"', "where": "{ hour = 1 }"}
    problems = problems_of(limit(**{**SHARE, **wrong, "from": '"-1"'}))
    said = ("of is 'nobody'", "scope is 1", "above is '100%'", "where.hour is not", "from is '-1'")
    assert len(problems) == len(said)
    assert all(any(each in problem for problem in problems) for each in said)


def test_so_many_problems_are_shown_and_the_number_of_the_rest() -> None:
    tied = "".join(f'[[limit]]\nid = "l{n}"\nmeasure = "count"\nabove = 1\n' for n in range(3000))
    problems = problems_of("version = 1\n" + tied)
    assert len(problems) == PROBLEMS_MAX + 1
    assert problems[0].startswith("limits l0 and l1 measure the same")
    assert problems[-1] == "and 2,949 more problems"


def test_a_problem_quotes_no_more_than_a_person_reads() -> None:
    (problem,) = problems_of(limit(measure=f'"{"x" * 100_000}"'))
    assert len(problem) <= PROBLEM_LENGTH_MAX + len(" ... ")
    assert problem.startswith("limit x: measure is 'xxx")
    assert problem.endswith(
        "': one of amount, count, largest, net, through, distinct, share, ratio, near (line 4)"
    )


toml_values = st.sampled_from(
    ['"EUR"', '"amount"', '"count"', '"500.00"', "1", "-1", "3.5", "nan", "true", "[]", "[1]",
     "{}", "{ a = 1 }", '""', "2026-01-05", "03:00:00", "2026-01-05T03:00:00Z", '"\\u0000"',
     "0x" + "f" * 40]
)  # fmt: skip
keys = st.sampled_from(
    [
        "id",
        "measure",
        "direction",
        "currency",
        "above",
        "scope",
        "severity",
        "wat",
        "period",
        "window",
        "where",
        "per",
        "of",
        "at_least",
        "tiers",
    ]
)


@given(st.dictionaries(keys, st.none() | toml_values), toml_values, toml_values)
def test_a_limit_of_any_values_is_a_policy_or_a_list_of_problems(
    changes: dict[str, str | None], version: str, calendar_value: str
) -> None:
    text = limit(**changes).replace(
        "version = 1",
        f"version = {version}\ncalendar.time_zone = {calendar_value}\neffective_from = {version}",
    )
    outcome = outcome_of(text)
    assert outcome.problems if isinstance(outcome, PolicyError) else outcome.version >= 1


@given(st.text(max_size=60) | st.text(st.sampled_from('[]{}="\n.lim#\\u09ad'), max_size=60))
@example("\ud800")
def test_any_text_is_a_policy_or_a_list_of_problems(text: str) -> None:
    outcome = outcome_of(text)
    assert outcome.problems if isinstance(outcome, PolicyError) else outcome.thresholds
