"""An AsyncAPI 3.0 document of the topics: which records are on them, by which key and headers.

Names, partitions and configuration are those that `weir check --create-topics` makes with the
default settings; the records are those of `streams/reference/schemas.py`.
"""

from importlib.metadata import version
from typing import Any, Final, NamedTuple

from streams.kafka.admin import TopicSpec
from streams.reference.measured_schemas import Schema
from streams.reference.samples import samples
from streams.settings import settings_of
from streams.topics.catalog import Topics, topic_specs
from streams.wire import codec

JSON: Final = "application/json"
SCHEMA_FORMAT: Final = "application/schema+json;version=draft-07"
"""As the specification has it for JSON Schema. The schemas use nothing that came after draft 07,
so that they are read alike by it and by the 2020-12 dialect that they name."""


class Described(NamedTuple):
    """What a topic is for, and what its records are: `schema` is the name of a file."""

    topic: str  # the field of `Topics`
    message: str
    schema: str | None
    key: str
    about: str
    is_read: bool
    also: str | None = None  # another message that is on the topic, described with its own


_DESCRIBED: Final = (
    Described(
        "transactions", "transaction", "transaction", "The account_id.",
        "The monitored transactions. Weir commits an offset when all output of the record"
        " is kept.", is_read=True,
    ),
    Described(
        "policy", "policyVersion", None, "The version's number, as text.",
        "Policy versions, one TOML document a record (docs/policy.md). Every worker reads all of"
        " it.", is_read=True,
    ),
    Described(
        "weights", "weightsVersion", None, "The version's number and the SHA-256.",
        "Versions of the weights that analysts' dispositions taught, one JSON object a record."
        " Every worker reads all of it; of one number the first holds.", is_read=True,
    ),
    Described(
        "accounts", "account", "account", "The account_id.",
        "The attributes of accounts: segment, branch, product. A worker reads all records"
        " of its partitions; the last record of an account holds.", is_read=True,
    ),
    Described(
        "alerts", "alert", "alert", "The account_id.",
        "Alerts about account-days, and about many of them at once. A record may come"
        " twice after a crash: the same alert_id and revision are the same alert.", is_read=False,
        also="systemicAlert",
    ),
    Described(
        "rejections", "rejection", "rejection", "The key of the rejected record.",
        "Rejected records, with the reason and their own bytes. One may come twice after"
        " a crash: the same partition and offset are the same rejection.", is_read=False,
    ),
    Described(
        "account_days", "accountDay", "account-day", "The account_id.",
        "Account-days as they closed. One may come twice after a crash: the same account and day"
        " are the same account-day.", is_read=False,
    ),
    Described(
        "segment_days", "segmentDay", "segment-day", "The segment; empty for none.",
        "Sums of each segment on a closed day, from each partition. One may"
        " come twice after a crash: of the same partition, day and segment the first holds.",
        is_read=True,
    ),
    Described(
        "systemic", "systemicAlert", "systemic-alert", "The alert_id.",
        "The last report of each systemic alert. Workers read all of it: reviews leave out the"
        " days that it explains.", is_read=True,
    ),
    Described(
        "completeness", "countedHour", "counted-hour", "PARTITION:HOUR:OFFSET.",
        "What the records of each partition and hour came to, and notices of records that were"
        " decided late (schemas/not-monitored.json). Compacted: of records with one key the one of"
        " the greatest `term` holds.", is_read=False,
    ),
    Described(
        "dispositions", "disposition", "disposition", "The alert_id.",
        "What analysts made of alerts; only ever added. Of several of one alert, the latest `at`"
        " holds. Rules are learned from them.", is_read=True,
    ),
    Described(
        "cases", "caseAction", "case-action", "The alert_id.",
        "What people did with alerts in the console besides disposing of them; only ever added. A"
        " record may come twice: the same content is the same action. Records with a"
        " `proposal_id` are proposals of other limits (schemas/limit-proposal.json), those"
        " with a `task_id` tasks with clients (schemas/client-task.json).", is_read=True,
    ),
)  # fmt: skip


def asyncapi() -> dict[str, Any]:
    """Return the document."""
    settings = settings_of({}, broker="localhost:9092")
    topics = Topics.of(settings)
    specs = {spec.name: spec for spec in topic_specs(settings)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Weir",
            "version": version("weir-monitor"),
            "description": (
                "A streaming transaction monitor. Topics begin with WEIR_TOPIC_PREFIX and have"
                " WEIR_PARTITIONS partitions; here are the defaults. The changelog topic is Weir's"
                " own and no interface."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": JSON,
        "servers": {
            "kafka": {"host": settings.broker, "protocol": "kafka", "description": "WEIR_BROKER"}
        },
        "channels": {
            channel.topic: _channel(
                channel, specs[getattr(topics, channel.topic)], settings.replication
            )
            for channel in _DESCRIBED
        },
        "operations": {_operation_name(channel): _operation(channel) for channel in _DESCRIBED},
        "components": {"messages": {channel.message: _message(channel) for channel in _DESCRIBED}},
    }


def _channel(described: Described, spec: TopicSpec, replicas: int) -> dict[str, Any]:
    binding: dict[str, Any] = {
        "topic": spec.name, "partitions": spec.partitions, "replicas": replicas,
    }  # fmt: skip
    configuration: dict[str, Any] = {}
    for name, text in spec.config.items():
        configuration[name] = [text] if name == "cleanup.policy" else int(text)
    if configuration:
        binding["topicConfiguration"] = configuration
    return {
        "address": spec.name,
        "description": described.about,
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in _messages_of(described)
        },
        "bindings": {"kafka": {**binding, "bindingVersion": "0.5.0"}},
    }


def _messages_of(described: Described) -> list[str]:
    return [described.message, *([described.also] if described.also else [])]


def _operation_name(described: Described) -> str:
    verb, message = "receive" if described.is_read else "send", described.message
    return f"{verb}{message[0].upper()}{message[1:]}"


def _operation(described: Described) -> dict[str, Any]:
    channel = f"#/channels/{described.topic}"
    return {
        "action": "receive" if described.is_read else "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _messages_of(described)],
    }


def _message(described: Described) -> dict[str, Any]:
    message: dict[str, Any] = {"name": described.message}
    headers = _headers(described)
    if headers:
        message["headers"] = headers
    if described.schema is None:
        message["contentType"] = "application/toml"
        message["payload"] = {"type": "string"}
    else:
        message["contentType"] = JSON
        message["payload"] = {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": {"$ref": f"schemas/{described.schema}.json"},
        }
    key = {"type": "string", "description": described.key}
    message["bindings"] = {"kafka": {"key": key, "bindingVersion": "0.5.0"}}
    return message


def _headers(described: Described) -> Schema | None:
    if described.message in {"alert", "systemicAlert"}:
        headers = {name: value.decode() for name, value in codec.alert_record(samples().alert)[1]}
        return {
            "type": "object",
            "description": "CloudEvents 1.0, binary mode of its Kafka binding.",
            "properties": {
                name: {"type": "string", "examples": [value]} for name, value in headers.items()
            },
            "required": list(headers),
        }
    return None
