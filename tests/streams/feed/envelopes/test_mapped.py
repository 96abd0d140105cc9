"""A record in an envelope decides as the same record in Weir's own JSON; others are rejected."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.transaction import LeftOut, Rejection, Transaction
from streams.feed.envelopes.mapped import MappedRecords
from streams.feed.envelopes.topic_map import topic_map_of_text
from streams.wire import codec
from streams.wire.columns import DecodedRun, prepare, read_run
from streams.wire.rows.layout import ORDINARY
from tests.support.envelopes import (
    UNITS,
    Booking,
    change_event,
    change_schema,
    connect,
    debezium,
    map_text,
    unscaled_text,
)
from tests.support.laws import law
from tests.support.record_batches import batch_of
from tests.support.records import Record

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
BOOKING = Booking(7, 1001, START, -1230, "P9")

bookings = st.builds(
    Booking,
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(0, 1 << 62),
    st.integers(-(10**12), 7 * 10**12).map(lambda ms: START + timedelta(milliseconds=ms)),
    st.integers(-(10**20), 10**20) | st.integers(-300, 300),
    st.none() | st.text(max_size=12).filter(lambda text: text.strip() == text),
    st.none() | st.text(max_size=12),
    st.none() | st.integers(0, 1 << 62),
)


@pytest.fixture(autouse=True, scope="module")
def _kernels() -> None:
    prepare()


def read(text: str, values: Sequence[bytes | None], keys: Sequence[bytes] = ()) -> DecodedRun:
    records = [
        Record(offset, value, keys[offset] if keys else b"any")
        for offset, value in enumerate(values)
    ]
    return asyncio.run(MappedRecords(topic_map_of_text(text, "map")).read([records]))


def said(text: str, value: bytes | None, key: bytes = b"any") -> tuple[str, str]:
    """Return the reason and the detail of a record's rejection."""
    (item,) = read(text, [value], [key]).items
    assert isinstance(item, Rejection)
    return item.reason.value, item.detail


# -- the law --------------------------------------------------------------------------------------


@law(200)
@given(
    st.lists(bookings, min_size=1, max_size=6),
    st.sampled_from(sorted(UNITS)),
    st.integers(2, 6),
    st.sampled_from(["debezium", "debezium without schema", "connect"]),
)
def test_a_record_in_an_envelope_is_what_it_is_in_json_of_weir(
    rows: list[Booking], unit: str, scale: int, envelope: str
) -> None:
    def enveloped(booking: Booking) -> bytes:
        if envelope == "connect":
            return connect(booking, scale, unit)
        return debezium(booking, has_schema=envelope == "debezium", scale=scale, unit=unit)

    text = map_text(envelope.partition(" ")[0], scale, unit)
    mapped = read(text, [enveloped(booking) for booking in rows])
    own = [
        Record(offset, booking.own(scale), str(booking.account).encode())
        for offset, booking in enumerate(rows)
    ]
    plain = read_run([own])
    assert mapped.items == plain.items
    assert (mapped.rows["state"] == plain.rows["state"]).all()
    assert mapped.offsets == plain.offsets
    assert mapped.written_at == plain.written_at


def test_most_records_of_the_law_are_transactions_that_kernels_read() -> None:
    rows = [BOOKING, BOOKING._replace(id=8, minor=1)]
    run = read(map_text("debezium"), [debezium(each, has_schema=True) for each in rows])
    assert [item.amount_minor for item in run.items if isinstance(item, Transaction)] == [1230, 1]
    assert (run.rows["state"] == ORDINARY).all()


@law(100)
@given(st.binary(max_size=40) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3)
    | st.dictionaries(
        st.sampled_from(["schema", "payload", "op", "after", "amount", "type", "fields", "name"]),
        below,
        max_size=4,
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_bytes_are_an_item_and_never_an_error(value: bytes) -> None:
    for envelope in ("debezium", "connect", "none"):
        run = read(map_text(envelope), [value])
        assert len(run.items) == 1
        assert run.record(0).value == value


# -- what is rejected -----------------------------------------------------------------------------


def event(op: str, **more: object) -> bytes:
    return json.dumps(change_event(BOOKING.row(), op) | more).encode()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (event("u"), "was updated after it was written (op u)"),
        (event("d", before=BOOKING.row(), after=None), "its row was deleted (op d)"),
        (event("t"), "all rows were deleted"),
        (event("m"), "a message of the log"),
        (event("x"), "its op is 'x'"),
        (event("c", after=None), "its after is null"),
        (b"{}", "it has no op"),
        (b"[]", "no JSON object"),
        (b'{"payload": null, "schema": null}', "its payload is no object"),
        (None, "it is a tombstone"),
        (event("c", after={**BOOKING.row(), "amount": "no base64"}), "no decimal's bytes"),
        (event("c", after={**BOOKING.row(), "id": {"a": 1}}), "after.id is a list or an object"),
    ],
)
def test_what_brings_no_row_is_rejected_with_its_reason(value: bytes | None, told: str) -> None:
    reason, detail = said(map_text("debezium"), value)
    assert reason == "malformed"
    assert told in detail


def test_a_row_that_was_read_by_a_snapshot_is_a_transaction() -> None:
    (item,) = read(map_text("debezium"), [event("r")]).items
    assert isinstance(item, Transaction)


def test_an_updated_row_is_read_if_the_map_says_so() -> None:
    (item,) = read(map_text("debezium", more='updates = "read"\n'), [event("u")]).items
    assert isinstance(item, Transaction)


def test_a_rejected_record_keeps_its_own_bytes() -> None:
    value = event("d")
    run = read(map_text("debezium"), [event("c"), value], [b"k0", b"k1"])
    record = run.record(1)
    assert (record.key, record.value, record.offset) == (b"k1", value, 1)


def test_an_amount_of_binary_floats_is_refused() -> None:
    schema = json.dumps(change_schema()).replace(
        '"type": "bytes", "optional": true, "field": "amount", '
        '"name": "org.apache.kafka.connect.data.Decimal"',
        '"type": "double", "optional": true, "field": "amount", "name": null',
    )
    payload = change_event(BOOKING.row() | {"amount": -12.3})
    value = json.dumps({"schema": json.loads(schema), "payload": payload}).encode()
    reason, detail = said(map_text("debezium"), value)
    assert (reason, "after.amount is a binary float" in detail) == ("malformed", True)


def numbered(value: bytes, number: str) -> bytes:
    """Return a record whose amount is a number of JSON in place of bytes in base64."""
    return value.replace(json.dumps(BOOKING.row()["amount"]).encode(), number.encode())


@law(100)
@given(st.integers(-(10**15), 10**15), st.integers(0, 2))
def test_a_decimal_that_its_converter_writes_as_a_number_is_exact(minor: int, scale: int) -> None:
    number = str(Decimal(minor).scaleb(-scale))
    for value in (debezium(BOOKING, has_schema=True), connect(BOOKING)):
        text = map_text("debezium" if b"after" in value else "connect")
        (item,) = read(text, [numbered(value, number)]).items
        assert isinstance(item, Transaction)
        assert item.amount_minor == abs(minor) * 10 ** (2 - scale)


@pytest.mark.parametrize("number", ["1230", "12345678", "12.30", "-1230", "0"])
def test_a_number_is_no_base64_whatever_the_map_says(number: str) -> None:
    reason, detail = said(map_text("debezium"), numbered(event("c"), number))
    assert (reason, "no decimal's bytes" in detail) == ("malformed", True)


def test_a_number_within_a_decimal_with_its_own_scale_is_no_base64() -> None:
    after = BOOKING.row() | {"amount": {"scale": 2, "value": 1230}}
    text = map_text("debezium").replace('"after.amount" = 2', '"after.amount" = "variable"')
    assert "no decimal's bytes" in said(text, event("c", after=after))[1]


@pytest.mark.parametrize("scale", ["--2", "", "-", "x", "2.0", "\u0663", "1" * 30, None])
def test_a_scale_that_is_no_number_is_said(scale: str | None) -> None:
    schema = change_schema()
    schema["fields"][1]["fields"][3]["parameters"] = {"scale": scale}
    value = json.dumps({"schema": schema, "payload": change_event(BOOKING.row())}).encode()
    assert "a decimal without a scale" in said(map_text("debezium"), value)[1]


def test_a_number_of_json_is_the_text_that_was_written() -> None:
    value = event("c").replace(json.dumps(BOOKING.row()["amount"]).encode(), b"-123456789012345.10")
    text = map_text("debezium").replace('scales = { "after.amount" = 2 }', "")
    (item,) = read(text, [value]).items
    assert isinstance(item, Transaction)
    assert item.amount_minor == 12345678901234510


@pytest.mark.parametrize(("number", "scale"), [(123, 1), (-5, 0), (7, -2), (0, 2), (99999, 5)])
def test_a_decimal_with_its_own_scale_is_read(number: int, scale: int) -> None:
    after = BOOKING.row() | {"amount": {"scale": scale, "value": unscaled_text(number)}}
    text = map_text("debezium").replace('"after.amount" = 2', '"after.amount" = "variable"')
    (item,) = read(text, [event("c", after=after)]).items
    if scale == 5:
        assert isinstance(item, Rejection)  # 0.99999 is no whole number of cents
    else:
        assert isinstance(item, Transaction)
        assert item.amount_minor * 10**scale == abs(number) * 100


def test_rows_that_a_where_leaves_out_are_counted_and_not_reported() -> None:
    text = map_text("debezium") + '\n[[where]]\ncolumn = "after.channel"\nis = "web"\n'
    rows = [BOOKING._replace(id=number, channel=channel) for number, channel in
            enumerate(["web", "atm", None, "web"])]  # fmt: skip
    items = read(text, [debezium(row, has_schema=True) for row in rows]).items
    assert [isinstance(item, LeftOut) for item in items] == [False, True, True, False]


def test_a_heartbeat_of_weir_is_one_on_a_mapped_topic_too() -> None:
    beat = codec.heartbeat_bytes("core", 1_767_603_600_000_000)
    run = read(map_text("debezium"), [beat])
    assert run.items == [codec.decode(beat)]
    assert run.has_heartbeats


# -- keys -----------------------------------------------------------------------------------------

KEYED = """key = { before = '{"account":', after = '}' }\n"""


def test_a_key_must_be_what_the_map_makes_of_the_account() -> None:
    text = map_text("debezium", more=KEYED)
    value = event("c")
    (item,) = read(text, [value], [b'{"account":1001}']).items
    assert isinstance(item, Transaction)
    for key in (b"1001", b'{"account": 1001}', b'{"account":1002}', b'{"id":7}'):
        reason, detail = said(text, value, key)
        assert reason == "wrong-key"
        assert repr(b'{"account":1001}') in detail


def test_without_a_form_the_key_is_the_account() -> None:
    text = map_text("debezium", more="key = {}\n")
    assert isinstance(read(text, [event("c")], [b"1001"]).items[0], Transaction)
    assert said(text, event("c"), b'{"account":1001}')[0] == "wrong-key"


def test_what_is_wrong_with_a_record_comes_before_its_key() -> None:
    after = BOOKING.row() | {"currency": "XXQ"}
    assert said(map_text("debezium", more=KEYED), event("c", after=after))[0] == "unknown-currency"


def test_batches_are_read_as_single_records() -> None:
    values = [event("c"), event("d"), None, b"\xff", codec.heartbeat_bytes("x", 0)]
    records = [Record(offset, value, b"1001") for offset, value in enumerate(values)]
    text = map_text("debezium", more="key = {}\n")
    mapped = MappedRecords(topic_map_of_text(text, "map"))
    of_batch = asyncio.run(mapped.read([batch_of(records)]))
    of_records = asyncio.run(mapped.read([records[:2], records[2:]]))
    assert of_batch.items == of_records.items
    assert of_batch.offsets == of_records.offsets
    assert [of_batch.record(n).value for n in range(5)] == values
