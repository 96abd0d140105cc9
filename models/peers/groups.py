"""Peer groups: accounts that behave alike, found online on two levels, coarse and then fine.

Before there are enough profiles to begin at sound centres, no account has a group: `NO_GROUP` says
so. From then on centres move little by little and keep their ids, and an account moves only to a
centre that was clearly nearer in two snapshots running; so a group means the same from week to
week.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.detectors.inputs import rows, whole
from models.peers.fields import COARSE_FIELDS, FIELDS, WEIGHTS, names_of
from models.peers.levels import Centres, Levels
from models.snapshot import SnapshotError, expect, pack, reading, unpack

KIND: Final = "peer-groups"
VERSION: Final = 1

NO_GROUP: Final = -1
"""The group of an account while there are none, and the candidate of one that has none."""

LEVEL_MAX: Final = 16
"""Groups of the coarse level at most, and fine ones in each."""

WARM_UP_MAX: Final = 1_000_000
WARM_UP_DAYS: Final = 14
"""Days from the first profile to the first groups at least, whose sample is of all days alike.

The busiest accounts have enough history first: groups begun with them alone have few for the rest
(tests/models/peers/test_peer_population.py).
"""

HALFLIFE: Final = 0.005
"""The share of its way to a profile that River moves a centre by."""

LEARNS_ONE_OF: Final = 10
"""A tenth of the profiles of a day moves the centres far enough, for a tenth of the work."""

NEARER: Final = 0.85
"""An account may leave its group for a centre at less than this share of the distance."""

CHUNK: Final = 16_384
"""Profiles that are assigned at once: memory stays bounded."""


class PeerGroups:
    """The peer groups of one partition: `coarse` groups of `fine` groups each.

    Ids of fine groups are from 0 to `count` - 1. `warm_up` is the number of different profiles
    that the first centres are found by. Raises ValueError for an option out of range.
    """

    def __init__(self, seed: int, coarse: int = 3, fine: int = 4, warm_up: int = 2000) -> None:
        self.seed = whole("seed", seed, 0, 2**63 - 1)
        self.coarse = whole("coarse", coarse, 1, LEVEL_MAX)
        self.fine = whole("fine", fine, 1, LEVEL_MAX)
        self.warm_up = whole("warm_up", warm_up, self.count, WARM_UP_MAX)
        self.levels: Levels | None = None
        self.day = 0
        """Business day that was learned last; 0 is none."""

        self.sizes: Ints = np.zeros(self.count, np.int64)
        """Of the profiles shown on that day, how many belong to each group."""

        self._first = np.empty((0, len(FIELDS)))  # the sample that the warm-up has so far
        self._day_first = 0  # business day that was shown first; 0 is none
        self._before = Centres.none(coarse, fine)  # centres as that day began

    @property
    def count(self) -> int:
        """Fine groups."""
        return self.coarse * self.fine

    @property
    def is_warm(self) -> bool:
        """Whether there are groups."""
        return self.levels is not None

    @property
    def displacement(self) -> Floats:
        """How far each group's centre has moved on the day learned last: a sign of drift.

        In standard deviations of the fields by their weights; 0 before there are groups.
        """
        if self.levels is None:
            return np.zeros(self.count)
        moved = (self.levels.centres().fine - self._before.fine).reshape(self.count, -1)
        distance: Floats = np.sqrt((moved * moved).sum(axis=1))
        return distance

    def learn(self, profiles: Floats, day: int) -> None:
        """Learn from profiles (n, fields) of accounts with enough history, as a day closes.

        While there are no groups, profiles are waited with: `warm_up` different ones, of
        `WARM_UP_DAYS` days at least. The next day begins at the centres of a sample of them, and
        from then on about a tenth of the profiles shown moves the centres. A day may come in
        parts; days count from 1. Raises ValueError if a field is missing or not a number.
        """
        profiles = _profiles(profiles)
        if not len(profiles):
            return
        if self.levels is None and self._has_enough(day):
            rng = np.random.default_rng(self.seed)
            self.levels = Levels.begun(rng, self._first, self.coarse, self.fine, HALFLIFE)
            self._first = self._first[:0]
        if self.levels is None:
            self._wait(profiles, day)
            return
        if day != self.day:
            self._begin_day(self.levels, day)
        self._count(self.levels, profiles)
        self.levels.learn(profiles[_hashes(profiles, day) % LEARNS_ONE_OF == 0])

    def assign(self, profiles: Floats, group: Ints, pending: Ints) -> tuple[Ints, Ints]:
        """Return the group of each account, and the candidate that it may move to next time.

        `group` and `pending` are what was returned last for the same account; `NO_GROUP` (or any
        other number that is no group) for one that has none. An account without a group gets the
        nearest. Another one moves where its candidate was nearer by `NEARER` the last time, still
        is, and no third one is nearer by as much again; else its candidate is the nearest group,
        where that is nearer by `NEARER`. Raises ValueError for profiles as `learn` does, and where
        the three are not of one length.
        """
        profiles = _profiles(profiles)
        if not group.shape == pending.shape == (len(profiles),):
            raise ValueError(
                f"{len(profiles)} profiles, groups of {group.shape} and candidates of"
                f" {pending.shape} are not of the same accounts"
            )
        groups = np.full(len(profiles), NO_GROUP, np.int64)
        candidates = groups.copy()
        if self.levels is not None:
            centres = self.levels.centres()
            for start in range(0, len(profiles), CHUNK):
                part = slice(start, start + CHUNK)
                x = self.levels.scale.scaled(profiles[part])
                groups[part], candidates[part] = _moved(
                    *centres.nearest(x), group[part], pending[part]
                )
        return groups, candidates

    def coarse_of(self, group: int) -> int:
        """Return the coarse group, from 0, that a fine group lies in; NO_GROUP has none.

        Raises ValueError for what is no group.
        """
        if not NO_GROUP <= group < self.count:
            raise ValueError(f"{group} is no group: they are 0 to {self.count - 1}")
        return group // self.fine  # of -1 it is -1

    def names(self) -> dict[int, str]:
        """Return what sets each group apart from the whole, in words; none before there are groups.

        The whole is all accounts shown on the day learned last. Names follow the centres: they may
        change from day to day, where ids do not.
        """
        if self.levels is None:
            return {}
        centres = self.levels.centres().fine.reshape(self.count, -1) / WEIGHTS
        of_all = (centres * self.sizes[:, None]).sum(axis=0) / self.sizes.sum()
        return dict(enumerate(names_of(centres - of_all)))

    def snapshot(self, key: bytes | None = None) -> bytes:
        """Return what it is and has learned."""
        meta = {
            "fields": FIELDS, "seed": self.seed, "coarse": self.coarse, "fine": self.fine,
            "warm_up": self.warm_up, "day": self.day, "day_first": self._day_first,
        }  # fmt: skip
        if self.levels is None:
            return pack(KIND, VERSION, meta, {"first": self._first}, key)
        arrays = {
            **self.levels.arrays(), "sizes": self.sizes,
            **{f"{name}_before": array for name, array in self._before._asdict().items()},
        }  # fmt: skip
        return pack(KIND, VERSION, meta, arrays, key)

    @classmethod
    def restore(cls, data: bytes, key: bytes | None = None) -> "PeerGroups":
        """Return the groups of a snapshot. Raises SnapshotError if it is not one of this."""
        meta, arrays = unpack(data, KIND, VERSION, key)
        with reading(KIND):
            day, first = (whole(name, meta.pop(name), 0, 2**31) for name in ("day", "day_first"))
            if (fields := meta.pop("fields")) != list(FIELDS):
                raise SnapshotError(f"the snapshot's profiles have the fields {fields}")
            made = cls(**meta)
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise SnapshotError("the snapshot has what is not a number")
            if "first" in arrays:
                made._take_first(arrays)
            else:
                made._take(arrays)
            made.day, made._day_first = day, first
        return made

    def _take_first(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._first = arrays["first"]
        expect(arrays, {"first": ("float64", (len(self._first), len(FIELDS)))})
        if len(self._first) > self.warm_up:
            raise SnapshotError("the snapshot has more profiles than a warm-up takes")

    def _take(self, arrays: dict[str, NDArray[Any]]) -> None:
        coarse = (self.coarse, len(COARSE_FIELDS))
        fine = (self.coarse, self.fine, len(FIELDS))
        row = (len(FIELDS),)
        shapes = {
            "mean": row, "deviation": row, "halflife": (), "coarse": coarse, "fine": fine,
            "sizes": (self.count,), "coarse_before": coarse, "fine_before": fine,
        }  # fmt: skip
        types = dict.fromkeys(shapes, "float64") | {"sizes": "int64"}
        expect(arrays, {name: (types[name], shape) for name, shape in shapes.items()})
        self.sizes = arrays.pop("sizes")
        self._before = Centres(arrays.pop("coarse_before"), arrays.pop("fine_before"))
        self.levels = Levels.of(arrays)
        if (self.sizes < 0).any() or not self.sizes.any():
            raise SnapshotError("the sizes of the groups are no counts")

    # -- warm-up and days --------------------------------------------------------------------------

    def _has_enough(self, day: int) -> bool:
        """Tell whether groups begin with this day: never inside one, however it comes in parts."""
        is_full = len(self._first) == self.warm_up
        return is_full and day != self.day and day - self._day_first >= WARM_UP_DAYS

    def _wait(self, profiles: Floats, day: int) -> None:
        """Keep an even sample of the different profiles: those of the least hashes."""
        self.day, self._day_first = day, self._day_first or day
        profiles = np.concatenate([self._first, profiles])
        _, places = np.unique(_hashes(profiles), return_index=True)
        self._first = profiles[places[: self.warm_up]]

    def _begin_day(self, levels: Levels, day: int) -> None:
        self.day = day
        self.sizes = np.zeros(self.count, np.int64)
        self._before = levels.centres()

    def _count(self, levels: Levels, profiles: Floats) -> None:
        """Count profiles by the centres that the day began with: however it comes in parts."""
        for start in range(0, len(profiles), CHUNK):
            x = levels.scale.scaled(profiles[start : start + CHUNK])
            self.sizes += np.bincount(self._before.nearest(x)[0], minlength=self.count)


def _profiles(profiles: Floats) -> Floats:
    """Return profiles as rows of numbers; -0 becomes 0, so that equal ones have equal bytes."""
    return rows(profiles, FIELDS) + 0.0


def _hashes(profiles: Floats, day: int = 0) -> NDArray[np.uint64]:
    """Return a number for what each profile is, on a day: an even choice, wherever it stands."""
    hashes = np.full(len(profiles), day & 0xFFFFFFFF, np.uint64)
    for column in profiles.T.copy().view(np.uint64):
        hashes = _mixed(hashes ^ column)
    return hashes


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each number with each bit spread over all (the finaliser of splitmix64)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _moved(nearest: Ints, squares: Floats, group: Ints, pending: Ints) -> tuple[Ints, Ints]:
    """Return groups and candidates, from squared distances (accounts, groups): see `assign`."""
    account, count = np.arange(len(nearest)), squares.shape[1]
    has_group = (group >= 0) & (group < count)
    own = np.where(has_group, group, nearest)
    wanted = NEARER * NEARER * squares
    is_nearer = squares < wanted[account, own, None]
    is_candidate = has_group & (pending >= 0) & (pending < count)
    candidate = np.where(is_candidate, pending, own)  # the own is never nearer than itself
    # Not to one that it would leave again: who goes elsewhere waits for that.
    stays = squares[account, nearest] >= wanted[account, candidate]
    moves = is_nearer[account, candidate] & stays
    waits = ~moves & is_nearer[account, nearest]
    return np.where(moves, candidate, own), np.where(waits, nearest, NO_GROUP)


COUNT_MIN: Final = 10
DAYS_MIN: Final = 5
"""An account of less history has no peer group yet."""

SHOWN_MAX: Final = 2000
"""Profiles that the groups learn from at a day's end at most, evenly chosen: a bound on a pause."""

CHANNELS_KNOWN: Final = ("card", "mobile", "web", "branch", "atm", "api")
"""The channels that profiles tell apart, in the order of an account's shares."""


def profiles_of(accounts: NDArray[Any]) -> Floats:
    """Return the profiles of accounts (n, FIELDS)."""
    profiles = np.empty((accounts.size, len(FIELDS)))
    profiles[:, 0] = accounts["log_mean"]
    profiles[:, 1] = np.sqrt(accounts["log_var"])
    profiles[:, 2] = np.log(accounts["rate"] + 0.05)
    profiles[:, 3] = accounts["credit"]
    profiles[:, 4:7] = accounts["hours"][:, 1:]
    profiles[:, 7:13] = accounts["channels"][:, : len(CHANNELS_KNOWN)]
    profiles[:, 13] = accounts["weekend"]
    return profiles


def regroup(
    peers: PeerGroups, accounts: NDArray[Any], rows: Ints, groups: NDArray[Any], first: int
) -> None:
    """Let a finished day's accounts find their groups, and the groups learn from them.

    `groups` are the tables of baselines, those of peer groups from the place `first` on; a group
    begins with the baselines of the first account that it gets.
    """
    known = accounts[rows]
    is_known = (known["count"] >= COUNT_MIN) & (known["days"] >= DAYS_MIN)
    rows = rows[is_known]
    if not rows.size:
        return
    profiles = profiles_of(known[is_known])
    day = int(known["day_last"].max())
    peers.learn(profiles[:: 1 + rows.size // SHOWN_MAX], day)
    if not peers.is_warm:
        return
    before = accounts["peer"][rows].astype(np.int64) - 1
    pending = accounts["peer_pending"][rows].astype(np.int64) - 1
    group, pending = peers.assign(profiles, before, pending)
    for new in np.unique(group[group != before]).tolist():
        if groups["count"][first + new] == 0:
            member = rows[np.flatnonzero(group == new)[0]]
            groups[first + new] = groups[accounts["group"][member]]
    accounts["peer"][rows], accounts["peer_pending"][rows] = group + 1, pending + 1
    accounts["group"][rows] = first + group


def peer_name(peers: PeerGroups, group: int) -> str:
    """Return the short name of a fine group: its coarse group as a letter, and a number in it."""
    return f"{chr(ord('A') + peers.coarse_of(group))}{1 + group % peers.fine}"
