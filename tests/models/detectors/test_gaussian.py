"""The Gaussian scores against River's own, record by record."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import anomaly

from models.detectors.gaussian import KIND, VERSION, Gaussian
from models.snapshot import SnapshotError, pack, unpack
from tests.support.laws import law
from tests.support.model_records import made_records


@given(inputs=st.integers(1, 6), seed=st.integers(0, 1000), warm_up=st.integers(2, 60))
@law(40)
def test_it_is_the_greatest_of_rivers_scores(inputs: int, seed: int, warm_up: int) -> None:
    x = made_records(seed, 300, inputs).x
    learn = np.random.default_rng(seed).random(len(x)) < 0.8
    river: list[Any] = [anomaly.GaussianScorer(grace_period=warm_up) for _ in range(inputs)]  # type: ignore[no-untyped-call]  # River's
    expected = []
    for row, is_learned in zip(x.tolist(), learn.tolist(), strict=True):
        is_warm = river[0].gaussian.n_samples >= warm_up
        one_by_one = [
            gaussian.score_one(None, value) for gaussian, value in zip(river, row, strict=True)
        ]
        expected.append(max(one_by_one) if is_warm else math.nan)
        if is_learned:
            for gaussian, value in zip(river, row, strict=True):
                gaussian.learn_one(None, value)
    made = Gaussian(tuple("abcdef"[:inputs]), 1, warm_up=warm_up)
    np.testing.assert_allclose(made.score_learn(x, learn), expected, rtol=1e-9, atol=1e-12)


def test_an_input_that_never_varied_does_not_drown_the_others() -> None:
    made = Gaussian(("a", "b"), 1)
    x = np.random.default_rng(1).normal(0.3, 0.05, (200, 2))
    x[:, 0] = 0.1
    made.score_learn(x, np.ones(len(x), np.bool_))
    usual, other, far = made.score(np.array([[0.1, 0.3], [0.2, 0.3], [0.1, 0.9]]))
    assert usual < 0.2
    assert other == 1
    assert far > 0.999


@pytest.mark.parametrize("name", ["mean", "squares", "learned"])
def test_a_snapshot_of_other_numbers_is_refused(name: str) -> None:
    meta, arrays = unpack(Gaussian(("a", "b"), 1).snapshot(), KIND, VERSION)
    wrong = np.full_like(arrays[name], -1 if name == "learned" else np.nan)
    for held in (wrong, arrays[name][None], arrays[name].astype(np.float32)):
        with pytest.raises(SnapshotError):
            Gaussian.restore(pack(KIND, VERSION, meta, arrays | {name: held}))


def test_one_record_has_no_spread() -> None:
    with pytest.raises(ValueError, match="warm_up is a whole number from 2"):
        Gaussian(("a",), 1, warm_up=1)
