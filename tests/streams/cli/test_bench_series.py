"""A series of benchmarks: each run is one line, or the command ends before it measures."""

import errno
import fcntl
import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from streams.cli import bench, bench_series
from streams.cli.bench_series import Series, commit_of, machine
from streams.cli.files import OutputError
from tests.support.command_line import Weir, weir_of
from tests.support.rigs import command

FIGURES = {"weir_per_second": 63_432, "state": {"bytes": 1}}
HERE = {"cores": 2, "cpu": "made", "machine": "x86_64", "python": "3.11.7"}


@pytest.fixture
def weir(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weir:
    return weir_of(monkeypatch, capsys)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every mode measure nothing; return the modes that did."""
    modes: list[str] = []

    def instead(mode: str) -> Any:  # noqa: ANN401 - takes what any of them takes
        def measure(*_: object) -> dict[str, object]:
            modes.append(mode)
            return dict(FIGURES)

        return measure

    for mode in ("_bench", "_stages", "_memory", "_stated"):
        monkeypatch.setattr(bench, mode, instead(mode))
    return modes


def runs_of(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


# -- what a line has ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "mode", "stated"),
    [
        ([], "_bench", {}),
        (["--full"], "_bench", {"full": True}),
        (["--stages", "--transactions", 30_000], "_stages",
         {"stages": True, "transactions": 30_000}),
        (["--accounts", 9], "_memory", {"accounts": 9}),
        (["--recovery-accounts", 7, "--stock-transactions", 0], "_bench",
         {"recovery_accounts": 7, "stock_transactions": 0}),
    ],
)  # fmt: skip
def test_every_mode_appends_its_options_and_the_figures_that_it_prints(
    weir: Weir, measured: list[str], tmp_path: Path, options: list[object], mode: str,
    stated: dict[str, object],
) -> None:  # fmt: skip
    series = tmp_path / "s.jsonl"
    said = weir("bench", *options, "--json", "--append", series)
    assert (said.status, said.err, measured) == (0, "", [mode])
    (run,) = runs_of(series)
    assert run["options"] == {
        "transactions": 1_000_000, "stock_transactions": 40_000, "full": False, "stages": False,
        "accounts": 0, "recovery_accounts": 0,
    } | stated  # fmt: skip
    is_full = "full" in stated or mode == "_memory"
    figures = {"policy": "full" if is_full else "limits", **FIGURES}
    assert run["figures"] == figures
    assert run["machine"] == machine()
    assert json.loads(said.out) == {**figures, "machine": machine()}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", run["when"])


@pytest.mark.parametrize(
    ("options", "ignored"),
    [
        ("--curve --odd 5", "--odd"),
        ("--policy x.toml --full", "--full"),
        ("--policy x.toml --stages", "--policy"),
        ("--policy x.toml --stock-transactions 9", "--stock-transactions"),
        ("--curve --recovery-accounts 9", "--recovery-accounts"),
        ("--curve --accounts 9", "--accounts"),
        ("--curve --stages", "--stages"),
        ("--curve --transactions 30000 --odd 5", "--odd, --transactions"),
        ("--console --curve", "--curve"),
        ("--console --full", "--full"),
        ("--console --transactions 30000", "--transactions"),
        ("--accounts 9 --odd 5", "--odd"),
        ("--accounts 9 --recovery-accounts 9", "--recovery-accounts"),
        ("--odd 5 --stages", "--stages"),
        ("--odd 5 --recovery-accounts 9", "--recovery-accounts"),
        ("--stages --recovery-accounts 9", "--recovery-accounts"),
        ("--stages --stock-transactions 9", "--stock-transactions"),
        ("--alerts 3000", "--alerts"),
        ("--arriving 0", "--arriving"),
        ("--full --store sqlite:///x.db", "--store"),
        ("--takeover-accounts 9 --recovery-accounts 9", "--recovery-accounts"),
        ("--broker localhost:9092", "--broker"),
    ],
)
def test_options_that_would_be_ignored_are_refused(
    weir: Weir, measured: list[str], options: str, ignored: str
) -> None:
    said = weir("bench", *options.split())
    assert (said.status, said.out, measured) == (2, "", [])
    assert f"would ignore {ignored}: leave out" in " ".join(said.err.replace("│", " ").split())


@pytest.mark.parametrize("options", ["--accounts 0", "--recovery-accounts 0 --stages --full"])
def test_options_that_are_off_are_not_refused(
    weir: Weir, measured: list[str], options: str
) -> None:
    assert weir("bench", *options.split()).status == 0
    assert len(measured) == 1


@pytest.mark.slow
def test_the_stages_are_measured_and_appended_for_real(tmp_path: Path) -> None:
    series = tmp_path / "s.jsonl"
    said = command("bench", "--stages", "--transactions", "20000", "--append", str(series))
    assert said.returncode == 0, said.stderr
    (run,) = runs_of(series)
    assert run["figures"]["transactions"] == 20_000
    assert run["figures"]["cpu_us_per_transaction"]["all"] > 0
    reading = run["figures"]["reading_us_per_record"]
    assert 0 < reading["rows"] < reading["rows and transactions"] < reading["codec"]


@pytest.mark.slow
def test_odd_records_are_measured_with_both_engines(tmp_path: Path) -> None:
    series = tmp_path / "s.jsonl"
    said = command("bench", "--odd", "30", "--transactions", "20000", "--append", str(series))
    assert said.returncode == 0, said.stderr
    (run,) = runs_of(series)
    assert run["options"] == {"odd": 30, "transactions": 20_000, "full": False}
    figures = run["figures"]
    assert 0 < figures["ordinary_in_python"] < figures["odd_in_python"] <= 1
    costs = ("ordinary_arrays_us", "ordinary_plain_us", "odd_arrays_us", "odd_plain_us")
    assert min(figures[name] for name in costs) > 0
    assert figures["odd_alerts"] > 0


@pytest.mark.slow
def test_a_policy_is_measured_beside_two_daily_limits(tmp_path: Path) -> None:
    series, policy = tmp_path / "s.jsonl", tmp_path / "mine.toml"
    policy.write_text(
        'version = 1\n[[limit]]\nid = "x"\nmeasure = "count"\nwindow = "24h"\nabove = 40\n',
        encoding="utf-8",
    )
    options = ("--transactions", "20000", "--append", str(series))
    said = command("bench", "--policy", str(policy), *options)
    assert said.returncode == 0, said.stderr
    (run,) = runs_of(series)
    assert run["options"] == {"policy": "mine.toml", "transactions": 20_000}
    figures = run["figures"]
    assert (figures["transactions"], figures["limits"]) == (20_000, 1)
    measured, daily = (figures[f"{of}_cpu_us_per_transaction"] for of in ("policy", "daily"))
    assert figures["ratio"] == pytest.approx(measured / daily, abs=0.02)


def test_a_policy_that_cannot_be_used_is_not_measured(weir: Weir, tmp_path: Path) -> None:
    policy = tmp_path / "mine.toml"
    policy.write_text("version = 0\n", encoding="utf-8")
    said = weir("bench", "--policy", policy)
    assert (said.status, said.out) == (2, "")
    assert "cannot be used" in said.err


def test_neither_the_machines_name_nor_a_path_is_in_a_line(
    weir: Weir, measured: list[str], tmp_path: Path
) -> None:
    series = tmp_path / "s.jsonl"
    assert weir("bench", "--append", series).status == 0
    assert len(measured) == 1
    line = series.read_text(encoding="utf-8")
    assert str(tmp_path) not in line
    assert str(bench_series.PACKAGE) not in line
    assert platform.node() not in json.loads(line)["machine"].values()


def test_the_processor_is_named_where_the_system_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench_series, "CPUINFO", tmp_path / "cpuinfo")
    unnamed = machine()["cpu"]
    assert unnamed
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: A CPU: 2 GHz\nmodel name\t: B\n", encoding="utf-8"
    )
    assert machine()["cpu"] == "A CPU: 2 GHz"
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name :\n", encoding="utf-8")
    assert machine()["cpu"] == unnamed


# -- which commit ---------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder of code that git tracks, with a series beside it."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "docs" / "s.jsonl").write_text("", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(
        tmp_path, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet",
        "--message", "begin",
    )  # fmt: skip
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_commit_is_marked_where_the_code_differs_from_it(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tree / "elsewhere"))  # as in a hook of another tree
    head = git(tree, "rev-parse", "HEAD")
    assert commit_of(tree / "code") == head
    (tree / "docs" / "s.jsonl").write_text("{}\n", encoding="utf-8")
    (tree / "notes.txt").write_text("mine", encoding="utf-8")
    assert commit_of(tree / "code") == head
    (tree / "code" / "__init__.py").write_text("changed = True\n", encoding="utf-8")
    assert commit_of(tree / "code") == f"{head}-dirty"


def test_code_that_no_tree_tracks_has_no_commit(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tree / "environment"
    installed.mkdir()
    (installed / "__init__.py").write_text("", encoding="utf-8")
    assert commit_of(installed) is None
    assert commit_of(tmp_path_factory.mktemp("bare")) is None
    monkeypatch.setenv("PATH", "")
    assert commit_of(tree / "code") is None


def test_a_line_has_the_commit_from_before_the_run_or_none(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_series, "PACKAGE", tree / "code")
    path = tree / "docs" / "s.jsonl"
    series = Series(path, {})
    (tree / "code" / "__init__.py").write_text("changed = True\n", encoding="utf-8")
    series.append(HERE, FIGURES)
    monkeypatch.setattr(bench_series, "PACKAGE", tree / "docs")
    Series(path, {}).append(HERE, FIGURES)
    first, second = runs_of(path)
    assert first["commit"] == git(tree, "rev-parse", "HEAD")
    assert "commit" not in second


# -- what cannot be appended to is refused before anything is measured -----------------------------


def test_a_file_that_cannot_be_appended_to_is_refused_before_measuring(
    weir: Weir, measured: list[str], tmp_path: Path
) -> None:
    (tmp_path / "page.md").write_text("# Benchmarks\n", encoding="utf-8")
    (tmp_path / "other.jsonl").write_text('{"alert_id": "x"}\n', encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    for file, why in (
        (tmp_path / "none" / "s.jsonl", f"there is no folder {tmp_path / 'none'}"),
        (tmp_path, "is a folder: name the file to write"),
        (tmp_path / "pipe", "is none"),
        (tmp_path / "page.md", "is no series of benchmarks: its last line must be one"),
        (tmp_path / "other.jsonl", "is no series of benchmarks"),
        ("-", "a series must be a file, not stdout"),
    ):
        said = weir("bench", "--append", file)
        assert said.status == 2, file
        assert said.err.startswith("weir: ")
        assert why in said.err
        assert said.err.count("\n") == 1
    assert measured == []
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == "# Benchmarks\n"


def test_what_may_not_be_written_is_refused_before_measuring(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever runs as root may write anywhere, so the system's answer is made."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match=r"s\.jsonl cannot be written"):
        Series(tmp_path / "s.jsonl", {})
    (tmp_path / "s.jsonl").touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OutputError, match="cannot be appended to: Permission denied"):
        Series(tmp_path / "s.jsonl", {})


# -- one line, or none ----------------------------------------------------------------------------


def test_runs_stand_one_after_the_other_and_none_is_touched_again(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    Series(path, {"n": 0}).append(HERE, FIGURES)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))  # as some editors leave it
    first = path.read_bytes()
    for number in (1, 2):
        Series(path, {"n": number}).append(HERE, FIGURES)
    assert path.read_bytes().startswith(first + b"\n")
    assert [run["options"]["n"] for run in runs_of(path)] == [0, 1, 2]


def test_a_line_that_is_cut_short_is_taken_back_and_the_figures_are_printed(
    weir: Weir, measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.jsonl"
    assert weir("bench", "--append", path).status == 0
    before = path.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda place, line: write(place, line[:20]))
    said = weir("bench", "--append", path, "--json")
    monkeypatch.undo()
    assert said.status == 2
    why = os.strerror(errno.ENOSPC)
    assert said.err == f"weir: {path} does not have this run: {why}; its figures are above\n"
    assert json.loads(said.out)["weir_per_second"] == FIGURES["weir_per_second"]
    assert path.read_bytes() == before
    assert len(measured) == 2


def test_a_run_waits_for_another_that_appends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.jsonl"
    locked: list[int] = []
    monkeypatch.setattr(fcntl, "flock", lambda _, how: locked.append(how))
    Series(path, {}).append(HERE, FIGURES)
    assert locked == [fcntl.LOCK_EX]
