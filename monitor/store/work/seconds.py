"""Proposals that wait for a second person: closings of alerts, and other limits."""

from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
)

from monitor.store.programs.actors import accountable
from monitor.store.proposals import StepKind
from monitor.store.schema import IS_WAITING, alerts, proposal_steps, service_tokens

WAITING_MAX: Final = 100
"""Counting stops here: a page says "100+"."""


class Proposed(NamedTuple):
    """How many proposals of others wait, each up to WAITING_MAX."""

    closings: int
    limits: int


def waiting_for(connection: Connection, name: str) -> Proposed:
    """Return how much waits for a second person who may be somebody: what others have proposed.

    A proposal is of whoever is accountable for it, so that one by a token is its owner's own.
    """
    found = connection.execute(_CLOSINGS, {"name": name, "most": WAITING_MAX})
    closings = sum(number for who, number in found if not _is_own(who, name))
    makers = connection.execute(_OPEN_LIMITS).scalars()
    return Proposed(closings, sum(not _is_own(who, name) for who in makers))


def _is_own(by: str | None, name: str) -> bool:
    return by is not None and accountable(by) == accountable(name)


def _undecided() -> ColumnElement[bool]:
    """Return that nobody has decided on a proposal: an approval by its own maker is no decision."""
    steps, later = proposal_steps.c, proposal_steps.alias()
    is_approval = and_(later.c.step == StepKind.APPROVE.value, later.c.by != steps.by)
    is_decision = or_(later.c.step == StepKind.DECLINE.value, is_approval)
    its = select(later.c.step_id).where(later.c.proposal_id == steps.proposal_id, is_decision)
    return ~its.exists()


def _closings() -> Select[Any]:
    """Return the query of how many closings wait by who proposed them, but those of `name`.

    Those of the tokens of `name` are left out here, too: they might be all that is counted.
    """
    by, own = alerts.c.disposed_by, bindparam("name", type_=String)
    of_token = literal("(token ") + service_tokens.c.name + " for " + service_tokens.c.owner + ")"
    its_tokens = select(of_token).where(service_tokens.c.owner == own)
    its = select(by).where(IS_WAITING, by.is_distinct_from(own), by.not_in(its_tokens))
    some = its.limit(bindparam("most", type_=Integer)).subquery()
    return select(some.c.disposed_by, func.count()).group_by(some.c.disposed_by)


_CLOSINGS: Final = _closings()
"""Made once, as the next one: to make it takes as long as to ask it."""

_OPEN_LIMITS: Final = (
    select(proposal_steps.c.by)
    .where(proposal_steps.c.step == StepKind.PROPOSE.value, _undecided())
    .limit(WAITING_MAX)
)
