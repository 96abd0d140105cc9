"""A run that kernels read says exactly what the codec says of each record, whatever its bytes."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.kernels import Loading, plain
from monitor.core.transaction import FIELDS, Transaction
from streams.feed.rows import records_of
from streams.lab.bench import bench_batches
from streams.wire import codec, columns
from streams.wire.columns import prepare, read_run
from streams.wire.rows import checks, texts, walk
from streams.wire.rows.layout import (
    NAME_BYTES,
    ORDINARY,
    Batches,
    RunColumns,
    room_for_rows,
    room_for_texts,
)
from tests.support.edge_records import (
    WHOLE,
    at_each_edge,
    changed_everywhere,
    edge_run,
    numbered,
    record_of,
)
from tests.support.laws import examples, law
from tests.support.mutations import MUTATIONS, VALUES, encoded, mutated
from tests.support.record_batches import assert_read_as_by_the_codec, batch_of
from tests.support.records import GOOD, GOOD_TIMESTAMP, Record

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True, scope="module")
def _kernels() -> None:
    prepare()


def assert_equal(records: list[Record]) -> int:
    """Fail if the codec says otherwise, by batch or by record; return how many are ordinary."""
    of_batch, of_records = read_run([batch_of(records)]), read_run([records])
    assert_read_as_by_the_codec(of_batch, records)
    assert_read_as_by_the_codec(of_records, records)
    states = of_batch.columns.rows["state"]
    assert (states == of_records.columns.rows["state"]).all()
    return int((states == ORDINARY).sum())


def made_records(count: int) -> list[Record]:
    """Return records of the stream that `weir bench` sends."""
    pairs = [
        (str(account_id).encode(), value)
        for batch in bench_batches(count)
        for account_id, value, _ in records_of(batch)
    ]
    return [
        Record(offset, value, key, GOOD_TIMESTAMP + offset)
        for offset, (key, value) in enumerate(pairs)
    ]


# -- the law --------------------------------------------------------------------------------------


def test_made_records_are_ordinary_and_equal() -> None:
    records = made_records(20_000)
    assert assert_equal(records) == len(records)


def test_a_record_with_each_byte_changed() -> None:
    assert assert_equal(numbered([*changed_everywhere(encoded(WHOLE))])) > 9000


def test_a_record_with_a_number_for_an_amount_and_each_byte_changed() -> None:
    value = encoded(GOOD | {"note": "n"}).replace(b'"12.30"', b"12.30").replace(b'"n"', b"null")
    assert assert_equal(numbered([*changed_everywhere(value)])) > 700


def test_a_record_at_each_edge() -> None:
    assert assert_equal(numbered([*at_each_edge()])) > 1400


def test_records_at_several_edges() -> None:
    rng = random.Random(20260105)  # noqa: S311 - seeded, and no secret
    assert assert_equal(edge_run(rng, examples(40_000))) > 1000


@given(
    st.lists(st.tuples(st.none() | st.binary(max_size=60), st.none() | st.just(b"A1")), min_size=1)
)
def test_random_bytes(pairs: list[tuple[bytes | None, bytes | None]]) -> None:
    assert_equal([record_of(value, key, n) for n, (value, key) in enumerate(pairs)])


@law(300)
@given(st.lists(st.sampled_from(MUTATIONS), min_size=1), st.randoms(use_true_random=False))
def test_spoilt_records(mutations: list[object], rng: random.Random) -> None:
    assert_equal(numbered([mutated(rng, dict(WHOLE)) for _ in mutations]))


texts_of_any = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(list(VALUES))


@law(300)
@given(st.dictionaries(st.sampled_from(FIELDS), texts_of_any), st.booleans())
def test_a_record_with_other_values(changes: dict[str, object], ensure_ascii: bool) -> None:  # noqa: FBT001 - drawn
    value = json.dumps(WHOLE | changes, ensure_ascii=ensure_ascii).encode()
    assert_equal([record_of(value), record_of(encoded(WHOLE), offset=1)])


def test_no_records() -> None:
    none: list[Record] = []
    for pieces in ([], [none]):
        run = read_run(pieces)
        assert (run.offsets, run.written_at, run.items) == ([], [], [])


def test_one_field_after_the_other_is_odd_or_ordinary() -> None:
    """What is ordinary, in words: else the law above might hold of nothing."""
    good: dict[str, object] = dict(GOOD)
    ordinary: list[dict[str, object]] = [
        good, WHOLE, dict(reversed(WHOLE.items())), good | {"segment": "", "reverses": ""},
        good | {"channel": None}, good | {"note": "rent"}, good | {"amount": 12.3},
        good | {"booked_at": "2026-01-05 10:00:00.123456789+01:00"}, good | {"amount": "1.2000"},
    ]  # fmt: skip
    odd = [
        good | {"channel": "\u00e9"}, good | {"transaction_id": 5}, good | {"note": {}},
        good | {"channel": 'a"b'}, good | {"amount": "1e2"}, good | {"weir_fault": "none"},
        good | {"booked_at": "2016-12-31T23:59:60Z"}, good | {"account_id": "A2"},
        good | {"currency": "DEM"}, good | {"segment": "x" * 257}, good | {"amount": ""},
    ]  # fmt: skip
    twice = encoded(GOOD)[:-1] + b', "currency": "EUR"}'
    run = read_run([numbered([*map(encoded, ordinary + odd), twice])])
    states = (run.columns.rows["state"] == ORDINARY).tolist()
    assert states == [True] * len(ordinary) + [False] * len(odd) + [False]


def test_texts_aimed_at_one_slot_are_gathered_all_the_same() -> None:
    """Their hashes meet, since 31 * 65 + 97 is 31 * 66 + 66."""
    channels = ["".join(parts) for parts in product(("Aa", "BB"), repeat=5)]
    first = {
        texts.slot_of(np.frombuffer(channel.encode(), np.uint8), 0, len(channel), 1 << 20)
        for channel in channels
    }
    assert len(first) == 1
    records = numbered([encoded(GOOD | {"channel": channel}) for channel in channels * 2])
    assert assert_equal(records) == len(records)


def test_a_name_is_not_taken_for_one_that_begins_like_it() -> None:
    room = room_for_texts(1000, 20)._replace(slots=np.full(4, -1, np.int32))  # all of them meet
    names = [b"a" * length for length in (7, 5, 3, 1, 0, 2, 4, 6)]
    numbers = [plain(texts.name_of)(name, 0, len(name), room) for name in names * 2]
    gathered = room.names[: room.used[NAME_BYTES]].tobytes().split(b"\n")
    assert [gathered[number] for number in numbers] == names * 2
    assert len(set(numbers)) < len(numbers)


# -- pieces ---------------------------------------------------------------------------------------


def test_pieces_of_both_sorts_are_one_run() -> None:
    records = made_records(50)
    records[7] = records[7]._replace(value=None)
    records[30] = records[30]._replace(key=b"other", headers=(("h", b"1"),))
    records[35] = records[35]._replace(headers=(("h", b"1"), ("\u00e9", b"")))
    pieces: list[columns.Piece] = [
        batch_of(records[:10]),
        records[10:12],
        [],
        records[12:31],
        batch_of(records[31:]),
    ]
    run = read_run(pieces)
    assert_read_as_by_the_codec(run, records)
    for record in records:
        found = run.record(record.offset)
        assert (found.offset, found.timestamp, found.key, found.value, found.headers) == (
            record.offset, record.timestamp, record.key, record.value, record.headers
        )  # fmt: skip
    assert run.record(20) is records[20]  # it came as an object
    for offset in (-1, 50):
        with pytest.raises(KeyError):
            run.record(offset)


def test_the_columns_have_what_the_items_have() -> None:
    records = made_records(500)
    run = read_run([batch_of(records)])
    rows, data = run.columns.rows, bytes(run.columns.data)
    for row, item in zip(rows, run.items, strict=True):
        assert isinstance(item, Transaction)
        at, length = row["value_at"] + row["at"][1], row["length"][1]
        assert data[at : at + length].decode() == item.account_id
        assert (row["event_time"], row["amount"]) == (item.event_time, item.amount_minor)
        assert columns.CURRENCY_CODES[row["currency"]] == item.currency
        assert row["is_credit"] == (item.direction == "credit")


@pytest.mark.parametrize("clock_skew", [0, 1, 300_000_000])
def test_rows_are_judged_as_items_are_whenever_they_say_to_be_written(clock_skew: int) -> None:
    """A producer writes any 64 bits as a record's time."""
    written = made_records(1)[0]
    (item,) = read_run([[written]]).items
    assert isinstance(item, Transaction)
    now = item.event_time // codec.TIMESTAMP_UNIT
    edges = [now, now - clock_skew // codec.TIMESTAMP_UNIT, 0, 2**63 // 1000, -(2**63) // 1000]
    edges += [2**63 - 2, 2 - 2**63, now - 2**63 // 1000, -now]
    times = [time for edge in edges for time in range(edge - 2, edge + 2)]
    records = [written._replace(offset=n, timestamp=time) for n, time in enumerate(times)]
    for pieces in ([records], [batch_of(records[n : n + 1]) for n in range(len(records))]):
        run = read_run(pieces)
        is_judged = [isinstance(item, Transaction) for item in run.judged(clock_skew)]
        run.judge_rows(clock_skew)
        assert [*(run.rows["state"] == ORDINARY)] == is_judged
        assert True in is_judged
        assert False in is_judged


# -- compiled and plain ---------------------------------------------------------------------------


def test_compiled_and_plain_kernels_fill_the_same_rows() -> None:
    rng = random.Random(7)  # noqa: S311 - seeded, and no secret
    edges = rng.sample([*at_each_edge()], examples(1200))
    records = [*numbered(edges), *edge_run(rng, examples(1200)), *made_records(200)]
    batch = batch_of([record._replace(offset=n) for n, record in enumerate(records)])
    data = np.frombuffer(batch.data, np.uint8)
    place = [[number] for number in (0, len(batch.data), 0, len(records))]
    said, written = (RunColumns(data, room_for_rows(len(records))) for _ in range(2))
    for run in (said, written):
        run.rows.view(np.uint8)[:] = 0  # what a kernel does not fill is the same
    arrays = Batches._make(np.array(column, np.int64) for column in place)
    assert walk.walk(data, arrays, said.rows) == -1
    assert plain(walk.walk)(batch.data, Batches._make(place), written.rows) == -1
    table = columns.CURRENCY_TABLE
    odd = checks.read_values(data, said.rows, table)
    assert plain(checks.read_values)(batch.data, written.rows, table) == odd
    assert said.rows.tobytes() == written.rows.tobytes()
    assert 100 < odd < len(records) - 250
    gathered, copied = (room_for_texts(data.size, len(records)) for _ in range(2))
    texts.gather(data, said.rows, gathered)
    plain(texts.gather)(batch.data, written.rows, copied)
    pair_bytes, name_bytes, names, count = gathered.used.tolist()
    assert (gathered.used == copied.used).all()
    assert (gathered.pairs[:pair_bytes] == copied.pairs[:pair_bytes]).all()
    assert (gathered.names[:name_bytes] == copied.names[:name_bytes]).all()
    assert (gathered.place[:names] == copied.place[:names]).all()
    assert (gathered.name[:count] == copied.name[:count]).all()


def test_nothing_is_compiled_after_it_was_prepared() -> None:
    batch = batch_of([record_of(encoded(GOOD))])
    cases: list[list[columns.Piece]] = [
        [],
        [[record_of(None)]],
        [batch, batch],
        [batch._replace(from_offset=1)],
    ]
    for pieces in cases:
        assert len(read_run(pieces).items) < 2
    for kernel in (walk.walk, checks.read_values, texts.gather):
        assert len(getattr(kernel, "signatures")) == 1  # noqa: B009 - numba's, without a type


# -- a machine on which nothing is compiled -------------------------------------------------------


def test_the_codec_reads_while_the_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Event()
    cold = Loading(started.set, "none")
    monkeypatch.setattr(cold, "load", started.set)
    monkeypatch.setattr(columns, "_KERNELS", cold)
    rng = random.Random(9)  # noqa: S311 - seeded, and no secret
    records = edge_run(rng, 100)
    run = read_run([batch_of(records)])
    assert not (run.columns.rows["state"] == ORDINARY).any()
    assert_read_as_by_the_codec(run, records)
    assert started.wait(10)


def test_a_thread_makes_the_kernels_ready() -> None:
    kernels = Loading(prepare, "kernels of rows")
    until = time.monotonic() + 60
    while not kernels.are_ready():
        assert time.monotonic() < until
        time.sleep(0.01)


# -- nothing is read beside the bytes -------------------------------------------------------------


@pytest.mark.slow
def test_no_kernel_reads_beside_its_arrays(tmp_path: Path) -> None:
    """The law and the damaged batches with Numba's own check of every index."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    folder = Path(__file__).parent
    tests = [folder / "test_columns.py", folder / "rows" / "test_walk.py"]
    ran = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=0",
            "-m", "not slow", *tests,
        ],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=850,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


@pytest.mark.slow
def test_two_hundred_thousand_records_at_edges() -> None:
    rng = random.Random(1)  # noqa: S311 - seeded, and no secret
    assert sum(assert_equal(edge_run(rng, 5000)) for _ in range(40)) > 20_000
