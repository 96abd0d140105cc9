"""An account's alerts of one episode stand together, wherever they came from and whenever."""

import json
from itertools import groupby, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from monitor.core.business_day import day_of_text, day_text
from monitor.store.groups import EPISODE_DAYS, GroupMember, last_day_of, placed
from monitor.store.schema import alerts
from tests.support.laws import law
from tests.support.stored import MONDAY, filled, made_records, sqlite_store

STATES = ("open", "waiting", "snoozed", "closed", "withdrawn")


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
        left = [other.priority for other in its if other.state not in ("closed", "withdrawn")]
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
        with store.reading() as connection:
            rows = connection.execute(select(alerts)).all()
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
        assert held == expected
        assert len(held) > 10
        store.close()
