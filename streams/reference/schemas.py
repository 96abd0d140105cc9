"""JSON Schemas of the records on the topics, put together from what the code itself decides by.

Which fields a record has is read off a record that the engine and the codec made; what may stand
in a field comes from enums, currencies and patterns. A field without a description ends it.
"""

from collections.abc import Iterable
from typing import Any, Final

from models.teaching.terms import TERMS
from monitor.core.account import ClosedDay
from monitor.core.alert import SUPPRESSED, Alert, Kind, Status
from monitor.core.attributes import ACCOUNT_FIELDS, ACCOUNT_REQUIRED, FURTHER_MAX
from monitor.core.business_day import RFC_3339
from monitor.core.money import DECIMAL, EXPONENT
from monitor.core.threshold import Direction, Severity
from monitor.core.transaction import (
    CREDIT,
    DEBIT,
    FIELDS,
    ID_LENGTH_MAX,
    ID_PATTERN,
    PAYEE_PATTERN,
    REQUIRED,
    Origin,
    Reason,
)
from monitor.dispositions.disposition import (
    DISPOSITION_FIELDS,
    NOTE_LENGTH_MAX,
    REVISION_MAX,
    TEXT_LENGTH_MAX,
    Disposition,
)
from monitor.review.reading import Reading
from streams.reference.action_schema import action_schema, proposal_schema, task_schema
from streams.reference.completeness_schemas import completeness_schemas
from streams.reference.measured_schemas import (
    COUNT,
    DAY,
    MONEY,
    Schema,
    measured_schemas,
    noted,
    one_of,
)
from streams.reference.samples import samples
from streams.reference.systemic_schemas import left_out_schema, systemic_schemas
from streams.wire.bounded import LEFT_OUT
from streams.wire.codec import FAULT, ORIGINAL_BYTES_MAX

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


def disposition_schema() -> dict[str, Any]:
    """Return the schema, but for the dialect that it is written in."""
    text = {"type": "string", "pattern": r"\S", "maxLength": TEXT_LENGTH_MAX}
    properties: dict[str, dict[str, Any]] = {
        "alert_id": {"description": "The alert's. It is the record's key, too.", **text},
        "disposition": {
            "description": "What an analyst made of it.",
            "type": "string",
            "enum": [disposition.value for disposition in Disposition],
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
        "revision": {
            "description": "The revision of the alert that they saw; null if nobody said.",
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": REVISION_MAX,
        },
    }
    return {
        "title": "Disposition",
        "description": "What an analyst made of an alert; only ever added.",
        "type": "object",
        "properties": {name: properties[name] for name in DISPOSITION_FIELDS},
        "required": [name for name in DISPOSITION_FIELDS if name not in ("note", "revision")],
    }


DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_SIGNED: Final = {"type": "string", "pattern": "^-?[0-9]+([.][0-9]+)?$"}
_TEXT: Final = {"type": ["string", "null"]}


def record_schemas() -> dict[str, Schema]:
    """Return the schema of each sort of record, by the name of its file."""
    made = samples()
    return {
        "transaction": transaction_schema(),
        "account": account_schema(DIALECT),
        "alert": alert_schema(made.alert),
        "account-day": account_day_schema(made.closed_day),
        "rejection": rejection_schema(made.rejections),
        **systemic_schemas(DIALECT),
        **completeness_schemas(DIALECT),
        "disposition": {"$schema": DIALECT, **disposition_schema()},
        "case-action": {"$schema": DIALECT, **action_schema()},
        "limit-proposal": {"$schema": DIALECT, **proposal_schema()},
        "client-task": {"$schema": DIALECT, **task_schema()},
    }


def transaction_schema() -> Schema:
    """Return the schema of a transaction; other fields than these do not matter."""
    optional = {name: _TEXT for name in FIELDS if name not in REQUIRED}
    name = {**_TEXT, "maxLength": ID_LENGTH_MAX}
    properties: dict[str, Schema] = {
        **optional,
        "transaction_id": noted(_id(), "Its name, once in the account's open days."),
        "account_id": noted(_id(), "The account. It is the record's key, too."),
        "booked_at": noted(
            {"type": "string", "format": "date-time", "pattern": _whole(RFC_3339.pattern)},
            "When it was booked: RFC 3339 with an offset, years 1900 to 2999.",
        ),
        "amount": {
            "description": (
                "A number from 0 on, as text or as a JSON number, with at most the decimals of its"
                " currency; zeros at its end are none. It is read exactly, never through a float."
            ),
            "anyOf": [
                {"type": "string", "pattern": _whole(DECIMAL.pattern)},
                {"type": "number", "minimum": 0},
            ],
        },
        "currency": noted(
            one_of(sorted(EXPONENT)),
            "A code of ISO 4217; a withdrawn one up to the month of its withdrawal.",
        ),
        "direction": noted(one_of([DEBIT, CREDIT]), "Out of the account, or into it."),
        "counterparty_id": noted({**name, "pattern": PAYEE_PATTERN}, "Who was paid, or paid."),
        "counterparty_institution": noted(name, "The bank of the counterparty."),
        "channel": noted(name, "How: card, web, branch."),
        "segment": noted(name, "The bank's own grouping of accounts."),
        "branch": noted(name, "The branch that keeps the account."),
        "reverses": noted(
            {**name, "pattern": ID_PATTERN}, "The transaction_id that this one takes back."
        ),
    }
    properties[FAULT] = {
        "description": "Why a row of a file cannot be read. A record with it is rejected.",
        **_TEXT,
        "maxLength": 0,
    }
    about = "One booked movement of money on one account."
    return _schema("Transaction", about, _of((*FIELDS, FAULT), properties), REQUIRED)


def alert_schema(alert: Alert) -> Schema:
    """Return the schema of an alert as it is written."""
    value: Schema = {"anyOf": [MONEY, COUNT]}
    signed: Schema = {"anyOf": [_SIGNED, COUNT]}  # a net amount may be below nothing
    properties: dict[str, Schema] = {
        "alert_id": noted(
            {"type": "string", "format": "uuid"},
            "The same for the same kind, threshold, account and business day, for ever.",
        ),
        "revision": noted(
            {"type": "integer", "minimum": 1},
            "Numbers the reports of this alert_id. The greatest one holds; one that comes twice is"
            " a repetition.",
        ),
        "kind": noted(one_of([*Kind][:-1]), "The kind of alert."),  # systemic: of no account
        "status": noted(one_of(Status), "What it says now."),
        "severity": noted(one_of(Severity), "The policy's word for how much it matters."),
        "account_id": noted(_name(), "The account; the record's key, too."),
        "business_day": noted(DAY, "In the policy's time zone and cut-off."),
        "segment": noted(_TEXT, "The account-day's, when the alert was reported."),
        "threshold_id": noted({"type": "string"}, "The id of the policy's limit."),
        "direction": noted(one_of(Direction), "What the limit measures."),
        "currency": noted(
            {"enum": [*sorted(EXPONENT), None]}, "Null if transactions of all are counted."
        ),
        "value": noted(
            signed,
            "The account-day's total: money as text, else a number; of a review, its days.",
        ),
        "limit": noted(value, "The alert stands if the value is greater than this."),
        "value_before": noted(
            {"anyOf": [_SIGNED, COUNT, {"type": "null"}]}, "The value of the report before."
        ),
        "score": noted({"type": ["number", "null"]}, "A tail probability, if a model raised it."),
        "policy_version": noted({"type": "integer"}, "The version that decided."),
        "evidence": {
            "description": "The reasons, for a person; fields may be added to it.",
            "type": "object",
            "properties": {
                "totals": _totals(alert.evidence["totals"]),
                "over_by": noted(value, "Value less limit."),
                "times_limit": noted(MONEY, "Value divided by limit, two decimals."),
                "origin": _origin(),
                **measured_schemas(),
                "active_before": noted(
                    DAY, "Of a limit with `silent`: the last business day before the silence."
                ),
                **_of_review(value),
                "why": noted({"type": "string"}, "Why it is withdrawn, if no sum is the reason."),
                "model": noted({"type": "string"}, "Detector, digest of its settings, its day."),
            },
        },
        "transaction_id": noted(
            _TEXT,
            "Of the record that caused the report. Null: a policy did, or a record of another"
            " account, as when a day closes.",
        ),
        "event_time": noted({"type": "string", "format": "date-time"}, "That record's, in UTC."),
        "partition": noted(COUNT, "That record's partition of the transactions topic."),
        "offset": noted(
            {"type": "integer", "minimum": -1}, "That record's offset in the partition."
        ),
    }
    properties[SUPPRESSED] = {
        "description": "The policy suppresses the alert: nobody has to work it. Absent if not.",
        "type": "object",
        "properties": {
            "until": noted(DAY, "The last business day on which it does."),
            "reason": noted({"type": "string"}, "Why, as the policy states it."),
        },
        "required": ["until", "reason"],
    }
    money = {"kind": {"const": Kind.DAILY_AMOUNT.value}}
    schema = _schema(
        "Alert",
        "What is told of one threshold on one account-day, or of an account that is reviewed.",
        {**_of(alert.fields(), properties), LEFT_OUT: left_out_schema()},
        [name for name in alert.fields() if name != SUPPRESSED],
    )
    return schema | {
        "if": {"properties": money},
        "then": {"properties": {"value": MONEY, "limit": MONEY, "currency": {"type": "string"}}},
        "else": {
            "if": {"properties": {"kind": {"const": Kind.LIMIT.value}}},
            "then": {"properties": {"evidence": {"required": ["measured"]}}},
            "else": {"properties": {"value": COUNT, "limit": COUNT}},
        },
    }


def _origin() -> Schema:
    """Return what the evidence of a limit's alert has of the transaction that tipped the day."""
    return {
        "description": "Of a limit for many accounts: where the transaction came from and went to"
        " that took the day over it, as far as its record names it. Absent: a policy did.",
        "type": "object",
        "properties": {name: {"type": "string"} for name in Origin._fields},
    }


def _of_review(value: Schema) -> dict[str, Schema]:
    """Return what the evidence of a review has."""
    day = {
        "type": "object",
        "properties": {
            "business_day": DAY,
            "kind": noted(one_of(["breach", "near"]), "Over the limit, or just below it."),
            "threshold_id": {"type": "string"},
            "currency": {"enum": [*sorted(EXPONENT), None]},
            "value": value,
            "limit": value,
            "times_limit": {"anyOf": [MONEY, {"type": "null"}]},
        },
    }
    return {
        "days": {
            "description": "Of a review: its days, the latest last. Of an outlier: how many.",
            "anyOf": [COUNT, {"type": "array", "items": day}],
        },
        "strange_days": {
            "description": "Of an outlier: its rarest days, in order; the value is of the rarest.",
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "business_day": DAY,
                    "one_in": noted(COUNT, "One account-day in so many is as strange."),
                },
            },
        },
        "taught": _taught(),
        "breach_days": noted(COUNT, "Of a review: its days over a limit."),
        "near_days": noted(COUNT, "Of a review: its days just below a limit; each counts half."),
        "window_days": noted(COUNT, "Of a review: the business days that are looked at."),
        "grouped_days": {
            "description": "Of a review: days that a systemic alert explains; they do not count.",
            "type": "array",
            "items": DAY,
        },
        "incident_ids": {
            "description": "Of a review: the alert ids of the systemic alerts that explain them.",
            "type": "array",
            "items": {"type": "string"},
        },
        "reading": noted(one_of(Reading), "Of a review: what is more likely."),
        "reasons": {
            "description": "Why, in sentences with their numbers, the weightiest first.",
            "type": "array",
            "items": {"type": "string"},
        },
    }


def _taught() -> Schema:
    """Return what the evidence of an outlier has, where analysts teach the scores."""
    number: Schema = {"type": "number"}
    terms: dict[str, Schema] = dict.fromkeys(TERMS, number)
    weights: Schema = {"type": "object", "properties": {"score": number, **terms}}
    return {
        "description": "Of an outlier, where the policy has `taught`: what weights are learned"
        " from, and those that its score has. Terms are in standard deviations of account-days.",
        "type": "object",
        "properties": {
            "score": noted(number, "Logarithm of the evidence, before anything was taught."),
            "terms": {"type": "object", "properties": terms},
            "one_in_before": noted(COUNT, "One account-day in so many, before that."),
            "version": {"anyOf": [COUNT, {"type": "null"}]},
            "weights": {"anyOf": [weights, {"type": "null"}]},
        },
    }


def account_day_schema(closed_day: ClosedDay) -> Schema:
    """Return the schema of a closed account-day."""
    properties: dict[str, Schema] = {
        "account_id": noted(_name(), "The account; the record's key, too."),
        "business_day": noted(DAY, "The day that was closed."),
        "segment": noted(_TEXT, "Of its latest transaction that named one; else the account's."),
        "branch": noted(_TEXT, "The account's, by the accounts topic."),
        "product": noted(_TEXT, "The account's, by the accounts topic."),
        "peer_group": noted(_TEXT, "The models' group of its account when the day began."),
        "totals": _totals(closed_day.fields()["totals"]),
        "breaches": {
            "description": "The ids of the limits that it is over, as it closed.",
            "type": "array",
            "items": {"type": "string"},
            "uniqueItems": True,
        },
        "policy_version": noted({"type": "integer"}, "The version that decided."),
        "score": noted({"type": ["number", "null"]}, "A tail probability, if a model raised it."),
    }
    fields = closed_day.fields()
    about = "What one account did on one business day, when the watermark closed it."
    described = {**_of(fields, properties), LEFT_OUT: left_out_schema()}
    return _schema("Account-day", about, described, fields)


def rejection_schema(rejections: list[dict[str, Any]]) -> Schema:
    """Return the schema of a rejection; where it stands is on a topic, or in a file."""
    original = {"type": "string", "contentEncoding": "base64"}
    length = {"type": ["integer", "null"], "minimum": 0}
    digest = {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"}
    beginning = f"its first {ORIGINAL_BYTES_MAX:,} bytes"
    properties: dict[str, Schema] = {
        "reason": noted(one_of(Reason), "The first that holds, in this order."),
        "detail": noted({"type": "string"}, "What exactly was wrong, for a person."),
        "topic": noted({"type": "string"}, "Where it stands."),
        "partition": COUNT,
        "offset": COUNT,
        "file": noted({"type": "string"}, "The file that it stands in, of a replay."),
        "row": noted({"type": "integer", "minimum": 1}, "1 is the first below the header."),
        "key": noted(_TEXT, f"The record's key: {beginning}."),
        "key_base64": noted(original, "The same of a key that is not UTF-8."),
        "key_bytes": noted(length, "The length of the whole key."),
        "key_sha256": noted(digest, "SHA-256 of the whole key."),
        "record": noted(_TEXT, f"The record itself, as it came: {beginning}."),
        "record_base64": noted(original, "The same of a record that is not UTF-8."),
        "record_bytes": noted(length, "The length of the whole record."),
        "record_sha256": noted(digest, "SHA-256 of the whole record."),
    }
    names = dict.fromkeys(name for rejection in rejections for name in rejection)
    always = [name for name in names if all(name in rejection for rejection in rejections)]
    schema = _schema("Rejection", "A record that was rejected.", _of(names, properties), always)
    places = [["topic", "partition", "offset"], ["file", "row"]]
    return schema | {
        "allOf": [
            {"oneOf": [{"required": place} for place in places]},
            {"oneOf": [{"required": [name]} for name in ("key", "key_base64")]},
            {"oneOf": [{"required": [name]} for name in ("record", "record_base64")]},
        ]
    }


def _totals(sample: Any) -> Schema:  # noqa: ANN401 - what `day_totals` made
    (of_a_currency,) = sample
    properties: dict[str, Schema] = {
        "currency": one_of(sorted(EXPONENT)),
        "debit_count": COUNT,
        "debit_amount": MONEY,
        "credit_count": COUNT,
        "credit_amount": MONEY,
    }
    return {
        "description": "The day's own totals, one entry a currency.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": _of(of_a_currency, properties),
            "required": list(of_a_currency),
        },
    }


def _schema(
    title: str, about: str, properties: dict[str, Schema], required: Iterable[str]
) -> Schema:
    return {
        "$schema": DIALECT,
        "title": title,
        "description": about,
        "type": "object",
        "properties": properties,
        "required": list(required),
    }


def _of(names: Iterable[str], properties: dict[str, Schema]) -> dict[str, Schema]:
    """Return the properties of the names, in their order; every name must be described."""
    return {name: properties[name] for name in names}


def _name() -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": ID_LENGTH_MAX}


def _id() -> Schema:
    return {**_name(), "pattern": ID_PATTERN}


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"
