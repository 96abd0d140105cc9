"""`weir demo` as a process: however it is ended, nothing of it stays behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streams.lab.broker import free_port
from streams.lab.rig import without_weir
from tests.support.rigs import command, until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="children are found by Linux's /proc"
)

START_SECONDS_MAX = 60.0


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started, by any of its threads."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may end meanwhile
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for temporary files, which is to be empty in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli.program", "demo", *options],
        env=without_weir(os.environ) | {"TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def until_it_says(demo: subprocess.Popen[str], word: str) -> str:
    assert demo.stderr is not None
    said = ""
    for line in demo.stderr:
        said += line
        if word in line:
            return said
    pytest.fail(f"it ended without {word!r}; it said: {said}")


@pytest.mark.parametrize(
    ("number", "word"),
    [
        pytest.param(signal.SIGINT, "decided", id="ctrl-c-while-records-flow"),
        pytest.param(signal.SIGINT, "the worker starts", id="ctrl-c-while-it-starts"),
        pytest.param(signal.SIGTERM, "decided", id="terminated", marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, "decided", id="its-terminal-closed", marks=pytest.mark.slow),
    ],
)
def test_however_it_is_ended_nothing_stays_behind(
    folder: Path, number: signal.Signals, word: str
) -> None:
    with started(folder) as demo:
        until_it_says(demo, word)
        children = children_of(demo.pid)
        assert len(children) == 2  # the broker and the worker
        demo.send_signal(number)
        out, said = demo.communicate(timeout=START_SECONDS_MAX)
    assert demo.returncode == 0, said
    assert all(map(is_gone, children))
    assert "Traceback" not in said, said
    assert "ended by Ctrl-C: the broker and the worker are gone" in said
    assert "transactions decided in" in out


@pytest.mark.slow
def test_an_end_by_ctrl_c_prints_its_json_too(folder: Path) -> None:
    with started(folder, "--json") as demo:
        until_it_says(demo, "decided")
        time.sleep(0.5)
        demo.send_signal(signal.SIGINT)
        out, said = demo.communicate(timeout=START_SECONDS_MAX)
    assert demo.returncode == 0, said
    assert json.loads(out)["transactions"] > 0


# -- kept for other commands ----------------------------------------------------------------------


@pytest.fixture
def kept(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that is kept, all decided, and its broker's address."""
    port = free_port()
    with started(folder, "--keep", "--port", str(port), "--days", "2", "--accounts", "200") as demo:
        until_it_says(demo, "all is decided")
        yield demo, f"127.0.0.1:{port}"
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=START_SECONDS_MAX)


@pytest.mark.slow
def test_a_demo_that_is_kept_serves_the_other_commands(
    kept: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    demo, broker = kept

    def run(*words: str | Path) -> str:
        done = command(*words, WEIR_BROKER=broker)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "ready" in run("check")
    assert "version 1, in force for every day" in run("policy", "show")
    lines = run("alerts", "--json").splitlines()
    alert_id = next(a["alert_id"] for a in map(json.loads, lines) if a["kind"] == "daily-amount")
    assert run("explain", alert_id).splitlines()[-1] == "the same"
    run("alerts", "dispose", alert_id, "--as", "false-alarm", "--by", "ann")
    second = tmp_path / "second.toml"
    text = run("policy", "show", "--default").replace("version = 1", "version = 2")
    second.write_text(text.replace('"2000.00"', '"1.00"'), encoding="utf-8")
    run("policy", "set", second)
    run("generate", "--accounts", "20", "--days", "3", "--out", tmp_path / "t.csv")
    run("send", tmp_path / "t.csv")

    def decided_by_the_second() -> bool:
        told = map(json.loads, run("alerts", "--json").splitlines())
        return any(alert["policy_version"] == 2 for alert in told)

    until(decided_by_the_second, "the demo's worker decides by the policy that was set")
    assert demo.poll() is None


@pytest.mark.slow
def test_a_kept_demo_wants_its_port(kept: tuple[subprocess.Popen[str], str]) -> None:
    _, broker = kept
    port = broker.rpartition(":")[2]
    done = command("demo", "--keep", "--port", port)
    assert done.returncode == 3
    assert f"weir: port {port} of 127.0.0.1 must be free" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", [("--keep", "--until-end"), ("--port", "9092")])
def test_what_goes_not_together_is_said(options: tuple[str, ...]) -> None:
    assert command("demo", *options).returncode == 2


# -- ended by force, and early --------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="Linux ends children with their parent")
@pytest.mark.parametrize("word", ["starting", pytest.param("decided", marks=pytest.mark.slow)])
def test_a_demo_that_is_killed_leaves_nobody_behind(tmp_path: Path, word: str) -> None:
    with started(tmp_path) as demo:
        until_it_says(demo, word)
        until(lambda: len(children_of(demo.pid)) > 0, "it has a child")
        children = children_of(demo.pid)
        demo.kill()
        demo.communicate(timeout=START_SECONDS_MAX)
    until(lambda: all(map(is_gone_or_dead, children)), "its children are gone")


def is_gone_or_dead(pid: int) -> bool:
    """Return whether a process has ended; whoever adopted it may not have asked yet."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return True
    return text.rpartition(")")[2].split()[0] in "ZX"


INTERRUPTED_WHILE_LOADING = """
import signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["weir", *{words}]
from streams.cli.program import main
main()
"""


@pytest.mark.parametrize(
    ("module", "words", "status"),
    [
        ("streams.cli.main", ["demo"], 0), ("streams.cli.views.live", ["demo"], 0),
        ("streams.cli.demo", ["demo"], 0), ("streams.cli.main", ["replay", "x"], 130),
    ],
)  # fmt: skip
def test_ctrl_c_while_modules_load_ends_it_in_a_line(
    module: str, words: list[str], status: int
) -> None:
    text = INTERRUPTED_WHILE_LOADING.format(module=module, words=words)
    ended = subprocess.run(
        [sys.executable, "-c", text],
        env=without_weir(os.environ), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ended.returncode == status, ended.stderr
    assert ended.stderr.splitlines()[-1] == "ended by Ctrl-C: nothing had begun"
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 0.3, 1, 2, 4, 6])
def test_ctrl_c_at_any_moment_ends_it_in_a_line(folder: Path, seconds: float) -> None:
    with started(folder) as demo:
        until_it_says(demo, "starting")
        time.sleep(seconds)
        children = children_of(demo.pid)
        demo.send_signal(signal.SIGINT)
        _, said = demo.communicate(timeout=START_SECONDS_MAX)
    assert demo.returncode == 0, said
    assert said.count("ended by Ctrl-C") == 1
    assert "Traceback" not in said
    assert "Unclosed" not in said
    until(lambda: all(map(is_gone_or_dead, children)), "its children are gone")


@pytest.mark.slow
def test_piped_each_alert_is_a_line_and_a_reader_may_go(folder: Path) -> None:
    with started(folder, "--days", "3") as demo:
        assert demo.stdout is not None
        first = demo.stdout.readline()
        demo.stdout.close()
        assert demo.stderr is not None
        said = demo.stderr.read()
    assert demo.returncode == 0, said
    assert first.startswith("2026-01-0")
    assert first.endswith("raised\n")
    assert "ended, as nobody reads the alerts any more" in said
    assert "Traceback" not in said
