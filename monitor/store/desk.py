"""Decisions of people: counted in the store, and on their way to the topics, in one transaction.

An action is written into the store and into the outbox together. The outbox is published later, and
as often as it takes: a reader knows a repetition by its content. So neither the store nor the
topics can be ahead of the other without `unsent` saying so.
"""

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from monitor.core.business_day import TIME_LAST
from monitor.store.intake import hold_alerts, take_actions, take_steps
from monitor.store.proposals import ProposalStep
from monitor.store.records import take_task_steps
from monitor.store.schema import actions, alerts, outbox
from monitor.store.standing import Action, Does
from monitor.store.work.tasks import TaskStep

SENT_MAX: Final = 500


class Topic(StrEnum):
    """The topics that people's decisions go to, by their short names."""

    DISPOSITIONS = "dispositions"
    CASES = "cases"
    POLICY = "policy"


class ConflictError(Exception):
    """Somebody else acted first: `versions` has each alert's version that holds now."""

    def __init__(self, versions: dict[str, int]) -> None:
        super().__init__(f"{len(versions)} alerts have changed since they were shown")
        self.versions = versions


class NoLaterTimeError(Exception):
    """An alert has an action at the last time there is: no reader would take a later one."""

    def __init__(self, alert_id: str) -> None:
        super().__init__(f"no action can be later than the last one of alert {alert_id}")
        self.alert_id = alert_id


class Unsent(NamedTuple):
    """A decision that the broker does not have yet."""

    number: int
    topic: Topic
    key: str
    value: str


def act(connection: Connection, done: Sequence[Action], seen: dict[str, int] | None = None) -> None:
    """Let people's actions count, and put them into the outbox.

    `seen` has the version of each alert that the person saw. Raises ConflictError, and nothing is
    done, if another holds for any of them; LookupError if an alert is not there; and
    NoLaterTimeError if an action of it is dated so late that none can follow.
    """
    hold_alerts(connection)
    ids = sorted({action.alert_id for action in done})
    chosen = select(alerts.c.alert_id, alerts.c.version).where(alerts.c.alert_id.in_(ids))
    held = {row.alert_id: row.version for row in connection.execute(chosen)}
    missing = [alert_id for alert_id in ids if alert_id not in held]
    if missing:
        raise LookupError(f"there is no alert {missing[0]}")
    if seen is not None:
        others = {name: held[name] for name, version in seen.items() if held[name] != version}
        if others:
            raise ConflictError(others)
    done = _in_turn(connection, done)
    take_actions(connection, done)
    connection.execute(insert(outbox), [_outgoing(action) for action in done])


def _in_turn(connection: Connection, done: Sequence[Action]) -> list[Action]:
    """Return actions, each later than all that was done with its alert before.

    Actions count in the order of their times. A clock that was put back, or another one that is
    ahead, would otherwise let what is done now count as done before.
    """
    ids = {action.alert_id for action in done}
    chosen = select(actions.c.alert_id, func.max(actions.c.at)).where(actions.c.alert_id.in_(ids))
    latest: dict[str, int] = {
        row[0]: row[1] for row in connection.execute(chosen.group_by(actions.c.alert_id))
    }
    in_turn = []
    for action in done:
        at = max(action.at, latest.get(action.alert_id, -1) + 1)
        if at > TIME_LAST:
            raise NoLaterTimeError(action.alert_id)
        latest[action.alert_id] = at
        in_turn.append(action._replace(at=at))
    return in_turn


def _outgoing(action: Action) -> dict[str, Any]:
    fields = action.fields()
    topic = Topic.CASES
    if action.does is Does.DISPOSE:
        topic = Topic.DISPOSITIONS
        del fields["action"]
    return {
        "topic": topic.value,
        "key": action.alert_id,
        "value": json.dumps(fields, ensure_ascii=False),
        "written_at": action.at,
    }


def take_step(connection: Connection, step: ProposalStep, policy: tuple[int, str] | None) -> None:
    """Let what a person did with a proposal count, and put it into the outbox.

    `policy` is the version and text that an approval puts in force; it is published after it.
    """
    take_steps(connection, [step])
    fields = json.dumps(step.fields(), ensure_ascii=False)
    outgoing = [(Topic.CASES, step.proposal_id, fields)]
    if policy is not None:
        outgoing.append((Topic.POLICY, str(policy[0]), policy[1]))
    connection.execute(
        insert(outbox),
        [
            {"topic": topic.value, "key": key, "value": value, "written_at": step.at}
            for topic, key, value in outgoing
        ],
    )


def take_task(connection: Connection, steps: Sequence[TaskStep]) -> None:
    """Let what a person did with tasks count, and put it into the outbox."""
    take_task_steps(connection, steps)
    connection.execute(
        insert(outbox),
        [
            {
                "topic": Topic.CASES.value,
                "key": step.task_id,
                "value": json.dumps(step.fields(), ensure_ascii=False),
                "written_at": step.at,
            }
            for step in steps
        ],
    )


def unsent(connection: Connection, limit: int = SENT_MAX) -> list[Unsent]:
    """Return decisions that are to be published, in order."""
    waiting = select(outbox).where(outbox.c.sent_at.is_(None))
    rows = connection.execute(waiting.order_by(outbox.c.number).limit(limit)).all()
    return [Unsent(row.number, Topic(row.topic), row.key, row.value) for row in rows]


def mark_sent(connection: Connection, numbers: Sequence[int], at: int) -> None:
    """Take note that the broker has decisions."""
    connection.execute(update(outbox).where(outbox.c.number.in_(numbers)).values(sent_at=at))
