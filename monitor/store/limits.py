"""Answers what the pages of limits ask of a store: policies, proposals, and closed days."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from monitor.store.proposals import Proposal, ProposalStep, StepKind, proposals_in
from monitor.store.schema import account_days, policies, proposal_steps

READ_AT_A_TIME: Final = 5000


def policy_rows(connection: Connection) -> Sequence[Row[Any]]:
    """Return what the policy topic has, in its order: `offset` and `text`."""
    return connection.execute(select(policies).order_by(policies.c.offset)).all()


def proposals_of(connection: Connection, proposal_id: str | None = None) -> list[Proposal]:
    """Return proposals of other limits, the latest first; or the one with an id."""
    chosen = select(proposal_steps)
    if proposal_id is not None:
        chosen = chosen.where(proposal_steps.c.proposal_id == proposal_id)
    return proposals_in(
        ProposalStep(row.proposal_id, StepKind(row.step), row.by, row.at, json.loads(row.detail))
        for row in connection.execute(chosen)
    )


def latest_closed_day(connection: Connection) -> str | None:
    """Return the latest business day of which an account-day is closed."""
    latest: str | None = connection.execute(select(func.max(account_days.c.business_day))).scalar()
    return latest


def day_records(connection: Connection, first: str, last: str) -> Iterator[str]:
    """Yield the records of the closed account-days of business days, JSON as it is stored."""
    chosen = select(account_days.c.record).where(account_days.c.business_day.between(first, last))
    rows = connection.execution_options(yield_per=READ_AT_A_TIME).execute(chosen)
    for row in rows:
        yield row.record
