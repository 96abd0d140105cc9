"""Records of the topics, and how those that stand by themselves are taken into a store.

Rejections, account-days, segment-days, policies, and steps of proposals and of tasks: each is added
within the transaction of an intake. Alerts and what people do with them are the intake's own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, select

from monitor.core.business_day import MICROSECONDS, is_day_text
from monitor.store.proposals import ProposalStep
from monitor.store.schema import (
    NAME_LENGTH,
    account_days,
    policies,
    proposal_steps,
    rejection_counts,
    rejections,
    segment_days,
    task_steps,
)
from monitor.store.store import insert_into, insert_new, upsert
from monitor.store.work.tasks import TaskStep

HOUR: Final = 3600 * MICROSECONDS
FIRST_DAY: Final = "1899-12-31"
END_DAY: Final = "3000-01-02"
"""Event times are of the years 1900 to 2999, whose business days a time zone moves by one."""
SAMPLES_MAX: Final = 100
"""Rejections of each reason that are kept whole."""


class RecordSort(StrEnum):
    """What a record of a topic is."""

    ALERT = "alert"
    ACTION = "action"
    REJECTION = "rejection"
    ACCOUNT_DAY = "account-day"
    SEGMENT_DAY = "segment-day"
    COMPLETENESS = "completeness"
    POLICY = "policy"
    PROPOSAL_STEP = "proposal-step"
    TASK_STEP = "task-step"
    PASSED_OVER = "passed-over"  # no such record: it counts as read


class Read(NamedTuple):
    """A record that was read: where it stands, when it was written (microseconds), and what it is.

    `value` is an Action of the sort ACTION, a ProposalStep of the sort PROPOSAL_STEP, a
    TaskStep of the sort TASK_STEP, a text of the sort POLICY, else the record's fields.
    """

    sort: RecordSort
    topic: str
    partition: int
    offset: int
    told_at: int
    value: Any


def json_of(fields: Mapping[str, Any]) -> str:
    """Return fields as the text of JSON that a column has."""
    return msgspec.json.encode(fields).decode()


def take_rejections(connection: Connection, read: Sequence[Read], sampled: Sequence[Read]) -> None:
    """Count rejections by hour and reason, and keep the latest `sampled` ones of each whole."""
    if not read:
        return
    insert_new(
        connection,
        rejections,
        [
            {
                "topic": item.topic,
                "partition": item.partition,
                "offset": item.offset,
                "told_at": item.told_at,
                "reason": item.value["reason"],
                "record": json_of(item.value),
            }
            for item in sampled
        ],
    )
    counts = Counter((item.told_at - item.told_at % HOUR, item.value["reason"]) for item in read)
    statement = insert_into(connection, rejection_counts)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["hour", "reason"],
            set_={"rejected": rejection_counts.c.rejected + statement.excluded.rejected},
        ),
        [
            {"hour": hour, "reason": reason, "rejected": number}
            for (hour, reason), number in sorted(counts.items())
        ],
    )
    for reason in {item.value["reason"] for item in read}:
        of_reason = rejections.c.reason == reason
        oldest = connection.execute(
            select(rejections.c.told_at)
            .where(of_reason)
            .order_by(rejections.c.told_at.desc())
            .offset(SAMPLES_MAX - 1)
            .limit(1)
        ).scalar()
        if oldest is not None:
            connection.execute(delete(rejections).where(of_reason, rejections.c.told_at < oldest))


def account_day_of(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record's fields if they are an account-day's that a store can keep.

    Raises ValueError if its account, business day or segment cannot be one.
    """
    account_id, day, segment = (
        fields.get(name) for name in ("account_id", "business_day", "segment")
    )
    for name, value in (("account_id", account_id), ("segment", segment)):
        is_none = value is None and name == "segment"
        is_text = isinstance(value, str) and len(value) <= NAME_LENGTH and "\0" not in value
        if not (is_text or is_none):
            raise ValueError(
                f"it is no account-day: {name} must be a text of at most {NAME_LENGTH} characters"
                f" without NUL, not {str(value)[:40]!r}"
            )
    if not isinstance(day, str) or not FIRST_DAY <= day < END_DAY or not is_day_text(day):
        raise ValueError(
            "it is no account-day: business_day must be a day as 2026-01-05, from"
            f" {FIRST_DAY} on and before {END_DAY}, not {str(day)[:40]!r}"
        )
    return fields


def take_account_days(connection: Connection, read: Sequence[Read]) -> None:
    """Keep the last record of each account-day: a later one replaces it."""
    last = {(item.value["account_id"], item.value["business_day"]): item.value for item in read}
    upsert(
        connection,
        account_days,
        [
            {
                "account_id": account_id,
                "business_day": day,
                "segment": record.get("segment"),
                "record": json_of(record),
            }
            for (account_id, day), record in sorted(last.items())
        ],
    )


def take_segment_days(connection: Connection, read: Sequence[Read]) -> None:
    """Keep the last record of each part of a segment-day."""
    last = {
        (
            item.value["business_day"],
            item.value["partition"],
            item.value["segment"] or "",
            item.value["part"],
        ): item.value
        for item in read
    }
    upsert(
        connection,
        segment_days,
        [
            {
                "business_day": day,
                "partition": partition,
                "segment": segment,
                "part": part,
                "account_days": record["account_days"],
                "breaches": sum(limit["breaches"] for limit in record["limits"]),
                "record": json_of(record),
            }
            for (day, partition, segment, part), record in sorted(last.items())
        ],
    )


def take_policies(connection: Connection, read: Sequence[Read]) -> None:
    """Keep the text of each record of the policy topic."""
    rows = [{"offset": item.offset, "told_at": item.told_at, "text": item.value} for item in read]
    insert_new(connection, policies, rows)


def take_steps(connection: Connection, steps: Sequence[ProposalStep]) -> None:
    """Add what people did with proposals; one that is there already is left as it is."""
    rows = [
        {
            "step_id": step.step_id,
            "proposal_id": step.proposal_id,
            "step": step.step.value,
            "by": step.by,
            "at": step.at,
            "detail": json_of(step.detail),
        }
        for step in steps
    ]
    insert_new(connection, proposal_steps, rows)


def take_task_steps(connection: Connection, steps: Sequence[TaskStep]) -> None:
    """Add what people did with tasks; one that is there already is left as it is."""
    rows = [
        {
            "step_id": step.step_id,
            "task_id": step.task_id,
            "step": step.does.value,
            "by": step.by,
            "at": step.at,
            **{
                name: step.detail.get(name)
                for name in ("account_id", "alert_id", "assignee", "due")
            },
            "detail": json_of(step.detail),
        }
        for step in steps
    ]
    insert_new(connection, task_steps, rows)
