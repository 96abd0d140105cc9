"""The API's schemas of limits: those in force, what another one would change, and proposals."""

from typing import Any

from monitor.console.limits import DAYS_DEFAULT, DAYS_MAX
from monitor.console.openapi.operations import CSRF, WRITE, answers, in_path, page_of, takes
from monitor.console.openapi.schemas import NUMBER, TEXT, list_of, object_of, or_null, ref
from monitor.dispositions.disposition import NOTE_LENGTH_MAX


def limit_paths() -> dict[str, Any]:
    """Return the paths of limits and of proposals of other ones."""
    of_limit, of_proposal = in_path("threshold_id"), in_path("proposal_id")
    asked = [
        {"name": "above", "in": "query", "schema": TEXT, "description": "The other limit."},
        {
            "name": "days",
            "in": "query",
            "description": "Closed business days to look back.",
            "schema": {**NUMBER, "minimum": 1, "maximum": DAYS_MAX, "default": DAYS_DEFAULT},
        },
    ]
    proposing = {
        **object_of(
            {
                "above": {**TEXT, "description": "Money as decimal text, or a count."},
                "effective_from": or_null({"type": "string", "format": "date"}),
                "note": or_null({**TEXT, "maxLength": NOTE_LENGTH_MAX}),
            },
            ["above"],
        ),
        "additionalProperties": False,
    }
    deciding = {
        **object_of(
            {
                "decision": {"enum": ["approve", "decline"]},
                "policy_sha256": {
                    **or_null(TEXT),
                    "description": "Of the text that was shown: an approval publishes that one.",
                },
                "note": or_null({**TEXT, "maxLength": NOTE_LENGTH_MAX}),
            },
            ["decision"],
        ),
        "additionalProperties": False,
    }
    other = object_of({"threshold_id": TEXT, "says": TEXT}, ["threshold_id", "says"])
    others = object_of({"others": list_of(other)}, ["others"])
    text_shown = object_of({"policy": or_null(TEXT), "why_not": or_null(TEXT)})
    with_whatif = {"allOf": [ref("Limit"), object_of({"whatif": or_null(object_of({}))})]}
    return {
        "/api/v1/limits": {
            "get": {
                "summary": "The limits that are in force last",
                "description": "`others` are limits on more than a day's amount or count.",
                **answers({"allOf": [page_of("Limit"), others]}),
            }
        },
        "/api/v1/limits/{threshold_id}": {
            "parameters": of_limit,
            "get": {
                "summary": "A limit, and what another one would change: accounts by name",
                "parameters": asked,
                **answers(with_whatif, "200", "404", "503"),
            },
        },
        "/api/v1/limits/{threshold_id}/proposals": {
            "parameters": [*of_limit, CSRF],
            "post": {
                "summary": "Propose another limit: a second person decides",
                **takes(proposing),
                **answers(ref("Proposal"), "201", *WRITE),
            },
        },
        "/api/v1/proposals": {
            "get": {"summary": "Proposals, the latest first", **answers(page_of("Proposal"))}
        },
        "/api/v1/proposals/{proposal_id}": {
            "parameters": of_proposal,
            "get": {
                "summary": "A proposal, and the policy that an approval would publish",
                **answers({"allOf": [ref("Proposal"), text_shown]}, "200", "404"),
            },
        },
        "/api/v1/proposals/{proposal_id}/decision": {
            "parameters": [*of_proposal, CSRF],
            "post": {
                "summary": "Approve or decline a proposal",
                **takes(deciding),
                **answers(ref("Proposal"), "201", *WRITE),
            },
        },
    }
