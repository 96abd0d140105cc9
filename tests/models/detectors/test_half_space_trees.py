"""River's own object, record by record, is what the compiled trees are held against."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import anomaly, datasets

from models.arrays import Bools, Floats
from models.detectors import half_space_trees
from models.detectors.half_space_trees import KIND, VERSION, HalfSpaceTrees
from models.snapshot import SnapshotError, pack, unpack
from tests.support.laws import law
from tests.support.model_records import area_under_curve, cut, made_records

Limits = Mapping[str, tuple[float, float]]


def names(count: int) -> tuple[str, ...]:
    return tuple(f"input_{number}" for number in reversed(range(count)))  # not in River's order


def river_of(
    inputs: tuple[str, ...], seed: int, **options: Any,  # noqa: ANN401 - River's own
) -> anomaly.HalfSpaceTrees:  # fmt: skip
    """River's object as it would be before its first record, but with its trees."""
    options = {"n_trees": 25, "height": 6, "window": 2000} | options
    options["window_size"] = options.pop("window")
    made = anomaly.HalfSpaceTrees(seed=seed, **options)
    made.learn_one(dict.fromkeys(inputs, 0.5))  # type: ignore[no-untyped-call]  # River's
    for nodes in made._tree_nodes:
        for node in nodes:
            node.l_mass = node.r_mass = 0
    made.counter, made._first_window = 0, True
    return made


def river_scores(
    river: Any,  # noqa: ANN401 - River's methods have no types
    inputs: tuple[str, ...], x: Floats, learn: Bools,
) -> Floats:  # fmt: skip
    scores = []
    for row, is_learned in zip(x.tolist(), learn.tolist(), strict=True):
        record = dict(zip(inputs, row, strict=True))
        scores.append(math.nan if river._first_window else river.score_one(record))
        if is_learned:
            river.learn_one(record)
    return np.array(scores, np.float64)


def masses(river: anomaly.HalfSpaceTrees) -> list[Any]:
    return [
        [(node.l_mass, node.r_mass, getattr(node, "feature", None)) for node in nodes]
        for nodes in river._tree_nodes
    ]


def assert_equal_to_river(
    inputs: tuple[str, ...], x: Floats, learn: Bools, batches: list[slice],
    **options: Any,  # noqa: ANN401 - River's own
) -> None:  # fmt: skip
    made, river = HalfSpaceTrees(inputs, 3, **options), river_of(inputs, 3, **options)
    expected = river_scores(river, inputs, x, learn)
    scores = [made.score_learn(x[batch], learn[batch]) for batch in batches]
    assert np.array_equal(np.concatenate(scores), expected, equal_nan=True)
    assert made.is_warm != river._first_window
    written = made.to_river()
    assert masses(written) == masses(river)
    assert (written.counter, written._first_window) == (river.counter, river._first_window)


@pytest.mark.parametrize("batch", [1, 64, 512, 4096])
@pytest.mark.parametrize("share", [1.0, 0.7])
def test_it_equals_river_in_batches_of_any_size(batch: int, share: float) -> None:
    x = made_records(1, 5000, 3).x
    learn = np.random.default_rng(2).random(len(x)) < share
    batches = cut(len(x), list(range(0, len(x), batch)))
    assert_equal_to_river(names(3), x, learn, batches, n_trees=5, height=6, window=700)


@given(
    inputs=st.integers(1, 5),
    options=st.fixed_dictionaries(
        {
            "n_trees": st.integers(1, 4),
            "height": st.integers(1, 6),
            "window": st.integers(1, 90),
        }
    ),
    seed=st.integers(0, 1000),
    share=st.floats(0, 1),
    places=st.lists(st.integers(0, 10_000), max_size=6),
)
@law(60)
def test_it_equals_river_in_any_size_cut_anywhere(
    inputs: int, options: dict[str, int], seed: int, share: float, places: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0.3, 0.5, (200, inputs))  # beyond the limits too
    learn = rng.random(len(x)) < share
    assert_equal_to_river(names(inputs), x, learn, cut(len(x), places), **options)


@pytest.mark.parametrize(("n_trees", "inputs"), [(25, 2), (50, 6)])
def test_it_equals_river_in_the_sizes_in_use(n_trees: int, inputs: int) -> None:
    x = made_records(4, 4500, inputs).x
    learn = np.ones(len(x), np.bool_)
    assert_equal_to_river(names(inputs), x, learn, [slice(0, None)], n_trees=n_trees)


def test_it_equals_river_at_the_thresholds_themselves() -> None:
    structure = HalfSpaceTrees(names(2), 3, n_trees=4).structure
    exact = np.unique(structure.threshold)
    near = np.concatenate((
        exact, np.nextafter(exact, 9), np.nextafter(exact, -9), [-1e300, -0.0, 0.0, 5e-324, 1e300],
    ))  # fmt: skip
    rng = np.random.default_rng(5)
    x = np.stack((rng.permutation(near), rng.permutation(near)), axis=1)
    learn = np.ones(len(x), np.bool_)
    assert_equal_to_river(names(2), x, learn, [slice(0, None)], n_trees=4, window=100)


@pytest.mark.parametrize(
    "limits",
    [
        {"input_0": (0.0, 1e9), "input_2": (-5.0, -4.0)},
        {"input_0": (0.1, 0.1 + 1e-15), "input_1": (0.0, 5e-324), "input_2": (0.0, 1e-300)},
        {"input_0": (-1e300, 1e300), "input_1": (-1e-9, 1e300)},
    ],
)
def test_it_equals_river_with_limits_of_any_size(limits: Limits) -> None:
    inputs = names(3)
    rng = np.random.default_rng(6)
    low, high = np.array([limits.get(name, (0.0, 1.0)) for name in inputs]).T
    x = low + rng.random((600, 3)) * (high - low)
    learn = np.ones(len(x), np.bool_)
    assert_equal_to_river(
        inputs, x, learn, [slice(0, None)], n_trees=4, window=150, limits=dict(limits)
    )


def test_river_goes_on_as_the_model_of_record_would() -> None:
    inputs = names(3)
    x, learn = made_records(7, 1500, 3).x, np.ones(1500, np.bool_)
    made = HalfSpaceTrees(inputs, 9, n_trees=6, window=200)
    made.score_learn(x[:700], learn[:700])
    river = made.to_river()
    before = made.snapshot()
    on = river_scores(river, inputs, x[700:], learn[700:])
    assert made.snapshot() == before  # they share nothing
    assert np.array_equal(made.score_learn(x[700:], learn[700:]), on)
    assert masses(made.to_river()) == masses(river)


def test_other_kernels_may_take_a_record_at_a_time() -> None:
    x, learn = made_records(8, 900, 2).x, np.random.default_rng(9).random(900) < 0.6
    single, many = (HalfSpaceTrees(names(2), 3, n_trees=5, window=120) for _ in range(2))
    scores = []
    for record, is_learned in zip(x, learn, strict=True):
        scores.append(half_space_trees.score(single.forest, record))
        if is_learned:
            half_space_trees.learn_scored(single.forest)
    assert np.array_equal(scores, many.score_learn(x, learn), equal_nan=True)
    assert single.snapshot() == many.snapshot()


def test_a_kernel_reads_nothing_beside_its_arrays_whatever_a_record_is() -> None:
    for value, cell in ((math.nan, 0), (-math.inf, 0), (math.inf, half_space_trees.CELLS - 1)):
        assert half_space_trees._cell(value, 0.0, 2.0) == cell


def test_a_score_is_of_the_window_before() -> None:
    made = HalfSpaceTrees(names(1), 3, n_trees=20, window=50)
    low, high = np.full((50, 1), 0.1), np.full((50, 1), 0.9)
    learn = np.ones(50, np.bool_)
    assert np.isnan(made.score_learn(low, learn)).all()
    assert (made.score_learn(high, learn) > 0.9).all()
    assert (made.score_learn(high, learn) < 0.5).all()


def test_a_snapshot_keeps_its_trees_whatever_the_seed_would_grow() -> None:
    made = HalfSpaceTrees(names(2), 1, n_trees=5, window=50)
    x, learn = made_records(10, 300, 2).x, np.ones(300, np.bool_)
    made.score_learn(x, learn)
    meta, arrays = unpack(made.snapshot(), KIND, VERSION)
    back = HalfSpaceTrees.restore(pack(KIND, VERSION, meta | {"seed": 2}, arrays))
    assert np.array_equal(back.score(x), made.score(x))
    assert masses(back.to_river()) == masses(made.to_river())


@pytest.mark.parametrize(
    "change",
    [
        {"n_trees": 4}, {"n_trees": 6}, {"n_trees": 10**12}, {"n_trees": "5"}, {"height": 5},
        {"height": 7}, {"height": 10**12}, {"window": 49}, {"window": 2**40}, {"learned": 49},
        {"learned": -1}, {"learned": 50}, {"learned": 1.0}, {"is_warm": False},
        {"inputs": ["a"]}, {"inputs": []}, {"inputs": None}, {"seed": None}, {"more": 1},
        {"limits": {"a": [0, 1]}}, {"limits": {"input_0": [1, 0]}}, {"limits": [1]},
    ],
)  # fmt: skip
def test_a_snapshot_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    meta, arrays = contents_of_a_warm_one()
    with pytest.raises(SnapshotError):
        HalfSpaceTrees.restore(pack(KIND, VERSION, meta | change, arrays))


@pytest.mark.parametrize("name", ["feature", "threshold", "now", "before"])
def test_arrays_that_are_not_of_such_trees_are_refused(name: str) -> None:
    meta, arrays = contents_of_a_warm_one()
    array = arrays[name]
    wrong = {
        "feature": np.full_like(array, 2),
        "threshold": np.where(array > 0.5, np.nan, array),
        "now": array + 1,
        "before": np.roll(array, 1) - np.roll(array, 2) + array,
    }[name]
    for held in (wrong, array[:-1], array.astype(np.int64), array[:, :-1], array.T):
        with pytest.raises(SnapshotError):
            HalfSpaceTrees.restore(pack(KIND, VERSION, meta, arrays | {name: held}))
    with pytest.raises(SnapshotError):
        HalfSpaceTrees.restore(pack(KIND, VERSION, meta, arrays | {"more": array}))


def contents_of_a_warm_one() -> tuple[dict[str, Any], dict[str, Any]]:
    made = HalfSpaceTrees(names(2), 1, n_trees=5, window=50)
    made.score_learn(made_records(11, 80, 2).x, np.ones(80, np.bool_))
    meta, arrays = unpack(made.snapshot(), KIND, VERSION)
    assert HalfSpaceTrees.restore(pack(KIND, VERSION, meta, arrays)).snapshot() == made.snapshot()
    return meta, arrays


@pytest.mark.parametrize(
    "options",
    [
        {"height": 0}, {"height": 7}, {"n_trees": 0}, {"n_trees": 2.0}, {"window": 0},
        {"limits": {"input_9": (0, 1)}}, {"limits": {"input_0": (1, 1)}},
        {"limits": {"input_0": (0, math.inf)}}, {"limits": {"input_0": (math.nan, 1)}},
    ],
)  # fmt: skip
def test_options_out_of_their_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"whole number|limits"):
        HalfSpaceTrees(names(2), 1, **options)


@pytest.mark.slow
def test_it_finds_the_anomalies_of_the_shuttle() -> None:
    rows, labels = zip(*datasets.Shuttle(), strict=True)
    x = np.array([list(row.values()) for row in rows], np.float64)
    is_strange = np.array(labels) == 1
    low, high = x[:2000].min(axis=0), x[:2000].max(axis=0)  # all that is known at the beginning
    x = (x - low) / (high - low)
    for seed in range(5):
        made = HalfSpaceTrees(names(9), seed)
        scores = made.score_learn(x, np.ones(len(x), np.bool_))
        assert np.isnan(scores).tolist() == [True] * 2000 + [False] * 47_097
        assert area_under_curve(scores[2000:], is_strange[2000:]) >= 0.98


@pytest.mark.slow
def test_it_equals_river_over_the_shuttle() -> None:
    rows, _ = zip(*datasets.Shuttle(), strict=True)
    x = np.array([list(row.values()) for row in rows], np.float64)[:20_000]
    limits = {name: (float(x[:, i].min()), float(x[:, i].max())) for i, name in enumerate(names(9))}
    learn = np.ones(len(x), np.bool_)
    batches = cut(len(x), list(range(0, len(x), 777)))
    assert_equal_to_river(names(9), x, learn, batches, limits=limits)
