import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.arrays import Floats
from models.detectors.gaussian import _score
from models.kernels import CACHE_FOLDER, borrowed, cache_folder, compiled, reference
from models.kernels import plain as plain_of
from models.learner.columns import LearnerSettings
from tests.support.made_payments import ACCOUNTS, SETTINGS, made_payments, small_learner
from tests.support.seen import everything, same


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
    script = (
        "from models.detectors.gaussian import _score; print(_score(0.0, 1.0), _score(1.0, 0.0))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | nowhere, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.split() == ["0.0", "1.0"]


def test_machine_code_is_kept_for_these_sources_and_no_others(tmp_path: Path) -> None:
    """A kernel may be made of those of another file, of which Numba knows nothing."""
    root = Path(__file__).parents[2]
    shutil.copytree(
        root / "models", tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__")
    )
    script = "from models.kernels import CACHE_FOLDER; print(CACHE_FOLDER)"

    def folder() -> str:
        return subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    before = folder()
    assert folder() == before
    deep = tmp_path / "models" / "evidence" / "tail.py"
    deep.write_text(deep.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert folder() != before


def test_the_code_of_a_kernel_elsewhere_is_kept_for_its_folder_and_for_the_models(
    tmp_path: Path,
) -> None:
    source = tmp_path / "kernel.py"
    source.write_text("a = 1\n", encoding="utf-8")
    # Each folder is asked once in a process: the sources do not change while it runs.
    before = cache_folder.__wrapped__(tmp_path)
    assert before == cache_folder.__wrapped__(tmp_path) != CACHE_FOLDER
    source.write_text("a = 2\n", encoding="utf-8")
    assert cache_folder.__wrapped__(tmp_path) not in {before, CACHE_FOLDER}
    kept = Path(compiled(doubled)._cache.cache_path)  # type: ignore[attr-defined]  # numba's
    assert kept.is_relative_to(cache_folder(Path(__file__).parent))
    assert Path(_score._cache.cache_path).is_relative_to(CACHE_FOLDER)  # type: ignore[attr-defined]


def doubled(value: float) -> float:
    return halved(value) * 4


@compiled
def halved(value: float) -> float:
    return value / 2


def test_the_plain_function_of_a_kernel_calls_plain_ones() -> None:
    kernel = compiled(doubled)
    assert plain_of(kernel)(3.0) == kernel(3.0) == 6.0
    assert plain_of(kernel).__globals__["halved"] is plain_of(halved)
    assert plain_of(ratio)(1.0, 2.0) == 0.5


def test_a_borrowed_array_is_the_same_array() -> None:
    kernel = compiled(written)
    for run in (kernel, written):
        array = np.zeros(3)
        assert run(array) == 5.0
        assert array.tolist() == [0.0, 5.0, 0.0]


def written(array: Floats) -> float:
    same_array = borrowed(array)
    same_array[1] = 5.0
    return float(array[1])


# -- the law: machine code says what the source says ---------------------------------------------

PLAIN = """
import sys
import numpy as np
from tests.support.made_payments import made_payments, small_learner
from tests.support.seen import everything
from tests.models.test_kernels import SWITCHES, settings

with np.errstate(over="ignore"):  # a product whose upper bits are not wanted
    for switch in SWITCHES:
        said = everything(small_learner(settings(switch)), made_payments(5))
        np.savez(f"{sys.argv[1]}/{switch}", **said)
"""
SWITCHES = ("usual", "amount")


def settings(switch: str) -> LearnerSettings:
    return SETTINGS._replace(has_amount_term=switch == "amount")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the kernels say as they are written, in a process of its own."""
    folder = tmp_path_factory.mktemp("plain")
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", PLAIN, folder], env=environment, cwd=root, check=True)
    return folder


@pytest.mark.parametrize("switch", SWITCHES)
def test_compiled_and_plain_kernels_agree_to_the_last_bit(plain: Path, switch: str) -> None:
    written = dict(np.load(plain / f"{switch}.npz"))
    said = everything(small_learner(settings(switch)), made_payments(5))
    assert written.keys() == said.keys()
    for name, array in said.items():
        assert same(array, written[name]), name


def test_the_payments_have_everything_in_them() -> None:
    """Else the law above says less than it seems to."""
    columns, learner = made_payments(5), small_learner()
    said = everything(learner, columns)
    late = columns.day < np.maximum.accumulate(columns.day)
    assert len(columns.row) > 3000
    assert late.sum() > 50
    assert (columns.is_learned == 0).sum() > 20
    assert said["learned"].sum() < columns.is_learned.sum()  # the rest of days that were frozen
    assert 100 < columns.is_credit.sum() < len(columns.row) / 2
    features = said["features"]
    assert (features > 0).any(axis=0).all()
    assert np.isnan(said["scores"]).any()
    assert np.isfinite(said["scores"]).sum() > 2000
    assert len(said["due row"]) > 10
    assert 0 < (said["due before"] == 0).sum() < len(said["due row"])  # raised ones, and restated
    assert len(said["closed row"]) > 500
    assert learner.detector.is_warm
    assert learner.day_forest.is_warm
    assert learner.peers.is_warm
    assert len({name for name in said if name.startswith("tails of day")}) == 14
    gap = max(np.diff(np.unique(columns.day[columns.row == 0])))
    assert gap > 14
    assert len(np.unique(columns.row)) == ACCOUNTS
