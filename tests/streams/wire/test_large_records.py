"""Whatever comes, every record that Weir writes fits its topic, and says what it leaves out."""

import asyncio
import base64
import json
import random
from collections import Counter
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sketches.histogram import Sketch
from monitor.core.account import SERIES, AccountDay, ClosedDay, Told
from monitor.core.business_day import event_time_of
from monitor.core.currency import CURRENCIES
from monitor.core.transaction import Reason, Rejection
from monitor.dispositions.disposition import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX, Disposed, Disposition
from monitor.engine.engine import Engine
from monitor.ledger.ledger import SERIES_BITS, Entry
from monitor.systemic.assembly import Joining
from monitor.systemic.record import PART_BYTES_MAX, SegmentRecord, parts_of, segment_records_of
from monitor.systemic.segment_day import LimitDay, SegmentDay, merged
from streams.kafka.producer import Outgoing, RecordTooLargeError, ensure_fits, record_bytes
from streams.settings import RECORD_BYTES_MAX
from streams.state import changelog, journal
from streams.state.pieces import PIECE_BYTES_MAX
from streams.wire import codec
from streams.wire.bounded import VALUE_BYTES_MAX, bounded_bytes
from streams.wire.columns import read_run
from streams.worker.partition import Partition
from tests.support.fake_log import TOPICS, Event, FakeOutbox, Log
from tests.support.laws import law
from tests.support.records import Record, record
from tests.support.systemic_samples import a_systemic_alert
from tests.support.transactions import book, observed, transaction

BROKERS_BYTES_MAX = 1_048_588
"""Of a batch, by default (`message.max.bytes`)."""

WHERE = {"topic": "t" * 249, "partition": 9999, "offset": 1 << 62}
ESCAPES = b"\x01" * 1_000_000


def encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def fits(key: bytes | None, value: bytes | None) -> bool:
    ensure_fits("topic", Outgoing(key, value))
    return True


# -- rejections -----------------------------------------------------------------------------------

longs = st.binary(max_size=60).flatmap(
    lambda piece: st.sampled_from([0, 1, 2000, 20_000]).map(lambda times: piece * times)
) | st.text(max_size=9).map(lambda text: text.encode() * 9000)


@given(longs, longs)
def test_a_rejection_carries_the_beginning_of_its_original_and_knows_the_whole(
    key: bytes, value: bytes
) -> None:
    written = codec.rejection_bytes(Rejection(Reason.MALFORMED, "why"), WHERE, key, value)
    fields = json.loads(written)
    for name, original in (("key", key), ("record", value)):
        assert fields[f"{name}_bytes"] == len(original)
        assert fields[f"{name}_sha256"] == sha256(original).hexdigest()
        if f"{name}_base64" in fields:
            assert base64.b64decode(fields[f"{name}_base64"]) == original[: 64 << 10]
            with pytest.raises(UnicodeDecodeError):
                original.decode()
        else:
            carried = fields[name].encode()
            assert original.startswith(carried)
            assert len(carried) >= min(len(original), (64 << 10) - 3)
    assert fits(codec.rejection_key(key), written)


@pytest.mark.parametrize(
    "original", [ESCAPES, b"\xff" * 1_000_000, "\x7f\U0001f600".encode() * 200_000]
)
def test_the_worst_rejection_fits(original: bytes) -> None:
    worst = Rejection(Reason.MALFORMED, "\x01" * 5000)
    written = codec.rejection_bytes(worst, WHERE, original, original)
    assert fits(codec.rejection_key(original), written)


def test_a_small_rejection_is_whole() -> None:
    fields = json.loads(
        codec.rejection_bytes(Rejection(Reason.MALFORMED, "why"), WHERE, None, b"\xff1")
    )
    assert (fields["key"], fields["key_bytes"], fields["key_sha256"]) == (None, None, None)
    assert base64.b64decode(fields["record_base64"]) == b"\xff1"


# -- alerts and account-days ----------------------------------------------------------------------

leaves = st.none() | st.integers() | st.text(max_size=9)
long_texts = st.text(min_size=1, max_size=2).map(lambda text: text * 400_000)
long_lists = st.lists(leaves, min_size=1, max_size=4).map(lambda inner: [inner] * 60_000)
short = st.lists(leaves | long_texts, max_size=2) | st.dictionaries(st.text(max_size=4), leaves)
json_values = leaves | short | long_texts | long_lists


@law(30)
@given(st.dictionaries(st.sampled_from(["a", "b", "evidence"]), json_values))
def test_any_fields_fit_and_what_fits_is_as_it_is(fields: dict[str, object]) -> None:
    whole = encode(fields)
    written = bounded_bytes(fields, encode)
    if len(whole) <= VALUE_BYTES_MAX:
        assert written == whole
    else:
        assert len(written) <= VALUE_BYTES_MAX
        left = json.loads(written)["left_out"]
        assert left["items"] + left["characters"] > 0


NOW = event_time_of("2026-01-05T09:00:00Z") or 0


def test_an_alert_of_every_currency_is_whole() -> None:
    engine = Engine(0, book())
    rows = [
        transaction(f"T{place}", currency=currency, amount="9" * 14)
        for place, currency in enumerate(
            sorted(code for code, currency in CURRENCIES.items() if currency.end > NOW)
        )
    ]
    (*_, alert) = observed(engine, *rows).alerts
    written = codec.alert_bytes(alert)
    assert fits(b"A1", written)
    assert "left_out" not in json.loads(written)


def test_evidence_of_long_names_and_many_days_is_cut_and_counted() -> None:
    named = {"also": ["\x01" * 1000] * 3000, "breaches": 7, "why": "x" * 1_000_000}
    alert = a_systemic_alert(evidence=named)
    written = codec.alert_bytes(alert)
    fields = json.loads(written)
    assert fits(alert.key.encode(), written)
    assert fields["evidence"]["breaches"] == 7
    assert fields["evidence"]["days"] == alert.fields()["evidence"]["days"]  # type: ignore[index]
    assert fields["left_out"]["items"] == 3000 - len(fields["evidence"]["also"])
    assert fields["left_out"]["characters"] >= 1_000_000 - 256


def test_an_account_day_over_ten_thousand_limits_is_cut_and_counted() -> None:
    engine = Engine(0, book())
    account_day = AccountDay(engine.ledger.account("A1"), 739_621)
    account_day.told = {f"{number:0256d}": Told("raised", 1, 2, 1) for number in range(10_000)}
    written = codec.closed_day_bytes(ClosedDay(account_day, 1))
    fields = json.loads(written)
    assert fits(b"A1", written)
    assert len(fields["breaches"]) + fields["left_out"]["items"] == 10_000


def test_the_longest_disposition_fits() -> None:
    text = "\x01" * TEXT_LENGTH_MAX
    longest = Disposed(text, Disposition.SUSPICIOUS, text, 0, "\x01" * NOTE_LENGTH_MAX)
    assert fits(text.encode(), codec.disposition_bytes(longest))


# -- segment-days ---------------------------------------------------------------------------------

keys = st.tuples(st.sampled_from(["institution", "branch"]), st.text(max_size=6))
counted = st.dictionaries(keys, st.integers(1, 9), max_size=6)
spreads = st.lists(st.integers(0, 1 << 62), max_size=6)


def limit_day(values: list[int], causes: dict[tuple[str, str], int]) -> LimitDay:
    spread = Sketch()
    spread.add(np.array(values, np.int64))
    return LimitDay(5, len(values), spread, causes)


segment_days = st.builds(
    SegmentDay, st.just(739_621), st.none() | st.just("retail"), st.integers(0, 9),
    st.dictionaries(st.text(max_size=5), st.builds(limit_day, spreads, counted), max_size=4),
    st.integers(0, 9), st.integers(0, 9), counted, counted,
)  # fmt: skip


@given(segment_days, st.integers(6_000, 9_000))
def test_parts_of_a_segment_day_are_small_and_add_up_to_it(
    segment_day: SegmentDay, bytes_max: int
) -> None:
    parts = parts_of(segment_day, bytes_max)
    whole = SegmentRecord(0, 1, segment_day).fields()
    assert SegmentRecord(0, 1, merged(parts)).fields() == whole
    for part in parts:
        written = codec.segment_record_bytes(SegmentRecord(9999, 9999, part))
        assert len(written) <= bytes_max
    assert (
        codec.segment_record(codec.segment_record_bytes(SegmentRecord(3, 2, segment_day, 1))).part
        == 1
    )


def a_large_segment_day(segment: str | None, names: int) -> SegmentDay:
    long = {("counterparty", f"{number:0256d}"): number + 1 for number in range(names)}
    every = np.unique(np.geomspace(1, 1 << 62, 5000).astype(np.int64))
    limits = {f"limit-{n}": limit_day(every.tolist(), dict(long)) for n in range(20)}
    return SegmentDay(739_621, segment, 9, limits, 3, 2, dict(long), dict(long))


def test_a_large_segment_day_is_joined_from_its_records_in_any_order() -> None:
    days = (a_large_segment_day(None, 40), a_large_segment_day("retail", 300))
    records = segment_records_of(0, days)
    assert len(records) > 4
    for made in records:
        written = codec.segment_record_bytes(made)
        assert len(written) <= PART_BYTES_MAX
        assert fits(made.key, written)
    random.Random(4).shuffle(records)  # noqa: S311 - seeded, and no secret
    joining = Joining(1)
    for offset, made in enumerate(records):
        assert list(joining.ready()) == []
        joining.take(codec.segment_record(codec.segment_record_bytes(made)), offset)
        joining.take(made, offset)  # told again
    ((_, segments),) = joining.ready()
    for day in days:
        assert by_name(segments[day.segment]) == by_name(day)


def by_name(segment_day: SegmentDay) -> SegmentDay:
    """Return a segment-day whose dictionaries do not depend on the order of arrival."""
    limits = {
        name: (limit.above, limit.breaches, limit.values.counts.tolist(), limit.causes)
        for name, limit in segment_day.limits.items()
    }
    return segment_day._replace(limits=limits)  # type: ignore[arg-type]


def test_an_ordinary_segment_day_is_one_record() -> None:
    spread = np.arange(1, 10_000, 7)
    limits = {f"limit-{n}": limit_day(spread.tolist(), {("branch", "B1"): 9}) for n in range(40)}
    counts = {("institution", f"BANK{n}"): 3 for n in range(500)}
    day = SegmentDay(739_621, "retail", 1400, limits, 9, 1, counts, counts)
    (only,) = segment_records_of(0, (day,))
    assert (only.segments, only.part) == (1, 0)


# -- state ----------------------------------------------------------------------------------------


def test_the_largest_chunk_of_a_journal_fits() -> None:
    top = (10**18 - 1) << SERIES_BITS
    entries = [
        Entry(
            number << 40,
            f"{number:0256d}",
            f"{number:040d}",
            3_652_059,
            top | number % len(SERIES),
            (f"{number + 1:064d}", 3_652_059),
        )
        for number in range(journal.ENTRIES_MAX * 2 + 1)
    ]
    chunks = list(journal.journal_chunks(3_652_059, entries))
    assert len(chunks) > 3  # long ids make shorter chunks
    read = [entry for chunk in chunks for entry in journal.chunk_of(chunk).entries]
    assert read == entries
    for chunk in chunks:
        assert len(chunk) <= PIECE_BYTES_MAX


def test_accounts_with_long_ids_in_one_bucket_outgrow_no_record() -> None:
    """CRC-32 is no secret: whoever opens accounts can choose the bucket that they fall into."""
    accounts = 4000
    items = [
        record(number, f"T{number}", account_id=f"{number:0256d}") for number in range(accounts)
    ]

    def an_engine() -> Engine:
        return Engine(0, book(), buckets=1)

    async def run() -> Log:
        log, rng = Log(), random.Random(3)  # noqa: S311 - seeded, and no secret
        outbox = FakeOutbox(log, rng, batch_records=100)
        partition = Partition(an_engine(), {}, outbox, TOPICS, lambda _: True)
        for first in range(0, accounts, 2000):
            part = items[first : first + 2000]
            await partition.take(Event(outbox, rng, part[-1].offset), read_run([part]))
            assert await partition.flush() is not None
        return log

    log = asyncio.run(run())
    pieces = Counter(
        (written.key or b"")[:2] for written in log.topics[TOPICS.changelog] if written.value
    )
    assert pieces[b"b:"] > 2
    recovered = an_engine()
    assert changelog.recover(recovered, log.kept()).lost is None
    assert len(recovered.ledger.accounts) == accounts
    assert recovered.ledger.offset_last == accounts - 1


def test_a_record_of_a_megabyte_of_escapes_is_rejected_and_the_partition_goes_on() -> None:
    async def run() -> Log:
        log, rng = Log(), random.Random(3)  # noqa: S311 - seeded, and no secret
        outbox = FakeOutbox(log, rng)
        partition = Partition(Engine(0, book()), {}, outbox, TOPICS, lambda _: True)
        run = [Record(0, ESCAPES), Record(1, ESCAPES[:10], ESCAPES), record(2, "T2")]
        step = await partition.take(Event(outbox, rng, 2), read_run([run]))
        assert (step.transactions, len(step.rejections)) == (1, 2)
        assert await partition.flush() is not None
        return log

    log = asyncio.run(run())
    lengths = [
        json.loads(written.value or b"")["record_bytes"]
        for written in log.topics[TOPICS.rejections]
    ]
    assert lengths == [1_000_000, 10]


# -- the one place where it is enforced -----------------------------------------------------------


def test_a_breach_names_the_topic_the_key_and_the_size() -> None:
    headers = [("ce_id", b"x" * 100)]
    size = record_bytes(Outgoing(b"key", b"", headers))
    assert fits(None, b"x" * (RECORD_BYTES_MAX - 150))
    with pytest.raises(RecordTooLargeError, match=r"weir.alerts.v1 with a key of 3 bytes.*900,001"):
        ensure_fits("weir.alerts.v1", Outgoing(b"key", bytes(RECORD_BYTES_MAX + 1 - size), headers))
    ensure_fits("weir.alerts.v1", Outgoing(b"key", bytes(RECORD_BYTES_MAX - size), headers))
    assert RECORD_BYTES_MAX < BROKERS_BYTES_MAX
