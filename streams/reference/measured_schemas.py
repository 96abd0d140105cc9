"""Schemas of what the evidence of a limit on a gauge has: what was measured, and what it is of."""

from collections.abc import Iterable
from typing import Any, Final

from monitor.core.threshold import LIMIT_MEASURES
from monitor.gauges.gauge import Party
from monitor.gauges.telling import EVERY_CURRENCY, NAMES_SAID

Schema = dict[str, Any]

MONEY: Final = {"type": "string", "pattern": "^[0-9]+([.][0-9]+)?$"}
COUNT: Final = {"type": "integer", "minimum": 0}
DAY: Final = {"type": "string", "format": "date"}


def noted(schema: Schema, text: str) -> Schema:
    """Return a schema with a description."""
    return {"description": text, **schema}


def one_of(values: Iterable[str]) -> Schema:
    """Return the schema of one of some texts."""
    return {"type": "string", "enum": [str(value) for value in values]}


def measured_schemas() -> dict[str, Schema]:
    """Return the schemas of the fields, by their names."""
    return {
        "measured": _measured(),
        "share": _share(),
        "usual": _usual(),
        "converted": _converted(),
        "near": _near(),
    }


def _measured() -> Schema:
    """Return what the evidence of a limit on a gauge has of what was measured."""
    moment: Schema = {"type": "string", "format": "date-time"}
    return {
        "description": "Of a limit on more than a day's amount or count: what was measured.",
        "type": "object",
        "properties": {
            "measure": one_of(LIMIT_MEASURES),
            "period": noted(
                {"type": "string"}, "`day`, `week`, `month`, or the length of a window: `24h`."
            ),
            "from": noted(moment, "In UTC. A window begins after it, all else with it."),
            "to": noted(moment, "In UTC. A window ends with it, all else before it."),
            "currency": noted(
                {"const": EVERY_CURRENCY}, "All, each converted to the alert's; absent of others."
            ),
            "of": noted(one_of(Party), "Whom a `distinct` counts, or whose `share` it is."),
            "usual": noted(COUNT, "Of how many days a `ratio` has its usual."),
            "near": {
                "description": "Of a `near`: which sums of a day count, both included, and over how"
                " many `days`; absent if the period says it.",
                "type": "object",
                "properties": {"from": MONEY, "to": MONEY, "days": COUNT},
            },
            "silent": noted({"type": "string"}, "The silence before it, as the policy has it."),
            "per": noted({"type": "object"}, "Whose part of the account was measured."),
            "where": noted(
                {"type": "object"},
                "The filter, as the policy states it; of more than"
                f" {NAMES_SAID} names of a part how many, and their SHA-256.",
            ),
            "holidays": noted(
                {"type": "array", "items": DAY},
                "With a filter by holidays: those of the business days that were measured.",
            ),
        },
    }


def _converted() -> Schema:
    """Return what the evidence of a limit on all currencies has of its sum."""
    day: Schema = {
        "type": "object",
        "properties": {
            "business_day": DAY,
            "amount": MONEY,
            "rate": noted(
                {"type": ["string", "null"]}, "Units of the currency for one of the base, or null."
            ),
            "rate_of": noted(
                {"anyOf": [DAY, {"type": "null"}]}, "Of which day that rate is published."
            ),
            "converted": noted(
                {"anyOf": [MONEY, {"type": "null"}]}, "In the base, rounded half up."
            ),
        },
    }
    amount: Schema = {
        "type": "object",
        "properties": {
            "currency": {"type": "string"},
            "amount": MONEY,
            "days": {"type": "array", "items": day},
        },
    }
    return {
        "description": "Of a limit on all currencies: what of its amounts is in which currency, on"
        " which business day, and at which rate. The value is the sum of what was `converted`.",
        "type": "object",
        "properties": {
            "base": noted({"type": "string"}, "The currency of the sum."),
            "sum": MONEY,
            "amounts": {"type": "array", "items": amount},
            "policy_versions": noted(
                {"type": "array", "items": {"type": "integer"}}, "Those whose rates were asked for."
            ),
            "without_rate": noted(
                {"type": "array", "items": {"type": "string"}},
                "Currencies and business days without a rate, which are not in the sum; or absent.",
            ),
        },
    }


def _usual() -> Schema:
    """Return what the evidence of a limit on a ratio has of the usual."""
    return {
        "description": "Of a limit on a ratio: the sum of the day (`amount`), and of which `days`"
        " the usual is: how many, the first and the last, their `sum`, and its mean, rounded.",
        "type": "object",
        "properties": {
            "amount": MONEY,
            "days": COUNT,
            "from": DAY,
            "to": DAY,
            "sum": MONEY,
            "mean": MONEY,
        },
    }


def _near() -> Schema:
    """Return what the evidence of a limit on days near another limit has of them."""
    return {
        "description": "Of a limit on days near another one: these days, and the sum of each.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"business_day": DAY, "amount": MONEY},
        },
    }


def _share() -> Schema:
    """Return what the evidence of a limit on a share has of it."""
    return {
        "description": "Of a limit on a share: whose it is, that amount, and the sum it is of.",
        "type": "object",
        "properties": {
            **{party.value: {"type": "string"} for party in Party},
            "amount": MONEY,
            "of": MONEY,
        },
    }
