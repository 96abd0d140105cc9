"""The figures of the team against a plain recount of what was taken in, on both databases."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from monitor.core.alert import Kind
from monitor.dispositions.deadlines import Deadlines
from monitor.store.figures.team import (
    DECIDES,
    EVERYBODY,
    SHARED_MIN,
    alone_in,
    by_person,
    closed_alerts,
    date_of,
    days_until,
    decided_since,
    models_of,
    open_ages,
    precision_by,
    ranked,
)
from monitor.store.intake import Intake
from monitor.store.people import DAY, HOUR
from monitor.store.records import Read, RecordSort
from monitor.store.standing import (
    Action,
    Does,
    Revision,
    Standing,
    State,
    closed_alone,
    standing_of,
)
from monitor.store.store import Store
from tests.support.laws import examples
from tests.support.stored import NOW, filled, made_record, read_action, read_alert, sqlite_store

LENGTHS = Deadlines().lengths()
PEOPLE = ("Ann", "Bob", "(token nightly for Ann)")
DETECTORS = {
    "loda-0a1b2c3d@2026-01-02": "loda",
    "loda-ffffffff@2026-01-03": "loda",
    "one-class-svm-12345678": "one-class-svm",
    "by-hand": "by-hand",
}
SPREAD = 40 * DAY
"""Reports and decisions are spread over so long before `NOW`."""


def spread_records(seed: int, count: int = 90) -> list[Read]:
    """Return reports of alerts and what people did with them, at any moment of some weeks."""
    rng = random.Random(seed)  # noqa: S311 - made data
    read: list[Read] = []
    for offset in range(count):
        kind = rng.choice(["daily-amount", "daily-count", "outlier", "review"])
        alert_id = f"{kind}/A{rng.randrange(9)}/739621"
        at = NOW - rng.randrange(SPREAD)
        if rng.random() < 0.4:
            record = made_record(alert_id, rng.randrange(1, 3))
            if kind == "outlier":
                model = rng.choice([*DETECTORS, 7])
                record["evidence"] = {**record["evidence"], "model": model}
            read.append(read_alert(offset, record)._replace(told_at=at))
        else:
            read.append(read_action(offset, made_action(rng, alert_id, at)))
    return read


def made_action(rng: random.Random, alert_id: str, at: int) -> Action:
    does = rng.choice([*DECIDES, Does.DISPOSE, Does.DISPOSE, Does.ASSIGN, Does.SNOOZE])
    until = "2026-01-02T00:00:00Z" if rng.random() < 0.5 else "2026-03-01T00:00:00Z"
    words = ["suspicious", "service-need", "false-alarm", "limit-wrong", "data-fault"]
    detail: dict[Does, dict[str, Any]] = {
        Does.ASSIGN: {"assignee": rng.choice(PEOPLE)},
        Does.SNOOZE: {"until": until, "note": None},
        Does.DISPOSE: {"disposition": rng.choice(words), "note": None},
        Does.PROPOSE: {"disposition": rng.choice(words), "note": None},
    }
    by = rng.choice(PEOPLE)
    return Action(alert_id, does, by, at, None, detail.get(does, {"note": None}))


class Recount:
    """The same figures, counted from the records themselves."""

    def __init__(self, records: list[Read]) -> None:
        self.told: dict[str, dict[int, Read]] = {}
        self.done: dict[str, dict[str, Action]] = {}
        for read in records:
            if read.sort is RecordSort.ALERT:
                its = self.told.setdefault(read.value["alert_id"], {})
                its.setdefault(read.value["revision"], read)
            else:
                action = read.value
                self.done.setdefault(action.alert_id, {})[action.action_id] = action
        self.stands = {name: self._standing(name) for name in self.told}

    def _standing(self, name: str) -> Standing:
        revisions = [
            Revision(
                number,
                read.told_at,
                read.value["status"],
                read.value["severity"],
                read.value["value"],
                "suppressed" in read.value,
            )
            for number, read in sorted(self.told[name].items())
        ]
        return standing_of(revisions, self.done.get(name, {}).values())

    def raised_at(self, name: str) -> int:
        return self.told[name][min(self.told[name])].told_at

    def last(self, name: str) -> dict[str, Any]:
        record: dict[str, Any] = self.told[name][max(self.told[name])].value
        return record

    def decisions(self, since: int) -> list[Action]:
        return [
            action
            for its in self.done.values()
            for action in its.values()
            if action.does in DECIDES and action.at >= since
        ]

    def open(self) -> Iterator[tuple[str | None, bool, int]]:
        for name, stands in self.stands.items():
            is_awake = stands.state is State.SNOOZED and (stands.snoozed_until or 0) <= NOW
            if stands.state is State.OPEN or is_awake:
                age = NOW - self.raised_at(name)
                yield stands.assignee, age > LENGTHS[self.last(name)["severity"]], age


seeds = st.integers(0, 10**6)
tried = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example empties the store
)


def taken(store: Store, seed: int) -> Recount:
    """Empty a store of the topics, take made records, and return the recount of them."""
    Intake(store).forget()
    records = spread_records(seed)
    filled(store, records)
    return Recount(records)


@tried
@given(seed=seeds)
def test_what_is_open_is_counted_by_person_and_age(either_store: Store, seed: int) -> None:
    recount = taken(either_store, seed)
    with either_store.reading() as connection:
        found = open_ages(connection, NOW, Deadlines())
    expected = list(recount.open())
    assert (found.counted, found.is_all) == (len(expected), True)
    counted = Counter((assignee, is_late) for assignee, is_late, _ in expected)
    ages: dict[str | None, int] = {None: 0}
    for assignee, _, age in expected:
        ages[assignee] = max(age, ages.get(assignee, 0))
    assert {
        person.name: (person.within, person.late, NOW - person.oldest) for person in found.people
    } == {name: (counted[name, False], counted[name, True], age) for name, age in ages.items()}
    assert found.people[0].name is None, "what nobody has comes first, even if it is nothing"


@tried
@given(seed=seeds, days=st.integers(1, 40))
def test_decisions_are_counted_by_person(either_store: Store, seed: int, days: int) -> None:
    recount = taken(either_store, seed)
    since = NOW - days * DAY
    with either_store.reading() as connection:
        found = decided_since(connection, since)
    expected = recount.decisions(since)
    assert (found.is_all, found.since) == (True, since)
    people = by_person(found.decisions)
    assert [person.name for person in people] == sorted({EVERYBODY, *(a.by for a in expected)})
    for person in people:
        its = [action for action in expected if person.name in {EVERYBODY, action.by}]
        counts = Counter(action.does for action in its)
        assert person[1:5] == tuple(counts[does] for does in DECIDES)
        waits = sorted(
            max(0, action.at - recount.raised_at(action.alert_id))
            for action in its
            if action.does in {Does.DISPOSE, Does.PROPOSE} and action.alert_id in recount.told
        )
        assert person.waits == len(waits)
        if len(waits) < SHARED_MIN:
            assert (person.median, person.p90) == (None, None)
        else:
            for value, percent in ((person.median, 50), (person.p90, 90)):
                assert value in waits
                assert 100 * sum(wait <= value for wait in waits) >= percent * len(waits)
                assert 100 * sum(wait < value for wait in waits) < percent * len(waits)


@tried
@given(seed=seeds, limit=st.integers(1, 30))
def test_of_too_many_decisions_whole_moments_are_read(
    either_store: Store, seed: int, limit: int
) -> None:
    recount = taken(either_store, seed)
    since = NOW - 30 * DAY
    with either_store.reading() as connection:
        found = decided_since(connection, since, limit)
    expected = recount.decisions(since)
    assert found.is_all == (len(expected) <= limit)
    read = {decision.action_id for decision in found.decisions}
    assert read == {action.action_id for action in expected if action.at >= found.since}
    assert len(read) <= limit


@tried
@given(seed=seeds)
def test_precision_counts_each_alert_once_as_it_stands(either_store: Store, seed: int) -> None:
    recount = taken(either_store, seed)
    since = NOW - 30 * DAY
    with either_store.reading() as connection:
        closings = closed_alerts(decided_since(connection, since).decisions)
        models = models_of(connection, closings)
    expected = {
        name: stands.disposition
        for name, stands in recount.stands.items()
        if stands.state is State.CLOSED
        and any(a.does is Does.DISPOSE and a.at >= since for a in recount.done[name].values())
    }
    assert {closing.alert_id: closing.disposition for closing in closings} == expected
    assert len(closings) == len(expected)
    by_kind = precision_by(closings, lambda closing: closing.kind)
    for row in by_kind:
        its = [word for name, word in expected.items() if recount.last(name)["kind"] == row.name]
        assert row.closed == len(its)
        assert row.confirmed == sum(word in {"suspicious", "service-need"} for word in its)
        assert row.dispositions == Counter(its)
        assert (
            row.per_mille is None or abs(row.per_mille - 1000 * row.confirmed / row.closed) <= 0.5
        )
        assert (row.per_mille is None) == (row.closed < SHARED_MIN)
    assert sum(row.closed for row in by_kind) == len(expected)
    said = {
        name: recount.last(name)["evidence"].get("model")
        for name in expected
        if recount.last(name)["kind"] == Kind.OUTLIER
    }
    assert models == {name: DETECTORS.get(model) for name, model in said.items()}


@tried
@given(seed=seeds)
def test_critical_alerts_that_were_closed_alone_are_named(either_store: Store, seed: int) -> None:
    recount = taken(either_store, seed)
    with either_store.reading() as connection:
        closings = closed_alerts(decided_since(connection, NOW - SPREAD).decisions)
        found = alone_in(connection, closings)
    expected = {}
    for name, stands in recount.stands.items():
        is_critical = recount.last(name)["severity"] == "critical"
        if stands.state is State.CLOSED and is_critical:
            alone = closed_alone(recount.done[name].values())
            if alone is not None:
                expected[name] = (alone.by, alone.at)
    assert {each.alert_id: (each.by, each.at) for each in found} == expected
    assert [each.at for each in found] == sorted((each.at for each in found), reverse=True)


@tried
@given(seed=seeds, days=st.integers(1, 45), limit=st.integers(5, 60))
def test_days_count_first_reports_and_decisions(
    either_store: Store, seed: int, days: int, limit: int
) -> None:
    recount = taken(either_store, seed)
    with either_store.reading() as connection:
        decided = decided_since(connection, NOW - 50 * DAY, limit)
        found = days_until(connection, NOW, days, decided)
    assert [day.day for day in found] == [date_of(NOW - number * DAY) for number in range(days)]
    closings = [a for a in recount.decisions(0) if a.does in {Does.DISPOSE, Does.PROPOSE}]
    for day in found:
        raised = [name for name in recount.told if date_of(recount.raised_at(name)) == day.day]
        assert day.raised == len(raised)
        assert day.strange == sum(recount.last(name)["kind"] == Kind.OUTLIER for name in raised)
        if day.decided is None:
            assert not decided.is_all
        else:
            assert day.decided == sum(date_of(action.at) == day.day for action in closings)


def test_the_most_urgent_are_counted_if_too_many_are_open(either_store: Store) -> None:
    recount = taken(either_store, 3)
    with either_store.reading() as connection:
        found = open_ages(connection, NOW, Deadlines(), limit=4)
    assert len(list(recount.open())) > 4
    assert (found.counted, found.is_all) == (4, False)
    assert sum(person.within + person.late for person in found.people) == 4


@pytest.mark.parametrize("severity", ["low", "medium", "high", "critical"])
def test_an_alert_is_late_after_the_target_of_its_severity(tmp_path: Path, severity: str) -> None:
    store = sqlite_store(tmp_path)
    record = {**made_record("outlier/A1/739621", 1), "severity": severity, "status": "raised"}
    Intake(store).take([read_alert(0, record)])
    for age, late in ((LENGTHS[severity], 0), (LENGTHS[severity] + 1, 1)):
        with store.reading() as connection:
            (person,) = open_ages(connection, NOW + age, Deadlines()).people
        assert (person.within, person.late) == (1 - late, late)
    with store.reading() as connection:
        stated = Deadlines.of(f"{severity}=1h")
        (person,) = open_ages(connection, NOW + 2 * HOUR, stated).people
    assert person.late == 1
    store.close()


@pytest.mark.parametrize("percent", [50, 90, 99, 100])
def test_a_quantile_is_a_value_that_is_there(percent: int) -> None:
    values = [3, 3, 5, 8, 100]
    assert ranked(values, percent) == values[-(-5 * percent // 100) - 1]


def test_no_figure_reads_a_whole_table(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    filled(store, spread_records(1))
    plans: list[str] = []
    with store.reading() as connection:
        execute = connection.execute

        def explained(statement: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401
            compiled = statement.compile(
                dialect=connection.dialect, compile_kwargs={"literal_binds": True}
            )
            plan = execute(text("EXPLAIN QUERY PLAN " + str(compiled).replace(":", "\\:")))
            plans.extend(row.detail for row in plan)
            return execute(statement, *rest, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connection, "execute", explained)
            open_ages(connection, NOW, Deadlines())
            decided = decided_since(connection, 0)
            days_until(connection, NOW, 3, decided)
    store.close()
    read = [plan for plan in plans if plan.startswith(("SCAN", "SEARCH"))]
    assert len(read) >= len(DECIDES) * 2 + 5
    assert [
        plan for plan in read if plan.startswith("SCAN") and not plan.startswith("SCAN anon")
    ] == []
