"""LODA against River's own, record by record."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import anomaly

from models.arrays import Bools, Floats
from models.detectors.loda import KIND, VERSION, Loda
from models.snapshot import SnapshotError, pack, unpack
from tests.support.laws import law
from tests.support.model_records import made_records


def names(count: int) -> tuple[str, ...]:
    return tuple(f"input_{number}" for number in reversed(range(count)))


def river_scores(
    river: Any,  # noqa: ANN401 - River's methods have no types
    inputs: tuple[str, ...], x: Floats, learn: Bools, warm_up: int,
) -> Floats:  # fmt: skip
    scores, learned = [], 0
    for row, is_learned in zip(x.tolist(), learn.tolist(), strict=True):
        record = dict(zip(inputs, row, strict=True))
        scores.append(river.score_one(record) if learned >= warm_up else math.nan)
        if is_learned:
            river.learn_one(record)
            learned += 1
    return np.array(scores)


def bins(river: anomaly.LODA) -> list[Any]:
    return [
        (made.n, made.max_bins, [(bar.left, bar.right, bar.count) for bar in made.data])
        for made in river.histograms_
    ]


@given(
    inputs=st.integers(1, 8),
    n_bins=st.integers(1, 30),
    seed=st.integers(0, 1000),
    share=st.floats(0.2, 1),
    digits=st.integers(1, 12),
)
@law(40)
def test_it_equals_river(inputs: int, n_bins: int, seed: int, share: float, digits: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.round(made_records(seed, 400, inputs).x, digits)  # few digits: the same again and again
    learn = rng.random(len(x)) < share
    made = Loda(names(inputs), seed, n_bins=n_bins, n_random_cuts=5, warm_up=1)
    river = anomaly.LODA(n_bins=n_bins, n_random_cuts=5, seed=seed)
    expected = river_scores(river, names(inputs), x, learn, 1)
    assert np.array_equal(made.score_learn(x, learn), expected, equal_nan=True)
    written = made.to_river()
    assert bins(written) == bins(river)
    assert written.projections_ == river.projections_
    assert written.features_ == river.features_


def test_it_learns_the_first_of_every_few_that_it_is_given() -> None:
    x = made_records(1, 900, 4).x
    learn = np.random.default_rng(2).random(len(x)) < 0.7
    made = Loda(names(4), 5, n_bins=10, n_random_cuts=5, warm_up=20, learn_every=3)
    taken = np.zeros(len(x), np.bool_)
    taken[np.flatnonzero(learn)[::3]] = True
    river = anomaly.LODA(n_bins=10, n_random_cuts=5, seed=5)
    expected = river_scores(river, names(4), x, taken, 20)
    assert np.array_equal(made.score_learn(x, learn), expected, equal_nan=True)


def test_river_goes_on_as_this_would() -> None:
    x = made_records(3, 600, 4).x
    learn = np.ones(300, np.bool_)
    made = Loda(names(4), 5, warm_up=1)
    made.score_learn(x[:300], learn)
    river = made.to_river()
    expected = river_scores(river, names(4), x[300:], learn, 0)
    assert np.array_equal(made.score_learn(x[300:], learn), expected)
    assert bins(made.to_river()) == bins(river)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("columns", 4), ("columns", -1), ("used", 11), ("used", -1), ("weights", np.nan),
        ("edges", np.inf), ("counts", -1), ("counts", 7), ("state", -1), ("state", 1000),
    ],
)  # fmt: skip
def test_a_snapshot_that_contradicts_itself_is_refused(name: str, value: float) -> None:
    made = Loda(names(4), 5, n_bins=10, learn_every=2)
    made.score_learn(made_records(4, 200, 4).x, np.ones(200, np.bool_))
    meta, arrays = unpack(made.snapshot(), KIND, VERSION)
    assert Loda.restore(pack(KIND, VERSION, meta, arrays)).snapshot() == made.snapshot()
    arrays[name].flat[0] = value
    with pytest.raises(SnapshotError):
        Loda.restore(pack(KIND, VERSION, meta, arrays))


@pytest.mark.parametrize("option", ["n_bins", "n_random_cuts", "warm_up", "learn_every"])
def test_options_out_of_their_range_are_refused(option: str) -> None:
    options: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match=f"{option} is a whole number from 1"):
        Loda(names(2), 1, **options)
