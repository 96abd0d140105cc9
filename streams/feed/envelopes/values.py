"""Values of Debezium and Kafka Connect as texts: decimals of bytes, days and times of numbers.

No amount is ever a float: a decimal is an unscaled whole number and its scale.

>>> text_of("BM4=", LeafType("bytes", DECIMAL, 2), "after.amount")
'12.30'
>>> text_of("1767603600000000", LeafType("int64", "io.debezium.time.MicroTimestamp"), "after.at")
'2026-01-05T09:00:00'
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

DECIMAL: Final = "org.apache.kafka.connect.data.Decimal"
VARIABLE_DECIMAL: Final = "io.debezium.data.VariableScaleDecimal"
"""Logical types of Kafka Connect: unscaled bytes whose scale the schema has, or the value."""

SCALE_MAX: Final = 100
DECIMAL_BYTES_MAX: Final = 64
"""Bounds of a decimal: no record may make a number of a million digits."""

UNITS: Final = {
    "days": 86_400_000_000_000,
    "milliseconds": 1_000_000,
    "microseconds": 1000,
    "nanoseconds": 1,
}
"""Nanoseconds of each unit in which times are counted since 1970."""

TIME_TYPES: Final[Mapping[str, str]] = {
    "io.debezium.time.Date": "days",
    "io.debezium.time.Timestamp": "milliseconds",
    "io.debezium.time.MicroTimestamp": "microseconds",
    "io.debezium.time.NanoTimestamp": "nanoseconds",
    "org.apache.kafka.connect.data.Date": "days",
    "org.apache.kafka.connect.data.Timestamp": "milliseconds",
    "date": "days",
    "local-timestamp-millis": "milliseconds",
    "local-timestamp-micros": "microseconds",
    "local-timestamp-nanos": "nanoseconds",
}
"""Logical types that count since 1970, by the clock on the wall: the map says in which zone."""

OF_DAY_TYPES: Final[Mapping[str, str]] = {
    "io.debezium.time.Time": "milliseconds",
    "io.debezium.time.MicroTime": "microseconds",
    "io.debezium.time.NanoTime": "nanoseconds",
    "org.apache.kafka.connect.data.Time": "milliseconds",
    "time-millis": "milliseconds",
    "time-micros": "microseconds",
}
"""Logical types that count since midnight."""

INSTANT_TYPES: Final[Mapping[str, str]] = {
    "timestamp-millis": "milliseconds",
    "timestamp-micros": "microseconds",
    "timestamp-nanos": "nanoseconds",
}
"""Logical types of Avro that count since 1970 in UTC; those that follow count by a wall's clock."""

FLOATS: Final = frozenset({"float", "double", "float32", "float64"})
"""Types of binary floats, as schemas call them: no amount comes from one."""

_START: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - of a clock on the wall
WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
"""A whole number that is a scale, or counts time."""


class UnreadableError(ValueError):
    """A record of which a map makes nothing; the text says why, for its rejection."""


class Number(str):
    """A number of JSON as it was written: no text, so it is never taken for bytes in base64."""

    __slots__ = ()


class LeafType(NamedTuple):
    """What a schema says of a value: its type, its logical type, and a decimal's scale.

    `is_stated`: no schema says it, but the map.
    """

    kind: str
    name: str | None = None
    scale: int | None = None
    is_stated: bool = False


def text_of(value: object, of_type: LeafType | None, path: str) -> str | None:
    """Return a value as text; None for None. `path` is said of one that has no text.

    Raises UnreadableError for a list or an object, broken text, and bytes that are no decimal.
    """
    if value is None:
        return None
    name = (of_type.name or "") if of_type is not None else ""
    if of_type is not None and name == DECIMAL:
        if isinstance(value, Number) and not of_type.is_stated:
            return str(value)  # of a converter with decimal.format=NUMERIC
        return decimal_text(value, of_type.scale or 0, path)
    if name == VARIABLE_DECIMAL:
        return _variable_text(value, path)
    if isinstance(value, dict | list):
        raise UnreadableError(f"{path} is a list or an object: write a path into it")
    if isinstance(value, bytes):
        raise UnreadableError(f"{path} is bytes, and no decimal by its schema")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not text.isascii() and any("\ud800" <= mark <= "\udfff" for mark in text):
        raise UnreadableError(f"{path} is broken text: {text[:40]!r}")
    if name in INSTANT_TYPES:
        moment = time_text(text, INSTANT_TYPES[name])
        return moment if moment == text else f"{moment}Z"
    if name in TIME_TYPES:
        return time_text(text, TIME_TYPES[name])
    return of_day_text(text, OF_DAY_TYPES[name]) if name in OF_DAY_TYPES else text


def decimal_text(value: object, scale: int, path: str) -> str:
    """Return the decimal that unscaled bytes (or their base64) have with a scale, exactly.

    A `Number` is neither.

    Raises UnreadableError if they are no bytes, too many, or the scale is beyond its bound.
    """
    unscaled: bytes | None = value if isinstance(value, bytes) else None
    if isinstance(value, str) and not isinstance(value, Number):
        try:
            unscaled = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            unscaled = None
    if not unscaled or len(unscaled) > DECIMAL_BYTES_MAX:
        raise UnreadableError(f"{path} is {str(value)[:40]!r}: it is no decimal's bytes in base64")
    if abs(scale) > SCALE_MAX:
        raise UnreadableError(f"{path} has the scale {scale}: at most {SCALE_MAX} is read")
    number = int.from_bytes(unscaled, "big", signed=True)
    if scale <= 0:
        return str(number * 10**-scale)
    sign, digits = ("-" if number < 0 else ""), str(abs(number)).rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def _variable_text(value: object, path: str) -> str:
    """Return the decimal that has its scale beside it."""
    parts = value if isinstance(value, dict) else {}
    scale = str(parts.get("scale"))
    if not WHOLE.fullmatch(scale):
        raise UnreadableError(f"{path} is no decimal with a scale: {str(value)[:40]!r}")
    return decimal_text(parts.get("value"), int(scale), path)


def time_text(text: str, unit: str) -> str:
    """Return what was counted since 1970 as a date, or a date and a time without a zone.

    Parts of a microsecond are cut off. A text that is no such count is handed on as it is.
    """
    if not WHOLE.fullmatch(text):
        return text
    try:
        moment = _START + timedelta(microseconds=int(text) * UNITS[unit] // 1000)
    except OverflowError:
        return text
    return moment.date().isoformat() if unit == "days" else moment.isoformat()


def of_day_text(text: str, unit: str) -> str:
    """Return what was counted since midnight as a time of day; another text as it is."""
    if not WHOLE.fullmatch(text) or not 0 <= int(text) * UNITS[unit] < UNITS["days"]:
        return text
    moment = _START + timedelta(microseconds=int(text) * UNITS[unit] // 1000)
    return moment.time().isoformat(timespec="microseconds")
