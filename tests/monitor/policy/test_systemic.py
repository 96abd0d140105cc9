"""[systemic] of a policy: what it states, and what is said of what it cannot."""

import pytest

from monitor.core.threshold import Severity
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyError
from monitor.policy.systemic import SystemicSettings

POLICY = """
version = 1
[[limit]]
id = "daily-count"
measure = "count"
above = 15
"""


def test_without_the_table_there_is_none_and_an_empty_one_is_enough() -> None:
    before = policy_of(POLICY).systemic
    assert before is None
    assert policy_of(POLICY + "[systemic]\n").systemic == SystemicSettings()


def test_a_budget_is_for_all_segments_or_for_each() -> None:
    settings = policy_of(POLICY + '[systemic]\nbreach_budget = 0.01\nseverity = "low"\n').systemic
    assert settings is not None
    assert settings.severity == Severity.LOW
    assert settings.budget_of("business") == settings.budget_of(None) == 0.01
    text = '[systemic]\nbreach_budget = { business = 0.02, "*" = 0.01 }\n'
    each = policy_of(POLICY + text).systemic
    assert each is not None
    assert [each.budget_of(name) for name in ("business", "student", None)] == [0.02, 0.01, 0.01]
    some = policy_of(POLICY + "[systemic]\nbreach_budget = { business = 0.02 }\n").systemic
    assert some is not None
    assert some.budget_of("student") is None


def test_pay_days_are_of_the_month_or_of_its_end() -> None:
    settings = policy_of(POLICY + '[systemic]\npay_days = [15, 1, -1, "last", 15]\n').systemic
    assert settings is not None
    assert settings.pay_days == (-1, 0, 1, 15)
    assert SystemicSettings().pay_days == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("systemic = 1", r"\[systemic\] is not a table"),
        ('[systemic]\nseverity = "huge"', "systemic.severity is 'huge'"),
        ("[systemic]\nbreach_budget = 2", "systemic.breach_budget is 2"),
        ("[systemic]\nbreach_budget = { a = 0.0 }", "systemic.breach_budget.a is 0.0"),
        ("[systemic]\npay_days = 25", "systemic.pay_days is 25: it must be a list"),
        ("[systemic]\npay_days = [0]", "systemic.pay_days has 0: it must be a day of the month"),
        ("[systemic]\npay_days = [32]", "systemic.pay_days has 32"),
        ("[systemic]\npay_days = [-4]", "systemic.pay_days has -4"),
        ("[systemic]\npay_days = [true]", "systemic.pay_days has true"),
        ("[systemic]\nrho = 2", "systemic.rho is not known"),
    ],
)
def test_what_cannot_be_used(text: str, said: str) -> None:
    is_key = text.startswith("systemic")
    with pytest.raises(PolicyError, match=said):
        policy_of(text + POLICY if is_key else POLICY + text)
