"""How the program ends: in order, and never under a thread that still compiles."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading
from streams.cli import program

class Global:
    def __del__(self):
        print("taken down")

told = Global()
atexit.register(print, "cleaned up")
if {is_at_work}:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
sys.argv = ["weir", *{arguments}]
program.main()
"""


def ended(arguments: list[str], *, is_at_work: bool) -> tuple[int, list[str]]:
    """Return the exit status, and what was said as it ended."""
    text = PROGRAM.format(is_at_work=is_at_work, arguments=arguments)
    ran = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=100
    )
    said = [line for line in ran.stdout.splitlines() if line in {"cleaned up", "taken down"}]
    return ran.returncode, said


@pytest.mark.parametrize(("arguments", "status"), [(["--version"], 0), (["no-such-command"], 2)])
def test_the_interpreter_is_not_taken_down_under_a_thread_that_works(
    arguments: list[str], status: int
) -> None:
    assert ended(arguments, is_at_work=True) == (status, ["cleaned up"])
    assert ended(arguments, is_at_work=False) == (status, ["cleaned up", "taken down"])
