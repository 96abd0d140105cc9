"""A partition's models as snapshots: the core, each finished day, the accounts.

The core is small and written whole; a finished day of the tails never changes, so it is written
once; accounts are written by the bucket that they belong to. Nothing is pickled.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.detectors import detector
from models.detectors.half_space_trees import HalfSpaceTrees
from models.evidence import budget
from models.learner.learner import PEER_GROUPS_MAX, SEGMENTS_MAX, Learner
from models.learner.taught_days import TaughtDays
from models.peers.groups import PeerGroups
from models.profile import baseline
from models.profile.counterparty_levels import LEVEL, LEVELS, CounterpartyLevels
from models.snapshot import SnapshotError, header_of, pack, plain_entry, reading, sealed, unpack
from models.teaching.terms import TERMS

CORE_KIND: Final = "learner"
ACCOUNTS_KIND: Final = "accounts"
TAUGHT_KIND: Final = "taught"
LEVELS_KIND: Final = "levels"
VERSION: Final = 1

ACCOUNT_BYTES: Final = baseline.ACCOUNT.itemsize
"""Of one account, in memory and in a part."""

TERMS_BYTES: Final = 4 * len(TERMS)
"""Of the same one's terms, where they are measured."""

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
        "days": learner.tails.kept_days,
    }
    arrays = {
        "groups": _as_bytes(learner.groups),
        "budget": _as_bytes(learner.budget),
        "levels": _as_bytes(learner.levels.whole),
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
        if "levels" in arrays:  # a core of before has none: they begin afresh
            learner.levels.whole[:] = arrays["levels"].view(LEVELS)
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


def taught_bytes(taught: TaughtDays, key: bytes | None = None) -> bytes:
    """Return what account-days are taught by, but for samples, counterparties and terms."""
    return pack(TAUGHT_KIND, VERSION, *taught.kept(), key)


def sample_bytes(taught: TaughtDays, day: int, key: bytes | None = None) -> bytes:
    """Return the sample of a finished day: it does not change any more."""
    return pack(TAUGHT_KIND, VERSION, {}, {"sample": taught.days[day]}, key)


def page_bytes(page: bytes, key: bytes | None = None) -> bytes:
    """Return a page of counterparties."""
    header = header_of(TAUGHT_KIND, VERSION, {}, [plain_entry("page", len(page))])
    return sealed(header, [page], key)


def restore_levels(learner: Learner, pages: Mapping[int, bytes], key: bytes | None = None) -> None:
    """Put back the pages of counterparties' levels. Raises SnapshotError if one does not fit.

    All levels begin afresh then.
    """
    try:
        with reading(LEVELS_KIND):
            for number, data in pages.items():
                page = unpack(data, LEVELS_KIND, VERSION, key)[1]["page"]
                learner.levels.page(number)[:] = page.view(LEVEL)
    except SnapshotError:
        learner.levels = CounterpartyLevels()
        raise
    finally:
        learner.models = learner.arrays()


def levels_page_bytes(levels: CounterpartyLevels, number: int, key: bytes | None = None) -> bytes:
    """Return a page of counterparties' levels."""
    page = levels.page(number).tobytes()
    header = header_of(LEVELS_KIND, VERSION, {}, [plain_entry("page", len(page))])
    return sealed(header, [page], key)


def restore_taught(
    learner: Learner,
    data: bytes,
    samples: Mapping[int, bytes],
    pages: Mapping[int, bytes],
    key: bytes | None = None,
) -> None:
    """Put back what account-days are taught by; the terms of accounts come with these.

    Raises SnapshotError if it does not fit; nothing is taught then.
    """
    taught = learner.taught
    taught.switch(learner.accounts.size, is_on=True)
    try:
        meta, arrays = unpack(data, TAUGHT_KIND, VERSION, key)
        with reading(TAUGHT_KIND):
            days = {day: _array_of(part, "sample", key) for day, part in samples.items()}
            places = {number: _array_of(part, "page", key) for number, part in pages.items()}
            taught.restore(meta, arrays, days, places)
    except SnapshotError:
        taught.switch(0, is_on=False)
        raise
    for day in (learner.day - 1, learner.day):
        taught.set_knots(day)


def _array_of(data: bytes, name: str, key: bytes | None) -> NDArray[Any]:
    return unpack(data, TAUGHT_KIND, VERSION, key)[1][name]


def accounts_header(names: Sequence[str], *, has_terms: bool = False) -> bytes:
    """Return the header of a snapshot of accounts: it changes with their names alone."""
    meta = {"names": list(names), "layout": ACCOUNT_LAYOUT}
    entries = [plain_entry("accounts", len(names) * baseline.ACCOUNT.itemsize)]
    if has_terms:
        entries.append(plain_entry("terms", len(names) * TERMS_BYTES))
    return header_of(ACCOUNTS_KIND, VERSION, meta, entries)


def terms_bytes(learner: Learner, rows: NDArray[np.int64]) -> memoryview:
    """Return the terms of some rows as bytes, one after the other; nothing where none are."""
    if not learner.taught.is_on:
        return memoryview(b"")
    learner.make_room()
    return memoryview(learner.taught.arrays.terms.take(rows, axis=0).tobytes())


def rows_bytes(learner: Learner, rows: NDArray[np.int64]) -> memoryview:
    """Return the accounts of some rows as bytes, one after the other.

    They are taken as if they had no fields: by an index of a structured array numpy copies field
    by field, which takes sixteen times as long.
    """
    without_fields = learner.accounts.view(f"V{ACCOUNT_BYTES}")
    return without_fields.take(rows).view(np.uint8).data


def accounts_bytes(
    accounts: memoryview, header: bytes, key: bytes | None = None, terms: memoryview | None = None
) -> bytes:
    """Return a snapshot of accounts, given as `rows_bytes`; `header` is that of their names.

    `terms` are given as `terms_bytes`.
    """
    return sealed(header, [accounts] if terms is None else [accounts, terms], key)


class AccountsKept(NamedTuple):
    """Accounts of a snapshot; `terms` (accounts, terms) are -inf where none were kept."""

    names: list[str]
    accounts: NDArray[Any]
    terms: NDArray[np.float32]


def accounts_of(data: bytes, key: bytes | None = None) -> AccountsKept:
    """Return the accounts of a snapshot. Raises SnapshotError if it is none."""
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
        terms = np.full((len(names), len(TERMS)), -np.inf, np.float32)
        if "terms" in arrays:
            terms = arrays["terms"].view(np.float32).reshape(terms.shape)
    return AccountsKept(names, accounts, terms)


def _identity(learner: Learner) -> tuple[Any, ...]:
    """Return what makes models the same: the budget may change, the rest may not."""
    settings = learner.settings
    return settings.seed, settings.has_amount_term, settings.detector


def _as_bytes(records: NDArray[Any]) -> NDArray[np.uint8]:
    return np.frombuffer(records.tobytes(), np.uint8)
