"""The interpreter's settings: memory that it gives back, modules that it need not load."""

import gc
import subprocess
import sys
import weakref

import pytest

from streams.interpreter import building, free_forgotten, give_back_memory

SCRIPT = """
import os
from pathlib import Path
from streams.interpreter import configure_interpreter, give_back_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

configure_interpreter()
before = resident()
pieces = [bytes(1 << 20) for _ in range(200)]
kept = pieces[::20]
del pieces
held = resident() - before
give_back_memory()
print(held >> 20, (resident() - before) >> 20)
"""


def said_by(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_memory_that_is_free_amid_what_is_used_is_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, check=True, text=True
    )
    held, left = map(int, done.stdout.split())
    assert held > 150, "glibc keeps it, as it is told"
    assert left < 50


def test_a_worker_without_models_does_not_wait_for_river() -> None:
    script = "import sys, streams.worker.worker, streams.worker.engines; print(*sys.modules)"
    loaded = said_by(script).split()
    assert "streams.worker.partition" in loaded
    assert not {"river", "pandas", "scipy.stats", "sqlalchemy"} & {*loaded}


class Part:
    """Knows another one, which knows it."""

    def __init__(self) -> None:
        self.other: Part | None = None


def test_a_young_cycle_does_not_wait_for_many_more() -> None:
    gc.disable()
    try:
        first, second = Part(), Part()
        first.other, second.other = second, first
        is_there = weakref.ref(first)
        del first, second
        assert is_there() is not None
        give_back_memory()
        assert is_there() is None
    finally:
        gc.enable()


def test_what_was_built_to_stay_is_freed_once_it_is_forgotten() -> None:
    with building():
        first, second = Part(), Part()
        first.other, second.other = second, first
    is_there = weakref.ref(first)
    del first, second
    gc.collect()
    assert is_there() is not None, "no collection looks at it"
    free_forgotten()
    assert is_there() is None
    gc.unfreeze()
