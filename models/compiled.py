"""Compiles kernels: plain functions over arrays, which run as machine code, or as they are written.

The plain function is the reference; the tests hold the compiled one against it, figure by figure.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


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
