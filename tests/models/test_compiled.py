import math
import os
import subprocess
import sys

import pytest

from models.compiled import compiled, reference


def ratio(a: float, b: float) -> float:
    return a / b


def test_a_kernel_is_compiled_and_its_plain_function_is_there() -> None:
    kernel = compiled(ratio)
    assert reference(kernel) is ratio
    assert kernel(1.0, 3.0) == ratio(1.0, 3.0)


def test_a_division_by_zero_is_an_infinity_as_in_numpy() -> None:
    assert compiled(ratio)(1.0, 0.0) == math.inf
    with pytest.raises(ZeroDivisionError):
        ratio(1.0, 0.0)


def test_kernels_run_where_nothing_can_be_kept_on_disk() -> None:
    """As in the image: its root is read-only, and its user has no home."""
    nowhere = {"NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}  # finds no place for a source file
    script = "from models.gaussian import _score; print(_score(0.0, 1.0), _score(1.0, 0.0))"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | nowhere, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.split() == ["0.0", "1.0"]
