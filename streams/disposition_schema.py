"""The JSON Schema of a disposition."""

from typing import Any

from monitor.core.business_day import RFC_3339
from monitor.disposition import (
    DISPOSITION_FIELDS,
    NOTE_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    Disposition,
)


def disposition_schema() -> dict[str, Any]:
    """Return the schema, but for the dialect that it is written in."""
    text = {"type": "string", "pattern": r"\S", "maxLength": TEXT_LENGTH_MAX}
    properties: dict[str, dict[str, Any]] = {
        "alert_id": {"description": "The alert's. It is the record's key, too.", **text},
        "disposition": {
            "description": "What an analyst made of it.",
            "type": "string",
            "enum": [one.value for one in Disposition],
        },
        "by": {"description": "Who.", **text},
        "at": {
            "description": "When. Of several of one alert, the latest holds.",
            "type": "string",
            "format": "date-time",
            "pattern": f"^(?:{RFC_3339.pattern})$",
        },
        "note": {
            "description": "Why, in words.",
            "anyOf": [{"type": "null"}, {**text, "maxLength": NOTE_LENGTH_MAX}],
        },
    }
    return {
        "title": "Disposition",
        "description": "What an analyst made of an alert; only ever added.",
        "type": "object",
        "properties": {name: properties[name] for name in DISPOSITION_FIELDS},
        "required": [name for name in DISPOSITION_FIELDS if name != "note"],
    }
