"""Records at the edges of what is ordinary: good ones, and ones that just are not."""

import json
import random
from collections.abc import Iterator, Sequence
from itertools import product

from monitor.core.business_day import event_time_text
from monitor.core.currency import CURRENCIES
from tests.support.mutations import encoded, mutated
from tests.support.records import GOOD, GOOD_TIMESTAMP, Record

WHOLE: dict[str, object] = {
    **GOOD, "counterparty_id": "C 7", "counterparty_institution": "BANK33", "channel": "mobile",
    "segment": "current", "branch": "B17", "reverses": "T0",
}  # fmt: skip
"""A record with each of its fields."""

AMOUNTS = (
    "0", "00", "0.0", ".", "", " ", "1.", ".5", "+1", "-1", "-0", "1e2", "1E-2", "00.10", "0.1",
    "1.234", "1.2345", "1.20000", "1.2000000000000000000000000000000000001", "1,5", "1_0", "1 ",
    "\u0661", "12345678901234", "123456789012345", "99999999999999.9999", "0" * 39, "0" * 41,
    "9" * 13 + "." + "0" * 26, "9" * 13 + "." + "0" * 27, "999999999999999999", "NaN", "1..2",
)  # fmt: skip
NUMBERS = (*AMOUNTS, "01", "1.0e1", "null", "true", "[1]", "{}", "1" * 40, "1" * 41, "0.", "1. ")
DATES = (
    "2026-01-05", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2100-02-29",
    "2400-02-29", "1899-12-31", "1900-01-01", "2999-12-31", "3000-01-01", "0000-01-01",
    "0001-01-01", "9999-12-31", "2026-04-31", "2026-13-01", "2026-00-01", "2026-01-00",
    "2026-1-05", "+026-01-05", "2016-12-31", "2026-06-30", "1969-12-31", "1970-01-01",
)  # fmt: skip
CLOCKS = (
    "T09:00:00", "t09:00:00", " 09:00:00", "_09:00:00", "T00:00:00", "T23:59:59", "T24:00:00",
    "T23:59:60", "T12:60:00", "T9:00:00", "T09:00", "T09-00-00", "T09:00:00.", "T09:00:00.1",
    "T09:00:00.123456", "T09:00:00.1234567", "T09:00:00.99999999999999", "T09:00:00,5",
    "T09:00:00.999999999999999", "T09:00:00.0000000000000000000000",
)  # fmt: skip
ZONES = (
    "Z", "z", "", "+00:00", "-00:00", "+14:00", "-23:59", "+23:59", "+24:00", "+1:00", "+01:60",
    "Z ", "+0100", "*01:00", "ZZ", "+01:00:00", "-01:00",
)  # fmt: skip
TEXTS: tuple[object, ...] = (
    "", "x", " x", "x ", "x x", "x" * 255, "x" * 256, "x" * 257, "\u00e9", "a\\b", 'a"b', "a\tb",
    "\x7f", "a\x7fb", "\x80", "\u2028", "null", "a/b", "\ud800", "T1", None, 5, True, ["x"], {},
)  # fmt: skip
BYTES = b'"\\,:{}[] \t\r\n0123456789abcTZ.eE-+nul\x00\x0b\x1f\x7f\x80\xc3\xff'
SEPARATORS = ((",", ":"), (", ", ": "), (" ,\n", "\t:\r"), (",\x0b", ":"))


def record_of(value: bytes | None, key: bytes | None = b"A1", offset: int = 0) -> Record:
    return Record(offset, value, key, GOOD_TIMESTAMP)


def numbered(values: Iterator[bytes] | Sequence[bytes]) -> list[Record]:
    """Return a record for each value, with the key of `GOOD`."""
    return [record_of(value, offset=offset) for offset, value in enumerate(values)]


def changed_everywhere(value: bytes) -> Iterator[bytes]:
    """Yield a value with each byte as each other one, left out, twice, and cut there."""
    for place, byte in enumerate(value):
        for other in range(256):
            if other != byte:
                yield value[:place] + bytes((other,)) + value[place + 1 :]
        yield value[:place] + value[place + 1 :]
        yield value[: place + 1] + value[place:]
        yield value[:place]


def at_each_edge() -> Iterator[bytes]:
    """Yield good records with one thing at an edge."""
    yield from _amounts_at_edges()
    for date, clock, zone in product(DATES, CLOCKS, ZONES):
        yield encoded(GOOD | {"booked_at": date + clock + zone})
    for code, (_, end) in CURRENCIES.items():
        for moment in (end - 1, end, end + 1):
            at = event_time_text(moment) if moment < 1 << 60 else "2999-12-31T23:59:59Z"
            yield encoded(GOOD | {"currency": code, "booked_at": at})
    for code in ("XXX", "eur", "EU", "EURO", "", "E R", "[[[", "@@@"):
        yield encoded(GOOD | {"currency": code})
    for direction in ("debit", "credit", "Debit", "debits", "credi", "", " debit"):
        yield encoded(GOOD | {"direction": direction})
    for name in (*WHOLE, "unknown", "weir_fault", "Amount", ""):
        yield encoded({field: WHOLE[field] for field in WHOLE if field != name})
        for text in TEXTS:
            yield encoded(WHOLE | {name: text})
            yield json.dumps(WHOLE | {name: text}, ensure_ascii=False).encode(errors="replace")
            yield encoded(WHOLE)[:-1] + f', "{name}": {json.dumps(text)}}}'.encode()


def _amounts_at_edges() -> Iterator[bytes]:
    for amount, currency in product(AMOUNTS, ("EUR", "JPY", "KWD", "CLF")):
        yield encoded(WHOLE | {"amount": amount, "currency": currency})
    for number in NUMBERS:
        for name in ("amount", "unknown"):
            yield encoded(WHOLE | {name: "@"}).replace(b'"@"', number.encode())


def at_an_edge(rng: random.Random) -> bytes:
    """Return a record with several things at edges, or spoilt, or both."""
    if rng.random() < 0.3:
        return mutated(rng, {**WHOLE, "amount": rng.choice(AMOUNTS)})
    fields = dict(WHOLE)
    for name in rng.sample(sorted(fields), rng.randrange(4)):
        match name:
            case "amount":
                whole = rng.randrange(10 ** rng.randint(1, 16))
                fields[name] = rng.choice(
                    [*AMOUNTS, str(whole), f"{whole}.{rng.randrange(10 ** rng.randint(1, 5))}"]
                )
            case "booked_at":
                fields[name] = rng.choice(DATES) + rng.choice(CLOCKS) + rng.choice(ZONES)
            case "currency":
                fields[name] = rng.choice([*CURRENCIES])
            case "direction":
                fields[name] = "credit"
            case _:
                fields[name] = rng.choice(TEXTS)
    names = list(fields)
    rng.shuffle(names)
    ascii_only = rng.random() < 0.8
    value = json.dumps(
        {name: fields[name] for name in names if rng.random() < 0.97},
        separators=rng.choice(SEPARATORS), ensure_ascii=ascii_only,
    ).encode(errors="replace")  # fmt: skip
    if rng.random() < 0.2:
        value = value.replace(f'"{fields["amount"]}"'.encode(), f"{fields['amount']}".encode(), 1)
    spoilt = bytearray(value)
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        spoilt[rng.randrange(len(spoilt))] = rng.choice(BYTES)
    return bytes(spoilt)


def edge_run(rng: random.Random, count: int) -> list[Record]:
    """Return so many records at edges, a few without a value or with another key."""
    keys = (None, b"", b"A2", b"A1 ", b"a1", b"\xff", b"T1")
    return [
        record_of(
            at_an_edge(rng) if rng.random() < 0.99 else None,
            b"A1" if rng.random() < 0.95 else rng.choice(keys),
            offset,
        )
        for offset in range(count)
    ]
