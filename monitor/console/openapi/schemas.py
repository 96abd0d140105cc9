"""The schemas of what the API takes and answers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from monitor.dispositions.disposition import NOTE_LENGTH_MAX, Disposition
from monitor.store.proposals import ProposalState
from monitor.store.queries import LIMIT_MAX
from monitor.store.standing import Does, State
from monitor.store.work.tasklist import LISTED_MAX
from monitor.store.work.tasks import TASK_TEXTS, TaskKind, TaskProgress

Schema = Mapping[str, Any]

TEXT: Final = {"type": "string"}
TIME: Final = {"type": "string", "format": "date-time"}
NUMBER: Final = {"type": "integer"}


def or_null(schema: Schema) -> dict[str, Any]:
    """Return a schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def object_of(properties: Mapping[str, object], required: Sequence[str] = ()) -> dict[str, Any]:
    """Return an object with these properties."""
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def list_of(schema: Schema) -> dict[str, Any]:
    """Return a list of what a schema describes."""
    return {"type": "array", "items": schema}


def ref(name: str) -> dict[str, Any]:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Any]:
    """Return the schemas of the document, by their names."""
    standing = {
        "alert_id": TEXT,
        "revision": NUMBER,
        "state": {"enum": [state.value for state in State]},
        "assignee": or_null(TEXT),
        "disposition": or_null({"enum": [name.value for name in Disposition]}),
        "version": {**NUMBER, "description": "Counts people's actions."},
        "priority": {**NUMBER, "minimum": 0, "maximum": 100},
        "incident_id": or_null(TEXT),
        "is_back": {"type": "boolean", "description": "Was closed, and now says something else."},
        "told_at": TIME,
    }
    alert = object_of(standing, list(standing))
    alert["description"] = "The fields of the alerts topic, and how people let it stand."
    action = object_of(
        {"action": {"enum": [does.value for does in Does]}, "by": TEXT, "at": TIME},
        ["action", "by", "at"],
    )
    history = {"revisions": list_of({"type": "object"}), "actions": list_of(ref("Action"))}
    members = {"member_states": {"type": "object", "additionalProperties": NUMBER}}
    member = {"alert_id": TEXT, "version": NUMBER, "revision": or_null(NUMBER)}
    return {
        "Alert": alert,
        "Action": action,
        "AlertWithHistory": {"allOf": [ref("Alert"), object_of(history, list(history))]},
        "Incident": {"allOf": [ref("Alert"), object_of(members, list(members))]},
        "Member": object_of(member, ["alert_id", "version"]),
        "Disposition": {
            **object_of(
                {
                    "disposition": {"enum": [name.value for name in Disposition]},
                    "note": or_null({**TEXT, "maxLength": NOTE_LENGTH_MAX}),
                    "revision": or_null({**NUMBER, "minimum": 1}),
                },
                ["disposition"],
            ),
            "additionalProperties": False,
        },
        "Limit": object_of(
            {
                "threshold_id": TEXT,
                "measure": TEXT,
                "direction": TEXT,
                "currency": or_null(TEXT),
                "above": TEXT,
                "severity": TEXT,
                "scope": TEXT,
                "policy_version": NUMBER,
            },
            ["threshold_id", "measure", "above", "policy_version"],
        ),
        "Proposal": object_of(
            {
                "proposal_id": TEXT,
                "by": TEXT,
                "at": TIME,
                "threshold_id": TEXT,
                "above": TEXT,
                "effective_from": {"type": "string", "format": "date"},
                "base_version": NUMBER,
                "version": NUMBER,
                "policy_sha256": TEXT,
                "note": or_null(TEXT),
                "progress": {"enum": [progress.value for progress in ProposalState]},
                "decided_by": or_null(TEXT),
                "decided_at": or_null(TIME),
                "decision_note": or_null(TEXT),
            },
            ["proposal_id", "by", "at", "threshold_id", "above", "progress"],
        ),
        "Task": object_of(
            {
                "task_id": TEXT,
                "task": {"enum": [kind.value for kind in TaskKind]},
                "account_id": TEXT,
                "due": {"type": "string", "format": "date"},
                "by": TEXT,
                "at": TIME,
                "progress": {"enum": [progress.value for progress in TaskProgress]},
                **{
                    name: or_null(TEXT)
                    for name in (*TASK_TEXTS, "note", "ended_by", "ended_at", "end_note")
                },
            },
            ["task_id", "task", "account_id", "due", "by", "at", "progress"],
        ),
        "View": object_of(
            {
                "name": TEXT,
                "filters": {"type": "object", "additionalProperties": TEXT},
                "address": {**TEXT, "description": "The page of the queue with these filters."},
            },
            ["name", "filters", "address"],
        ),
        "Account": account_schema(),
        "WorkingPaper": paper_schema(),
        "Problem": object_of(
            {"type": TEXT, "title": TEXT, "status": NUMBER, "detail": TEXT},
            ["type", "title", "status", "detail"],
        ),
    }


def account_schema() -> dict[str, Any]:
    """Return the schema of an account, whole: everything is always there."""
    page = {"items": list_of(ref("Alert")), "next": or_null(TEXT)}
    return all_of(
        **_subject(),
        days={
            **list_of({"type": "object"}),
            "description": "The latest closed days, 90 at most, as the topic has them.",
        },
        alerts={**all_of(**page), "description": "The latest business day first."},
        reviews={
            **list_of(ref("Alert")),
            "description": f"The alerts that are reviews, the latest {LIMIT_MAX} at most.",
        },
        actions={
            **list_of(ref("Action")),
            "description": "What people did with its alerts, the latest first, 100 at most.",
        },
        tasks={
            **list_of(ref("Task")),
            "description": f"By the day on which they are due, {LISTED_MAX} at most.",
        },
    )


def _subject() -> dict[str, Any]:
    """Return the members that say whose account it is, as its latest closed day has them."""
    return {
        "account_id": TEXT,
        "segment": or_null(TEXT),
        "branch": or_null(TEXT),
        "product": or_null(TEXT),
        "peer_group": or_null(TEXT),
        "as_of": or_null({"type": "string", "format": "date"}),
    }


def paper_schema() -> dict[str, Any]:
    """Return the schema of a working paper, whole: everything is always there."""
    day = {"type": "string", "format": "date"}
    money = {"type": "string", "pattern": "^[0-9]+([.][0-9]+)?$"}
    known = all_of(at=TIME, revision=NUMBER, status=TEXT, value=TEXT)
    return all_of(
        subject=all_of(**_subject()),
        period=object_of(
            {
                "from": day,
                "to": day,
                "business_days": list_of(day),
                "days_without_totals": {
                    **list_of(day),
                    "description": "No closed totals are known of these: the amounts lack them.",
                },
            },
            ["from", "to", "business_days", "days_without_totals"],
        ),
        amounts=list_of(
            all_of(
                currency=TEXT,
                direction={"enum": ["debit", "credit"]},
                transactions={**NUMBER, "minimum": 1},
                amount=money,
            )
        ),
        amounts_left_out={**NUMBER, "description": "Totals that could not be read."},
        alerts=list_of(
            all_of(
                alert_id=TEXT,
                kind=TEXT,
                business_day=day,
                state={"enum": [state.value for state in State]},
                disposition=or_null(TEXT),
                known_then=known,
                known_now=known,
                why={**list_of(TEXT), "description": "Sentences."},
                figures=list_of(all_of(name=TEXT, value=TEXT)),
            )
        ),
        chronology=list_of(
            all_of(
                at=TIME,
                alert_id=TEXT,
                kind=TEXT,
                revision=NUMBER,
                status=TEXT,
                value=TEXT,
                changes=list_of(TEXT),
            )
        ),
        decisions=list_of(ref("Action")),
        transactions=list_of(
            all_of(
                partition=NUMBER,
                offset=NUMBER,
                transaction_id=TEXT,
                booked_at=TIME,
                business_day=day,
                amount=money,
                currency=TEXT,
                direction={"enum": ["debit", "credit"]},
                counterparty_id=or_null(TEXT),
                counterparty_institution=or_null(TEXT),
                channel=or_null(TEXT),
                branch=or_null(TEXT),
                reverses=or_null(TEXT),
                is_cause={"type": "boolean"},
                is_again={"type": "boolean", "description": "The id came before: counted once."},
            )
        ),
        counterparties=list_of(
            all_of(
                counterparty=TEXT,
                institution=TEXT,
                currency=TEXT,
                transactions=NUMBER,
                debit_amount=money,
                credit_amount=money,
            )
        ),
        records_read=list_of(all_of(partition=NUMBER, first_offset=NUMBER, last_offset=NUMBER)),
        alerts_without_place=NUMBER,
        transactions_why_not={
            **or_null(TEXT),
            "description": "Why the topic could not be read; null if it was.",
        },
    )


def all_of(**properties: object) -> dict[str, Any]:
    """Return an object that has just these members, all of them."""
    return {**object_of(properties, list(properties)), "additionalProperties": False}
