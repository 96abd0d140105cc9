"""Gauges that no policy in force asks for: they are measured until nothing is told of them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Alert, Kind, Status
from monitor.core.business_day import day_text
from monitor.engine.engine import Engine, plain_engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.engine.superseded import SupersededGauges
from monitor.policy.document import policy_of
from monitor.policy.policy import Policy, PolicyBook
from tests.support.gauged_streams import BEGIN, DAY, any_items, with_any_limits
from tests.support.laws import law
from tests.support.transactions import book, observed, transaction

HEAD = """
version = {version}
{begins}
[calendar]
time_zone = "UTC"
allowed_lateness = "{lateness}h"
leap = "3660d"
"""

COUNT = '[[limit]]\nid = "x"\nmeasure = "count"\n'

FIRST_DAY = 719_163 + BEGIN // DAY


def any_version(rng: random.Random, version: int, lateness: int) -> Policy:
    """Return a version with limits g0, g1 and so on, of any gauges; or with none of them."""
    begins = ""
    if version > 1 and rng.random() < 0.6:
        begins = f'effective_from = "{day_text(FIRST_DAY + rng.randint(-3, 20))}"'
    text = HEAD.format(version=version, begins=begins, lateness=lateness)
    text += '[[limit]]\nid = "day"\nmeasure = "count"\nabove = 90\n'
    return policy_of(with_any_limits(rng, text, rng.randint(version == 1, 3)))


def names_of(policy: Policy) -> set[str]:
    return {limit.gauge.name for limit in policy.gauges}


class EveryGauge(SupersededGauges):
    """As if all gauges were needed for ever: what the other one is held to."""

    def needless(self, *_: object) -> set[str]:
        return set()


@law(300)
@given(st.integers(0, 1 << 32))
def test_what_is_measured_no_more_would_have_told_nothing(seed: int) -> None:
    """Of streams with policy changes and recoveries, both tell the same, in the same order."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    lateness = rng.choice([0, 24])
    versions = [any_version(rng, number, lateness) for number in range(1, rng.randint(2, 4))]
    for place, version in enumerate(versions):  # one that comes back begins to measure again
        before = [names_of(each) for each in versions[:place]]
        ever = {name for names in before for name in names}
        if any(
            name in ever and any(name not in names for names in before)
            for name in names_of(version)
        ):
            versions = versions[: max(place, 2)]
            break
    items = any_items(rng, rng.choice([40, 100, 160]), [12, 40, 80], ("s1", "s2", None))
    cuts = sorted(rng.randrange(len(items)) for _ in versions[1:])
    told, watched = [], []
    for kind in (SupersededGauges, EveryGauge):
        again = random.Random(seed)  # noqa: S311 - seeded, and no secret
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("monitor.engine.gauge_alerts.SupersededGauges", kind)
            policies = PolicyBook(versions[:1])
            engine = plain_engine(0, policies, 1)
            alerts: list[Alert] = []
            for at, item in enumerate(items):
                for version in versions[1:][cuts.index(at) if at in cuts else len(cuts) :][:1]:
                    policies.add(version)
                    engine.policies_changed()
                if again.random() < 0.1:
                    engine.gauging.restore(engine.gauging.kept)
                alerts += observed(engine, item).alerts
        told.append([alert for alert in alerts if alert.kind is Kind.LIMIT])
        watched.append(engine.gauging.since.keys())
    assert told[0] == told[1]
    assert watched[0] <= watched[1]


@law(120)
@given(st.integers(0, 1 << 32))
def test_a_recovery_measures_what_an_engine_that_goes_on_does(seed: int) -> None:
    """Whatever versions came before, with limits that come back, or with none on gauges."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    versions = [any_version(rng, 1, 0)]
    for number in range(2, rng.randint(3, 5)):
        again = rng.choice(versions).text.replace("version = ", f"version = {number}  # ", 1)
        without = HEAD.format(version=number, begins="", lateness=0) + COUNT + "above = 90\n"
        some = any_version(rng, number, 0)
        versions.append(rng.choice([policy_of(again), policy_of(without), some]))
    items = any_items(rng, rng.choice([20, 60, 100]), [80, 160])
    cuts = sorted(rng.randrange(len(items)) for _ in versions[1:])
    engines = [plain_engine(0, PolicyBook(versions[:1]), 1) for _ in range(2)]
    goes_on, recovers = engines
    for at, item in enumerate(items):
        for version, cut in zip(versions[1:], cuts, strict=True):
            for engine in engines if cut == at else ():
                engine.policies.add(version)
                engine.policies_changed()
        if rng.random() < 0.2:
            recovers.gauging.restore(recovers.gauging.kept)
        assert recovers.gauging.since == goes_on.gauging.since
        assert observed(recovers, item).alerts == observed(goes_on, item).alerts


def engine_with(first: str, kind: type[Engine] = Engine) -> Engine:
    return kind(0, book(HEAD.format(version=1, begins="", lateness=0) + first))


def add(engine: Engine, version: int, limits: str, begins: str = "") -> None:
    engine.policies.add(policy_of(HEAD.format(version=version, begins=begins, lateness=0) + limits))
    engine.policies_changed()


def days(engine: Engine, first: int, last: int) -> list[tuple[Status, int]]:
    """Let two accounts do something on each day; return what is told."""
    rows = [
        transaction(f"{name}{day}", hours=24 * day + at, account_id=name)
        for day in range(first, last)
        for at, name in enumerate(("A1", "A2"))
    ]
    return [(alert.status, int(alert.value)) for alert in observed(engine, *rows).alerts]


def test_a_gauge_is_measured_until_its_last_period_is_over() -> None:
    engine = engine_with(COUNT + 'period = "week"\nabove = 5\n')
    (name,) = engine.gauging.since
    days(engine, 0, 3)
    add(engine, 2, COUNT + "above = 90\n", 'effective_from = "2026-01-12"')
    assert days(engine, 3, 6) == [(Status.RAISED, 6)] * 2  # of the first week
    assert name in engine.gauging.since
    days(engine, 6, 18)
    assert engine.gauging.since == {}
    assert not engine.gauging.is_on
    days(engine, 18, 24)
    assert all(account.gauged is None for account in engine.ledger.accounts.values())
    engine.gauging.restore(engine.gauging.kept)
    assert not engine.gauging.is_on


def test_what_stood_is_withdrawn_before_its_gauge_is_measured_no_more() -> None:
    engine = engine_with(COUNT + 'period = "week"\nabove = 1\n')
    assert days(engine, 0, 2) == [(Status.RAISED, 2)] * 2
    add(engine, 2, COUNT + "above = 90\n")
    assert [alert.status for alert in engine.take_step().alerts] == [Status.WITHDRAWN] * 2


def test_a_limit_that_comes_back_begins_to_measure_again() -> None:
    weekly = COUNT + 'period = "week"\nabove = 5\n'
    engine = engine_with(weekly)
    (name,) = engine.gauging.since
    days(engine, 0, 1)
    add(engine, 2, COUNT + "above = 90\n")
    days(engine, 1, 23)
    add(engine, 3, weekly)
    assert engine.gauging.since[name] > FIRST_DAY
    assert days(engine, 23, 28) == []  # the week of its return is not measured whole
    assert days(engine, 28, 35) == [(Status.RAISED, 6)] * 2


def test_kernels_decide_again_once_nothing_is_measured() -> None:
    engine = engine_with(COUNT + 'window = "24h"\nabove = 90\n', OrdinaryEngine)
    days(engine, 0, 2)
    add(engine, 2, COUNT + "above = 90\n")
    assert engine.gauging.is_on
    days(engine, 2, 9)
    assert not engine.gauging.is_on
