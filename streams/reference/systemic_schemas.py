"""Schemas of segment-days and of systemic alerts.

Every field that is written is described here, and no other: a test holds them against records.
"""

from typing import Any, Final

from monitor.core.alert import Kind, Status
from monitor.core.threshold import Severity
from monitor.core.transaction import Reason
from monitor.systemic.alert import Verdict
from monitor.systemic.incidents import MEMBERS_MAX
from monitor.systemic.segment_day import CAUSE_TYPES
from streams.wire.bounded import LEFT_OUT

Schema = dict[str, Any]

_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXT: Final = {"type": ["string", "null"]}
_NUMBER: Final = {"type": ["number", "null"]}
_DAY: Final = {"type": "string", "format": "date"}


def systemic_schemas(dialect: str) -> dict[str, Schema]:
    """Return both, by the names of their files."""
    made = {"segment-day": segment_day_schema(), "systemic-alert": systemic_alert_schema()}
    return {name: {"$schema": dialect, **schema} for name, schema in made.items()}


def segment_day_schema() -> Schema:
    """Return the schema of what one partition tells of one segment on one day."""
    properties: dict[str, Schema] = {
        "partition": {"description": "Of the transactions topic.", **_COUNT},
        "segments": {
            "description": "How many records the partition writes of this day, one for each"
            " segment (several for one that is large): so a reader knows when it has all.",
            "type": "integer",
            "minimum": 1,
        },
        "part": {
            "description": "0, and 1, 2, ... for the further records of a large segment-day: the"
            " counts of all its records add up.",
            **_COUNT,
        },
        "business_day": {"description": "The day that closed.", **_DAY},
        "segment": {"description": "Null: account-days without one.", **_TEXT},
        "account_days": {"description": "Accounts with a transaction that stands.", **_COUNT},
        "limits": {
            "description": "Each limit that watched account-days of the segment.",
            "type": "array",
            "items": _object(
                {
                    "threshold_id": {"type": "string"},
                    "above": {"description": "Minor units, or transactions.", **_COUNT},
                    "breaches": {"description": "Account-days over it.", **_COUNT},
                    "values": _object(
                        {
                            "relative_error": {"type": "number"},
                            "buckets": {"type": "array", "items": _COUNT},
                            "counts": {"type": "array", "items": _COUNT},
                        }
                    ),
                    "causes": _counts("type", list(CAUSE_TYPES), "value"),
                    "accounts": {
                        "description": "Some of the accounts over it, by id, each with the origin"
                        " of the transaction that took it over: so that an incident can name"
                        " members. At most 128 KiB of them in a record.",
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                name: {"type": "string"} for name in ("account_id", *CAUSE_TYPES)
                            },
                            "required": ["account_id"],
                        },
                    },
                }
            ),
        },
        "known": {"description": "Accounts whose usual the models know.", **_COUNT},
        "hot": {"description": "Those of them that are far above it.", **_COUNT},
        "hot_payers": _counts("type", [CAUSE_TYPES[0]], "value"),
        "rejections": _counts("reason", [reason.value for reason in Reason], "branch"),
    }
    return {
        "title": "Segment-day",
        "description": "What the accounts of one segment did on one business day, in one partition."
        " Those of all partitions add up.",
        **_object(properties),
    }


def systemic_alert_schema() -> Schema:
    """Return the schema of an alert of many account-days at once."""
    money_or_count = {"anyOf": [{"type": "string"}, _COUNT, {"type": "null"}]}
    properties: dict[str, Schema] = {
        "alert_id": {"type": "string", "format": "uuid"},
        "revision": {"type": "integer", "minimum": 1},
        "kind": {"const": Kind.SYSTEMIC.value},
        "status": {"type": "string", "enum": [status.value for status in Status]},
        "severity": {"type": "string", "enum": [severity.value for severity in Severity]},
        "account_id": {"description": "It is of no account.", "type": "null"},
        "business_day": {"description": "The day that was decided on last.", **_DAY},
        "segment": {"description": "Null: all segments.", **_TEXT},
        "threshold_id": {"description": "The limit, where it is about one.", **_TEXT},
        "verdict": {"type": "string", "enum": [verdict.value for verdict in Verdict]},
        "cause": {
            "description": "What the account-days have in common.",
            "anyOf": [
                _object(
                    {
                        "type": {"type": "string"},
                        "value": {"type": "string"},
                        "lift": {"description": "Times its usual share.", "type": "number"},
                        "share": {"type": "number"},
                        "fdr": {"description": "Bound on false discoveries.", "type": "number"},
                    }
                ),
                {"type": "null"},
            ],
        },
        "limit_ratio": {
            "description": "The limit over the one that history, or the breach budget, sets.",
            **_NUMBER,
        },
        "suggested_limit": {
            "description": "Money as text, or a number; null if too few account-days tell.",
            **money_or_count,
        },
        "decided_by": _object({"name": {"type": "string"}, "number": {"type": "number"}}),
        "grouped": {
            "description": "Account alerts of limits that it explains: reviews leave them out, and"
            " no others.",
            **_COUNT,
        },
        "members": {
            "description": "The ids of the first of them, at most 100.",
            "type": "array",
            "items": {"type": "string", "format": "uuid"},
            "maxItems": MEMBERS_MAX,
        },
        "members_total": {"description": "As many as `grouped`.", **_COUNT},
        "policy_version": {"type": "integer"},
        LEFT_OUT: left_out_schema(),
        "evidence": {
            "description": "What a person needs to see why; fields may be added to it.",
            "type": "object",
            "properties": {
                "days": {"description": "All its days.", "type": "array", "items": _DAY},
                "breach_budget": {
                    "description": "Of a limit that is off its budget: the share of account-days"
                    " that may be over it, as the policy states it.",
                    "type": "number",
                },
                "share": {"description": "The share that was over it.", "type": "number"},
                "breaches_counted": {"description": "Account-days over it.", **_COUNT},
                "account_days": {"description": "Account-days that were counted.", **_COUNT},
                "days_counted": {"description": "On so many days.", **_COUNT},
                "absent": {
                    "description": "Partitions that were silent, so that days were decided without"
                    " them: none of their alerts is explained.",
                    "type": "array",
                    "items": _object(
                        {"business_day": _DAY, "partitions": {"type": "array", "items": _COUNT}}
                    ),
                },
            },
            "required": ["days"],
        },
        "event_time": {
            "description": "The end of the business day, in UTC.",
            "type": "string",
            "format": "date-time",
        },
    }
    return {
        "title": "Systemic alert",
        "description": "What so many account-days at once mean. It groups account alerts, and"
        " hides none.",
        **_object(properties),
    }


def _object(properties: dict[str, Schema]) -> Schema:
    always = [name for name in properties if name != LEFT_OUT]
    return {"type": "object", "properties": properties, "required": always}


def _counts(first: str, among: list[str], second: str) -> Schema:
    return {
        "type": "array",
        "items": _object(
            {
                first: {"type": "string", "enum": among},
                second: {"type": "string"},
                "count": {"type": "integer", "minimum": 1},
            }
        ),
    }


def left_out_schema() -> Schema:
    """Return the schema of the field that counts what a record leaves out, because it is long."""
    return {
        "description": "Only in a record that would outgrow its topic: how many items of its lists"
        " and characters of its texts are left out.",
        "type": "object",
        "properties": {"items": _COUNT, "characters": _COUNT},
    }
