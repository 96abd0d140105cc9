"""The schema of what people do with alerts, but for dispositions."""

from typing import Any, Final

from monitor.core.business_day import RFC_3339
from monitor.dispositions.disposition import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX, Disposition
from monitor.store.standing import DETAILS, NEEDED, Does

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
