"""k-means over a batch, as a start, and River's KMeans from there: its centres as arrays and back.

River's KMeans begins at random centres, of which many never win a point; so it is given centres
that a batch has found (k-means++, then Lloyd's rounds). River learns a point at a time; which
centre is nearest is found for many points at once, in the order of River's own sum, so that both
say the same (tested).
"""

import math
from typing import Final

import numpy as np
from river import cluster

from models.arrays import Floats, Ints
from models.compiled import compiled

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
