"""A replay with arrays says, byte for byte, what the plain one says of the same files."""

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2

from models.learner import learner
from models.peers.groups import PeerGroups
from monitor.core.as_of import AsOf
from monitor.core.attributes import AttributeBook, Attributes
from monitor.core.transaction import FIELDS
from monitor.engine import ordinary_engine
from monitor.engine.engine import Engine, MakeEngine, plain_engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.engine.step import Step
from monitor.ordinary import layout
from monitor.policy.policy import Policy, PolicyBook
from streams.feed import csv_file, order, reader
from streams.feed import lines as feed_lines
from streams.feed.lines import LineRows
from streams.feed.order import in_order
from streams.feed.reader import Batch, files_of, read
from streams.replay.replay import Replay
from streams.wire import codec, lines
from streams.wire.rows.lines import murmur2 as murmur2_kernel
from streams.worker import engines
from tests.support.command_line import Weir, fields, weir_of
from tests.support.laws import examples, law
from tests.support.records import GOOD_TIMESTAMP
from tests.support.strange_stream import (
    CALENDARS,
    HOUR_MS,
    PRODUCTS,
    SEGMENTS,
    StrangeStream,
    strange_policy,
)

GARBAGE: Final = (
    b"", b",", b'"', b"not a row", b"\xff,\xfe", b"a,b,c", b",,,,,,,,,,,", b"\x00", b"\x1e,\x1f",
    b'T0,"A0', b"x,A0,2026-01-05T10:00:00Z,1.00,EUR,debit,,,,,,,", b"\xc3\xa9",
)  # fmt: skip
COLUMNS: Final = (FIELDS, tuple(reversed(FIELDS)), (*FIELDS[:6], "more", "reverses", "segment"))
Quoting = Literal[0, 1]
SIZES: Final = (1, 7, 60, 5000)


@pytest.fixture(autouse=True, scope="module")
def _kernels() -> None:
    engines.prepare()


class Told(NamedTuple):
    """What a replay has told, in order, as it is written; and its counts."""

    alerts: list[bytes]
    rejections: list[bytes]
    account_days: list[bytes]
    segment_days: list[bytes]
    totals: dict[str, object]
    warning: str | None


class Case(NamedTuple):
    """Files, by what policy they are replayed, and how."""

    files: Sequence[Path]
    policies: Sequence[Policy]
    partitions: int
    attributes: AttributeBook | None
    as_of: AsOf | None
    as_it_stands: bool
    batch_rows: int
    loaded_after: int  # questions whether kernels are

    def told(self, make_engine: MakeEngine, counts: Counter[str]) -> Told:
        """Replay the files."""
        with pytest.MonkeyPatch.context() as patch:
            for module in (csv_file, order, reader):
                patch.setattr(module, "BATCH_ROWS", self.batch_rows)
            patch.setattr(feed_lines, "READ_BYTES", 700)
            calls = count()
            patch.setattr(
                lines,
                "are_loaded",
                lambda: make_engine is not plain_engine and next(calls) >= self.loaded_after,
            )
            patch.setattr(learner, "PeerGroups", partial(PeerGroups, coarse=2, fine=2, warm_up=4))
            run = Replay(
                PolicyBook(list(self.policies)), self.partitions, self.attributes, self.as_of,
                make_engine,
            )  # fmt: skip
            files = files_of(self.files)
            batches = read(files) if self.as_it_stands else in_order(files)
            return told_by(run, batches, counts)


def told_by(run: Replay, batches: Iterator[Batch], counts: Counter[str]) -> Told:
    told = Told([], [], [], [], {}, None)
    for batch in batches:
        counts["lines" if isinstance(batch.rows, LineRows) else "rows"] += len(batch.rows)
        counts["raw"] += len(batch.raw)
        report = run.observe(batch)
        told.alerts.extend(map(codec.alert_bytes, report.alerts))
        told.rejections.extend(
            codec.rejection_bytes(r.rejection, {"file": r.file, "row": r.row}, None, r.record)
            for r in report.rejections
        )
        told.account_days.extend(report.account_day_records())
        told.segment_days.extend(map(codec.segment_record_bytes, report.segment_days))
        counts["closed rows"] += len(report.closed_rows)
    return told._replace(totals=run.totals.fields(0), warning=run.warning)


def arrays(counts: Counter[str]) -> MakeEngine:
    """Return what makes engines that count on how many records Python decided, and why."""

    class Counting(OrdinaryEngine):
        def take_step(self) -> Step:
            step = super().take_step()
            counts.update(step.in_python)
            return step

    def make(partition: int, policies: PolicyBook, partitions: int) -> Engine:
        return Counting(partition, policies, partitions=partitions)

    return make


def case_of(rng: random.Random, folder: Path) -> Case:
    """Write one or two files of strange rows, and draw how they are replayed."""
    stream = StrangeStream(rng, rng.choice([2, 6, 30]), rng.choice([0.02, 0.1, 0.6]))
    calendar, first, files = rng.choice(CALENDARS), 0, []
    for number in range(rng.choice([1, 1, 2])):
        length = rng.choice([3, 60, 300])
        values = [made.value or b"" for made in stream.records(first, length)]
        first += length
        name, content = written(rng, values)
        files.append(folder / f"{number}-{name}")
        files[-1].write_bytes(content)
    has_models = rng.random() < 0.4
    policies = [
        strange_policy(rng, version, calendar, stream.accounts, has_models=has_models)
        for version in range(1, rng.choice([2, 2, 3]))
    ]
    attributes = AttributeBook() if rng.random() < 0.3 else None
    for account_id in stream.accounts:
        if attributes is None:
            break
        segment = rng.choice([None, *SEGMENTS[:2]])
        attributes.take(account_id, Attributes(segment, None, rng.choice([None, *PRODUCTS])))
    as_of = None
    if rng.random() < 0.4:
        hours = rng.choice([0, 5, 100])
        as_of = AsOf((GOOD_TIMESTAMP + hours * HOUR_MS) * 1000, rng.choice([0, 3_600_000_000]))
    return Case(
        files, policies, rng.choice([1, 1, 3]), attributes, as_of, rng.random() < 0.5,
        rng.choice(SIZES), rng.choice([0, 0, 0, 0, 9]),
    )  # fmt: skip


def written(rng: random.Random, values: Sequence[bytes]) -> tuple[str, bytes]:
    """Return records as a file of some form, and its name; some lines of it are no rows."""
    if rng.random() < 0.2:
        return "x.jsonl", b"\n".join([*values, *rng.choices(GARBAGE, k=2)])
    columns = rng.choice(COLUMNS)
    delimiter, end = rng.choice([",", ",", ";"]), rng.choice(["\n", "\n", "\r\n"])
    quoting: Quoting = rng.choice([0, 0, csv.QUOTE_ALL])
    lines_of = [delimiter.join(columns).encode() + end.encode()]
    for value in values:
        try:
            named = json.loads(value)
        except ValueError:
            named = {}
        if rng.random() < 0.01:
            named[rng.choice(FIELDS)] = rng.choice([" A0", "A0 ", "\t", "\x1e", "1 000", "x" * 300])
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
        writer.writerow([named.get(name, "") for name in columns])
        lines_of.append(out.getvalue().encode(errors="surrogateescape"))
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        lines_of.insert(rng.randint(1, len(lines_of)), rng.choice(GARBAGE) + end.encode())
    content = b"".join(lines_of)
    if rng.random() < 0.3:
        content = content.rstrip(b"\r\n")
    return "x.csv", (b"\xef\xbb\xbf" if rng.random() < 0.1 else b"") + content


def assert_replays_agree(rng: random.Random, counts: Counter[str]) -> None:
    with TemporaryDirectory() as folder:
        case = case_of(rng, Path(folder))
        plain = case.told(plain_engine, Counter())
        with_arrays = case.told(arrays(counts), counts)
    for name, told, expected in zip(Told._fields, with_arrays, plain, strict=True):
        assert told == expected, name
    records = plain.totals["records"]
    assert isinstance(records, int)
    counts["records"] += records
    counts["alerts"] += len(plain.alerts)
    counts["waiting"] += plain.totals["waiting"] != 0
    counts["warnings"] += plain.warning is not None
    counts.update(f"rejected {reason}" for reason in dict(plain.totals["rejected_by_reason"]))  # type: ignore[call-overload]


@law(100)
@given(st.randoms(use_true_random=False))
def test_any_file(rng: random.Random) -> None:
    assert_replays_agree(rng, Counter())


def test_files_while_python_and_kernels_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinary_engine, "JUDGED_RECORDS", 24)
    counts: Counter[str] = Counter()
    for seed in range(30):
        assert_replays_agree(random.Random(seed), counts)  # noqa: S311 - seeded, and no secret
    assert counts["mostly-odd"]
    assert counts["object-account"]


def test_made_files() -> None:
    """The law, and that it is not of nothing: kernels decide, and leave to Python all they may."""
    counts: Counter[str] = Counter()
    for seed in range(examples(240)):
        assert_replays_agree(random.Random(seed), counts)  # noqa: S311 - seeded, and no secret
    in_python = {reason: counts[reason] for reason in layout.IN_PYTHON}
    seldom = {"redelivered", "mostly-odd", "segment"}
    assert {reason for reason, count in in_python.items() if not count} <= seldom
    assert sum(in_python.values()) < 0.8 * counts["records"]
    others = ("lines", "rows", "raw", "closed rows", "alerts", "waiting", "warnings")
    reasons = ("future", "too-late", "duplicate", "malformed", "bad-amount", "reversal-mismatch")
    for name in (*others, *(f"rejected {reason}" for reason in reasons)):
        assert counts[name], name


# -- what reads the lines -------------------------------------------------------------------------


contents = st.lists(
    st.sampled_from(
        [
            b"T1,A,2026-01-05T09:00:00Z,1.00,EUR,debit\n", b"T2, A ,x,y,z,debit\r\n", b"\n", b"\r",
            b'"T3","A",a,b,c,d\n', b'T4,"A\nB",a,b,c,d\n', b'"', b"\xff", b"\x00", b",",
            b"a,b,c,d,e,f", b"\xc3\xa9,A,2026-01-05T09:00:00+01:00,1.00,EUR,debit\n",
            b"\x1e", b"\\", b"\r\n",
        ]
    ),
    max_size=30,
).map(b"".join)  # fmt: skip


def rows_read(path: Path, *, by_kernels: bool, batch_rows: int) -> list[object]:
    """Return the rows of a file with their numbers, what is no row, and how many were skipped.

    Where batches end is left out: a quote that is never closed moves it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BATCH_ROWS", batch_rows)
        patch.setattr(feed_lines, "READ_BYTES", 50)
        patch.setattr(lines, "are_loaded", lambda: by_kernels)
        batches = list(read([path]))
    return [
        [list(row) for batch in batches for row in batch.rows],
        [number for batch in batches for number in batch.numbers],
        [raw for batch in batches for raw in batch.raw],
        sum(batch.skipped for batch in batches),
    ]


@law(400)
@given(contents, st.sampled_from([1, 2, 5, 100]))
def test_any_bytes_are_the_same_rows(content: bytes, batch_rows: int) -> None:
    header = ",".join(FIELDS[:6]).encode() + b"\n"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(header + content)
        by_kernels = rows_read(path, by_kernels=True, batch_rows=batch_rows)
        assert by_kernels == rows_read(path, by_kernels=False, batch_rows=batch_rows)


@law(100)
@given(st.binary(max_size=40))
def test_a_key_is_hashed_as_kafka_hashes_it(key: bytes) -> None:
    assert murmur2_kernel(np.frombuffer(b"x" + key, np.uint8), 1, len(key)) == murmur2(key)


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def weir(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weir:
    return weir_of(monkeypatch, capsys)


def test_settings_and_size_select_the_engine(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[str] = []

    class Noted(OrdinaryEngine):
        def __init__(self, *arguments: object) -> None:
            made.append("arrays")
            super().__init__(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(engines, "OrdinaryEngine", Noted)
    path = tmp_path / "t.csv"
    assert weir("generate", "--accounts", 40, "--days", 4, "--out", path).status == 0

    def counts() -> dict[str, object]:
        made.clear()
        said = fields(weir("replay", path, "--json"))
        return {name: value for name, value in said.items() if name != "seconds"}

    of_small = counts()
    assert not made, "a small file is not worth loading the kernels"
    monkeypatch.setattr(engines, "FILE_BYTES_LEAST", 1)
    monkeypatch.setattr(engines, "are_kept", lambda _: False)
    assert counts() == of_small
    assert not made, "nor is compiling them"
    monkeypatch.setattr(engines, "are_kept", lambda _: True)
    assert counts() == of_small
    assert made
    monkeypatch.setenv("WEIR_ENGINE", "plain")
    assert counts() == of_small
    assert not made
    monkeypatch.setenv("WEIR_ENGINE", "quick")
    said = weir("replay", path)
    assert said.status == 2
    assert "WEIR_ENGINE" in said.err
