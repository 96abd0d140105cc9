"""Any bytes become a transaction or a rejection, exactly, and nothing of a rejected one is lost."""

import base64
import json
import random
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.transaction import (
    FIELDS,
    Heartbeat,
    Reason,
    Rejection,
    Transaction,
    transaction_of,
)
from monitor.engine.engine import Engine
from streams.wire import codec
from streams.wire.accounts import decode_account
from tests.support.laws import law
from tests.support.mutations import VALUES, WHOLE, encoded, mutated
from tests.support.records import GOOD, GOOD_TIMESTAMP, Record, decided
from tests.support.transactions import book

HOUR = 3_600_000_000


def decoded(**changes: object) -> Transaction | Rejection:
    return codec.decode(encoded(GOOD | changes))


def reason_of(item: Transaction | Rejection) -> Reason:
    assert isinstance(item, Rejection), item
    assert item.detail
    return item.reason


def amount_of(written: str) -> int | Reason:
    """Return the minor units (of euro) of an amount written as it stands, no quotes added."""
    value = encoded(GOOD | {"amount": "@@"}).replace(b'"@@"', written.encode())
    item = codec.decode(value)
    return item.amount_minor if isinstance(item, Transaction) else item.reason


def is_whole(item: Transaction | Rejection) -> bool:
    """Return whether an item can be taken on by everything that comes after the codec."""
    if isinstance(item, Rejection):
        return bool(item.detail) and bool(item.detail.encode())
    texts = (item.transaction_id, item.account_id, item.segment, item.reverses)
    return item.amount_minor >= 0 and all("\ud800" not in (text or "") for text in texts)


# -- any bytes -----------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.binary(max_size=200))
def test_random_bytes(value: bytes) -> None:
    assert is_whole(codec.decode(value))


@given(json_values)
def test_random_json(value: object) -> None:
    assert is_whole(codec.decode(json.dumps(value).encode()))


@given(st.dictionaries(st.sampled_from(FIELDS), json_values | st.sampled_from(list(VALUES))))
def test_a_record_with_other_values(changes: dict[str, object]) -> None:
    assert is_whole(decoded(**changes))


@law(300)
@given(st.randoms(use_true_random=False))
def test_a_spoilt_record(rng: random.Random) -> None:
    assert is_whole(codec.decode(mutated(rng, dict(GOOD))))


@pytest.mark.parametrize("value", [*WHOLE, None], ids=lambda value: repr(value)[:20])
def test_what_is_no_record(value: bytes | None) -> None:
    expected = Reason.MISSING_FIELD if value == b"{}" else Reason.MALFORMED
    assert reason_of(codec.decode(value)) is expected


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [None, True, 3, 1.5, [], ["x"], {}], ids=repr)
def test_a_field_of_another_type(name: str, value: object) -> None:
    item = decoded(**{name: value})
    if name == "amount":
        if value in (3, 1.5) and not isinstance(value, bool):
            assert isinstance(item, Transaction)
        else:
            assert reason_of(item) is (Reason.MISSING_FIELD if value is None else Reason.BAD_AMOUNT)
    elif value is None:
        assert isinstance(item, Transaction) == (name not in GOOD)
    else:
        assert reason_of(item) is Reason.MALFORMED


def test_unknown_fields_are_out_of_the_way() -> None:
    assert decoded(note=[{"x": 1}], purpose="rent", Amount="9") == decoded()


def test_the_last_of_two_keys_holds() -> None:
    item = codec.decode(encoded(GOOD)[:-1] + b',"amount":"7.00"}')
    assert isinstance(item, Transaction)
    assert item.amount_minor == 700


# -- an amount is exact --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "minor"),
    [
        ("0.1", 10), ("1e2", 10_000), ("1E+2", 10_000), ("12.30", 1230), ("1.5e1", 1500), ("0", 0),
        ("0.07", 7), ("9007199254740993", 900_719_925_474_099_300),  # no float has this one
        ("1E400", Reason.BAD_AMOUNT), ("1e-400", Reason.BAD_AMOUNT), ("-0", Reason.BAD_AMOUNT),
        ("0.30000000000000004", Reason.BAD_AMOUNT), ("-1", Reason.BAD_AMOUNT),
        ("true", Reason.BAD_AMOUNT), ("[1]", Reason.BAD_AMOUNT), ("null", Reason.MISSING_FIELD),
        ('""', Reason.MISSING_FIELD), ('"12.30"', 1230), ('"12\\u002e30"', 1230), ('"1e2"', 10_000),
        ('"\\ud800"', Reason.MALFORMED), ("NaN", Reason.MALFORMED), ("01", Reason.MALFORMED),
        ("1.", Reason.MALFORMED),
    ],
)  # fmt: skip
def test_an_amount_as_it_is_written(written: str, minor: int | Reason) -> None:
    assert amount_of(written) == minor


@given(st.integers(0, 10**18 - 1))
def test_any_amount_is_exact_as_a_number_and_as_text(minor: int) -> None:
    written = f"{minor // 100}.{minor % 100:02d}"
    assert amount_of(written) == amount_of(f'"{written}"') == minor


# -- precedence ----------------------------------------------------------------------------------

FAULTS = (  # in the order of design and `Reason`: each leaves the ones after it possible
    (Reason.MALFORMED, {"direction": "up"}),
    (Reason.MISSING_FIELD, {"transaction_id": ""}),
    (Reason.BAD_AMOUNT, {"amount": "-1"}),
    (Reason.BAD_TIME, {"booked_at": "soon"}),
    (Reason.UNKNOWN_CURRENCY, {"currency": "XXX"}),
    (Reason.WRONG_KEY, {"account_id": "B2"}),
    (Reason.FUTURE, {"booked_at": "2026-01-05T10:00:01Z"}),
)


def test_the_reasons_stand_in_their_order() -> None:
    order = [reason for reason, _ in FAULTS]
    assert list(Reason) == [
        *order, Reason.TOO_LATE, Reason.DUPLICATE, Reason.NOTHING_TO_REVERSE,
        Reason.REVERSAL_MISMATCH,
    ]  # fmt: skip


@given(st.sets(st.sampled_from(range(len(FAULTS)))))
def test_of_several_faults_the_first_is_given(chosen: set[int]) -> None:
    changes: dict[str, str] = {}
    for index in sorted(chosen, reverse=True):
        changes |= FAULTS[index][1]
    (item,) = decided([Record(0, encoded(GOOD | changes))], HOUR)
    if chosen:
        assert reason_of(item) is FAULTS[min(chosen)][0]
    else:
        assert isinstance(item, Transaction)


# -- what the record says beside its value -------------------------------------------------------


@pytest.mark.parametrize("key", [None, b"", b"A2", b"a1", b"A1 ", b"\xff"])
def test_a_key_that_is_not_the_account(key: bytes | None) -> None:
    items = decided([Record(0, encoded(GOOD), key), Record(1, encoded(GOOD))], HOUR)
    assert reason_of(items[0]) is Reason.WRONG_KEY
    assert isinstance(items[1], Transaction)


@pytest.mark.parametrize(("skew", "ahead_ms"), [(0, 1), (HOUR, 3_600_001), (60_000_000, 60_001)])
def test_a_time_further_ahead_than_the_skew_is_future(skew: int, ahead_ms: int) -> None:
    def reason(timestamp: int) -> Reason | None:
        (item,) = decided([Record(0, encoded(GOOD), b"A1", timestamp)], skew)
        return item.reason if isinstance(item, Rejection) else None

    assert reason(GOOD_TIMESTAMP - ahead_ms) is Reason.FUTURE
    assert reason(GOOD_TIMESTAMP - ahead_ms + 1) is None
    assert reason(GOOD_TIMESTAMP + 10**10) is None  # however late


# -- rows and rejections as bytes ----------------------------------------------------------------

texts = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
cells = texts | st.sampled_from([*GOOD.values(), "-1", "1e2", "T" * 257])


@given(st.fixed_dictionaries({name: cells | st.just(GOOD.get(name)) for name in FIELDS}))
def test_a_row_means_the_same_as_its_record(row: dict[str, str | None]) -> None:
    fields = tuple(row.values())
    assert codec.decode(codec.transaction_bytes(fields)) == transaction_of(fields)


utf_8 = st.text(st.characters(codec="utf-8"))
originals = st.none() | st.binary(max_size=40) | utf_8.map(str.encode)


@given(originals, originals, st.sampled_from(list(Reason)))
def test_a_rejection_keeps_the_bytes_of_its_record(
    key: bytes | None, value: bytes | None, reason: Reason
) -> None:
    where: dict[str, object] = {"topic": "t", "partition": 3, "offset": 7}
    written = json.loads(codec.rejection_bytes(Rejection(reason, "why"), where, key, value))
    assert written.pop("reason") == reason.value
    assert written.pop("detail") == "why"
    kept: bytes | None
    for name, original in (("key", key), ("record", value)):
        if f"{name}_base64" in written:
            kept = base64.b64decode(written.pop(f"{name}_base64"), validate=True)
            with pytest.raises(UnicodeDecodeError):
                kept.decode()
        else:
            text: str | None = written.pop(name)
            kept = None if text is None else text.encode()
        assert kept == original
        length = None if original is None else len(original)
        digest = None if original is None else sha256(original).hexdigest()
        assert (written.pop(f"{name}_bytes"), written.pop(f"{name}_sha256")) == (length, digest)
    assert written == where


# -- a hundred thousand records ------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_thousand_spoilt_records_and_none_is_lost() -> None:
    rng = random.Random(20260105)  # noqa: S311 - seeded, and no secret
    engine = Engine(0, book())
    outcomes: Counter[str] = Counter()
    records: list[Record] = []
    count, run_length = 120_000, 500
    for offset in range(count):
        fields: dict[str, object] = {
            **GOOD, "transaction_id": f"T{rng.randrange(offset + 1)}",
            "account_id": f"A{rng.randrange(200)}", "amount": str(rng.randrange(1000)),
            "booked_at": f"2026-01-{6 + offset // 15_000 - rng.randrange(4):02d}T09:00:00Z",
        }  # fmt: skip
        if rng.random() < 0.1:
            fields["reverses"] = f"T{rng.randrange(offset + 1)}"
        key = str(fields["account_id"]).encode() if rng.random() < 0.95 else rng.randbytes(3)
        timestamp = GOOD_TIMESTAMP + (10**10 if rng.random() < 0.98 else 0)
        records.append(Record(offset, mutated(rng, fields), key, timestamp))
    at = delivered = 0
    while at < count:
        run = records[at : at + run_length]
        engine.observe([record.offset for record in run], decided(run, HOUR))
        step = engine.take_step()
        began, ended = len(step.waiting), len(step.settled)
        counted = step.transactions + len(step.rejections) + step.redelivered
        assert counted + began - ended == len(run)
        for offset, rejection in step.rejections:
            assert json.loads(
                codec.rejection_bytes(rejection, {}, records[offset].key, records[offset].value)
            )
            outcomes[rejection.reason.value] += 1
        outcomes["waiting"] += began - ended
        outcomes["transaction"] += step.transactions
        outcomes["redelivered"] += step.redelivered
        delivered += len(run)
        at += run_length if rng.random() < 0.9 else run_length // 2  # else: half comes again
    assert sum(outcomes.values()) == delivered
    assert outcomes["redelivered"] == delivered - count > 0
    assert {reason.value for reason in Reason} < outcomes.keys()
    assert outcomes["transaction"] > 10_000


@pytest.mark.parametrize(
    "odd", [b'"\xff": 1', b'"x": "\xc3"', b'"x": [{"\xed\xa0\x80": 1}]', b'"\xc0\xaf": null']
)
def test_bytes_that_are_no_utf_8_are_no_json_wherever_they_stand(odd: bytes) -> None:
    good = (
        b'{"transaction_id": "t", "account_id": "A", "booked_at": "2026-01-05T09:00:00Z",'
        b' "amount": 1, "currency": "EUR", "direction": "debit", "x\xc3\xa4": 1}'
    )
    assert isinstance(codec.decode(good), Transaction)
    item = codec.decode(good[:-1] + b", " + odd + b"}")
    assert isinstance(item, Rejection)
    assert item.reason is Reason.MALFORMED
    account = decode_account(b'{"account_id": "A", ' + odd + b"}")
    assert isinstance(account, Rejection)
    assert account.reason is Reason.MALFORMED


# -- heartbeats -----------------------------------------------------------------------------------


def test_a_heartbeat_is_read_as_it_was_written() -> None:
    value = codec.heartbeat_bytes("feed", 1_767_603_600_000_000)
    assert value == b'{"weir_heartbeat":"feed","booked_at":"2026-01-05T09:00:00Z"}'
    item = codec.decode(value)
    assert isinstance(item, Heartbeat)
    assert item.event_time == 1_767_603_600_000_000
    assert codec.is_heartbeat(value)


@pytest.mark.parametrize(
    "value",
    [
        b'{"weir_heartbeat":"f"}',
        b'{"weir_heartbeat":"f","booked_at":"now"}',
        b'{"booked_at":"2026-01-05T09:00:00Z"}',
        b'{"weir\\u005fheartbeat":"f","booked_at":"2026-01-05T09:00:00Z"}',
        b'{"weir_heartbeat":"f","booked_at":"2026-01-05T09:00:00Z","x":"%s"}' % (b"x" * 500),
        b'{"weir_heartbeat":"f","booked_at":"2026-01-05T09:00:00Z","account_id":"A"}',
        b'{"weir_heartbeat":"f","booked_at":"2026-01-05T09:00:00Z","transaction_id":"T"}',
    ],
)
def test_what_is_not_wholly_one_is_rejected(value: bytes) -> None:
    item = codec.decode(value)
    assert isinstance(item, Rejection)
    assert not isinstance(item, Heartbeat)
    assert not codec.is_heartbeat(value)


@pytest.mark.parametrize("said", ["f", 1, None, {"a": 1}])
def test_a_transaction_may_have_a_field_of_that_name(said: object) -> None:
    assert isinstance(decoded(weir_heartbeat=said), Transaction)
