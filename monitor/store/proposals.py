"""Proposals of another limit: one person proposes it, a second one decides.

What is done stands on the topic of cases, as what is done with alerts does; so a store that is made
again from the topics has every proposal, and comes to the same of each.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self
from uuid import UUID, uuid5

from monitor.core.business_day import event_time_text
from monitor.dispositions.disposition import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX
from monitor.store.programs.actors import accountable
from monitor.store.standing import ActionError, text_in, time_in

_NAMESPACE: Final = UUID("0b6f2f36-98a4-5d0c-9a2e-7e52d4f1b9c3")
"""Of ids of proposals and of what is done with them. Never changed."""


class StepKind(StrEnum):
    """What a person does with a proposal."""

    PROPOSE = "propose-limit"
    APPROVE = "approve-limit"
    DECLINE = "decline-limit"


class ProposalState(StrEnum):
    """How far a proposal is."""

    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"


STEP_DETAILS: Final[Mapping[StepKind, tuple[str, ...]]] = {
    StepKind.PROPOSE: ("threshold_id", "above", "effective_from", "policy_sha256"),
    StepKind.APPROVE: ("policy_sha256",),
    StepKind.DECLINE: (),
}
"""Texts that belong to each step, besides a note."""


class ProposalStep(NamedTuple):
    """One thing that a person did with a proposal; `at` is in microseconds since 1970 (UTC).

    `detail` of a proposal has the limit and what it is to be, the version of the policy that it
    changes and the one that it makes, and the SHA-256 of that one's text: that of an approval names
    the same text.
    """

    proposal_id: str
    step: StepKind
    by: str
    at: int
    detail: Mapping[str, Any]

    @classmethod
    def proposed(cls, by: str, at: int, detail: Mapping[str, Any]) -> Self:
        """Return the first step of a new proposal, whose id follows from what it says."""
        said = json.dumps([by, at, detail], sort_keys=True)
        return cls(str(uuid5(_NAMESPACE, said)), StepKind.PROPOSE, by, at, detail)

    @property
    def step_id(self) -> str:
        """The same for the same step, however often it comes."""
        return str(uuid5(_NAMESPACE, json.dumps(self.fields(), sort_keys=True)))

    def fields(self) -> dict[str, Any]:
        """Return it as it is written."""
        return {
            "proposal_id": self.proposal_id,
            "action": self.step.value,
            "by": self.by,
            "at": event_time_text(self.at),
            **self.detail,
        }


class Proposal(NamedTuple):
    """A proposal with what became of it."""

    made: ProposalStep
    decision: ProposalStep | None = None

    @property
    def progress(self) -> ProposalState:
        """How far it is."""
        if self.decision is None:
            return ProposalState.OPEN
        is_approved = self.decision.step is StepKind.APPROVE
        return ProposalState.APPROVED if is_approved else ProposalState.DECLINED

    def fields(self) -> dict[str, Any]:
        """Return it as the API writes it."""
        decision = self.decision
        return {
            **{name: value for name, value in self.made.fields().items() if name != "action"},
            "progress": self.progress.value,
            "decided_by": None if decision is None else decision.by,
            "decided_at": None if decision is None else event_time_text(decision.at),
            "decision_note": None if decision is None else decision.detail.get("note"),
        }


def step_of(fields: object, where: str = "the step") -> ProposalStep:
    """Return the step that a record's fields state. Raises ActionError with every problem."""
    if not isinstance(fields, Mapping):
        raise ActionError([f"{where}: no JSON object"])
    problems: list[str] = []
    proposal_id = text_in(fields, "proposal_id", TEXT_LENGTH_MAX, problems)
    by = text_in(fields, "by", TEXT_LENGTH_MAX, problems)
    at = time_in(fields, "at", problems)
    said = fields.get("action")
    if said not in list(StepKind):
        problems.append(f"action must be one of {', '.join(StepKind)}, not {said!r}")
        raise ActionError([f"{where}: {problem}" for problem in problems])
    step = StepKind(str(said))
    detail: dict[str, Any] = {
        name: text_in(fields, name, TEXT_LENGTH_MAX, problems) for name in STEP_DETAILS[step]
    }
    if step is StepKind.PROPOSE:
        for name in ("base_version", "version"):
            detail[name] = fields.get(name)
            if type(detail[name]) is not int or detail[name] < 1:
                problems.append(f"{name} must be a whole number from 1 on, not {detail[name]!r}")
    note = fields.get("note")
    detail["note"] = None if note is None else text_in(fields, "note", NOTE_LENGTH_MAX, problems)
    if problems:
        raise ActionError([f"{where}: {problem}" for problem in problems])
    return ProposalStep(proposal_id, step, by, at, detail)


def proposals_in(steps: Iterable[ProposalStep]) -> list[Proposal]:
    """Return the proposals that steps make, in whatever order they come; the latest first.

    The first decision holds. An approval by whoever proposed it, or of another text,
    does not count.
    """
    by_id: dict[str, list[ProposalStep]] = {}
    for step in steps:
        by_id.setdefault(step.proposal_id, []).append(step)
    found = []
    for own in by_id.values():
        own.sort(key=lambda step: (step.at, step.step_id))
        made = next((step for step in own if step.step is StepKind.PROPOSE), None)
        if made is not None:
            found.append(Proposal(made, _decision(made, own)))
    return sorted(found, key=lambda p: (p.made.at, p.made.proposal_id), reverse=True)


def _decision(made: ProposalStep, steps: Sequence[ProposalStep]) -> ProposalStep | None:
    for step in steps:
        if step.step is StepKind.DECLINE:
            return step
        is_same = step.detail.get("policy_sha256") == made.detail["policy_sha256"]
        is_second = accountable(step.by) != accountable(made.by)
        if step.step is StepKind.APPROVE and is_second and is_same:
            return step
    return None
