"""The JSON Schema of an account's record, from the same names and bounds as it is read by."""

from typing import Any, Final

from monitor.core.attributes import ACCOUNT_FIELDS, ACCOUNT_REQUIRED, FURTHER_MAX
from monitor.core.transaction import ID_LENGTH_MAX, ID_PATTERN

_NAME: Final = {"type": ["string", "null"], "maxLength": ID_LENGTH_MAX}

_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "account_id": {
        "description": "The account. It is the record's key, too.",
        "type": "string",
        "minLength": 1,
        "maxLength": ID_LENGTH_MAX,
        "pattern": ID_PATTERN,
    },
    "segment": {
        "description": "The bank's own grouping, where its transactions name none.",
        **_NAME,
    },
    "branch": {"description": "The branch that keeps the account.", **_NAME},
    "product": {"description": "What sort of account it is.", **_NAME},
    "opened": {
        "description": "The day on which it was opened; a time of day may follow.",
        "type": ["string", "null"],
        "pattern": "^(?:|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].*)?)$",
    },
}


def account_schema(dialect: str) -> dict[str, Any]:
    """Return the schema of an account's record; other fields than these do not matter."""
    free = {
        "description": "Free attributes: texts by name.",
        "type": ["object", "null"],
        "maxProperties": FURTHER_MAX,
        "propertyNames": {"maxLength": ID_LENGTH_MAX},
        "additionalProperties": {"type": ["string", "null"]},
    }
    return {
        "$schema": dialect,
        "title": "Account",
        "description": "What the bank says of one account; a record without a value forgets it.",
        "type": "object",
        "properties": {**{name: _FIELDS[name] for name in ACCOUNT_FIELDS}, "attributes": free},
        "required": list(ACCOUNT_REQUIRED),
    }
