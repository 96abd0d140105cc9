"""What every registered detector keeps to. A new one is held to it by being registered."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Bools, Floats
from models.detectors.detector import _RESTORE, DETECTORS, Detector, detector, restore
from models.snapshot import SnapshotError, pack
from tests.support.laws import law
from tests.support.model_records import area_under_curve, cut, made_records

INPUTS = ("amount", "sum", "velocity")
OPTIONS: Mapping[str, dict[str, Any]] = {
    "half-space-trees": {"n_trees": 10, "height": 5, "window": 100},
    "loda": {"n_bins": 8, "n_random_cuts": 6, "warm_up": 60, "learn_every": 2},
    "one-class-svm": {"warm_up": 50},
    "gaussian": {"warm_up": 30},
}
"""Small ones, so that all happens within some hundred records."""

RANDOM = {"half-space-trees", "loda"}

pytestmark = pytest.mark.parametrize("name", DETECTORS)
cuts = st.lists(st.integers(0, 10_000), max_size=8)


def fresh(name: str, seed: int = 7) -> Detector:
    return detector(name, INPUTS, seed, **OPTIONS[name])


def some(seed: int, count: int) -> tuple[Floats, Bools]:
    rng = np.random.default_rng(seed)
    return made_records(seed, count, len(INPUTS)).x, rng.random(count) < 0.8


def test_it_says_nothing_until_it_is_warm_and_then_of_everything(name: str) -> None:
    assert not fresh(name).is_warm
    made = fresh(name)
    x, learn = some(1, 400)
    was_warm = False
    for number in range(len(x)):
        place = slice(number, number + 1)
        is_warm = made.is_warm
        assert is_warm or not was_warm  # once warm, always warm
        was_warm = is_warm
        assert np.isfinite(made.score_learn(x[place], learn[place])).tolist() == [is_warm]
    assert was_warm


def test_a_record_is_scored_before_it_is_learned(name: str) -> None:
    made = fresh(name)
    x, learn = some(2, 350)
    for number in range(len(x)):
        place = slice(number, number + 1)
        before = made.score(x[place])
        assert np.array_equal(before, made.score_learn(x[place], learn[place]), equal_nan=True)


@given(until=st.integers(0, 350), count=st.integers(0, 50))
@law(15)
def test_scoring_changes_nothing(name: str, until: int, count: int) -> None:
    made = fresh(name)
    x, learn = some(3, until)
    made.score_learn(x, learn)
    before = made.snapshot()
    others = some(4, count)[0]
    kept = others.copy()
    scores = made.score(others)
    assert scores.shape == (count,)
    assert made.snapshot() == before
    assert np.array_equal(others, kept)
    assert np.array_equal(made.score(others), scores, equal_nan=True)


@given(places=cuts, seed=st.integers(0, 20))
@law(15)
def test_batches_may_be_cut_anywhere(name: str, places: list[int], seed: int) -> None:
    x, learn = some(seed, 500)
    whole, parts = fresh(name), fresh(name)
    expected = whole.score_learn(x, learn)
    scores = [parts.score_learn(x[part], learn[part]) for part in cut(len(x), places)]
    assert np.array_equal(np.concatenate(scores), expected, equal_nan=True)
    assert parts.snapshot() == whole.snapshot()


@given(until=st.integers(0, 450), key=st.none() | st.binary(min_size=1, max_size=8))
@law(15)
def test_a_restored_one_scores_alike_and_goes_on_alike(
    name: str, until: int, key: bytes | None
) -> None:
    made = fresh(name)
    x, learn = some(5, 700)
    made.score_learn(x[:until], learn[:until])
    data = made.snapshot(key)
    back = restore(data, key)
    assert type(back) is type(made)
    assert back.inputs == made.inputs
    assert back.is_warm == made.is_warm
    assert back.snapshot(key) == data
    assert np.array_equal(back.score(x), made.score(x), equal_nan=True)
    rest = x[until:], learn[until:]
    assert np.array_equal(back.score_learn(*rest), made.score_learn(*rest), equal_nan=True)
    assert back.snapshot() == made.snapshot()


def test_the_seed_decides(name: str) -> None:
    x, learn = some(6, 500)
    scores, same, other = (fresh(name, seed).score_learn(x, learn) for seed in (7, 7, 8))
    assert np.array_equal(scores, same, equal_nan=True)
    assert np.array_equal(scores, other, equal_nan=True) == (name not in RANDOM)


@pytest.mark.parametrize("learned", ["some", "none"])
def test_only_what_is_to_be_learned_is(name: str, learned: str) -> None:
    x, learn = some(8, 600)
    if learned == "none":
        learn = np.zeros(len(x), np.bool_)
    masked, given_only = fresh(name), fresh(name)
    scores = masked.score_learn(x, learn)
    scores_of_learned = given_only.score_learn(x[learn], np.ones(learn.sum(), np.bool_))
    assert masked.snapshot() == given_only.snapshot()
    assert np.array_equal(scores[learn], scores_of_learned, equal_nan=True)


def test_its_snapshot_does_not_grow(name: str) -> None:
    made = fresh(name)
    sizes = []
    for seed in range(40):
        x = made_records(seed, 500, len(INPUTS)).x
        made.score_learn(x, np.ones(len(x), np.bool_))
        sizes.append(len(made.snapshot()))
    assert max(sizes) < 1.25 * sizes[1]  # greater numbers deflate less well; that is all


def test_a_higher_score_is_stranger(name: str) -> None:
    for seed in range(10):
        x, is_strange = made_records(seed, 3000, len(INPUTS))
        made = fresh(name, seed)
        scores = made.score_learn(x, np.ones(len(x), np.bool_))
        judged = ~np.isnan(scores)
        assert judged.sum() > 2500
        assert area_under_curve(scores[judged], is_strange[judged]) > 0.95
        at_most, ordinary = np.ones((1, len(INPUTS))), np.median(x, axis=0)[None]
        assert made.score(at_most) > made.score(ordinary)


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_a_missing_input_is_refused_before_anything_is_learned(name: str, missing: float) -> None:
    made = fresh(name)
    x, learn = some(9, 300)
    before = made.snapshot()
    x[-1, 1] = missing
    with pytest.raises(ValueError, match="missing"):
        made.score_learn(x, learn)
    with pytest.raises(ValueError, match="missing"):
        made.score(x)
    assert made.snapshot() == before


def test_other_shapes_are_refused(name: str) -> None:
    made = fresh(name)
    x, learn = some(10, 20)
    for wrong in (x[:, :2], x[0], np.hstack((x, x))):
        with pytest.raises(ValueError, match="3 inputs"):
            made.score(wrong)
    masks: tuple[Any, ...] = (learn[:-1], learn[None], learn.astype(np.int64))
    for mask in masks:
        with pytest.raises(ValueError, match="true or false"):
            made.score_learn(x, mask)


def test_rows_may_lie_in_memory_in_any_way(name: str) -> None:
    x, learn = some(11, 400)
    wide = np.asfortranarray(np.repeat(x, 2, axis=0))
    first, second = fresh(name), fresh(name)
    scores = first.score_learn(x, learn)
    assert np.array_equal(second.score_learn(wide[::2], learn), scores, equal_nan=True)


def test_no_records_are_no_scores(name: str) -> None:
    made = fresh(name)
    assert made.score(np.zeros((0, 3))).shape == (0,)
    assert made.score_learn(np.zeros((0, 3)), np.zeros(0, np.bool_)).shape == (0,)


@pytest.mark.parametrize("inputs", [(), ("a", "a"), (1, 2), tuple(map(str, range(65)))])
def test_inputs_have_names_of_their_own(name: str, inputs: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="input"):
        detector(name, inputs, 1)


@pytest.mark.parametrize("seed", [1.5, None, True, 2**70])
def test_a_seed_is_a_whole_number(
    name: str, seed: Any,  # noqa: ANN401 - of another type than it asks for
) -> None:  # fmt: skip
    with pytest.raises(ValueError, match="seed is a whole number"):
        detector(name, INPUTS, seed)


def test_it_has_no_other_options_than_its_own(name: str) -> None:
    with pytest.raises(TypeError, match="no_such"):
        detector(name, INPUTS, 1, no_such=1)


def test_a_changed_snapshot_or_one_of_another_key_is_refused(name: str) -> None:
    data = bytearray(fresh(name).snapshot(b"key"))
    with pytest.raises(SnapshotError, match="another key"):
        restore(bytes(data), b"other")
    with pytest.raises(SnapshotError, match="none is set"):
        restore(bytes(data))
    data[len(data) // 2] ^= 1
    with pytest.raises(SnapshotError):
        restore(bytes(data), b"key")


def test_a_snapshot_whose_contents_do_not_fit_is_refused(name: str) -> None:
    zeros = np.zeros(3)
    for meta in ({}, {"inputs": 3}, {"inputs": ["a"], "seed": 1, "warm_up": "many"}):
        for arrays in ({}, {"mean": zeros}):
            with pytest.raises(SnapshotError):
                restore(pack(name, 1, meta, arrays))


PLAIN = """
import sys
import numpy as np
from models.detectors.detector import detector
from tests.models.detectors.test_outlier_contract import INPUTS, OPTIONS, some

name, path = sys.argv[1:]
x, learn = some(12, 500)
with np.errstate(over="ignore"):  # a product whose upper bits are not wanted
    np.save(path, detector(name, INPUTS, 7, **OPTIONS[name]).score_learn(x, learn))
"""


@pytest.mark.slow
def test_the_compiled_kernels_equal_the_plain_ones(name: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.npy"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-c", PLAIN, name, str(path)], env=environment, cwd=root, check=True
    )
    plain = np.load(path)
    scores = fresh(name).score_learn(*some(12, 500))
    assert np.isfinite(plain).sum() > 300
    if name == "half-space-trees":  # whole numbers and one division
        assert np.array_equal(scores, plain, equal_nan=True)
    else:  # the machine's logarithm, error function and root may round otherwise
        np.testing.assert_allclose(scores, plain, rtol=1e-12)


def test_the_registry_restores_what_it_makes(name: str) -> None:
    assert set(_RESTORE) == set(DETECTORS)
    assert type(restore(detector(name, INPUTS, 1).snapshot())) is type(detector(name, INPUTS, 1))
    with pytest.raises(ValueError, match=rf"no detector '{name}s'.*{name}"):
        detector(f"{name}s", INPUTS, 1)
    with pytest.raises(SnapshotError, match="is no detector"):
        restore(pack("sketch", 1, {}, {}))
