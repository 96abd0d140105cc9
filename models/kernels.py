"""Compiles kernels: plain functions over arrays, which run as machine code, or as they are written.

The plain function is the reference; the tests hold the compiled one against it, figure by figure.
"""

import hashlib
import inspect
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, Final, ParamSpec, TypeVar, cast

import numba
from numba.extending import intrinsic, overload

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Array = TypeVar("_Array")


_ALL_KEPT: Final = "all"

_OWN_FOLDER: Final = Path(__file__).parent


@cache
def cache_folder(folder: Path) -> Path:
    """Return where the machine code of a folder's kernels is kept, for its sources and no others.

    Numba looks at the file of a kernel alone: one that is made of another file's kernels would go
    on with their old code after that file has changed. Hence a kernel outside of `models` may be
    made of kernels and constants of its own folder and of `models`; all else is handed to it.
    """
    sources = sorted(_OWN_FOLDER.rglob("*.py"))
    if not folder.is_relative_to(_OWN_FOLDER):
        sources += sorted(folder.glob("*.py"))
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    place = os.environ.get("NUMBA_CACHE_DIR") or _OWN_FOLDER / "__pycache__"
    return Path(place) / f"kernels-{digest.hexdigest()[:16]}"


def are_kept(folder: Path) -> bool:
    """Say whether machine code of a folder's kernels, as they are now, was noted to be kept."""
    return (cache_folder(folder) / _ALL_KEPT).exists()


def note_kept(folder: Path) -> None:
    """Note that all kernels of a folder were called once, if their machine code is kept."""
    kept = cache_folder(folder)
    if kept.exists():
        (kept / _ALL_KEPT).touch()


CACHE_FOLDER: Final = cache_folder(_OWN_FOLDER)
"""Where the machine code of the models is kept."""


def compiled(kernel: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return a kernel as machine code; `reference` has the plain one.

    The code is kept on disk, beside the source or where NUMBA_CACHE_DIR says. Where neither can be
    written (a read-only image), it is made anew by each process: that takes longer to start.

    Floats are computed strictly in the order written (no fast math), so that both agree; a division
    by zero gives an infinity, as numpy's does.
    """
    _keep_in(cache_folder(Path(inspect.getfile(kernel)).parent))
    try:
        made = numba.njit(cache=True, error_model="numpy")(kernel)
    except RuntimeError:  # nowhere to keep it: numba says so here, before anything is compiled
        made = numba.njit(error_model="numpy")(kernel)
    return cast("Callable[_Parameters, _Result]", made)


def _keep_in(folder: Path) -> None:
    """Have Numba keep the machine code of the next kernel in a folder."""
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]  # set at run time


def reference(kernel: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return the plain function that a compiled kernel was made of."""
    plain: Callable[_Parameters, _Result] = kernel.py_func  # type: ignore[attr-defined]  # numba's
    return plain


@cache
def plain(kernel: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return the plain function of a kernel, which calls those of other kernels, too.

    Nothing is compiled by calling it. It does not see a global that changes later.
    """
    written: Any = getattr(kernel, "py_func", kernel)
    known = dict(written.__globals__)
    for name in written.__code__.co_names:
        if hasattr(known.get(name), "py_func"):
            known[name] = plain(known[name])
    made = FunctionType(written.__code__, known, written.__name__, written.__defaults__)
    return cast("Callable[_Parameters, _Result]", made)


class Loading:
    """Whether some kernels can be called at once; if not, a thread loads or compiles them.

    `load_all` calls each of them once, with the types of arguments that it will have.
    """

    def __init__(self, load_all: Callable[[], None], name: str) -> None:
        self._load_all = load_all
        self._name = name
        self._are_ready = False
        self._starting = threading.Lock()

    def are_ready(self) -> bool:
        """Return whether they are loaded. Once, begin to load them if they are not."""
        if (
            not self._are_ready
            and not numba.config.DISABLE_JIT  # type: ignore[attr-defined]  # set at run time
            and self._starting.acquire(blocking=False)
        ):
            threading.Thread(target=self.load, name=self._name, daemon=True).start()
        return self._are_ready

    def load(self) -> None:
        """Load or compile them now."""
        self._load_all()
        self._are_ready = True


def borrowed(array: _Array) -> _Array:
    """Return an array as it is: in a kernel, one whose references are not counted.

    A kernel counts a reference to an array at each call that it is handed to, which costs more than
    a short function does. The caller keeps the array.
    """
    return array


@intrinsic
def _uncounted(_: Any, array: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        copy = context.make_array(signature.return_type)(context, builder, args[0])
        copy.meminfo = copy.meminfo.type(None)
        copy.parent = copy.parent.type(None)
        return copy._getvalue()  # noqa: SLF001 - numba's own way

    return array(array), made


@overload(borrowed)
def _borrowed(array: Any) -> Any:
    def in_kernels(array: Any) -> Any:  # numba wants the same parameters, annotations too
        return _uncounted(array)  # type: ignore[call-arg]  # numba gives the first

    del array
    return in_kernels
