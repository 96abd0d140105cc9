"""Nothing in `models` reads or writes objects by code: no pickle, and nothing that holds one."""

import ast
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "models"
MODULES = {
    "pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal",
    "shelve", "skops", "copyreg",
}  # fmt: skip
CALLS = {"eval", "exec", "__import__", "import_module", "load"}
"""Names of calls; `load` is numpy's, which can hold pickles."""


def offences(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".") + [name.name for name in node.names]
            found += [part for part in parts if part in MODULES]
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            found += [called] if called in CALLS else []
            found += [word.arg for word in node.keywords if word.arg == "allow_pickle"]
    return found


@pytest.mark.parametrize("path", sorted(MODELS.rglob("*.py")), ids=lambda path: path.name)
def test_models_never_import_pickle(path: Path) -> None:
    assert offences(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "import os, pickle as p", "from pickle import loads", "import joblib.x",
        "def f():\n    from cloudpickle import dumps", "from numpy import pickle",
        "np.load(f)", "np.save(f, a, allow_pickle=True)", "__import__('pickle')", "eval('1')",
        "importlib.import_module(name)",
    ],
)  # fmt: skip
def test_the_check_would_find_them(source: str) -> None:
    assert offences(source)
    assert not offences("import json, zlib\nfrom numpy import zeros\njson.loads(text)")
