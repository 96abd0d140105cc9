"""Every kernel of ordinary accounts is loaded before an engine calls it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

LOADED_THEN_USED = """
import pkgutil, random
from importlib import import_module
import monitor.ordinary
from monitor.ordinary import room
from streams.worker import engines

def signatures():
    names = [module.name for module in pkgutil.iter_modules(monitor.ordinary.__path__)]
    modules = [import_module(f"monitor.ordinary.{name}") for name in names]
    return {
        (module.__name__, name): len(kernel.signatures)
        for module in modules
        for name, kernel in vars(module).items()
        if hasattr(kernel, "signatures")
    }

engines.prepare()
loaded = signatures()
for name in ("ACCOUNTS_LEAST", "DAYS_LEAST", "IDS_LEAST", "_ROOM_MAX", "_ROOM_FOR_IDS_MAX"):
    assert hasattr(room, name)
    setattr(room, name, 0)
room.GONE_DAYS = 1
from tests.monitor.engine.test_closed_rows import closing_records, compare, made_records
records = made_records(random.Random(1), 600, 60)
compare([*records, *closing_records(600)], 50)
used = signatures()
print(sorted(name for name in used if used[name] > loaded[name]))
"""


def test_a_stream_compiles_nothing_that_was_not_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED_THEN_USED],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
