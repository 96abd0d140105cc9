"""Files in the order of the world: by booked_at, stable, in memory and through a file alike."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from monitor.core.business_day import event_time_of
from monitor.core.transaction import FIELDS
from streams.feed import csv_file as feed_csv
from streams.feed import order as feed_order
from streams.feed.mapping import Where
from streams.feed.order import in_order
from streams.feed.reader import Batch, FeedError, FeedMap, files_of, read
from streams.feed.rows import records_of
from streams.feed.sources import column_source
from streams.replay.replay import Replay
from tests.support.command_line import Weir, fields, weir_of
from tests.support.laws import law
from tests.support.transactions import book

HEADER = ",".join(FIELDS) + "\n"
UNREADABLE = ("", "soon", "2026-02-31T09:00:00Z")


@pytest.fixture
def weir(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weir:
    monkeypatch.setattr("streams.interpreter.configure_interpreter", lambda: None)
    return weir_of(monkeypatch, capsys)


def row(name: str, booked_at: str, account: str = "A", amount: str = "1500.00") -> list[str]:
    return [name, account, booked_at, amount, "EUR", "debit", *[""] * 6]


def write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    path.write_text(HEADER + "".join(",".join(cells) + "\n" for cells in rows), encoding="utf-8")


def write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write rows in the form that the file's name says; of CSV one of no name is no row."""
    if path.suffix == ".csv":
        write_csv(path, [cells if cells[0] else cells[:3] for cells in rows])
    elif path.suffix == ".jsonl":
        records = [{k: v for k, v in zip(FIELDS, cells, strict=True) if v} for cells in rows]
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    else:
        table = {name: [cells[place] for cells in rows] for place, name in enumerate(FIELDS)}
        parquet.write_table(pa.table(table), path)


@contextmanager
def sizes(rows: int, run_rows: int, frame_rows: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_csv, "BATCH_ROWS", rows)
        patch.setattr(feed_order, "BATCH_ROWS", rows)
        patch.setattr(feed_order, "RUN_ROWS", run_rows)
        patch.setattr(feed_order, "FRAME_ROWS", frame_rows)
        yield


def seen(batches: Iterator[Batch]) -> list[tuple[str, int, bytes, str]]:
    """Return file, number, record and time of each row, in the order in which they are taken."""
    found = []
    for batch in batches:
        items = list(records_of(batch))
        numbers = [*batch.numbers, *(number for number, _ in batch.raw)]
        for place, (number, (_, value, booked_at)) in enumerate(zip(numbers, items, strict=True)):
            found.append((batch.file_of(place).name, number, value, booked_at or ""))
    return found


times = st.integers(0, 5).map(lambda hour: f"2026-01-05T0{hour}:00:00Z")
whens = times | st.sampled_from(UNREADABLE) | times.map(lambda text: text.replace("Z", "+01:00"))
kinds = st.sampled_from([".csv", ".csv", ".jsonl", ".parquet"])
tables = st.lists(
    st.tuples(kinds, st.lists(st.tuples(st.booleans(), whens), min_size=1, max_size=7)),
    min_size=1,
    max_size=4,
)


@law(200)
@given(tables, st.integers(1, 5), st.integers(1, 6), st.integers(1, 3))
def test_rows_are_in_the_order_of_their_times_and_none_is_lost(
    made: list[tuple[str, list[tuple[bool, str]]]], size: int, run_rows: int, frame_rows: int
) -> None:
    with TemporaryDirectory() as folder:
        files = []
        for number, (kind, cells) in enumerate(made):
            path = Path(folder) / f"f{number}{kind}"
            named = enumerate(cells)
            rows = [
                row(f"t{n}" if good or kind != ".csv" else "", when) for n, (good, when) in named
            ]
            write(path, rows)
            files.append(path)
        standing = sorted(seen(read(files)), key=lambda shown: (shown[0], shown[1]))
        last, keys = -(1 << 62), []
        for name, number, _, _ in standing:
            kind, cells = made[int(name[1])]
            good, when = cells[number - 1]
            time = event_time_of(when) if when and (good or kind != ".csv") else None
            last = last if time is None else time
            keys.append(last)
        order = sorted(range(len(standing)), key=lambda place: keys[place])
        expected = [standing[place] for place in order]
        with sizes(size, 1000, 1000):
            in_memory = list(in_order(files))
        with sizes(size, run_rows, frame_rows):
            on_disk = list(in_order(files))
    transactions = [shown for shown in expected if shown[3]]
    for batches in (in_memory, on_disk):
        found = seen(iter(batches))
        # What is none has its place too; within a batch, what is a row comes first.
        assert [shown for shown in found if shown[3]] == transactions
        assert sorted(found, key=lambda shown: shown[:2]) == standing
    assert seen(iter(in_memory)) == seen(iter(on_disk))


def test_of_files_that_are_in_order_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        hour = 1 if name == "a" else 2
        write_csv(
            tmp_path / f"{name}.csv",
            [row(f"t{n}", f"2026-01-05T0{hour}:0{n}:00Z") for n in range(5)],
        )
    monkeypatch.setattr(feed_order, "_sorted", None)
    files = files_of([tmp_path])
    assert seen(in_order(files)) == seen(read(files))


def newest_first(path: Path, accounts: int = 1, days: int = 28) -> None:
    rows = [
        row(f"t{day}-{account}", f"2026-03-{day:02d}T12:00:00Z", f"A{account}")
        for day in range(days, 0, -1)
        for account in range(accounts)
    ]
    write_csv(path, rows)


def replayed(batches: Iterator[Batch]) -> tuple[dict[str, object], list[tuple[str, int, str]]]:
    replay = Replay(book(), 2)
    rejected = []
    for batch in batches:
        told = replay.observe(batch)
        rejected += [
            (rejection.file, rejection.row, rejection.rejection.reason.value)
            for rejection in told.rejections
        ]
    return replay.totals.fields(0), rejected


def test_newest_first_and_overlapping_branches_are_replayed_as_the_sorted_rows(
    tmp_path: Path,
) -> None:
    newest_first(tmp_path / "newest.csv", 3)
    turned = (tmp_path / "newest.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = sorted((line.split(",") for line in turned), key=lambda cells: cells[2])
    write_csv(tmp_path / "sorted.csv", rows)
    for branch in range(3):
        write_csv(
            tmp_path / f"branch-{branch}.csv", [cells for cells in rows if cells[1] == f"A{branch}"]
        )
    expected, _ = replayed(read([tmp_path / "sorted.csv"]))
    branches = [tmp_path / f"branch-{branch}.csv" for branch in range(3)]
    for files in ([tmp_path / "newest.csv"], branches):
        for run_rows in (7, 200_000):
            with sizes(5000, run_rows, 2):
                assert replayed(in_order(files))[0] == expected
        as_they_stand, _ = replayed(read(files))
        assert as_they_stand["rejected_by_reason"] != expected["rejected_by_reason"] == {}


def test_a_rejected_row_has_its_own_file_and_number(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "a.csv", [row("t1", "2026-03-02T12:00:00Z"), row("t2", "2026-03-04T12:00:00Z")]
    )
    write_csv(
        tmp_path / "b.csv",
        [
            row("u1", "2026-03-03T12:00:00Z"),
            row("u2", "2026-03-03T13:00:00Z", amount="x"),
            ["short"],
            row("u4", "soon"),
        ],
    )
    with sizes(5000, 2, 1):
        _, rejected = replayed(in_order([tmp_path / "a.csv", tmp_path / "b.csv"]))
    assert sorted(rejected) == [
        ("b.csv", 2, "bad-amount"), ("b.csv", 3, "malformed"), ("b.csv", 4, "bad-time"),
    ]  # fmt: skip


def test_rows_that_a_map_leaves_out_are_counted_once(tmp_path: Path) -> None:
    newest_first(tmp_path / "x.csv", 2)
    feed_map = FeedMap(
        fields={name: column_source((name,)) for name in FIELDS},
        where=(Where(("account_id",), frozenset({"A1"}), is_one=False),),
    )
    for run_rows in (5, 1000):
        with sizes(3, run_rows, 2):
            batches = list(in_order([tmp_path / "x.csv"], feed_map))
        assert (
            sum(batch.skipped for batch in batches)
            == sum(batch.filtered for batch in batches)
            == 28
        )
        assert sum(len(batch.rows) for batch in batches) == 28
        assert batches[-1].share_read == 1.0
    nothing = feed_map._replace(where=(Where(("account_id",), frozenset(), is_one=True),))
    assert [
        batch.skipped for batch in in_order([tmp_path / "x.csv"], nothing) if batch.skipped
    ] == [56]


def test_nothing_stays_behind_of_what_does_not_fit_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, scratch = tmp_path / "data", tmp_path / "scratch"
    data.mkdir()
    scratch.mkdir()
    newest_first(data / "x.csv")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with sizes(4, 3, 2):
        batches = in_order([data / "x.csv"])
        assert next(batches).rows
        # While it is read there is no name that a killed process could leave.
        assert list(scratch.iterdir()) == []


def test_a_damaged_header_or_file_is_told_before_the_first_row(tmp_path: Path) -> None:
    newest_first(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("amount\n", encoding="utf-8")
    with pytest.raises(FeedError, match=r"b\.csv"):
        in_order(files_of([tmp_path]))
    (tmp_path / "b.csv").write_bytes((HEADER + "x").encode("utf-16")[:-1])
    with pytest.raises(FeedError, match="it is not utf-16"):
        in_order([tmp_path / "b.csv"], FeedMap(encoding="utf-16"))


@pytest.mark.parametrize(
    "names",
    [
        ["statement-2.csv", "statement-10.csv"],
        ["s1.csv", "s1b.csv", "s02.csv", "s2.csv", "s11.csv"],
        ["2025-12.csv", "2026-1.csv", "2026-02.csv", "2026-11.csv"],
        ["9.csv", "10.csv", "a.csv", "a0.csv", "a00.csv", "a1.csv"],
        ["\u0662.csv", "\u00b2.csv"][::-1],
    ],
)
def test_numbers_in_the_names_of_files_count_as_numbers(tmp_path: Path, names: list[str]) -> None:
    for name in sorted(names):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert [path.name for path in files_of([tmp_path])] == names


def test_the_commands_put_rows_in_order_unless_they_are_to_stay(weir: Weir, tmp_path: Path) -> None:
    newest_first(tmp_path / "x.csv", 2)
    policy = tmp_path / "p.toml"
    policy.write_text(
        'version = 1\n[calendar]\ntime_zone = "UTC"\nallowed_lateness = "48h"\n[[limit]]\n'
        'id = "d"\nmeasure = "amount"\ndirection = "debit"\ncurrency = "EUR"\nabove = "1000.00"\n',
        encoding="utf-8",
    )
    replay = ["replay", str(tmp_path / "x.csv"), "--policy", str(policy), "--json"]
    alerts = tmp_path / "a.jsonl"
    for more, raised in (([], 56), (["--as-it-stands"], 6)):
        said = weir(*replay, "--alerts", alerts, *more)
        assert ("rows newest first" in said.err or "newest first" in said.err) == bool(more)
        told = json.loads(said.out)
        assert told["alerts"] == told["transactions"] == raised
        last = json.loads(alerts.read_text(encoding="utf-8").splitlines()[-1])
        explained = weir(
            "explain", last["alert_id"], "--alerts", alerts, "--input", tmp_path / "x.csv",
            "--policy", policy, "--json", *more,
        )  # fmt: skip
        assert fields(explained)["same"] is True
        asked = weir(
            "whatif", "--limit", "d", "--above", "2000.00", "--file", tmp_path / "x.csv",
            "--policy", policy, "--json", *more,
        )  # fmt: skip
        assert json.loads(asked.out)["account_days"] == raised
