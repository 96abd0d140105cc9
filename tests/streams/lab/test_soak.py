"""The slope of a soak and its interval, the made days, and a soak for real."""

import json
import mmap
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.business_day import Calendar
from monitor.core.transaction import FIELDS
from streams.cli.views.soak import draw
from streams.lab import soak
from streams.lab.rig import without_weir
from streams.lab.soak import (
    BLOCKS,
    DAY_FIRST,
    MEGABYTE,
    Soaked,
    SoakSample,
    days_closed,
    rss_bytes,
    slope_of,
    soak_batches,
)
from tests.support.laws import law
from tests.support.rigs import command

# -- the slope ------------------------------------------------------------------------------------

series = st.lists(st.floats(-1e6, 1e6), min_size=BLOCKS, max_size=200)
numbers = st.floats(-1e4, 1e4)


@law(100)
@given(st.integers(BLOCKS, 300), numbers, numbers)
def test_the_slope_of_a_line_is_exact_and_its_interval_a_point(
    count: int, start: float, per_hour: float
) -> None:
    seconds = [float(second) for second in range(count)]
    found = slope_of(seconds, [start + per_hour * second / 3600 for second in seconds])
    assert found is not None
    assert [*found] == pytest.approx([per_hour] * 3, rel=1e-6, abs=1e-4)


@law(100)
@given(series, st.floats(-1e5, 1e5), numbers)
def test_a_shift_of_time_or_of_values_changes_no_slope(
    values: list[float], later: float, more: float
) -> None:
    seconds = [float(second) for second in range(len(values))]
    found = slope_of(seconds, values)
    shifted = slope_of([s + later for s in seconds], [value + more for value in values])
    assert found is not None
    size = max(map(abs, found))
    assert shifted is not None
    assert [*shifted] == pytest.approx([*found], rel=1e-5, abs=1e-5 * size + 1e-2)


@law(100)
@given(series)
def test_the_slope_lies_within_its_interval_and_grows_with_the_values(values: list[float]) -> None:
    seconds = [float(second) for second in range(len(values))]
    found = slope_of(seconds, values)
    assert found is not None
    assert found.low <= found.per_hour <= found.high
    steeper = slope_of(seconds, [v + 100 * s for v, s in zip(values, seconds, strict=True)])
    assert steeper is not None
    assert steeper.per_hour > found.per_hour
    assert steeper.per_hour - found.per_hour == pytest.approx(360_000, rel=1e-3)


def test_fewer_values_than_blocks_have_no_slope() -> None:
    assert slope_of([float(n) for n in range(BLOCKS - 1)], [1.0] * (BLOCKS - 1)) is None


def test_the_interval_has_the_true_slope_in_95_of_100_series_of_values_that_are_alike() -> None:
    """Each value has 0.8 of the one before in it, as memory has."""
    rng = random.Random(7)  # noqa: S311 - noise is no secret
    trials, held = 600, 0
    for _ in range(trials):
        noise, values = 0.0, []
        for second in range(480):
            noise = 0.8 * noise + rng.gauss(0, 1)
            values.append(50 + 3 * second / 3600 + noise)
        found = slope_of([float(second) for second in range(480)], values)
        assert found is not None
        held += found.low <= 3 <= found.high
    assert 0.91 < held / trials < 0.98


# -- what a soak says -----------------------------------------------------------------------------


def soaked(megabytes: list[float]) -> Soaked:
    steady = [
        SoakSample(float(second), round(size * MEGABYTE), second % 7, 10, 5, second / 4)
        for second, size in enumerate(megabytes)
    ]
    memory = slope_of([s.seconds for s in steady], [s.rss_bytes for s in steady])
    return Soaked(float(len(megabytes)), 100, 100, 3, 50, memory, steady)


def test_memory_that_grows_is_found_and_memory_that_jumps_about_is_not() -> None:
    rng = random.Random(1)  # noqa: S311 - noise is no secret
    growing = soaked([100 + second / 60 + rng.gauss(0, 0.1) for second in range(600)])
    assert growing.per_cent().per_hour == pytest.approx(57, abs=4)  # of a mean of 105
    assert growing.grows(slope_max=1)
    assert not growing.grows(slope_max=80)
    flat = soaked([100 + rng.gauss(0, 1) for _ in range(600)])
    assert not flat.grows(slope_max=1)
    assert not soaked([100.0] * 5).grows(slope_max=0)


def test_the_figures_are_of_the_samples() -> None:
    fields = soaked([100.0] * 60 + [130.0] * 60).fields()
    assert fields["memory_mb"] == {"mean": 115.0, "max": 130.0}
    assert fields["lag_records"] == {"mean": 3, "max": 6}
    assert fields["worker_cpu_per_cent"] == 25.0
    slope = fields["memory_slope"]
    assert isinstance(slope, dict)
    assert slope["mb_an_hour"] > 1000


# -- made days ------------------------------------------------------------------------------------


def test_made_days_follow_one_another_until_yesterday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "DAYS_MAX", 3)
    today = DAY_FIRST + timedelta(8)
    days = [date.fromisoformat(batch.path.name) for batch in soak_batches(100, today)]
    assert days == [DAY_FIRST + timedelta(number) for number in range(8)]


def test_the_made_days_do_not_grow() -> None:
    batches = soak_batches(40, date(1974, 3, 1))
    amount = FIELDS.index("amount")
    days = [[float(row[amount] or 0) for row in batch.rows] for batch in batches]
    early, late = (
        statistics.median(chain.from_iterable(part)) for part in (days[:150], days[-150:])
    )
    assert early == pytest.approx(late, rel=0.1)


@law(50)
@given(st.integers(0, 40_000_000), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tokyo"]))
def test_as_many_days_are_closed_as_end_by_the_moment(second: int, zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone))
    moment = calendar.start_of(DAY_FIRST.toordinal()) + second * 1_000_000
    ends = (calendar.end_of(DAY_FIRST.toordinal() + number) for number in range(470))
    assert days_closed(calendar, moment) == sum(end <= moment for end in ends)
    assert days_closed(calendar, 0) == 0


def test_the_memory_of_a_process_is_what_it_has_in_ram() -> None:
    before = rss_bytes(os.getpid())
    # Pages of its own: what an allocator gives may lie in memory that an earlier test has let go.
    with mmap.mmap(-1, 64 * MEGABYTE) as held:
        held.write(b"x" * (64 * MEGABYTE))
        assert rss_bytes(os.getpid()) - before > 32 * MEGABYTE


def test_the_chart_has_both_lines_and_is_the_same_for_the_same_soak(tmp_path: Path) -> None:
    samples = soaked([100.0 + n % 3 for n in range(40)]).steady
    paths = tmp_path / "one.svg", tmp_path / "other.svg"
    for path in paths:
        with path.open("wb") as file:
            draw(samples, "3 days $x^2$", file)
    one, other = (path.read_text(encoding="utf-8") for path in paths)
    assert one == other
    for text in ("memory of the worker, MB", "lag, records", "minutes", "3 days $x^2$"):
        assert text in one


# -- for real -------------------------------------------------------------------------------------

FAST = ("--rate", "3000", "--accounts", "500", "--json")


@pytest.mark.slow
def test_days_close_all_was_taken_in_and_the_figures_are_there(tmp_path: Path) -> None:
    chart = tmp_path / "soak.svg"
    done = command("soak", "--minutes", "0.3", "--slope-max", "1e9", "--out", chart, *FAST)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["taken_in"] == result["sent"] > 20_000
    assert result["days_closed"] > 10
    assert result["account_days_closed"] > 10 * 50
    assert result["samples"] >= BLOCKS
    assert result["memory_mb"]["max"] >= result["memory_mb"]["mean"] > 50
    assert result["lag_records"]["max"] >= result["lag_records"]["mean"] >= 0
    low, high = result["memory_slope"]["per_cent_an_hour_95"]
    assert low <= result["memory_slope"]["per_cent_an_hour"] <= high
    assert "days closed" in done.stderr
    assert b"</svg>" in chart.read_bytes()


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_and_prints_the_figures_so_far() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "soak", *FAST],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=without_weir(os.environ),
    )  # fmt: skip
    try:
        assert process.stderr is not None
        while "days closed" not in (line := process.stderr.readline()):
            assert line, "it ended before its first figures"
        below = children(process.pid)
        assert len(below) >= 2  # broker and worker
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert "ended by Ctrl-C" in err
    result = json.loads(out)
    assert result["sent"] > 0
    assert result["memory_mb"]["mean"] > 50
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in below):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(text.rsplit(")", 1)[1].split()[1]) == pid:
            found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--out", "chart.png"), "its name must end in .svg"),
        (("--full", "--policy", "examples/full.policy.toml"), "leave one of them out"),
    ],
)
def test_a_mistake_is_said_before_anything_starts(words: tuple[str, ...], says: str) -> None:
    done = command("soak", *words)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.replace("\u2502", " ").split())
