"""Compiles kernels: plain functions over arrays, which run as machine code, or as they are written.

The plain function is the reference; the tests hold the compiled one against it, figure by figure.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, ParamSpec, TypeVar, cast

import numba

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def _cache_folder() -> Path:
    """Return where machine code is kept, for these sources and no others.

    Numba looks at the file of a kernel alone: one that is made of another file's kernels would go
    on with their old code after that file has changed.
    """
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    base = os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parent / "__pycache__"
    return Path(base) / f"kernels-{digest.hexdigest()[:16]}"


CACHE_FOLDER: Final = _cache_folder()
numba.config.CACHE_DIR = str(CACHE_FOLDER)  # type: ignore[attr-defined]  # set at run time


def compiled(kernel: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return a kernel as machine code; `reference` has the plain one.

    The code is kept on disk, beside the source or where NUMBA_CACHE_DIR says. Where neither can be
    written (a read-only image), it is made anew by each process: that takes longer to start.

    Floats are computed strictly in the order written (no fast math), so that both agree; a division
    by zero gives an infinity, as numpy's does.
    """
    try:
        made = numba.njit(cache=True, error_model="numpy")(kernel)
    except RuntimeError:  # nowhere to keep it: numba says so here, before anything is compiled
        made = numba.njit(error_model="numpy")(kernel)
    return cast("Callable[_Parameters, _Result]", made)


def reference(kernel: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return the plain function that a compiled kernel was made of."""
    plain: Callable[_Parameters, _Result] = kernel.py_func  # type: ignore[attr-defined]  # numba's
    return plain
