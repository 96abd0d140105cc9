"""The two levels of peer groups: River's KMeans for the coarse groups, and one inside each of them.

Distances are of profiles on the scale of the first ones: less their mean, over their standard
deviation, times the weight of each field.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import cluster

from models.arrays import Floats, Ints
from models.kernels import compiled
from models.peers.fields import COARSE_FIELDS, WEIGHTS

STARTS: Final = 16
"""Times that a batch is clustered, from other random starts; the closest fit is taken."""

ROUNDS_FIRST: Final = 5
FINISHED: Final = 4
"""After the first rounds only so many of the starts, the closest fits so far, go on to the end."""

ROUNDS_MAX: Final = 300


def squared_distances(x: Floats, centres: Floats) -> Floats:
    """Return the squared distance of each point (n, fields) to each centre: (n, centres)."""
    total = np.zeros((len(x), len(centres)))
    for field in range(x.shape[1]):
        apart = x[:, field, None] - centres[None, :, field]
        total += apart * apart
    return total


def k_means(rng: np.random.Generator, x: Floats, count: int) -> Floats:
    """Return the `count` centres of the best of `STARTS` clusterings of a batch, at least a point.

    With fewer different points than centres, some centres are the same.
    """
    x = np.ascontiguousarray(x)
    starts = [_lloyd(x, _plus_plus(rng, x, count), ROUNDS_FIRST) for _ in range(STARTS)]
    closest = sorted(starts, key=_fit)[:FINISHED]
    return min((_lloyd(x, centres, ROUNDS_MAX) for centres, _ in closest), key=_fit)[0]


def _fit(found: tuple[Floats, float]) -> float:
    """Return the sum of squares that centres were found with."""
    return found[1]


def _plus_plus(rng: np.random.Generator, x: Floats, count: int) -> Floats:
    """Choose points far apart: each by its squared distance from those before, the best of a few.

    Which few are tried each time: Arthur and Vassilvitskii (2007), in its greedy form.
    """
    tries = 2 + int(math.log(count))
    chosen = [int(rng.integers(len(x)))]
    nearest = squared_distances(x, x[chosen])[:, 0]
    for _ in range(1, count):
        sums = nearest.cumsum()
        drawn = np.searchsorted(sums, rng.random(tries) * sums[-1], side="right")
        candidates = np.minimum(drawn, len(x) - 1)
        left = np.minimum(nearest[:, None], squared_distances(x, x[candidates]))
        best = int(left.sum(axis=0).argmin())
        chosen.append(int(candidates[best]))
        nearest = left[:, best]
    return x[chosen].copy()


def _lloyd(x: Floats, centres: Floats, rounds_max: int) -> tuple[Floats, float]:
    """Move centres to the means of their points until none moves; return their sum of squares too.

    A centre without points stays where it is.
    """
    centres = centres.copy()
    for _ in range(rounds_max):
        before = centres.copy()
        _move(x, centres, np.zeros(centres.shape), np.zeros(len(centres), np.int64))
        if np.array_equal(before, centres):
            break
    return centres, float(squared_distances(x, centres).min(axis=1).sum())


@compiled
def _move(x: Floats, centres: Floats, sums: Floats, points: Ints) -> None:
    """Move each centre to the mean of the points to which it is the nearest; the rest are zeros.

    A kernel: a batch takes some thousand rounds, and nothing else of its partition goes on then.
    """
    for point in range(x.shape[0]):
        nearest, least = 0, np.inf
        for centre in range(centres.shape[0]):
            total = 0.0
            for field in range(x.shape[1]):
                apart = x[point, field] - centres[centre, field]
                total += apart * apart
            if total < least:
                nearest, least = centre, total
        points[nearest] += 1
        for field in range(x.shape[1]):
            sums[nearest, field] += x[point, field]
    for centre in range(centres.shape[0]):
        if points[centre] > 0:
            for field in range(x.shape[1]):
                centres[centre, field] = sums[centre, field] / points[centre]


def river_k_means(centres: Floats, halflife: float) -> cluster.KMeans:
    """Return River's KMeans at these centres.

    Its fields are named by their places: a set of names, over which River sums, would have another
    order in each process, and another last bit of the sum with it. No centre is drawn at random,
    so a seed would change nothing.
    """
    made = cluster.KMeans(n_clusters=len(centres), halflife=halflife)
    for place, centre in enumerate(centres.tolist()):
        made.centers[place].update(enumerate(centre))
    return made


def centres_of(clusters: cluster.KMeans) -> Floats:
    """Return the centres of River's KMeans, by place: (centres, fields)."""
    centres = [clusters.centers[place] for place in range(clusters.n_clusters)]
    return np.array([[centre[field] for field in range(len(centre))] for centre in centres])


DEVIATION_MIN: Final = 0.02
"""A field that hardly varied at first must not drown the others once it does."""

SPREAD_MAX: Final = 8.0
"""Standard deviations beyond which a field counts no more: an odd account moves no centre far."""


class Scale(NamedTuple):
    """What profiles are measured by: mean and standard deviation of each field."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, profiles: Floats) -> "Scale":
        """Return the scale of the first profiles."""
        return cls(profiles.mean(axis=0), np.maximum(profiles.std(axis=0), DEVIATION_MIN))

    def scaled(self, profiles: Floats) -> Floats:
        """Return profiles as distances take them."""
        spread = (profiles - self.mean) / self.deviation
        scaled: Floats = np.clip(spread, -SPREAD_MAX, SPREAD_MAX) * WEIGHTS
        return scaled


class Centres(NamedTuple):
    """Centres of both levels, on the scale of distances."""

    coarse: Floats  # (coarse groups, fields of the coarse level)
    fine: Floats  # (coarse groups, fine groups in each, fields)

    @classmethod
    def none(cls, coarse: int, fine: int) -> "Centres":
        """Return centres that are all at 0: before there are any."""
        return cls(np.zeros((coarse, len(COARSE_FIELDS))), np.zeros((coarse, fine, len(WEIGHTS))))

    def nearest(self, x: Floats) -> tuple[Ints, Floats]:
        """Return the fine group of each scaled profile: the nearest in the nearest coarse group.

        Its id is the coarse group's place times the fine groups in each, and its own place; beside
        it are the squared distances to all fine groups (profiles, groups).
        """
        coarse = squared_distances(x[:, COARSE_FIELDS], self.coarse).argmin(axis=1)
        groups, inside, fields = self.fine.shape
        squares = squared_distances(x, self.fine.reshape(-1, fields))
        within = squares.reshape(-1, groups, inside)[np.arange(len(x)), coarse]
        return coarse * inside + within.argmin(axis=1), squares


class Levels:
    """Both levels, learning a profile at a time."""

    def __init__(self, scale: Scale, centres: Centres, halflife: float) -> None:
        self.scale = scale
        self.halflife = halflife
        self.coarse: cluster.KMeans = river_k_means(centres.coarse, halflife)
        self.fine: list[cluster.KMeans] = [
            river_k_means(centers, halflife) for centers in centres.fine
        ]

    @classmethod
    def begun(
        cls, rng: np.random.Generator, profiles: Floats, coarse: int, fine: int, halflife: float
    ) -> "Levels":
        """Begin at the centres of a batch of first profiles, `coarse` * `fine` of them at least."""
        scale = Scale.of(profiles)
        x = scale.scaled(profiles)
        outer = k_means(rng, x[:, COARSE_FIELDS], coarse)
        place = squared_distances(x[:, COARSE_FIELDS], outer).argmin(axis=1)
        # A coarse group without points (where too few first profiles differ) begins as the whole.
        inner = [
            k_means(rng, x[place == group] if (place == group).any() else x, fine)
            for group in range(coarse)
        ]
        return cls(scale, Centres(outer, np.stack(inner)), halflife)

    def learn(self, profiles: Floats) -> None:
        """Move the centre nearest to each profile, on both levels, one profile after the other."""
        x = self.scale.scaled(profiles)
        for some, every in zip(x[:, COARSE_FIELDS].tolist(), x.tolist(), strict=True):
            place = self.coarse.learn_predict_one(  # type: ignore[no-untyped-call]  # River's
                dict(enumerate(some))
            )
            self.fine[place].learn_one(dict(enumerate(every)))

    def centres(self) -> Centres:
        """Return the centres as they stand."""
        return Centres(
            centres_of(self.coarse), np.stack([centres_of(group) for group in self.fine])
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs."""
        halflife = {"halflife": np.array(self.halflife)}
        return self.scale._asdict() | self.centres()._asdict() | halflife

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "Levels":
        """Return the levels of arrays. Raises ValueError if they can be none."""
        scale = Scale(arrays["mean"], arrays["deviation"])
        halflife = float(arrays["halflife"])
        if (scale.deviation < DEVIATION_MIN).any() or not 0 < halflife <= 1:
            raise ValueError("a standard deviation or the halflife is out of its range")
        return cls(scale, Centres(arrays["coarse"], arrays["fine"]), halflife)
