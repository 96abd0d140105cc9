"""Outlier models beside the limits: they change nothing of these, and no cut changes their say."""

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache, partial
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.peers.groups import PeerGroups
from models.profile.baseline import CHANNELS
from monitor.core.account import ClosedDay
from monitor.core.alert import Alert, Kind, Status, alert_id
from monitor.core.business_day import day_text
from monitor.core.money import amount_text
from monitor.core.threshold import Severity
from monitor.core.transaction import Rejection, Transaction
from monitor.engine.engine import Engine
from monitor.outliers.scorer import Scorer
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook, PolicyError
from tests.support.laws import law
from tests.support.spending import BUDGET, POLICY, made_spending
from tests.support.transactions import book, observed, transaction

MODELLED = POLICY + BUDGET
SPENDING = made_spending(1)
COUNT = len(SPENDING)
CLOCK_DAYS = list(accumulate((item.event_time // 86_400_000_000 for item in SPENDING), max))
"""The day on which each record's turn comes: a late one has that of the latest event before it."""

DAY = 24


class Told(NamedTuple):
    """All that came of a stream, in order."""

    alerts: list[Alert]
    rejections: list[tuple[int, Rejection]]
    closed: list[ClosedDay]
    transactions: int

    def of_limits(self) -> list[dict[str, object]]:
        return [alert.fields() for alert in self.alerts if alert.kind != Kind.OUTLIER]

    def outliers(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.kind == Kind.OUTLIER]


def run_through(
    engine: Engine, items: Sequence[Transaction | Rejection], cuts: Sequence[int] = ()
) -> Told:
    """Let an engine observe items in runs, and emit all that is to be emitted."""
    told = Told([], [], [], 0)
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(items)}), len(items)]
    for first, end in pairwise(edges):
        engine.observe(range(first, end), items[first:end])
        told = taken(engine, told)
    while engine.has_closing_days:
        engine.close_account_days()
    return taken(engine, told)


def taken(engine: Engine, told: Told) -> Told:
    step = engine.take_step()
    return Told(
        told.alerts + step.alerts, told.rejections + step.rejections,
        told.closed + step.account_days, told.transactions + step.transactions,
    )  # fmt: skip


@cache
def whole(text: str = MODELLED) -> tuple[Engine, Told]:
    """Return an engine that has seen all, not to be shown more, and what it told."""
    engine = Engine(0, book(text))
    return engine, run_through(engine, SPENDING)


def fields_of(told: Told) -> list[dict[str, object]]:
    return [alert.fields() for alert in told.alerts]


# -- laws ------------------------------------------------------------------------------------------


def test_the_stream_has_everything_in_it() -> None:
    _, told = whole()
    kinds = Counter((alert.kind.value, alert.status.value) for alert in told.alerts)
    assert kinds["outlier", "raised"] > 10
    assert kinds["outlier", "restated"] > 2
    assert kinds["daily-amount", "raised"] > 5
    assert kinds["daily-count", "raised"] > 5
    assert {rejection.reason.value for _, rejection in told.rejections} == {
        "too-late", "duplicate",
    }  # fmt: skip
    assert any(item.reverses for item in SPENDING)


def without_models(closed: ClosedDay) -> dict[str, object]:
    return {**closed.fields(), "score": None, "peer_group": None}


def test_limits_are_what_they_are_without_models() -> None:
    plain, told = whole(POLICY)[1], whole()[1]
    assert not plain.outliers()
    assert told.of_limits() == fields_of(plain)
    assert told.rejections == plain.rejections
    assert told.transactions == plain.transactions
    assert [without_models(account_day) for account_day in told.closed] == [
        without_models(account_day) for account_day in plain.closed
    ]
    assert {account_day.score for account_day in plain.closed} == {None}


moves = st.tuples(
    st.integers(0, 3), st.integers(0, 200), st.integers(1, 90_000),
    st.sampled_from(["debit", "debit", "credit"]), st.sampled_from(["EUR", "EUR", "USD"]),
    st.sampled_from(["", "", "", "twice", "back"]), st.sampled_from([None, "retail", "business"]),
)  # fmt: skip
TIGHT = POLICY.replace("1500.00", "600.00").replace("above = 9", "above = 3")


def items_of(drawn: list[tuple[int, int, int, str, str, str, str | None]]) -> list[Transaction]:
    items = []
    for number, (account, hours, cents, direction, currency, more, segment) in enumerate(drawn):
        made = transaction(
            f"T{number}", hours=hours, account_id=f"A{account}", direction=direction,
            currency=currency, amount=f"{cents // 100}.{cents % 100:02d}",
            **({"segment": segment} if segment else {}),
        )  # fmt: skip
        items.append(made)
        if more == "twice":
            items.append(made)
        elif more == "back":
            items.append(made._replace(transaction_id=f"R{number}", reverses=f"T{number}"))
    return items


@law(25)
@given(st.lists(moves, max_size=60), st.lists(st.integers(1, 60), max_size=4))
def test_of_any_stream_limits_are_what_they_are_without_models(
    drawn: list[tuple[int, int, int, str, str, str, str | None]], cuts: list[int]
) -> None:
    items = items_of(drawn)
    plain = run_through(Engine(0, book(TIGHT)), items, cuts)
    told = run_through(Engine(0, book(TIGHT + BUDGET)), items, cuts)
    assert told.of_limits() == fields_of(plain)
    assert told.rejections == plain.rejections
    assert [without_models(account_day) for account_day in told.closed] == [
        without_models(account_day) for account_day in plain.closed
    ]


def assert_told_alike(left: Told, right: Told) -> None:
    for alert, again in zip(left.alerts, right.alerts, strict=True):
        assert alert.fields() == again.fields()
    assert [account_day.fields() for account_day in left.closed] == [
        account_day.fields() for account_day in right.closed
    ]
    assert left.rejections == right.rejections


@pytest.mark.no_cover
@law(8)
@given(st.lists(st.integers(1, COUNT - 1), max_size=40))
def test_cutting_a_stream_into_other_runs_changes_nothing(cuts: list[int]) -> None:
    """Neither what limits and models tell and in which order, nor the score of any account-day."""
    assert_told_alike(run_through(Engine(0, book(MODELLED)), SPENDING, cuts), whole()[1])


def test_nor_does_cutting_it_at_every_record() -> None:
    engine = Engine(0, book(MODELLED))
    assert_told_alike(run_through(engine, SPENDING, range(COUNT)), whole()[1])


BY_PEERS = """
[[limit]]
id = "amount-of-a"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "90.00"
scope = { peer_group = "A" }
[[limit]]
id = "amount-of-b1"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "60.00"
scope = { peer_group = "B1" }
"""


def test_nor_of_limits_for_peer_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account's group is that of the business day's beginning, whenever one asks."""
    monkeypatch.setattr("models.learner.learner.PeerGroups", partial(PeerGroups, warm_up=150))
    text = POLICY + BY_PEERS + BUDGET
    told = run_through(Engine(0, book(text)), SPENDING)
    by_limit = Counter(alert.threshold.threshold_id for alert in told.alerts)
    assert by_limit["amount-of-a"] > 3
    assert by_limit["amount-of-b1"] > 3
    groups = defaultdict(set)
    for closed in told.closed:
        groups[closed.account_id].add(closed.account_day.peer_group)
    came_on_a_day = [known for known in groups.values() if None in known and len(known) > 1]
    assert len(came_on_a_day) > 30
    cuts = (range(COUNT), range(0, COUNT, 97), [COUNT // 2])
    for places in cuts:
        assert_told_alike(run_through(Engine(0, book(text)), SPENDING, places), told)


def test_nor_where_a_later_version_has_another_budget() -> None:
    later = MODELLED.replace("version = 1", 'version = 2\neffective_from = "2026-01-22"')
    later = later.replace("alerts_per_day = 4", "alerts_per_day = 12").replace('"high"', '"low"')
    none = POLICY.replace("version = 1", 'version = 3\neffective_from = "2026-01-26"')

    def policies() -> PolicyBook:
        return PolicyBook([policy_of(text) for text in (MODELLED, later, none)])

    told = run_through(Engine(0, policies()), SPENDING)
    found = {
        (outlier.policy_version, outlier.threshold.severity.value) for outlier in told.outliers()
    }
    assert found == {(1, "high"), (2, "low")}  # the third wants to be told nothing
    for places in (range(COUNT), [10, COUNT - 900]):
        assert_told_alike(run_through(Engine(0, policies()), SPENDING, places), told)


# -- an outlier alert ------------------------------------------------------------------------------


def test_an_outlier_alert_says_what_it_is() -> None:
    for alert in whole()[1].outliers():
        written = alert.fields()
        assert (written["kind"], written["threshold_id"]) == ("outlier", "outlier")
        assert (written["severity"], written["direction"]) == ("high", "both")
        assert written["currency"] is None
        assert (alert.value_before is None) == (alert.status is Status.RAISED)
        assert alert.score is not None
        assert 0 < alert.score < 1
        assert alert.value == math.ceil(1 / alert.score) == alert.evidence["one_in"]
        assert alert.value > alert.threshold.above >= 0
        assert alert.threshold.severity is Severity.HIGH
        assert alert.evidence["reasons"]


def test_ids_are_made_of_kind_account_and_first_day_and_each_is_raised_once() -> None:
    revisions = by_id(whole()[1])
    for told in revisions.values():
        for alert in told:
            made = alert_id(alert.threshold, alert.account_id, alert.business_day)
            assert alert.alert_id == made
            assert str(alert.evidence["day"]) >= day_text(alert.business_day)
        assert told[0].evidence["day"] == day_text(told[0].business_day)
        assert [alert.revision for alert in told] == list(range(1, len(told) + 1))
        statuses = [alert.status.value for alert in told]
        assert statuses == ["raised"] + ["restated"] * (len(told) - 1)
    assert max(map(len, revisions.values())) > 1


def by_id(told: Told) -> dict[str, list[Alert]]:
    """Return the outlier alerts that were told, by their ids."""
    revisions: dict[str, list[Alert]] = defaultdict(list)
    for alert in told.outliers():
        revisions[alert.alert_id].append(alert)
    return revisions


def test_an_alert_shows_its_worst_day_and_lists_the_others() -> None:
    restated = 0
    for told in by_id(whole()[1]).values():
        for before, after in pairwise(told):
            assert after.value > before.value == after.value_before
            restated += 1
        for alert in told:
            listed: dict[str, Any] = {
                strange_day["business_day"]: strange_day["one_in"]
                for strange_day in alert.evidence["strange_days"]  # type: ignore[attr-defined]
            }
            assert list(listed) == sorted(listed)
            assert listed[str(alert.evidence["day"])] == max(listed.values()) == alert.value
            assert len(listed) == alert.evidence["days"]  # none has more than are listed
            assert min(listed) >= day_text(alert.business_day)
    assert restated > 5
    assert any(alert.evidence["days"] != 1 for alert in whole()[1].outliers())


def test_a_less_strange_day_restates_nothing() -> None:
    """The day of eight hundred times the usual amount stays, whatever milder ones come after."""
    rng = random.Random(5)  # noqa: S311 - made transactions are no secret
    usual = [
        transaction(
            f"U{day}-{n}", hours=DAY * day + n / 9, account_id=f"A{n}",
            amount=f"{rng.lognormvariate(3.4, 0.3):.2f}",
        )
        for day in range(19) for n in range(60)
    ]  # fmt: skip
    great = transaction("G", hours=DAY * 19, account_id="A7", amount="1400.00", direction="credit")
    mild = [
        transaction(f"M{day}", hours=DAY * day + 1, account_id="A7", amount="90.00")
        for day in range(20, 25)
    ]  # fmt: skip
    told = run_through(Engine(0, book(MODELLED)), [*usual, great, *mild])
    alerts = [alert for alert in told.outliers() if alert.account_id == "A7"]
    assert alerts[-1].cause.transaction_id == "G"
    assert "amount 1,400.00" in str(alerts[-1].evidence["reasons"])


def test_reports_keep_to_the_budget_over_any_days() -> None:
    """A law of all that is told: raised and restated; by the days on which it was."""
    for text in (MODELLED, MODELLED.replace("alerts_per_day = 4", "alerts_per_day = 1")):
        budget = policy_of(text).outliers
        assert budget is not None
        days = Counter(CLOCK_DAYS[item.cause.offset] for item in whole(text)[1].outliers())
        first, last = min(days), max(days)
        for begin in range(first, last + 1):
            for end in range(begin, last + 1):
                told = sum(days[day] for day in range(begin, end + 1))
                assert told <= budget.alerts_per_day * (end - begin + 2) + 1
        assert days.total() > 5


@pytest.mark.parametrize("least", [1, 15, 40, 1_000_000])
def test_nothing_less_rare_than_the_policy_says_is_told(least: int) -> None:
    text = MODELLED.replace("one_in_at_least = 1", f"one_in_at_least = {least}")
    outliers = whole(text)[1].outliers()
    assert all(alert.value >= least for alert in outliers)
    assert all(alert.threshold.above >= least - 1 for alert in outliers)
    assert bool(outliers) == (least < 1000)


def test_a_policy_without_the_key_reports_from_one_in_fifty_on() -> None:
    text = MODELLED.replace("one_in_at_least = 1\n", "")
    settings = policy_of(text).outliers
    assert settings is not None
    assert settings.one_in_at_least == 50


def test_alerts_stand_in_the_order_of_their_records() -> None:
    """That of the limit is first where both are of one record."""
    for engine_told in (whole()[1], run_through(Engine(0, book(MODELLED)), SPENDING, [900, 2000])):
        order = [(a.cause.offset, a.kind == Kind.OUTLIER) for a in engine_told.alerts]
        assert order == sorted(order)
        assert {is_outlier for _, is_outlier in order} == {True, False}


def plain_totals(until: int, account_id: str, day: str) -> tuple[Counter[tuple[str, str]], int]:
    """Return an account-day's minor units by currency and direction, and its count, by plain sums.

    Of the items up to an offset, duplicates and what was taken back left out.
    """
    items = {item.transaction_id: item for item in SPENDING[: until + 1]}
    gone = {item.reverses for item in items.values()}
    sums: Counter[tuple[str, str]] = Counter()
    for item in items.values():
        if (
            item.account_id == account_id and not item.reverses
            and day_text(item.event_time // 86_400_000_000 + 719_163) == day
            and item.transaction_id not in gone
        ):  # fmt: skip
            sums[item.currency, item.direction] += item.amount_minor
            sums["count", ""] += 1
    return sums, sums.pop(("count", ""), 0)


def test_evidence_has_the_totals_of_the_day_at_that_record() -> None:
    live = [alert for alert in whole()[1].outliers() if "totals" in alert.evidence]
    for alert in live:
        sums, _ = plain_totals(alert.cause.offset, alert.account_id, str(alert.evidence["day"]))
        written = {
            (totals["currency"], direction): totals[f"{direction}_amount"]
            for totals in alert.evidence["totals"]  # type: ignore[attr-defined]
            for direction in ("debit", "credit")
        }
        for (currency, direction), minor in sums.items():
            exponent = 0 if currency == "JPY" else 2
            assert written[currency, direction] == amount_text(minor, exponent)
    assert len(live) > 10


AMOUNT = re.compile(r"amount ([0-9,.]+) is ([0-9,.]+)x the account's median and .*x its group's")
TOTAL = re.compile(r"day total ([0-9,.]+) is .*")
MANY = re.compile(r"([0-9]+) transactions of the day, usual are ([0-9.]+)")


def test_reasons_are_in_the_accounts_own_units() -> None:
    said: Counter[str] = Counter()
    for alert in whole()[1].outliers():
        offset, day = alert.cause.offset, str(alert.evidence["day"])
        sums, _ = plain_totals(offset, alert.account_id, day)
        reversed_before = any(
            item.reverses and item.account_id == alert.account_id for item in SPENDING[:offset]
        )
        for reason in alert.evidence["reasons"]:  # type: ignore[attr-defined]
            if found := AMOUNT.fullmatch(reason):
                assert alert.cause.transaction_id == SPENDING[offset].transaction_id
                assert found[1] == f"{SPENDING[offset].amount_minor / 100:,.2f}"
                said["amount"] += 1
            elif (found := TOTAL.fullmatch(reason)) and not reversed_before:
                total = float(found[1].replace(",", ""))
                assert total == pytest.approx(sums.total() / 100, rel=1e-6, abs=0.006)
                said["total"] += 1
            elif MANY.fullmatch(reason):
                said["count"] += 1
    assert min(said["amount"], said["total"], said["count"]) > 2


def test_a_day_that_is_told_at_its_end_names_no_transaction() -> None:
    at_end = [alert for alert in whole()[1].outliers() if alert.cause.transaction_id is None]
    assert at_end
    for alert in at_end:
        assert alert.segment is None
        assert "totals" not in alert.evidence
        assert day_text(CLOCK_DAYS[alert.cause.offset] + 719_163) > str(alert.evidence["day"])


# -- what is learned, and what is kept of it -------------------------------------------------------


def scorer_of(engine: Engine) -> Scorer:
    assert engine.outliers.scorer is not None
    return engine.outliers.scorer


def learned_of(engine: Engine, account_id: str) -> dict[str, float]:
    scorer = scorer_of(engine)
    account = scorer.learner.accounts[scorer.rows[account_id]]
    return {name: float(account[name]) for name in ("count", "days_active", "log_mean", "rate")}


def test_a_day_in_breach_is_not_learned_from_the_breach_on() -> None:
    engine = Engine(0, book(MODELLED))
    observed(engine, *(transaction(f"T{n}", hours=n, amount="30.00") for n in range(5)))
    before = learned_of(engine, "A1")
    assert before["count"] == 5
    step = observed(engine, transaction("B1", hours=6, amount="1400.00"))
    assert [alert.kind.value for alert in step.alerts] == ["daily-amount"]
    observed(engine, *(transaction(f"C{n}", hours=7 + n / 9, amount="9.00") for n in range(3)))
    assert learned_of(engine, "A1") == before
    observed(engine, transaction("D1", hours=DAY, amount="30.00"))
    assert learned_of(engine, "A1")["count"] == 6
    assert learned_of(engine, "A1")["days_active"] == 0  # the day in breach is none of its days
    observed(engine, transaction("E1", hours=2 * DAY, amount="30.00"))
    assert learned_of(engine, "A1")["days_active"] == 1


def test_account_days_have_a_score_after_the_warm_up_and_none_before() -> None:
    engine, told = whole()
    days = sorted({closed.account_day.day for closed in told.closed})
    scored: dict[int, list[float | None]] = {closed.account_day.day: [] for closed in told.closed}
    for closed in told.closed:
        scored[closed.account_day.day].append(closed.score)
    first = next(day for day in days if any(score is not None for score in scored[day]))
    assert 12 <= days.index(first) < len(days) - 3
    for day in days:
        if day < first:
            assert set(scored[day]) == {None}
        elif day > first:
            assert all(score is not None and 0 < score <= 1 for score in scored[day])
    assert scorer_of(engine).learner.is_warm


def test_after_a_silence_account_days_have_their_scores_too() -> None:
    """As after a week-end on which nobody books: the next record closes the days before it."""
    after = [
        transaction(f"S{n}", hours=DAY * 30 + n / 9, account_id=f"A{n % 60}") for n in range(80)
    ]
    engine = Engine(0, book(MODELLED))
    told = run_through(engine, [*SPENDING, *after], [COUNT - 5])
    day = max(closed.account_day.day for closed in told.closed)
    assert day == max(item.event_time for item in SPENDING) // 86_400_000_000 + 719_163
    scores = [closed.score for closed in told.closed if closed.account_day.day == day]
    assert scores
    assert None not in scores
    single = run_through(Engine(0, book(MODELLED)), [*SPENDING, *after], range(COUNT, COUNT + 80))
    assert_told_alike(single, told)


def test_hours_are_those_of_the_business_day() -> None:
    text = MODELLED.replace('"UTC"', '"Asia/Kathmandu"\ncut_off = "17:30"')
    engine = Engine(0, book(text))
    observed(engine, transaction("T1", hours=2.7))  # 11:42 in UTC, 17:27 there
    observed(engine, transaction("T2", hours=2.8))
    account = scorer_of(engine).learner.accounts[0]
    assert account["hours"].tolist() == [0.5, 0, 0, 0.5]  # the first is at a day's end


def test_names_beyond_the_numbers_there_are_share_the_last_and_are_not_remembered() -> None:
    engine = Engine(0, book(MODELLED))
    observed(engine, *(
        transaction(f"T{n}", account_id=f"A{n}", channel=f"c{n}", segment=f"s{n}")
        for n in range(300)
    ))  # fmt: skip
    observed(engine, transaction("U1", account_id="A900", channel="c900", segment="s1"))
    scorer = scorer_of(engine)
    assert len(scorer.channels) == CHANNELS
    assert len(scorer.segments) == 64
    assert scorer.segments["s0"] == 0
    groups = scorer.learner.accounts["segment"][: scorer.learner.count].tolist()
    assert groups == [*range(63), *[63] * 237, 1]
    assert scorer.learner.accounts["channels"][scorer.rows["A900"]].tolist() == [0] * 7 + [1]


# -- policies --------------------------------------------------------------------------------------


def test_all_problems_of_the_budget_come_in_one_message() -> None:
    wrong = """
[budget]
alerts_per_day = 0
one_in_at_least = 0
warm_up_days = 4
severity = "grave"
per_week = 3
[models]
detector = "forest"
population_amount = "yes"
seed = -1
trees = 3
"""
    with pytest.raises(PolicyError) as raised:
        policy_of(POLICY + wrong)
    said = "\n".join(raised.value.problems)
    for part in (
        "budget.alerts_per_day is 0: a whole number from 1 to 100,000",
        "budget.one_in_at_least is 0: a whole number from 1 to 1,000,000",
        "budget.warm_up_days is 4: a whole number from 5 to 365",
        "budget.severity is 'grave': one of low, medium, high, critical",
        "budget.per_week is not known", "models.detector is 'forest': one of half-space-trees",
        "models.population_amount is 'yes': write true or false",
        "models.seed is -1: a whole number from 0 to", "models.trees is not known",
    ):  # fmt: skip
        assert part in said
    assert len(raised.value.problems) == 9


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("[models]\nseed = 2\n", "[models] is of use with a [budget] or [systemic] only"),
        ("[budget]\nwarm_up_days = 20\n", "alerts_per_day is missing"),
        ("[budget]\nalerts_per_day = true\n", "alerts_per_day is true"),
        ("[budget]\nalerts_per_day = 2.5\n", "alerts_per_day is 2.5"),
    ],
)
def test_a_budget_is_stated_whole(tables: str, said: str) -> None:
    with pytest.raises(PolicyError) as raised:
        policy_of(POLICY + tables)
    assert said in "\n".join(raised.value.problems)


@pytest.mark.parametrize("table", ["budget = 3\n", "budget = []\n", "models = 1\n"])
def test_what_is_no_table_is_refused(table: str) -> None:
    with pytest.raises(PolicyError, match="is not a table"):
        policy_of(table + POLICY)


def test_versions_want_the_same_models() -> None:
    policies = book(MODELLED)
    second = MODELLED.replace("version = 1", "version = 2")
    with pytest.raises(PolicyError, match=r"\[models\] is not that of the versions in force"):
        policies.add(policy_of(second + "[models]\nseed = 9\n"))
    assert policies.versions == (1,)
    assert policies.add(policy_of(second.replace("alerts_per_day = 4", "alerts_per_day = 9")))
    assert policies.add(policy_of(POLICY.replace("version = 1", "version = 3")))


def test_a_budget_that_comes_at_run_time_begins_with_cold_models() -> None:
    policies = book(POLICY)
    engine = Engine(0, policies)
    observed(engine, transaction("T1"))
    assert engine.outliers.scorer is None
    policies.add(policy_of(MODELLED.replace("version = 1", "version = 2")))
    engine.policies_changed()
    observed(engine, transaction("T2", hours=1))
    assert scorer_of(engine).learner.count == 1
    assert learned_of(engine, "A1")["count"] == 1


def test_another_budget_holds_from_its_day_on_for_this_partitions_share() -> None:
    policies = book(MODELLED)
    engine = Engine(0, policies, partitions=8)
    observed(engine, transaction("T1"))
    budget = scorer_of(engine).learner.budget["alerts_per_day"]
    assert budget.tolist() == [0.5]
    later = MODELLED.replace("version = 1", 'version = 2\neffective_from = "2026-01-07"')
    policies.add(policy_of(later.replace("alerts_per_day = 4", "alerts_per_day = 24")))
    engine.policies_changed()
    observed(engine, transaction("T2", hours=DAY))
    assert budget.tolist() == [0.5]
    observed(engine, transaction("T3", hours=2 * DAY))
    assert budget.tolist() == [3.0]
    assert learned_of(engine, "A1")["count"] == 3
