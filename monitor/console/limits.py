"""Limits at the console: which are in force, what another one would change, and who puts it there.

Figures are of the closed account-days that the store has, whose totals are exact; so they are those
of a replay of the same days. Peer groups are those that the days were reported with.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import tomlkit
from sqlalchemy import Connection
from tomlkit.exceptions import TOMLKitError

from models.sketches.histogram import VALUE_MAX
from monitor.console import words
from monitor.console.language.catalogue import N_
from monitor.console.language.catalogue import gettext as _
from monitor.console.replies import AnswerError
from monitor.core.account import AMOUNT_CREDIT, AMOUNT_DEBIT, COUNT_CREDIT, COUNT_DEBIT
from monitor.core.alert import written
from monitor.core.business_day import TIME_LAST, day_of_text, day_text
from monitor.core.threshold import Measure, Threshold, places_of
from monitor.dispositions.disposition import NOTE_LENGTH_MAX
from monitor.policy.document import policy_of
from monitor.policy.policy import Policy, PolicyBook, PolicyError
from monitor.store import audit
from monitor.store.days import Summed, closed_day, values_between
from monitor.store.desk import take_step
from monitor.store.limits import policy_rows, proposals_of
from monitor.store.people import Person, Role
from monitor.store.programs.actors import accountable
from monitor.store.proposals import Proposal, ProposalState, ProposalStep, StepKind
from monitor.whatif import (
    Change,
    LimitDays,
    WhatIfError,
    above_of,
    change_of,
    exact_counts,
    limit_of,
    limits_around,
)

DAYS_DEFAULT: Final = 28
DAYS_MAX: Final = 92


class InForce(NamedTuple):
    """The policy versions that the policy topic has, and the problems of those it cannot use."""

    book: PolicyBook | None
    refused: Sequence[str]
    published: Mapping[int, int]  # by version: when its record was written (microseconds)

    @property
    def last(self) -> Policy:
        """The version that is in force last. Raises AnswerError (404) without one."""
        if self.book is None:
            raise AnswerError(
                404, _("no policy is on the policy topic: weir policy set FILE puts one there")
            )
        return self.book.policies[-1]


class LimitQuestion(NamedTuple):
    """What is asked of a limit: what it is to be (in its own unit), over so many closed days."""

    threshold: Threshold
    above: int
    days: int


class LimitAnswer(NamedTuple):
    """What another limit changes, over the days from `first` to `last` (texts)."""

    change: Change
    account_days: int
    accounts: int
    first: str
    last: str
    limits: Sequence[int]
    alerts: Sequence[int]  # over each of the limits


def in_force(connection: Connection) -> InForce:
    """Return the policies as workers take them from the topic, in its order."""
    book: PolicyBook | None = None
    refused: list[str] = []
    published: dict[int, int] = {}
    for row in policy_rows(connection):
        try:
            policy = policy_of(row.text, f"record {row.offset} of the policy topic")
            if book is None:
                book = PolicyBook([policy])
            else:
                book.add(policy)
            published.setdefault(policy.version, row.told_at)
        except PolicyError as error:
            refused.append(str(error))
    return InForce(book, refused, published)


class SetAlone(NamedTuple):
    """A policy version that no proposal made, and when its record was written (microseconds)."""

    version: int
    at: int


def set_alone(connection: Connection, policies: InForce) -> list[SetAlone]:
    """Return the versions on the topic that no second person approved here, the latest first."""
    approved = {
        proposal.made.detail["policy_sha256"]
        for proposal in proposals_of(connection)
        if proposal.progress is ProposalState.APPROVED
    }
    versions = () if policies.book is None else policies.book.policies
    return [
        SetAlone(policy.version, policies.published[policy.version])
        for policy in reversed(versions)
        if sha256_of(policy) not in approved
    ]


def found_limit(policy: Policy, threshold_id: str) -> Threshold:
    """Return a limit of a policy. Raises AnswerError (404) if it is not there."""
    try:
        return limit_of(policy, threshold_id)
    except WhatIfError as error:
        raise AnswerError(404, str(error)) from None


def above_in(text: object, threshold: Threshold) -> int:
    """Return the limit that a person writes, in its own unit. Raises AnswerError (400)."""
    try:
        return above_of(str(text), threshold)
    except WhatIfError as error:
        raise AnswerError(400, str(error).replace("--above", "above", 1)) from None


def days_in(text: str | None) -> int:
    """Return over how many days is asked. Raises AnswerError (400)."""
    if not text:
        return DAYS_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= DAYS_MAX):  # noqa: PLR2004 - digits
        raise AnswerError(
            400,
            _(
                "days must be a whole number from 1 to %(most)s, not %(text)s",
                most=DAYS_MAX,
                text=repr(text[:40]),
            ),
        )
    return int(text)


def answer_of(
    connection: Connection, policy: Policy, question: LimitQuestion
) -> LimitAnswer | None:
    """Return what another limit would change; None if no day is closed yet."""
    last = closed_day(connection)
    if last is None:
        return None
    first = day_text(day_of_text(last) - question.days + 1)
    days = limit_days_between(connection, policy, question.threshold, first, last)
    marked = [question.threshold.above, question.above]
    limits = limits_around(days, marked)
    return LimitAnswer(
        change_of(days, days, question.above),
        days.values.size,
        days.accounts,
        day_text(days.business_days[0]),
        last,
        limits.tolist(),
        exact_counts(np.sort(days.values), limits).tolist(),
    )


_MEMBERS: Final = {
    AMOUNT_DEBIT: "debit_amount",
    AMOUNT_CREDIT: "credit_amount",
    COUNT_DEBIT: "debit_count",
    COUNT_CREDIT: "credit_count",
}


def limit_days_between(
    connection: Connection, policy: Policy, threshold: Threshold, first: str, last: str
) -> LimitDays:
    """Return the closed account-days of business days that a limit decides for."""
    days = LimitDays(policy, threshold)
    members = [_MEMBERS[place] for place in places_of(threshold) if place in _MEMBERS]
    found = values_between(
        connection,
        first,
        last,
        Summed(members, threshold.currency, VALUE_MAX),
        sorted(days.own_accounts),
        days.decides,
    )
    numbers = {day: day_of_text(day) for day in found.business_days}
    of_rows = np.array([numbers[day] for day in found.days], np.int64)
    days.add_columns(numbers.values(), found.accounts, (found.places, of_rows, found.values))
    return days


# -- proposals -------------------------------------------------------------------------------------


def amended(policy: Policy, threshold: Threshold, above: int, effective_from: str) -> Policy:
    """Return the next version of a policy, with another limit; its text keeps all else as it is.

    Raises AnswerError (400) if the text that comes of it is no policy.
    """
    said = written(threshold, above)
    try:
        document = tomlkit.parse(policy.text)
        document["version"] = policy.version + 1
        document["effective_from"] = effective_from
        limits = document["limit"]
        table = next(limit for limit in limits if limit["id"] == threshold.threshold_id)
        step = table["tiers"][0] if "tiers" in table else table  # one tier is a limit as another
        step.pop("at_least", None)  # the other way to say it
        step["above"] = said
        return policy_of(tomlkit.dumps(document), f"policy version {policy.version + 1}")
    except (TOMLKitError, PolicyError) as error:
        raise AnswerError(400, f"the policy cannot be amended: {error}") from error


def sha256_of(policy: Policy) -> str:
    """Return the hash of a policy's text, by which a second person approves exactly that text."""
    return hashlib.sha256(policy.text.encode()).hexdigest()


def first_open_day(connection: Connection, policy: Policy, now: int) -> str:
    """Return the business day from which on another limit counts if nobody says another one.

    It is the first that no account-day was closed of; before any was, it is the day that it is.
    """
    closed = closed_day(connection)
    today = policy.calendar.calendar().day_of(now)
    day = today if closed is None else day_of_text(closed) + 1
    return day_text(max(day, policy.effective_from))


def effective_day(text: object, policy: Policy) -> str:
    """Return from which business day on another limit counts. Raises AnswerError (400)."""
    day = None
    if isinstance(text, str) and len(text) == len("2026-01-05"):
        try:
            day = day_of_text(text)
        except ValueError:
            day = None
    if day is None:
        raise AnswerError(
            400, _("effective_from must be a day as 2026-01-05, not %(text)s", text=repr(text))
        )
    if day < policy.effective_from:
        raise AnswerError(
            400,
            _(
                "effective_from must be %(day)s or later: version %(version)s is in force from then"
                " on",
                day=policy.effective_from_text,
                version=policy.version,
            ),
        )
    return day_text(day)


def propose(
    connection: Connection, person: Person, threshold_id: str, asked: dict[str, Any], now: int
) -> ProposalStep:
    """Propose another limit. Raises AnswerError if the role is not enough, or it cannot be."""
    if person.role < Role.ANALYST:
        raise AnswerError(403, _("the role must be analyst or higher to propose a limit"))
    policy = in_force(connection).last
    threshold = found_limit(policy, threshold_id)
    above = above_in(asked.get("above"), threshold)
    if above == threshold.above:
        raise AnswerError(
            400, _("above must be another limit than %(above)s", above=written(threshold, above))
        )
    day = effective_day(
        asked.get("effective_from") or first_open_day(connection, policy, now), policy
    )
    changed = amended(policy, threshold, above, day)
    step = ProposalStep.proposed(
        person.name,
        now,
        {
            "threshold_id": threshold_id,
            "above": str(written(threshold, above)),
            "effective_from": day,
            "base_version": policy.version,
            "version": changed.version,
            "policy_sha256": sha256_of(changed),
            "note": _note_in(asked),
        },
    )
    take_step(connection, step, None)
    audit.append_step(
        connection,
        step.proposal_id,
        step.fields(),
        at=now,
        before={"above": str(written(threshold, threshold.above))},
    )
    return step


def _note_in(asked: dict[str, Any]) -> str | None:
    note = asked.get("note")
    if note is not None and (not isinstance(note, str) or len(note) > NOTE_LENGTH_MAX):
        raise AnswerError(400, f"note must be a text of at most {NOTE_LENGTH_MAX} characters")
    return note.strip() or None if isinstance(note, str) else None


def found_proposal(connection: Connection, proposal_id: str) -> Proposal:
    """Return a proposal. Raises AnswerError (404) if it is not there."""
    found = [] if "\0" in proposal_id else proposals_of(connection, proposal_id)
    if not found:
        raise AnswerError(404, _("there is no proposal %(proposal_id)s", proposal_id=proposal_id))
    return found[0]


def proposed_policy(connection: Connection, proposal: Proposal) -> tuple[Policy, Policy]:
    """Return the version that a proposal changes, and the one that it makes.

    Raises AnswerError (409) if another one is in force by now, so that the text would be another.
    """
    said = proposal.made.detail
    policies = in_force(connection)
    base = policies.last
    if proposal.progress is not ProposalState.OPEN and policies.book is not None:
        try:
            base = policies.book.of_version(said["base_version"])
        except LookupError as error:
            raise AnswerError(409, str(error)) from error
    if base.version != said["base_version"]:
        raise AnswerError(
            409,
            _(
                "version %(version)s is in force by now, and the proposal changes version"
                " %(base)s: decline it, and propose it again",
                version=base.version,
                base=said["base_version"],
            ),
        )
    threshold = found_limit(base, said["threshold_id"])
    above = above_in(said["above"], threshold)
    changed = amended(base, threshold, above, said["effective_from"])
    if sha256_of(changed) != said["policy_sha256"]:
        raise AnswerError(409, _("the text that comes of it is not the one that was proposed"))
    return base, changed


def decide_on(
    connection: Connection, person: Person, proposal_id: str, asked: dict[str, Any], now: int
) -> Proposal:
    """Approve or decline a proposal. An approval publishes exactly the text that was shown.

    Raises AnswerError: 400 if it cannot be read, 403 if the role is not enough or a second person
    must approve, 404 without such a proposal, 409 if it is decided, or another policy is in force.
    """
    says = asked.get("decision")
    if says not in {"approve", "decline"}:
        raise AnswerError(400, f"decision must be approve or decline, not {says!r}")
    proposal = found_proposal(connection, proposal_id)
    is_own = accountable(person.name) == accountable(proposal.made.by)
    if person.role < Role.APPROVER and not (is_own and says == "decline"):
        raise AnswerError(403, _("the role must be approver or higher to decide about it"))
    if is_own and says == "approve":
        raise AnswerError(403, _("a second person must approve: this was proposed by you"))
    if proposal.progress is not ProposalState.OPEN:
        raise AnswerError(409, _("it is %(progress)s already", progress=proposal.progress.value))
    note = _note_in(asked)
    at = max(now, proposal.made.at + 1)
    if at > TIME_LAST:
        raise AnswerError(
            409, _("it is dated to the end of the year 2999: no decision can follow it")
        )
    if says == "decline":
        step = ProposalStep(proposal_id, StepKind.DECLINE, person.name, at, {"note": note})
        take_step(connection, step, None)
    else:
        changed = proposed_policy(connection, proposal)[1]
        if asked.get("policy_sha256") != sha256_of(changed):
            raise AnswerError(409, "policy_sha256 must be that of the text which was shown")
        detail = {"policy_sha256": sha256_of(changed), "note": note}
        step = ProposalStep(proposal_id, StepKind.APPROVE, person.name, at, detail)
        take_step(connection, step, (changed.version, changed.text))
    audit.append_step(
        connection,
        step.proposal_id,
        step.fields(),
        at=now,
        before={"progress": proposal.progress.value},
    )
    return found_proposal(connection, proposal_id)


_AMOUNTS: Final = {
    "debit": N_("amount a day out, %(currency)s"),
    "credit": N_("amount a day in, %(currency)s"),
    "both": N_("amount a day out and in, %(currency)s"),
}
_COUNTS: Final = {
    "debit": N_("transactions a day out"),
    "credit": N_("transactions a day in"),
    "both": N_("transactions a day out and in"),
}
_COUNTS_IN: Final = {
    "debit": N_("transactions a day out, %(currency)s"),
    "credit": N_("transactions a day in, %(currency)s"),
    "both": N_("transactions a day out and in, %(currency)s"),
}


def measure_text(threshold: Threshold) -> str:
    """Return what a limit measures, for a person."""
    way = threshold.direction.value
    if threshold.measure is Measure.AMOUNT:
        return _(_AMOUNTS[way], currency=threshold.currency)
    if threshold.currency:
        return _(_COUNTS_IN[way], currency=threshold.currency)
    return _(_COUNTS[way])


def scope_text(threshold: Threshold) -> str:
    """Return whom a limit is for."""
    scopes = (
        (N_("account %(name)s"), threshold.account_id),
        (N_("list %(name)s"), threshold.in_list and threshold.in_list.name),
        (N_("peer group %(name)s"), threshold.peer_group),
        (N_("segment %(name)s"), threshold.segment),
        (N_("product %(name)s"), threshold.product),
    )
    stated = [_(text, name=name) for text, name in scopes if name]
    return words.joined(stated) if stated else _("everyone")
