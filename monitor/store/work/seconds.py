"""What waits for a second person: closings of alerts, and other limits that somebody proposes."""

from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from monitor.store.programs.actors import accountable
from monitor.store.proposals import StepKind
from monitor.store.schema import IS_WAITING, alerts, proposal_steps

WAITING_MAX: Final = 1000
"""Counting stops here: a page says "1,000+"."""


class Waiting(NamedTuple):
    """How many proposals of others wait, each up to WAITING_MAX."""

    closings: int
    limits: int


def waiting_for(connection: Connection, name: str) -> Waiting:
    """Return how much waits for a second person who may be somebody: what others have proposed.

    A proposal is of whoever is accountable for it, so that one by a token is its owner's own.
    """
    its = select(alerts.c.disposed_by).where(
        IS_WAITING, alerts.c.disposed_by.is_distinct_from(name)
    )
    some = its.limit(WAITING_MAX).subquery()
    by = select(some.c.disposed_by, func.count()).group_by(some.c.disposed_by)
    closings = sum(number for who, number in connection.execute(by) if not _is_own(who, name))
    makers = connection.execute(_OPEN_LIMITS).scalars()
    return Waiting(closings, sum(not _is_own(who, name) for who in makers))


def _is_own(by: str | None, name: str) -> bool:
    return by is not None and accountable(by) == accountable(name)


def _undecided() -> ColumnElement[bool]:
    """Return that nobody has decided on a proposal: an approval by its own maker is no decision."""
    steps, later = proposal_steps.c, proposal_steps.alias()
    is_approval = and_(later.c.step == StepKind.APPROVE.value, later.c.by != steps.by)
    is_decision = or_(later.c.step == StepKind.DECLINE.value, is_approval)
    its = select(later.c.step_id).where(later.c.proposal_id == steps.proposal_id, is_decision)
    return ~its.exists()


_OPEN_LIMITS: Final = (
    select(proposal_steps.c.by)
    .where(proposal_steps.c.step == StepKind.PROPOSE.value, _undecided())
    .limit(WAITING_MAX)
)
