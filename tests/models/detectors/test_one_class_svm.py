"""The one-class SVM against River's own, record by record."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import anomaly, compose, preprocessing

from models.detectors.one_class_svm import KIND, VERSION, OneClassSvm
from models.snapshot import SnapshotError, pack, unpack
from tests.support.laws import law
from tests.support.model_records import made_records


@given(
    inputs=st.integers(1, 6),
    nu=st.sampled_from([0.01, 0.1, 0.5]),
    scaled=st.booleans(),
    seed=st.integers(0, 1000),
    share=st.floats(0.2, 1),
)
@law(40)
def test_it_equals_river(inputs: int, nu: float, scaled: bool, seed: int, share: float) -> None:  # noqa: FBT001 - hypothesis gives it
    names = tuple("abcdef"[:inputs])
    x = made_records(seed, 400, inputs).x
    learn = np.random.default_rng(seed).random(len(x)) < share
    svm = anomaly.OneClassSVM(nu=nu)
    river = compose.Pipeline(preprocessing.StandardScaler(), svm) if scaled else svm
    expected, learned = [], 0
    for row, is_learned in zip(x.tolist(), learn.tolist(), strict=True):
        record = dict(zip(names, row, strict=True))
        expected.append(river.score_one(record) if learned >= 5 else math.nan)
        if is_learned:
            river.learn_one(record)
            learned += 1
    made = OneClassSvm(names, 1, nu=nu, scaled=scaled, warm_up=5)
    np.testing.assert_allclose(made.score_learn(x, learn), expected, rtol=1e-9, atol=1e-12)
    weights = [svm.weights.get(name, 0.0) for name in names]
    np.testing.assert_allclose(made.plane.weights, weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(made.plane.intercept[0], svm.intercept, rtol=1e-9)


@given(seed=st.integers(0, 1000))
@law(20)
def test_a_greater_input_never_lowers_a_score(seed: int) -> None:
    made = OneClassSvm(("a", "b", "c"), 1, warm_up=1)
    x = made_records(seed, 500, 3).x
    made.score_learn(x, np.ones(len(x), np.bool_))
    assert (made.score(np.minimum(x + 0.1, 1)) >= made.score(x)).all()


@pytest.mark.parametrize("nu", [0, 1, -0.1, math.nan])
def test_nu_is_a_share(nu: float) -> None:
    with pytest.raises(ValueError, match="nu is a share"):
        OneClassSvm(("a",), 1, nu=nu)


@pytest.mark.parametrize("name", ["weights", "intercept", "moments", "learned"])
def test_a_snapshot_of_other_numbers_is_refused(name: str) -> None:
    meta, arrays = unpack(OneClassSvm(("a", "b"), 1).snapshot(), KIND, VERSION)
    wrong = np.full_like(arrays[name], -1 if name == "learned" else np.nan)
    for held in (wrong, arrays[name][None], arrays[name].astype(np.float32)):
        with pytest.raises(SnapshotError):
            OneClassSvm.restore(pack(KIND, VERSION, meta, arrays | {name: held}))
