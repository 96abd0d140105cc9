"""Answers what the pages of limits ask of a store: policies and proposals."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from monitor.store.proposals import Proposal, ProposalStep, StepKind, proposals_in
from monitor.store.schema import policies, proposal_steps


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
