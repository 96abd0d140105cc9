"""The two levels of peer groups: River's KMeans for the coarse groups, and one inside each of them.

Distances are of profiles on the scale of the first ones: less their mean, over their standard
deviation, times the weight of each field.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import cluster

from models.arrays import Floats, Ints
from models.k_means import centres_of, k_means, river_k_means, squared_distances
from models.peer_field import COARSE_FIELDS, WEIGHTS

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
        self.fine: list[cluster.KMeans] = [river_k_means(one, halflife) for one in centres.fine]

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
            k_means(rng, x[place == one] if (place == one).any() else x, fine)
            for one in range(coarse)
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
        return Centres(centres_of(self.coarse), np.stack([centres_of(one) for one in self.fine]))

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
