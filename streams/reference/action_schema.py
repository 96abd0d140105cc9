"""The schemas of what people do with alerts (but for dispositions), proposals, and tasks."""

from typing import Any, Final

from monitor.core.business_day import RFC_3339
from monitor.dispositions.disposition import (
    NOTE_LENGTH_MAX,
    REVISION_MAX,
    TEXT_LENGTH_MAX,
    Disposition,
)
from monitor.store.proposals import STEP_DETAILS, StepKind
from monitor.store.standing import DETAILS, NEEDED, Does
from monitor.store.work.tasks import TASK_TEXTS, TaskDoes, TaskKind

_TEXT: Final = {"type": "string", "pattern": r"\S", "maxLength": TEXT_LENGTH_MAX}
_NOTE: Final = {**_TEXT, "maxLength": NOTE_LENGTH_MAX}
_TIME: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": f"^(?:{RFC_3339.pattern})$",
}


def action_schema() -> dict[str, Any]:
    """Return the schema, but for the dialect that it is written in."""
    properties: dict[str, dict[str, Any]] = {
        "alert_id": {"description": "The alert's. It is the record's key, too.", **_TEXT},
        "action": {
            "description": "What was done.",
            "type": "string",
            "enum": [does.value for does in Does],
        },
        "by": {"description": "Who.", **_TEXT},
        "at": {"description": "When.", **_TIME},
        "revision": {
            "description": "The revision of the alert that they saw; null if nobody said.",
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": REVISION_MAX,
        },
    }
    return {
        "title": "Case action",
        "description": "What a person did with an alert, through the console; only ever added.",
        "type": "object",
        "properties": properties,
        "required": ["alert_id", "action", "by", "at"],
        "allOf": [
            {
                "if": {"properties": {"action": {"const": does.value}}, "required": ["action"]},
                "then": _detail_schema(does),
            }
            for does in Does
        ],
    }


_DETAILS: Final[dict[str, dict[str, Any]]] = {
    "disposition": {
        "description": "What they made of it.",
        "type": "string",
        "enum": [disposition.value for disposition in Disposition],
    },
    "note": {"description": "Why, in words.", **_NOTE},
    "assignee": {"description": "Who is to work it.", **_TEXT},
    "until": {"description": "When it is open again.", **_TIME},
}


def _detail_schema(does: Does) -> dict[str, Any]:
    """Return what belongs to an action: what must be there, and what may be there or be null."""
    needed = [name for name in DETAILS[does] if (name, does) in NEEDED]
    properties = {
        name: _DETAILS[name] if name in needed else {"anyOf": [{"type": "null"}, _DETAILS[name]]}
        for name in DETAILS[does]
    }
    return {"properties": properties, "required": needed}


# -- proposals of other limits ---------------------------------------------------------------------

_VERSION: Final = {"type": "integer", "minimum": 1}

_ABOUT: Final[dict[str, dict[str, Any]]] = {
    "threshold_id": {"description": "The limit.", **_TEXT},
    "above": {"description": "What it is to be: money as decimal text, or a count.", **_TEXT},
    "effective_from": {"description": "From which business day on (YYYY-MM-DD).", **_TEXT},
    "policy_sha256": {"description": "Of the text of the policy that comes of it.", **_TEXT},
    "base_version": {"description": "The version of the policy that it changes.", **_VERSION},
    "version": {"description": "The version that it makes.", **_VERSION},
}


def proposal_schema() -> dict[str, Any]:
    """Return the schema, but for the dialect that it is written in."""
    needed = {
        step: [*names, *(("base_version", "version") if step is StepKind.PROPOSE else ())]
        for step, names in STEP_DETAILS.items()
    }
    return {
        "title": "Proposal of a limit",
        "description": (
            "What a person did with a proposal of another limit, through the console; only ever"
            " added. The first decision holds; whoever proposed it cannot approve it."
        ),
        "type": "object",
        "properties": {
            "proposal_id": {"description": "The proposal's. It is the record's key, too.", **_TEXT},
            "action": {
                "description": "What was done.",
                "type": "string",
                "enum": [step.value for step in StepKind],
            },
            "by": {"description": "Who.", **_TEXT},
            "at": {"description": "When.", **_TIME},
            "note": {"description": "Why, in words.", **_NOTE, "type": ["string", "null"]},
        },
        "required": ["proposal_id", "action", "by", "at"],
        "allOf": [
            {
                "if": {"properties": {"action": {"const": step.value}}, "required": ["action"]},
                "then": {
                    "properties": {name: _ABOUT[name] for name in names},
                    "required": names,
                },
            }
            for step, names in needed.items()
        ],
    }


# -- tasks with clients ----------------------------------------------------------------------------

_OF_TASK: Final[dict[str, dict[str, Any]]] = {
    "task": {
        "description": "What is to be done: a step of service recovery, or an offer.",
        "type": "string",
        "enum": [kind.value for kind in TaskKind],
    },
    "account_id": {"description": "The client's account.", **_TEXT},
    "due": {
        "description": "By which day (YYYY-MM-DD).",
        "type": "string",
        "format": "date",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    },
}
_TASK_TEXTS: Final = {
    "alert_id": "The alert that it follows from.",
    "assignee": "Who is to do it.",
    "tier": "The account's tier of service.",
    "adviser": "The account's adviser.",
}


def task_schema() -> dict[str, Any]:
    """Return the schema, but for the dialect that it is written in."""
    texts = {
        name: {"description": _TASK_TEXTS[name], **_TEXT, "type": ["string", "null"]}
        for name in TASK_TEXTS
    }
    return {
        "title": "Task with a client",
        "description": (
            "What a person did with a task, through the console; only ever added. The first end of"
            " a task holds."
        ),
        "type": "object",
        "properties": {
            "task_id": {"description": "The task's. It is the record's key, too.", **_TEXT},
            "action": {
                "description": "What was done.",
                "type": "string",
                "enum": [does.value for does in TaskDoes],
            },
            "by": {"description": "Who.", **_TEXT},
            "at": {"description": "When.", **_TIME},
            "note": {"description": "Why, in words.", **_NOTE, "type": ["string", "null"]},
        },
        "required": ["task_id", "action", "by", "at"],
        "if": {"properties": {"action": {"const": TaskDoes.OPEN.value}}, "required": ["action"]},
        "then": {"properties": {**_OF_TASK, **texts}, "required": list(_OF_TASK)},
    }
