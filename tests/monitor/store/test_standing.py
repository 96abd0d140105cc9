"""How an alert stands follows from its revisions and from actions, in whatever order they come."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.store.standing import (
    Action,
    ActionError,
    Does,
    Revision,
    Standing,
    State,
    action_of,
    closed_alone,
    standing_of,
)
from tests.support.laws import law
from tests.support.stored import NOW, made_action

RAISED = Revision(1, NOW, "raised", "high", "10.00")
OF = "daily-amount/A1/739621"


def does(
    what: Does,
    seconds: int,
    by: str = "Ann",
    revision: int | None = 1,
    **detail: Any,  # noqa: ANN401 - JSON
) -> Action:
    return Action(OF, what, by, NOW + seconds, revision, detail)


def closed(seconds: int = 10, **changes: Any) -> Action:  # noqa: ANN401 - as `does`
    return does(Does.DISPOSE, seconds, disposition="false-alarm", note=None, **changes)


@law(200)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_arrival_changes_nothing(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - made data
    actions = [made_action(rng, OF, n) for n in range(rng.randrange(12))]
    revisions = [
        Revision(
            n,
            NOW + n,
            rng.choice(["restated", "withdrawn"]),
            "high",
            str(rng.randrange(2)),
            rng.random() < 0.5,
        )
        for n in range(1, 4)
    ]
    expected = standing_of(revisions, actions)
    rng.shuffle(actions)
    rng.shuffle(revisions)
    assert standing_of(revisions, actions) == expected
    assert expected.version == len(actions)


@law(100)
@given(seed=st.integers(0, 10**6))
def test_an_action_is_read_as_it_was_written(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - made data
    action = made_action(rng, OF, rng.randrange(10**6))
    again = action_of(action.fields())
    assert (again, again.action_id) == (action, action.action_id)


def test_an_alert_is_open_until_somebody_closes_it() -> None:
    assert standing_of([RAISED], []) == Standing()
    standing = standing_of([RAISED], [closed()])
    assert standing.state is State.CLOSED
    assert (standing.disposition, standing.disposed_by) == ("false-alarm", "Ann")


MARKED = RAISED._replace(is_suppressed=True)


def test_a_suppressed_alert_is_in_nobodys_queue_until_somebody_takes_it() -> None:
    assert standing_of([MARKED], []) == Standing(State.SUPPRESSED)
    commented = standing_of([MARKED], [does(Does.COMMENT, 1, note="why")])
    assert commented.state is State.SUPPRESSED
    taken = [does(Does.ASSIGN, 1, assignee="Bea")]
    assert standing_of([MARKED], taken).state is State.OPEN
    assert standing_of([MARKED], [*taken, does(Does.RELEASE, 2)]).state is State.SUPPRESSED
    assert standing_of([MARKED], [closed()]).state is State.CLOSED
    assert standing_of([MARKED._replace(status="withdrawn")], []).state is State.WITHDRAWN


def test_a_snooze_does_not_bring_a_suppressed_alert_into_the_queue() -> None:
    snoozed = does(Does.SNOOZE, 1, until="2026-03-01T00:00:00Z", note=None)
    marked = MARKED._replace(number=2)
    assert standing_of([RAISED], [snoozed]).state is State.SNOOZED
    standing = standing_of([RAISED, marked], [snoozed])  # whose end no report and no action tells
    assert (standing.state, standing.snoozed_until) == (State.SUPPRESSED, None)
    assert standing_of([RAISED, marked, RAISED._replace(number=3)], [snoozed]).state == "snoozed"


def test_the_last_report_says_whether_an_alert_is_suppressed() -> None:
    assert standing_of([MARKED, RAISED._replace(number=2)], []).state is State.OPEN
    assert standing_of([RAISED, MARKED._replace(number=2)], []).state is State.SUPPRESSED


def test_a_closed_alert_does_not_come_back_by_a_suppressed_report_but_by_the_next() -> None:
    greater = MARKED._replace(number=2, told_at=NOW + 20, value="11.00")
    assert standing_of([RAISED, greater], [closed()]).state is State.CLOSED
    last = greater._replace(number=3, is_suppressed=False)
    standing = standing_of([RAISED, greater, last], [closed()])
    assert (standing.state, standing.is_back) == (State.OPEN, True)


@pytest.mark.parametrize(
    ("later", "comes_back"),
    [
        (RAISED._replace(number=2, value="11.00"), True),
        (RAISED._replace(number=2, severity="critical"), True),
        (RAISED._replace(number=2, status="withdrawn"), True),
        (RAISED._replace(number=2, status="restated"), False),
    ],
)
def test_what_was_closed_and_says_something_else_comes_back_to_who_closed_it(
    later: Revision, *, comes_back: bool
) -> None:
    standing = standing_of([RAISED, later], [closed(by="Bob")])
    assert standing.is_back is comes_back
    assert standing.state is (State.OPEN if comes_back else State.CLOSED)
    assert standing.assignee == ("Bob" if comes_back else None)
    again = standing_of([RAISED, later], [closed(by="Bob"), closed(20, by="Eve", revision=2)])
    assert (again.state, again.is_back) == (State.CLOSED, False)


def test_without_a_revision_the_one_of_that_time_was_seen() -> None:
    later = RAISED._replace(number=2, told_at=NOW + 100, value="11.00")
    assert standing_of([RAISED, later], [closed(50, revision=None)]).is_back
    assert not standing_of([RAISED, later], [closed(150, revision=None)]).is_back


def test_a_withdrawn_alert_that_nobody_closed_leaves_the_queue() -> None:
    withdrawn = RAISED._replace(number=2, status="withdrawn")
    assert standing_of([RAISED, withdrawn], []).state is State.WITHDRAWN


def test_a_second_person_decides_what_was_proposed() -> None:
    proposed = does(Does.PROPOSE, 1, disposition="suspicious", note=None)
    assert standing_of([RAISED], [proposed]).state is State.WAITING
    assert (
        standing_of([RAISED], [proposed, does(Does.DECLINE, 2, "Eve", note=None)]).state
        is State.OPEN
    )
    assert standing_of([RAISED], [proposed, closed(3, by="Eve")]).state is State.CLOSED


def test_a_closing_that_nobody_else_proposed_is_alone() -> None:
    proposed = does(Does.PROPOSE, 1, disposition="false-alarm", note=None)
    other = does(Does.PROPOSE, 1, disposition="suspicious", note=None)
    declined = does(Does.DECLINE, 2, "Eve", note=None)
    by_eve = closed(3, by="Eve")
    assert closed_alone([by_eve, proposed]) is None
    assert closed_alone([by_eve]) == by_eve
    assert closed_alone([proposed]) is None
    assert closed_alone([other, by_eve]) == by_eve, "as something else"
    assert closed_alone([proposed, declined, by_eve]) == by_eve
    for by in ("Ann", "(token nightly for Ann)"):
        own = closed(3, by=by)
        assert closed_alone([proposed, own]) == own
    again = closed(4, by="Eve", revision=2)
    assert closed_alone([proposed, by_eve, again]) == again, "one proposal is for one closing"
    assert closed_alone([by_eve, does(Does.REOPEN, 5, "Ann", note=None)]) is None


@law(200)
@given(seed=st.integers(0, 10**6))
def test_a_closing_is_alone_in_whatever_order_actions_come(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - made data
    done = [made_action(rng, OF, n) for n in range(rng.randrange(12))]
    expected = closed_alone(done)
    rng.shuffle(done)
    assert closed_alone(done) == expected
    if expected is not None:
        last = max((a for a in done if a.does is Does.DISPOSE), key=lambda a: (a.at, a.action_id))
        assert expected == last


def test_a_snooze_ends_by_waking_or_by_closing() -> None:
    snoozed = does(Does.SNOOZE, 1, until="2026-03-01T00:00:00Z", note=None)
    assert standing_of([RAISED], [snoozed]).state is State.SNOOZED
    assert standing_of([RAISED], [snoozed]).snoozed_until is not None
    longer = does(Does.SNOOZE, 2, until="2026-04-01T00:00:00Z", note=None)
    first, second = standing_of([RAISED], [snoozed]), standing_of([RAISED], [snoozed, longer])
    assert first.snoozed_until is not None
    assert second.snoozed_until is not None
    assert first.snoozed_until < second.snoozed_until
    for after in (does(Does.WAKE, 2), closed(2)):
        assert standing_of([RAISED], [snoozed, after]).snoozed_until is None


def test_everything_that_is_wrong_with_an_action_is_said_at_once() -> None:
    with pytest.raises(ActionError) as raised:
        action_of({"action": "shout", "at": "noon", "revision": "x"}, "record 3")
    said = " ".join(raised.value.problems)
    assert all(name in said for name in ("alert_id", "by", "action", "at", "revision", "record 3"))
    with pytest.raises(ActionError, match="note must be a text"):
        action_of({"alert_id": "a", "action": "comment", "by": "A", "at": "2026-01-05T09:00:00Z"})
    with pytest.raises(ActionError, match="no JSON object"):
        action_of([])
