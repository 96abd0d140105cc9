import os
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import cluster

from models.arrays import Floats
from models.peers.levels import centres_of, k_means, river_k_means, squared_distances
from tests.support.laws import law


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def spread_around(x: Floats, centres: Floats) -> float:
    return float(((x[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1).sum())


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 9), st.integers(0, 1000))
def test_squared_distances_are_those_of_the_plain_formula(
    points: int, centres: int, fields: int, seed: int
) -> None:
    x, at = rng(seed).normal(size=(points, fields)), rng(seed + 1).normal(size=(centres, fields))
    expected = [[sum((a - b) ** 2 for a, b in zip(p, c, strict=True)) for c in at] for p in x]
    np.testing.assert_allclose(squared_distances(x, at), expected, rtol=1e-12)


def test_planted_centres_are_found() -> None:
    planted = np.array(list(product((-5.0, 5.0), repeat=3)))
    x = planted[rng().integers(0, 8, 800)] + rng(2).normal(0, 0.3, (800, 3))
    for seed in range(10):
        found = k_means(rng(seed), x, 8)
        apart = np.sqrt(squared_distances(planted, found))
        assert sorted(apart.argmin(axis=1)) == list(range(8))
        assert apart.min(axis=1).max() < 0.15


def test_hardly_any_split_of_a_few_points_is_better() -> None:
    """Every split of nine points into two, tried, where there is nothing to find."""
    excess = []
    for seed in range(100):
        x = rng(seed).normal(size=(9, 2))
        best = min(
            spread_around(x, np.stack([x[list(a)].mean(axis=0), np.delete(x, a, 0).mean(axis=0)]))
            for size in range(1, 5)
            for a in combinations(range(9), size)
        )
        excess.append(spread_around(x, k_means(rng(seed + 1000), x, 2)) / best - 1)
    assert min(excess) > -1e-9
    assert np.mean(np.array(excess) < 1e-9) >= 0.95


@given(st.integers(1, 6), st.integers(0, 1000), st.integers(1, 30))
@law(50)
def test_each_centre_is_the_mean_of_its_points(count: int, seed: int, points: int) -> None:
    x = rng(seed).normal(size=(points, 3))
    centres = k_means(rng(seed), x, count)
    assert centres.shape == (count, 3)
    place = squared_distances(x, centres).argmin(axis=1)
    for group in set(place.tolist()):
        np.testing.assert_allclose(centres[group], x[place == group].mean(axis=0), rtol=1e-9)


def test_fewer_points_than_centres_make_some_the_same() -> None:
    x = np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 4.0]])
    centres = k_means(rng(), x, 5)
    assert {tuple(centre) for centre in centres.tolist()} == {(1.0, 2.0), (3.0, 4.0)}
    assert np.array_equal(k_means(rng(), x[:1], 3), np.repeat(x[:1], 3, axis=0))


def test_the_same_seed_finds_the_same_centres_to_the_last_bit() -> None:
    x = rng(3).normal(size=(300, 14))
    assert np.array_equal(k_means(rng(4), x, 5), k_means(rng(4), x, 5))
    assert not np.array_equal(k_means(rng(4), x, 5), k_means(rng(5), x, 5))


def test_river_begins_at_the_centres_that_it_is_given_and_goes_on_from_there() -> None:
    centres = rng().normal(size=(4, 3))
    made = river_k_means(centres, 0.1)
    assert isinstance(made, cluster.KMeans)
    assert made.halflife == 0.1
    assert np.array_equal(centres_of(made), centres)
    x = rng(2).normal(size=3)
    place = int(squared_distances(x[None], centres)[0].argmin())
    nearest = made.learn_predict_one(dict(enumerate(x.tolist())))  # type: ignore[no-untyped-call]  # River's
    assert nearest == place
    centres[place] += 0.1 * (x - centres[place])
    np.testing.assert_allclose(centres_of(made), centres, rtol=1e-15)


@pytest.mark.parametrize("fields", [6, 14])
def test_river_never_draws_a_centre_at_random_again(fields: int) -> None:
    made = river_k_means(rng().normal(size=(3, fields)), 0.01)
    before = made._rng.getstate()
    for row in rng(2).normal(size=(50, fields)).tolist():
        made.learn_one(dict(enumerate(row)))  # type: ignore[no-untyped-call]  # River's
    assert made._rng.getstate() == before


def nearest_of_ties() -> list[int]:
    """River's nearest of centres that are equally far, but for the last bit of the sum."""
    found = []
    for seed in range(200):
        centre = rng(seed).normal(size=14)
        turned = rng(seed)
        made = river_k_means(np.stack([turned.permutation(centre) for _ in range(3)]), 0.1)
        nearest: int = made.predict_one(dict.fromkeys(range(14), 0.0))  # type: ignore[no-untyped-call]  # River's
        found.append(nearest)
    return found


def test_another_process_finds_the_same_centres_nearest() -> None:
    """River sums over a set of names: of texts, its order and its last bit differ by process."""
    program = (
        "from tests.models.peers.test_k_means import nearest_of_ties; print(nearest_of_ties())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
            cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True,
        ).stdout.strip()
        for hash_seed in (1, 2)
    }  # fmt: skip
    assert told == {str(nearest_of_ties())}
    assert len(set(nearest_of_ties())) > 1
