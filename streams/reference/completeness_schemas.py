"""Schemas of the completeness topic: counts by the hour, and notices of late decisions."""

from typing import Any, Final

Schema = dict[str, Any]

_COUNT: Final = {"type": "integer", "minimum": 0}
_TIME: Final = {"type": "string", "format": "date-time"}
_PLACE: Final[dict[str, Schema]] = {
    "partition": {"description": "Of the transactions topic.", **_COUNT},
    "term": {
        "description": "Grows each time that a worker begins with the partition. Of two records"
        " with one key the one of the greater term holds, and of these the later one.",
        **_COUNT,
    },
}


def completeness_schemas(dialect: str) -> dict[str, Schema]:
    """Return both, by the names of their files."""
    made = {"counted-hour": counted_hour_schema(), "not-monitored": not_monitored_schema()}
    return {name: {"$schema": dialect, **schema} for name, schema in made.items()}


def counted_hour_schema() -> Schema:
    """Return the schema of what the records of a partition that were written in an hour came to."""
    return _object(
        "Counts of an hour",
        "The records of a partition that were written in an hour, by what became of them: received"
        " is decided, rejected and skipped. Records of one hour add up, one for each `offset`.",
        {
            "kind": {"const": "hour"},
            **_PLACE,
            "hour": {"description": "By the records' Kafka timestamps, in UTC.", **_TIME},
            "offset": {"description": "Of the first record that is counted here.", **_COUNT},
            "next_offset": {"description": "Behind the last one.", **_COUNT},
            "received": _COUNT,
            "decided": {
                "description": "Accepted, or a reversal that waits for what it takes back.",
                **_COUNT,
            },
            "rejected": {
                "description": "On the rejections topic, too. A reversal that waited in vain is"
                " counted as decided.",
                **_COUNT,
            },
            "skipped": {"description": "State included them already, after a crash.", **_COUNT},
            "counted_from": {
                "description": "From this offset on, every record of the partition is counted.",
                **_COUNT,
            },
            "counted_to": {"description": "Up to before this offset.", **_COUNT},
            "records": {
                "description": "How many records that are. The other offsets are markers, aborted"
                " records, or records that the topic lost before they were read.",
                **_COUNT,
            },
        },
    )


def not_monitored_schema() -> Schema:
    """Return the schema of a notice that records were decided late."""
    return _object(
        "Not monitored for a while",
        "Records of a partition that were decided later than WEIR_NOT_MONITORED_SECONDS after they"
        " were written; told once they are caught up with.",
        {
            "kind": {"const": "not-monitored"},
            **_PLACE,
            "offset": {"description": "Of the first of them.", **_COUNT},
            "next_offset": {"description": "Behind the last one.", **_COUNT},
            "records": {"description": "How many were late.", **_COUNT},
            "accounts": {"description": "How many different keys these records have.", **_COUNT},
            "written_from": {"description": "When the earliest was written.", **_TIME},
            "written_to": {"description": "When the latest was written.", **_TIME},
            "decided_from": {"description": "When the first was decided.", **_TIME},
            "decided_to": {"description": "When the last was decided.", **_TIME},
            "late_after_seconds": {"description": "The threshold.", "type": "number"},
        },
    )


def _object(title: str, about: str, properties: dict[str, Schema]) -> Schema:
    return {
        "title": title,
        "description": about,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
