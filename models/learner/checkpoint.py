"""A partition's models as snapshots: the core, each finished day, the accounts.

The core is small and written whole; a finished day of the tails never changes, so it is written
once; accounts are written by the bucket that they belong to. Nothing is pickled.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.detectors import detector
from models.detectors.half_space_trees import HalfSpaceTrees
from models.evidence import budget
from models.learner.learner import PEER_GROUPS_MAX, SEGMENTS_MAX, Learner
from models.peers.groups import PeerGroups
from models.profile import baseline
from models.snapshot import SnapshotError, header_of, pack, plain_entry, reading, sealed, unpack

CORE_KIND: Final = "learner"
ACCOUNTS_KIND: Final = "accounts"
VERSION: Final = 1

ACCOUNT_BYTES: Final = baseline.ACCOUNT.itemsize
"""Of one account, in memory and in a part."""

ACCOUNT_LAYOUT: Final = hashlib.sha256(repr(baseline.ACCOUNT.descr).encode()).hexdigest()[:16]
_CORE_LAYOUTS: Final = [repr(baseline.GROUP.descr), repr(budget.BUDGET.descr)]
"""A snapshot of another layout is refused; it is not guessed at."""

_GROUPS: Final = SEGMENTS_MAX + PEER_GROUPS_MAX
_PLACES: Final = {"group": _GROUPS, "segment": _GROUPS, "peer": PEER_GROUPS_MAX + 1}
"""Fields by which kernels read and write: without a key anybody may have written them."""


def core_bytes(learner: Learner, names: Mapping[str, Any], key: bytes | None = None) -> bytes:
    """Return a snapshot of all but accounts and finished days; `names` goes with it, as JSON."""
    meta = {
        "names": dict(names),
        "settings": list(_identity(learner)),
        "day": learner.day,
        "layouts": _CORE_LAYOUTS,
        "days": sorted(learner.tails.days),
    }
    arrays = {
        "groups": _as_bytes(learner.groups),
        "budget": _as_bytes(learner.budget),
    }
    inner = {
        "detector": learner.detector.snapshot(),
        "day_forest": learner.day_forest.snapshot(),
        "peers": learner.peers.snapshot(),
        "today": learner.tails.snapshot_today(key),
    }
    return pack(CORE_KIND, VERSION, meta, arrays, key, inner)


def restore_core(
    learner: Learner, data: bytes, days: Mapping[int, bytes], key: bytes | None = None
) -> dict[str, Any]:
    """Put a core and its finished days back into a fresh learner; return the `names`.

    Raises SnapshotError if it is none, of other models, or a day of it is missing; the learner
    is of no use then.
    """
    meta, arrays = unpack(data, CORE_KIND, VERSION, key)
    with reading(CORE_KIND):
        if meta["settings"] != list(_identity(learner)):
            raise SnapshotError(f"the snapshot is of the models {meta['settings']}")
        if meta["layouts"] != _CORE_LAYOUTS:
            raise SnapshotError("the snapshot keeps groups in another layout")
        if missing := set(meta["days"]) - set(days):
            raise SnapshotError(f"the finished days {sorted(missing)} are not there")
        learner.groups[:] = arrays["groups"].view(baseline.GROUP)
        learner.budget[:] = arrays["budget"].view(budget.BUDGET)
        learner.detector = detector.restore(arrays["detector"].tobytes())
        learner.day_forest = HalfSpaceTrees.restore(arrays["day_forest"].tobytes())
        learner.peers = PeerGroups.restore(arrays["peers"].tobytes())
        learner.tails.restore(
            arrays["today"].tobytes(), {day: days[day] for day in meta["days"]}, key
        )
        learner.day = int(meta["day"])
        names: dict[str, Any] = meta["names"]
    learner.models = learner.arrays()
    return names


def accounts_header(names: Sequence[str]) -> bytes:
    """Return the header of a snapshot of accounts: it changes with their names alone."""
    meta = {"names": list(names), "layout": ACCOUNT_LAYOUT}
    entry = plain_entry("accounts", len(names) * baseline.ACCOUNT.itemsize)
    return header_of(ACCOUNTS_KIND, VERSION, meta, [entry])


def rows_bytes(learner: Learner, rows: NDArray[np.int64]) -> memoryview:
    """Return the accounts of some rows as bytes, one after the other.

    They are taken as if they had no fields: by an index of a structured array numpy copies field
    by field, which takes sixteen times as long.
    """
    without_fields = learner.accounts.view(f"V{ACCOUNT_BYTES}")
    return without_fields.take(rows).view(np.uint8).data


def accounts_bytes(accounts: memoryview, header: bytes, key: bytes | None = None) -> bytes:
    """Return a snapshot of accounts, given as `rows_bytes`; `header` is that of their names."""
    return sealed(header, [accounts], key)


def accounts_of(data: bytes, key: bytes | None = None) -> tuple[list[str], NDArray[Any]]:
    """Return the names and the accounts of a snapshot. Raises SnapshotError if it is none."""
    meta, arrays = unpack(data, ACCOUNTS_KIND, VERSION, key)
    with reading(ACCOUNTS_KIND):
        if meta["layout"] != ACCOUNT_LAYOUT:
            raise SnapshotError("the snapshot keeps accounts in another layout")
        accounts = arrays["accounts"].view(baseline.ACCOUNT)
        for field, count in _PLACES.items():
            if (accounts[field] < 0).any() or (accounts[field] >= count).any():
                raise SnapshotError(f"the snapshot has accounts of a {field} that there is not")
        names = [str(name) for name in meta["names"]]
        if len(names) != accounts.size:
            raise SnapshotError(f"the snapshot has {len(names)} names of {accounts.size} accounts")
    return names, accounts


def _identity(learner: Learner) -> tuple[Any, ...]:
    """Return what makes models the same: the budget may change, the rest may not."""
    settings = learner.settings
    return settings.seed, settings.has_amount_term, settings.detector


def _as_bytes(records: NDArray[Any]) -> NDArray[np.uint8]:
    return np.frombuffer(records.tobytes(), np.uint8)
