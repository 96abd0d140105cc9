"""Limits: which are in force, what another one would change, and proposals of others."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.filters import checked
from monitor.console.language.catalogue import gettext as _
from monitor.console.limits import (
    LimitAnswer,
    LimitQuestion,
    above_in,
    answer_of,
    days_in,
    decide_on,
    first_open_day,
    found_limit,
    found_proposal,
    in_force,
    measure_text,
    propose,
    proposed_policy,
    scope_text,
    set_alone,
    sha256_of,
)
from monitor.console.replies import (
    AnswerError,
    Body,
    as_json,
    ensure_known,
    now_of,
    page,
    person_of,
    see_other,
    store_of,
    writing,
)
from monitor.core.alert import written
from monitor.core.threshold import Threshold
from monitor.gauges.text import limit_text
from monitor.policy.policy import Policy
from monitor.store.limits import proposals_of
from monitor.store.people import Role
from monitor.store.programs.actors import accountable
from monitor.store.proposals import Proposal, ProposalState
from monitor.whatif import AccountChange

ACCOUNTS_SHOWN: Final = 200
PROPOSALS_SHOWN: Final = 50


def limit_fields(policy: Policy, threshold: Threshold) -> dict[str, Any]:
    """Return a limit as the API writes it."""
    return {
        "threshold_id": threshold.threshold_id,
        "measure": threshold.measure.value,
        "direction": threshold.direction.value,
        "currency": threshold.currency,
        "above": str(written(threshold, threshold.above)),
        "severity": threshold.severity.value,
        "measures": measure_text(threshold),
        "scope": scope_text(threshold),
        "policy_version": policy.version,
    }


def other_limits(policy: Policy | None) -> list[dict[str, str]]:
    """Return the limits on more than a day's amount or count, of which nothing else is answered."""
    limits = () if policy is None else policy.gauges
    return [{"threshold_id": each.limit_id, "says": limit_text(each)} for each in limits]


def limit_list(request: Request) -> Response:
    """Answer with the limits of the version that is in force last."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        policies = in_force(connection)
    policy = None if policies.book is None else policies.book.policies[-1]
    thresholds = () if policy is None else policy.thresholds
    items = [limit_fields(policy, threshold) for threshold in thresholds] if policy else []
    return as_json(
        {
            "items": items,
            "next": None,
            "refused": list(policies.refused),
            "others": other_limits(policy),
        }
    )


def limits(request: Request) -> Response:
    """Show the limits in force, and proposals."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        policies = in_force(connection)
        proposals = proposals_of(connection)[:PROPOSALS_SHOWN]
        alone = set_alone(connection, policies)
    book = policies.book
    policy = None if book is None else book.policies[-1]
    shown = {
        "title": _("Limits"),
        "policy": policy,
        "versions": [] if book is None else list(reversed(book.policies)),
        "limits": [limit_fields(policy, own) for own in policy.thresholds] if policy else [],
        "others": other_limits(policy),
        "refused": policies.refused,
        "alone": {each.version: each.at for each in alone},
        "proposals": proposals,
    }
    return page(request, "limits.html", shown)


def limit(request: Request) -> Response:
    """Show one limit: the curve of alerts, and what another one would change."""
    params = checked(request.query_params, ("above", "days"))
    with store_of(request).reading() as connection:
        policy, question = _question(connection, request, params)
        answer = answer_of(connection, policy, question)
        effective_from = first_open_day(connection, policy, now_of(request))
    threshold = question.threshold
    shown = {
        "title": _("Limit %(limit_id)s", limit_id=threshold.threshold_id),
        "limit": limit_fields(policy, threshold),
        "policy": policy,
        "above": str(written(threshold, question.above)),
        "days": question.days,
        "is_other": question.above != threshold.above,
        "answer": None if answer is None else answer_fields(threshold, answer),
        "curve": None if answer is None else _curve(threshold, answer, question.above),
        "accounts_shown": ACCOUNTS_SHOWN,
        "effective_from": effective_from,
        "earliest": policy.effective_from_text or "",
        "may_propose": person_of(request).role >= Role.ANALYST,
    }
    return page(request, "limit.html", shown)


def limit_whatif(request: Request) -> Response:
    """Answer with what another limit would change."""
    params = checked(request.query_params, ("above", "days"))
    with store_of(request).reading() as connection:
        policy, question = _question(connection, request, params)
        answer = answer_of(connection, policy, question)
    fields = limit_fields(policy, question.threshold)
    whatif = None if answer is None else answer_fields(question.threshold, answer)
    return as_json({**fields, "days": question.days, "whatif": whatif})


def _question(
    connection: Connection, request: Request, params: Mapping[str, str]
) -> tuple[Policy, LimitQuestion]:
    policy = in_force(connection).last
    threshold = found_limit(policy, request.path_params["threshold_id"])
    above = threshold.above
    if params.get("above"):
        above = above_in(params["above"].strip(), threshold)
    return policy, LimitQuestion(threshold, above, days_in(params.get("days")))


def answer_fields(threshold: Threshold, answer: LimitAnswer) -> dict[str, Any]:
    """Return what another limit changes as the API writes it: money as text, accounts by name."""
    change = answer.change
    now, then = (sum(getattr(day, when) for day in change.days) for when in ("now", "then"))
    return {
        "first": answer.first,
        "last": answer.last,
        "business_days": len(change.days),
        "account_days": answer.account_days,
        "accounts": answer.accounts,
        "now": _side(threshold, change.above_now, now, change.accounts_now),
        "then": _side(threshold, change.above_then, then, change.accounts_then),
        "starting": _accounts(threshold, change.starting),
        "stopping": _accounts(threshold, change.stopping),
        "changing": _accounts(threshold, change.changing),
        "curve": [
            {"above": str(written(threshold, above)), "alerts": alerts}
            for above, alerts in zip(answer.limits, answer.alerts, strict=True)
        ],
    }


def _side(threshold: Threshold, above: int, alerts: int, accounts: int) -> dict[str, Any]:
    return {"above": str(written(threshold, above)), "alerts": alerts, "accounts": accounts}


def _accounts(threshold: Threshold, changes: Sequence[AccountChange]) -> list[dict[str, Any]]:
    return [
        {
            "account_id": change.account_id,
            "days_now": change.days_now,
            "days_then": change.days_then,
            "value_greatest": str(written(threshold, change.value_greatest)),
        }
        for change in changes
    ]


def _curve(threshold: Threshold, answer: LimitAnswer, above: int) -> dict[str, Any]:
    return {
        "limits": [str(written(threshold, value)) for value in answer.limits],
        "alerts": list(answer.alerts),
        "now": str(written(threshold, threshold.above)),
        "then": str(written(threshold, above)),
        "unit": threshold.currency or _("transactions"),
    }


# -- proposals -------------------------------------------------------------------------------------


def post_proposal(request: Request, body: Body) -> Response:
    """Propose another limit."""
    ensure_known(body, ("above", "effective_from", "note"))
    with writing(request) as connection:
        step = propose(
            connection,
            person_of(request),
            request.path_params["threshold_id"],
            dict(body),
            now_of(request),
        )
        fields = found_proposal(connection, step.proposal_id).fields()
    return as_json(fields, 201)


def propose_limit(request: Request, body: Body) -> Response:
    """Propose what the form says, and show the proposal."""
    with writing(request) as connection:
        step = propose(
            connection,
            person_of(request),
            request.path_params["threshold_id"],
            dict(body),
            now_of(request),
        )
    return see_other(f"/proposals/{quote(step.proposal_id, safe='')}")


def proposal_list(request: Request) -> Response:
    """Answer with the proposals, the latest first."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        found = proposals_of(connection)
    return as_json({"items": [proposal.fields() for proposal in found], "next": None})


def proposal_object(request: Request) -> Response:
    """Answer with a proposal, and with the text that an approval would publish."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        found = found_proposal(connection, request.path_params["proposal_id"])
        fields = {**found.fields(), "policy": None, "why_not": None}
        try:
            fields["policy"] = proposed_policy(connection, found)[1].text
        except AnswerError as error:
            fields["why_not"] = error.detail
    return as_json(fields)


def proposal(request: Request) -> Response:
    """Show a proposal: exactly what it changes of the policy, and whom it concerns."""
    checked(request.query_params, ())
    person = person_of(request)
    with store_of(request).reading() as connection:
        found = found_proposal(connection, request.path_params["proposal_id"])
        shown = _shown(connection, found)
        is_published = found.made.detail["version"] in _versions(connection)
    is_own = accountable(person.name) == accountable(found.made.by)
    is_open = found.progress is ProposalState.OPEN
    shown |= {
        "title": _("Proposal for %(limit_id)s", limit_id=found.made.detail["threshold_id"]),
        "proposal": found,
        "said": found.made.detail,
        "is_published": is_published,
        "may_approve": is_open and person.role >= Role.APPROVER and not is_own,
        "may_decline": is_open and (person.role >= Role.APPROVER or is_own),
        "is_own": is_own,
    }
    return page(request, "proposal.html", shown)


def _versions(connection: Connection) -> Sequence[int]:
    book = in_force(connection).book
    return () if book is None else book.versions


def _shown(connection: Connection, found: Proposal) -> dict[str, Any]:
    try:
        base, changed = proposed_policy(connection, found)
    except AnswerError as error:
        return {"why_not": error.detail, "diff": [], "answer": None, "policy_sha256": ""}
    threshold = found_limit(base, found.made.detail["threshold_id"])
    above = above_in(found.made.detail["above"], threshold)
    answer = answer_of(connection, base, LimitQuestion(threshold, above, days_in(None)))
    return {
        "why_not": "",
        "diff": difference(base, changed),
        "answer": None if answer is None else answer_fields(threshold, answer),
        "policy_sha256": sha256_of(changed),
        "accounts_shown": ACCOUNTS_SHOWN,
    }


def difference(base: Policy, changed: Policy) -> list[str]:
    """Return what one text has that the other has not, as lines of a unified diff."""
    lines = difflib.unified_diff(
        base.text.splitlines(),
        changed.text.splitlines(),
        f"version {base.version}",
        f"version {changed.version}",
        lineterm="",
        n=2,
    )
    return list(lines)[2:]  # the first two name the versions, as the page does


def post_decision(request: Request, body: Body) -> Response:
    """Approve or decline a proposal."""
    ensure_known(body, ("decision", "policy_sha256", "note"))
    with writing(request) as connection:
        found = decide_on(
            connection,
            person_of(request),
            request.path_params["proposal_id"],
            dict(body),
            now_of(request),
        )
    return as_json(found.fields(), 201)


def decide_proposal(request: Request, body: Body) -> Response:
    """Approve or decline what the form says, and show the proposal again."""
    proposal_id = request.path_params["proposal_id"]
    with writing(request) as connection:
        decide_on(connection, person_of(request), proposal_id, dict(body), now_of(request))
    return see_other(f"/proposals/{quote(proposal_id, safe='')}")
