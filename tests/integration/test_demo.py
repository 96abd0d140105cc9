"""`weir demo` as a process: however it is ended, nothing of it stays behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs import without_weir

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="children are found by Linux's /proc"
)

START_SECONDS_MAX = 60.0


def children_of(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]


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
        [sys.executable, "-m", "streams.cli", "demo", *options],
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
    assert "Traceback" not in said
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
