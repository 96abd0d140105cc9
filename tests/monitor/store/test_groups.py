"""An account's alerts of one episode stand together, wherever they came from and whenever."""

import json
from itertools import groupby, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from monitor.core.business_day import day_of_text, day_text
from monitor.store.groups import EPISODE_DAYS, GroupMember, last_day_of, placed
from monitor.store.intake import Intake
from monitor.store.keeping.retention import Retention, prune
from monitor.store.schema import alerts
from monitor.store.store import Store
from tests.support.laws import law
from tests.support.stored import (
    MONDAY,
    NOW,
    filled,
    made_record,
    made_records,
    read_alert,
    sqlite_store,
)

Held = dict[str, tuple[str, str]]

STATES = ("open", "waiting", "snoozed", "suppressed", "closed", "withdrawn")
SETTLED = ("suppressed", "closed", "withdrawn")


@st.composite
def accounts(draw: st.DrawFn) -> list[GroupMember]:
    """Alerts of one account, whose days lie up to some episodes apart; some are of many days."""
    days = draw(st.lists(st.integers(0, 60), min_size=1, max_size=12))
    more = st.sampled_from([0, 0, 1, 25])
    return [
        GroupMember(
            f"alert-{number:02d}",
            "A1",
            day_text(MONDAY + day),
            day_text(MONDAY + day + draw(more)),
            draw(st.sampled_from(STATES)),
            draw(st.integers(0, 100)),
        )
        for number, day in enumerate(days)
    ]


@law(200)
@given(members=accounts(), shuffler=st.randoms(use_true_random=False))
def test_groups_are_the_runs_of_days_whatever_the_order(
    members: list[GroupMember], shuffler: Random
) -> None:
    whole = sorted(placed(members))
    shuffler.shuffle(members)
    assert sorted(placed(members)) == whole
    groups: dict[str, list[GroupMember]] = {}
    for member, place in whole:
        groups.setdefault(place.group_id, []).append(member)
    in_order = [sorted(its, key=lambda member: member.business_day) for its in groups.values()]
    for its in in_order:
        for number in range(1, len(its)):
            before = max(day_of_text(member.last_day) for member in its[:number])
            assert day_of_text(its[number].business_day) - before <= EPISODE_DAYS
    in_order.sort(key=lambda its: its[0].business_day)
    for earlier, later in pairwise(in_order):
        reach = max(day_of_text(member.last_day) for member in earlier)
        assert day_of_text(later[0].business_day) - reach > EPISODE_DAYS


@law(200)
@given(members=accounts())
def test_the_most_urgent_that_is_left_says_where_a_group_stands(members: list[GroupMember]) -> None:
    found = sorted(placed(members), key=lambda item: item[1].place)
    ranks, groups = [], []
    for member, (group_id, place) in found:
        its = [other for other, its_place in found if its_place.group_id == group_id]
        left = [other.priority for other in its if other.state not in SETTLED]
        rank = max(left or [other.priority for other in its])
        written = f"{100 - rank:03d} {group_id} {100 - member.priority:03d} {member.alert_id}"
        assert place == written
        ranks.append(rank)
        groups.append(group_id)
    assert ranks == sorted(ranks, reverse=True)
    assert len(list(groupby(groups))) == len(set(groups))


@law(200)
@given(members=accounts(), number=st.integers(0, 11), priority=st.integers(0, 100))
def test_who_must_not_move_is_left_alone(
    members: list[GroupMember], number: int, priority: int
) -> None:
    stand = [member._replace(place=place.place) for member, place in placed(members)]
    assert list(placed(stand)) == []
    changed = stand[number % len(stand)]._replace(priority=priority, state="closed", place=None)
    after = [member for member in stand if member.alert_id != changed.alert_id] + [changed]
    whole = {
        its.alert_id: place for its, place in placed([its._replace(place=None) for its in after])
    }
    moved = {member.alert_id: place for member, place in placed(after)}
    assert changed.alert_id in moved
    places = {member.alert_id: member.place for member in stand}
    assert {name: place.place for name, place in whole.items()} == {
        name: moved[name].place if name in moved else place for name, place in places.items()
    }


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_a_store_holds_is_what_follows_from_its_alerts(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    for seed in range(5):
        store = sqlite_store(tmp_path_factory.mktemp("store"))
        filled(store, made_records(seed, 120), at_a_time=size)
        held, expected = held_and_expected(store)
        assert held == expected
        assert len(held) > 10


def held_and_expected(store: Store, begin: str = "") -> tuple[Held, Held]:
    """Return the group and the place of each alert as a store has them, and as they must be.

    Those whose id begins so, and no others.
    """
    with store.reading() as connection:
        chosen = select(alerts).where(alerts.c.alert_id.startswith(begin))
        rows = connection.execute(chosen).all()
    held = {row.alert_id: (row.group_id, row.place) for row in rows}
    expected: dict[str, tuple[str, str]] = {}
    for account in {row.account_id for row in rows}:
        its = [
            GroupMember(
                row.alert_id,
                account,
                row.business_day,
                last_day_of(json.loads(row.record)),
                row.state,
                row.priority,
            )
            for row in rows
            if row.account_id == account
        ]
        for group in [[member] for member in its] if account is None else [its]:
            expected |= {member.alert_id: place for member, place in placed(group)}
    return held, expected


def record_of(member: GroupMember, account: str, revision: int) -> dict[str, Any]:
    """Return an alert as a topic has it, of the days of a member."""
    made = made_record(f"outlier/{account}/{day_of_text(member.business_day)}", revision)
    days = [{"business_day": member.last_day}]
    return {
        **made,
        "alert_id": f"{account} {member.alert_id}",
        "business_day": member.business_day,
        "severity": ("low", "high", "critical")[member.priority % 3],
        "evidence": {**made["evidence"], "strange_days": days},
    }


def test_groups_follow_from_the_days_of_years_whatever_came_first(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """New alerts look at the late ones of their account alone; others at all of it."""
    store = sqlite_store(tmp_path_factory.mktemp("store"))
    intake, taken = Intake(store), [0]

    @law(500)
    @given(st.lists(accounts(), min_size=1, max_size=3), st.randoms(use_true_random=False))
    def check(drawn: list[list[GroupMember]], shuffler: Random) -> None:
        begin = f"A{taken[0]}-"
        came = [
            record_of(member, f"{begin}{number}", revision)
            for number, members in enumerate(drawn)
            for member in members
            for revision in range(1, shuffler.choice((2, 2, 3)))
        ]
        shuffler.shuffle(came)
        while came:
            some = [came.pop() for _ in range(min(len(came), shuffler.choice((1, 2, 5))))]
            intake.take([read_alert(taken[0] + at, record) for at, record in enumerate(some)])
            taken[0] += len(some)
        held, expected = held_and_expected(store, begin)
        assert held == expected
        assert held

    check()
    assert taken[0] > 100


def test_what_retention_leaves_of_a_group_is_placed_again(tmp_path: Path) -> None:
    """The alert in the middle was withdrawn, and is taken away: what is left are two episodes."""
    store = sqlite_store(tmp_path)
    days = {"alert-00": (0, 0), "alert-01": (5, 15), "alert-02": (25, 25)}
    came = []
    for name, (first, last) in days.items():
        first_day, last_day = day_text(MONDAY + first), day_text(MONDAY + last)
        record = record_of(GroupMember(name, "A", first_day, last_day, "open", 9), "A", 1)
        came.append(record | {"status": "withdrawn" if name == "alert-01" else "raised"})
    filled(store, [read_alert(at, record) for at, record in enumerate(came)])
    held, expected = held_and_expected(store)
    assert held == expected
    assert len({group_id for group_id, _ in held.values()}) == 1
    assert prune(store, Retention(alerts=1), NOW + 10 * 86_400_000_000)["alerts"] == 1
    held, expected = held_and_expected(store)
    assert held == expected
    assert len({group_id for group_id, _ in held.values()}) == 2
