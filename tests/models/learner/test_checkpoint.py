"""What a learner keeps, put back into a fresh one: it goes on alike; what is not its is refused."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.evidence.evidence import T_SUM
from models.learner.checkpoint import (
    ACCOUNT_LAYOUT,
    ACCOUNTS_KIND,
    CORE_KIND,
    VERSION,
    accounts_bytes,
    accounts_header,
    accounts_of,
    core_bytes,
    levels_page_bytes,
    restore_core,
    restore_levels,
    rows_bytes,
)
from models.learner.columns import Columns, LearnerSettings
from models.learner.learner import Learner
from models.profile import baseline
from models.profile.counterparty_levels import PAGES
from models.snapshot import SnapshotError, pack, unpack
from tests.support.laws import law
from tests.support.made_payments import (
    ACCOUNTS,
    DAY_FIRST,
    DAYS,
    SETTINGS,
    Payment,
    columns_of,
    copied,
    made_payments,
    small_learner,
)
from tests.support.seen import assert_learned_alike, assert_same, learned, observed, part, same

STREAM = made_payments(5)
COUNT = len(STREAM.row)


def in_order(stream: Columns) -> Columns:
    """Return a stream with each day's payments in the order of its accounts, and none late."""
    on_time = stream.day == np.maximum.accumulate(stream.day)
    kept = Columns._make(column[on_time] for column in stream)
    order = np.lexsort((kept.second, kept.row, kept.day))
    return Columns._make(column[order] for column in kept)


ORDERED = in_order(STREAM)


def days_of(learner: Learner, key: bytes | None = None) -> dict[int, bytes]:
    return {day: learner.tails.snapshot_day(day, key) for day in learner.tails.kept_days}


def restored(learner: Learner, key: bytes | None = None) -> Learner:
    """Return a fresh learner with all that one keeps, its accounts in the same rows."""
    back = Learner(learner.settings)
    names = restore_core(back, core_bytes(learner, {"a": [1]}, key), days_of(learner, key), key)
    assert names == {"a": [1]}
    pages = {number: levels_page_bytes(learner.levels, number, key) for number in range(PAGES)}
    restore_levels(back, pages, key)
    rows = np.arange(learner.count)
    kept, accounts, _ = accounts_of(
        accounts_bytes(
            rows_bytes(learner, rows), accounts_header([f"A{row}" for row in rows]), key
        ),
        key,
    )
    assert kept == [f"A{row}" for row in range(learner.count)]
    for account in accounts:
        back.accounts[back.add_account()] = account
    day = back.accounts["day"][: back.count]
    back.reopen(
        np.flatnonzero(day == back.day).tolist(),
        np.flatnonzero((day != 0) & (day < back.day)).tolist(),
    )
    return back


@cache
def ordered_until(place: int) -> Learner:
    learner = small_learner()
    observed(learner, part(ORDERED, 0, place))
    return learner


# -- going on --------------------------------------------------------------------------------------


@pytest.mark.no_cover
@law(12)
@given(st.integers(1, len(ORDERED.row) - 1), st.sampled_from([None, b"secret"]))
@example(684, None)  # in the midst of a sweep, before there are peer groups
@example(len(ORDERED.row) - 1, b"secret")
def test_it_goes_on_alike_to_the_last_bit_wherever_it_was_kept(
    place: int, key: bytes | None
) -> None:
    """Where account-days open in the order of rows; else they are closed in another order."""
    learner = copied(ordered_until(place))
    back = restored(learner, key)
    assert back.day == learner.day
    assert_learned_alike(back, learner)
    rest = part(ORDERED, place, place + 1000)
    assert_same(observed(back, rest), observed(learner, rest))
    assert_learned_alike(back, learner)


def at_ends_of_sweeps() -> list[int]:
    """Return places between payments right before and after the sweep of a day is done."""
    learner, places = small_learner(), []
    for place in range(1500):
        before = learner.sweep.day
        observed(learner, part(ORDERED, place, place + 1))
        if before and not learner.sweep.day:
            places += [place, place + 1]
    return places[-8:]


@pytest.mark.parametrize("place", at_ends_of_sweeps())
def test_a_sweep_that_is_nearly_done_ends_when_it_would_have(place: int) -> None:
    learner = copied(ordered_until(place))
    back = restored(learner)
    for at in range(place, place + 8):
        for run in (learner, back):
            observed(run, part(ORDERED, at, at + 1))
        assert sorted(back.tails.days) == sorted(learner.tails.days)
    assert_learned_alike(back, learner)


@pytest.mark.parametrize("place", [1573, 2000, 2501, 3300])
def test_in_any_order_of_payments_scores_go_on_all_but_alike(place: int) -> None:
    """Account-days are closed in another order, so the sums of groups differ in the last bits.

    By these, peer groups may choose other profiles to begin at.
    """
    learner = small_learner()
    observed(learner, part(STREAM, 0, place))
    back = restored(learner)
    rest = part(STREAM, place, COUNT)
    expected, found = observed(learner, rest), observed(back, rest)
    assert np.array_equal(np.isnan(expected.scores), np.isnan(found.scores))
    apart = np.abs(expected.scores - found.scores)[~np.isnan(expected.scores)]
    assert np.median(apart) < 1e-3
    assert (apart < 0.2).mean() > 0.95
    assert sorted(back.tails.days) == sorted(learner.tails.days)
    counted = [int(learner.tails.days[day][T_SUM].sum()) for day in sorted(learner.tails.days)]
    assert [int(back.tails.days[day][T_SUM].sum()) for day in sorted(back.tails.days)] == counted


@pytest.mark.parametrize("name", ["gaussian", "loda", "one-class-svm"])
def test_another_detector_goes_on_alike_too(name: str) -> None:
    learner = small_learner(SETTINGS._replace(detector=name))
    observed(learner, part(ORDERED, 0, 1800))
    back = restored(learner)
    assert back.detector.snapshot() == learner.detector.snapshot()
    rest = part(ORDERED, 1800, 2200)
    assert_same(observed(back, rest), observed(learner, rest))


def test_keeping_changes_nothing() -> None:
    learner = copied(ordered_until(2000))
    before = learned(learner)
    first = core_bytes(learner, {})
    restored(learner)
    for name, array in learned(learner).items():
        assert same(array, before[name]), name
    assert core_bytes(learner, {}) == first


def test_account_days_left_over_from_a_crash_are_closed_when_they_are_seen() -> None:
    """A crash between two writes may leave one of a day that is finished: it is no sweep."""
    learner = copied(ordered_until(len(ORDERED.row)))
    observed(learner, columns_of([Payment(row, DAYS) for row in range(ACCOUNTS)]))
    learner.accounts["day"][3] = DAY_FIRST + DAYS - 4
    back = restored(learner)
    finished = {day: counts.copy() for day, counts in back.tails.days.items()}
    observed(back, columns_of([Payment(5, DAYS, 50_000 + n) for n in range(3)]))
    for day, counts in finished.items():
        assert same(back.tails.days[day], counts), day
    observed(back, columns_of([Payment(3, DAYS + 1)]))
    assert back.accounts["day_last"][3] == DAY_FIRST + DAYS - 4
    assert back.accounts["day"][3] == DAY_FIRST + DAYS + 1
    assert back.sweep.day == DAY_FIRST + DAYS  # and the day before goes on being closed


# -- what may change, and what not -----------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [{"seed": 4}, {"has_amount_term": True}, {"detector": "gaussian"}, {"detector": "loda"}],
)  # fmt: skip
def test_what_other_models_have_learned_is_refused(other: dict[str, Any]) -> None:
    data = core_bytes(ordered_until(2000), {})
    with pytest.raises(SnapshotError, match="of the models"):
        restore_core(Learner(SETTINGS._replace(**other)), data, days_of(ordered_until(2000)))


def test_the_budget_and_the_warm_up_may_change() -> None:
    learner = ordered_until(2000)
    back = Learner(LearnerSettings(alerts_per_day=7.0, warm_up_days=99, seed=SETTINGS.seed))
    restore_core(back, core_bytes(learner, {}), days_of(learner))
    back.set_budget(7.0, 1)
    for name in ("threshold", "expected", "seen", "days", "is_told"):
        assert back.budget[name] == learner.budget[name], name
    assert back.budget["alerts_per_day"] == 7.0


def test_a_core_whose_finished_days_are_not_all_there_is_refused() -> None:
    learner = ordered_until(2000)
    days = days_of(learner)
    del days[max(days)]
    with pytest.raises(SnapshotError, match="are not there"):
        restore_core(Learner(SETTINGS), core_bytes(learner, {}), days)


@pytest.mark.parametrize(
    ("written", "read"), [(None, b"secret"), (b"secret", None), (b"secret", b"other")]
)
def test_another_key_is_refused(written: bytes | None, read: bytes | None) -> None:
    learner = ordered_until(2000)
    data, days = core_bytes(learner, {}, written), days_of(learner, written)
    with pytest.raises(SnapshotError, match="key"):
        restore_core(Learner(SETTINGS), data, days, read)
    header = accounts_header(["a", "b", "c"])
    with pytest.raises(SnapshotError, match="key"):
        accounts_of(accounts_bytes(rows_bytes(learner, np.arange(3)), header, written), read)


@law(30)
@given(st.data())
def test_a_changed_byte_anywhere_is_refused(data: st.DataObject) -> None:
    learner, back = ordered_until(2000), Learner(SETTINGS)
    core = bytearray(core_bytes(learner, {}))
    accounts = bytearray(
        accounts_bytes(rows_bytes(learner, np.arange(9)), accounts_header(list("abcdefghi")))
    )
    for written in (core, accounts):
        written[data.draw(st.integers(0, len(written) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SnapshotError):
        restore_core(back, bytes(core), {})
    with pytest.raises(SnapshotError):
        accounts_of(bytes(accounts))


def changed_core(**meta: Any) -> bytes:  # noqa: ANN401 - whatever a forger puts there
    known_meta, arrays = unpack(core_bytes(ordered_until(2000), {}), CORE_KIND, VERSION)
    return pack(CORE_KIND, VERSION, {**known_meta, **meta}, arrays)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda: changed_core(layouts=["another"]), "another layout"),
        (lambda: changed_core(day="today"), "do not fit"),
        (lambda: changed_core(days=[1]), "are not there"),
        (lambda: pack(CORE_KIND, VERSION, {}, {}), "do not fit"),
        (lambda: pack(CORE_KIND, VERSION + 1, {}, {}), "version"),
        (lambda: pack("accounts", VERSION, {}, {}), "not of 'learner'"),
    ],
)  # fmt: skip
def test_a_core_that_does_not_fit_is_refused(data: Callable[[], bytes], said: str) -> None:
    with pytest.raises(SnapshotError, match=said):
        restore_core(Learner(SETTINGS), data(), days_of(ordered_until(2000)))


def test_a_core_of_before_levels_were_kept_goes_on_and_they_begin_afresh() -> None:
    learner = ordered_until(2000)
    known_meta, arrays = unpack(core_bytes(learner, {}), CORE_KIND, VERSION)
    del arrays["levels"]
    back = Learner(SETTINGS)
    restore_core(back, pack(CORE_KIND, VERSION, known_meta, arrays), days_of(learner))
    assert back.groups.tobytes() == learner.groups.tobytes()
    assert back.levels.whole["count"] == 0 < learner.levels.whole["count"]


def test_a_page_of_levels_that_does_not_fit_is_refused_and_all_begin_afresh() -> None:
    learner = ordered_until(2000)
    pages = {number: levels_page_bytes(learner.levels, number) for number in range(PAGES)}
    for fault in ({PAGES: pages[0]}, {3: pages[3][:-1]}, {3: core_bytes(learner, {})}):
        back = Learner(SETTINGS)
        with pytest.raises(SnapshotError):
            restore_levels(back, pages | fault)
        assert not back.levels.places["count"].any()
        assert back.models.places is back.levels.places


def changed_accounts(field: str, value: float) -> bytes:
    accounts = ordered_until(2000).accounts[:3].copy()
    accounts[field][1] = value
    meta = {"names": list("abc"), "layout": ACCOUNT_LAYOUT}
    return pack(ACCOUNTS_KIND, VERSION, meta, {"accounts": accounts.view(np.uint8)})


def test_accounts_come_back_with_their_names() -> None:
    names, accounts, _ = accounts_of(changed_accounts("count", 7.0))
    assert names == ["a", "b", "c"]
    assert accounts["count"][1] == 7.0


@pytest.mark.parametrize(
    ("field", "value"),
    [("group", -1), ("group", 96), ("segment", -1), ("segment", 96), ("peer", -1), ("peer", 33)],
)  # fmt: skip
def test_accounts_of_groups_that_there_are_not_are_refused(field: str, value: int) -> None:
    """Kernels read what is there by these numbers, and ask nobody whether it is."""
    with pytest.raises(SnapshotError, match=f"of a {field} that there is not"):
        accounts_of(changed_accounts(field, value))


def test_accounts_of_another_layout_or_number_are_refused() -> None:
    plain = np.zeros(3, baseline.ACCOUNT).view(np.uint8)
    layout = ACCOUNT_LAYOUT
    for meta, arrays in (
        ({"names": ["a"], "layout": layout}, {"accounts": plain}),
        ({"names": list("abc"), "layout": "another"}, {"accounts": plain}),
        ({"names": list("abc"), "layout": layout}, {"accounts": plain[:-1]}),
        ({"names": list("abc"), "layout": layout}, {}),
    ):
        with pytest.raises(SnapshotError):
            accounts_of(pack(ACCOUNTS_KIND, VERSION, meta, arrays))


def test_the_core_does_not_grow() -> None:
    learner = copied(ordered_until(len(ORDERED.row)))
    size, first = len(core_bytes(learner, {})), DAYS
    for day in range(first, first + 20):
        observed(
            learner,
            columns_of([Payment(row, day, counterparty=1 + row) for row in range(ACCOUNTS)]),
        )
    assert len(core_bytes(learner, {})) < 1.3 * size
    assert len(days_of(learner)) == 14
