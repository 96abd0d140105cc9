"""Loads all that commands load, when it is imported: for the process that others are forked from.

Much is loaded only while a command line is read and an error is shown, so one is, unseen.
"""

import contextlib
import importlib
import io
import sys
from typing import Final
from unittest.mock import patch

MODULES: Final = (
    "multiprocessing.popen_forkserver",
    "pytest",
    "streams.evaluation.evaluation",
    "streams.lab.demo",
    "streams.replay.explain",
    "streams.replay.whatif",
    "streams.worker.worker",
    "tests.support.forked",
)
WRONG: Final = (
    ["weir", "rules", "a table without a label"],
    ["weir", "policy", "check", "nowhere"],
)
"""Command lines that end with an error of usage, and of a file."""

for name in MODULES:
    importlib.import_module(name)

from streams.cli.main import main  # noqa: E402 - after what it would load by itself
from streams.wire import columns  # noqa: E402 - likewise

columns.prepare()

for words in WRONG:
    with (
        patch.object(sys, "argv", words),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        main()
