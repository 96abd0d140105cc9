"""Bytes that a transactions topic may hold: good records, spoilt in every way we know of."""

import json
import random
from collections.abc import Callable, Mapping

from monitor.core.transaction import FIELDS

VALUES: tuple[object, ...] = (
    None, True, False, 0, -1, 1.5, 10**400, "", " ", "x" * 300, "\0", "\u00e9\U0001f600", [], [1],
    {}, {"a": 1}, "null", "debit", "EUR", "NaN", "1e999", "0x1", "-0", "2026-01-05",
    "2026-02-30T00:00:00Z", "9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00Z",
)  # fmt: skip
TOKENS = (
    b"1E400", b"-0", b"1e-400", b"NaN", b"Infinity", b"-Infinity", b"1" * 5000, b"1.", b"01",
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\\x"',
    b"[" * 2000 + b"]" * 2000, b'{"a":' * 500 + b"1" + b"}" * 500, b"[" * 100_000, b'"', b"nul",
    b"tru", b"//", b"",
)  # fmt: skip
WHOLE = (
    b"", b" ", b"\n", b"\0", b"null", b"[]", b"{}", b'"x"', b"1", b"\xff", b"\xef\xbb\xbf{}",
    b"{" * 50_000, b"[" * 100_000, b'{"amount":' + b"[" * 50_000, b"\xff\xfe{\x00}\x00", b"{}{}",
)  # fmt: skip

Mutation = Callable[[random.Random, dict[str, object]], bytes]


def encoded(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields).encode()


def _whole_record(rng: random.Random, fields: dict[str, object]) -> bytes:
    del rng
    return encoded(fields)


def _truncated(rng: random.Random, fields: dict[str, object]) -> bytes:
    value = encoded(fields)
    return value[: rng.randrange(len(value))]


def _other_value(rng: random.Random, fields: dict[str, object]) -> bytes:
    return encoded(fields | {rng.choice(FIELDS): rng.choice(VALUES)})


def _other_token(rng: random.Random, fields: dict[str, object]) -> bytes:
    """Put what no JSON writer would write in the place of a value."""
    marked = encoded(fields | {rng.choice([*FIELDS, "unknown"]): "@@"})
    return marked.replace(b'"@@"', rng.choice(TOKENS))


def _key_twice(rng: random.Random, fields: dict[str, object]) -> bytes:
    again = json.dumps(rng.choice(FIELDS)) + ":" + json.dumps(rng.choice(VALUES))
    return encoded(fields)[:-1] + b"," + again.encode() + b"}"


def _without(rng: random.Random, fields: dict[str, object]) -> bytes:
    gone = rng.choice(FIELDS)
    return encoded({name: value for name, value in fields.items() if name != gone})


def _other_bytes(rng: random.Random, fields: dict[str, object]) -> bytes:
    value = bytearray(encoded(fields))
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(value))
        match rng.randrange(3):
            case 0:
                value[place] = rng.randrange(256)
            case 1:
                value.insert(place, rng.randrange(256))
            case _:
                del value[place]
    return bytes(value)


def _raw_bytes(rng: random.Random, fields: dict[str, object]) -> bytes:
    del fields
    return rng.randbytes(rng.randrange(40))


def _nothing_like_it(rng: random.Random, fields: dict[str, object]) -> bytes:
    del fields
    return rng.choice(WHOLE)


MUTATIONS: tuple[Mutation, ...] = (
    _whole_record, _whole_record, _truncated, _other_value, _other_value, _other_token, _key_twice,
    _without, _other_bytes, _raw_bytes, _nothing_like_it,
)  # fmt: skip


def mutated(rng: random.Random, fields: dict[str, object]) -> bytes:
    """Return the bytes of a record, in one case of six as it was."""
    return rng.choice(MUTATIONS)(rng, fields)
