"""Puts accounts into peer groups as their days end, and gives each group baselines of its own."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.peer_field import FIELDS
from models.peer_group import PeerGroups

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
            one = rows[np.flatnonzero(group == new)[0]]
            groups[first + new] = groups[accounts["group"][one]]
    accounts["peer"][rows], accounts["peer_pending"][rows] = group + 1, pending + 1
    accounts["group"][rows] = first + group


def peer_name(peers: PeerGroups, group: int) -> str:
    """Return the short name of a fine group: its coarse group as a letter, and a number in it."""
    return f"{chr(ord('A') + peers.coarse_of(group))}{1 + group % peers.fine}"
