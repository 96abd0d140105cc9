"""What peer groups keep to, on small made clouds of profiles; River's own is what they equal."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import cluster

from models.arrays import Floats, Ints
from models.peers.fields import COARSE_FIELDS, FIELDS, WEIGHTS
from models.peers.groups import KIND, NO_GROUP, VERSION, WARM_UP_DAYS, PeerGroups
from models.peers.levels import SPREAD_MAX, Levels, centres_of
from models.snapshot import SnapshotError, pack, unpack
from tests.support.laws import law
from tests.support.model_records import cut

KEY = b"a key of this bank"
WARM_UP = 60
DAYS = 20
API = FIELDS.index("api_share")
cuts = st.lists(st.integers(0, 10_000), max_size=6)


def made_profiles(seed: int, count: int) -> Floats:
    """Profiles around six points."""
    rng = np.random.default_rng(seed)
    middles = np.random.default_rng(99).normal(0, 1, (6, len(FIELDS)))
    return middles[rng.integers(0, 6, count)] + rng.normal(0, 0.2, (count, len(FIELDS)))


def fresh(seed: int = 7) -> PeerGroups:
    return PeerGroups(seed, 2, 3, warm_up=WARM_UP)


def learned(days: int = DAYS, seed: int = 7, count: int = 120) -> PeerGroups:
    made = fresh(seed)
    for day in range(1, days + 1):
        made.learn(made_profiles(day, count), day)
    return made


def none_of(count: int) -> Ints:
    return np.full(count, NO_GROUP)


def groups_of(made: PeerGroups, profiles: Floats) -> Ints:
    return made.assign(profiles, none_of(len(profiles)), none_of(len(profiles)))[0]


# -- warm-up ---------------------------------------------------------------------------------------


def test_there_are_no_groups_before_the_warm_up_is_over() -> None:
    made, x = fresh(), made_profiles(1, 50)
    for day in range(1, WARM_UP_DAYS + 1):
        made.learn(made_profiles(day, 120), day)
        assert not made.is_warm
        assert made.names() == {}
        assert not made.displacement.any()
        assert not made.sizes.any()
        group, pending = made.assign(x, none_of(50), none_of(50))
        assert (group == NO_GROUP).all()
        assert (pending == NO_GROUP).all()
    made.learn(made_profiles(0, 120), WARM_UP_DAYS + 1)
    assert made.is_warm
    assert (groups_of(made, x) >= 0).all()


def test_who_had_a_group_of_lost_models_has_none_until_there_are_groups() -> None:
    group, pending = fresh().assign(made_profiles(1, 5), np.arange(5), np.arange(5))
    assert (group == NO_GROUP).all()
    assert (pending == NO_GROUP).all()


def test_the_warm_up_counts_different_profiles_only() -> None:
    made, x = fresh(), made_profiles(1, WARM_UP - 1)
    for day in range(1, 40):
        made.learn(x, day)
    made.learn(-0.0 * x, 40)  # one more, however often it comes, and whatever the sign of its zero
    made.learn(0.0 * x, 41)
    assert made.is_warm
    made = fresh()
    for day in range(1, 40):
        made.learn(np.concatenate([x, x]), day)
    assert not made.is_warm


def test_the_warm_up_keeps_an_even_sample_of_all_its_days() -> None:
    days = [made_profiles(day, 300) for day in range(1, WARM_UP_DAYS + 1)]
    made = fresh()
    for day, x in enumerate(days, start=1):
        made.learn(x, day)
    _, arrays = unpack(made.snapshot(), KIND, VERSION)
    shown = {row.tobytes(): day for day, x in enumerate(days) for row in x}
    kept = np.bincount([shown[row.tobytes()] for row in arrays["first"]], minlength=len(days))
    assert kept.sum() == WARM_UP
    assert (kept > 0).sum() >= 10
    assert 0.3 * WARM_UP < kept[:7].sum() < 0.7 * WARM_UP


def test_an_empty_day_is_no_day() -> None:
    made = learned()
    before = made.snapshot()
    made.learn(np.empty((0, len(FIELDS))), DAYS + 1)
    assert made.snapshot() == before


# -- the same whatever the batches, the process, a restart -----------------------------------------


@given(seed=st.integers(0, 1000), places=cuts, count=st.sampled_from([4, 90]))
@law(30)
def test_a_day_may_be_cut_anywhere(seed: int, places: list[int], count: int) -> None:
    whole, parts = fresh(), fresh()
    for day in range(1, DAYS + 1):
        x = made_profiles(seed + day, count + 2 * (day == 1))  # of 4, the 60th is inside a day
        whole.learn(x, day)
        for part in cut(len(x), places):
            parts.learn(x[part], day)
        assert parts.snapshot() == whole.snapshot()
    x = made_profiles(seed, 90)
    apart = [groups_of(parts, x[part]) for part in cut(len(x), places)]
    assert np.array_equal(np.concatenate(apart), groups_of(whole, x))


def test_the_same_seed_gives_the_same_groups_and_another_one_others() -> None:
    assert learned().snapshot() == learned().snapshot()
    centres, others = (centres_at(learned(seed=seed)).fine for seed in (7, 8))
    assert not np.array_equal(centres, others)


@pytest.mark.parametrize("last", [0, 3, WARM_UP_DAYS, WARM_UP_DAYS + 1, DAYS])
@pytest.mark.parametrize("key", [None, KEY])
def test_a_restored_one_goes_on_alike(last: int, key: bytes | None) -> None:
    made = learned(last)
    made.learn(made_profiles(50, 30), last + 1)  # and a part of a day
    back = PeerGroups.restore(made.snapshot(key), key)
    assert back.snapshot() == made.snapshot()
    x = made_profiles(60, 80)
    for groups in (made, back):
        groups.learn(x, last + 1)
    assert back.snapshot() == made.snapshot()
    for day in range(last + 2, DAYS + 2):
        for groups in (made, back):
            groups.learn(made_profiles(day, 120), day)
    assert back.is_warm
    assert back.snapshot() == made.snapshot()
    assert back.names() == made.names()
    assert np.array_equal(back.sizes, made.sizes)
    assert np.array_equal(back.displacement, made.displacement)
    assert np.array_equal(groups_of(back, x), groups_of(made, x))


def test_assigning_and_naming_change_nothing() -> None:
    made, x = learned(), made_profiles(1, 200)
    group, pending = np.arange(200) % 6, np.arange(200) % 7 - 1
    held = [array.copy() for array in (x, group, pending)]
    before = made.snapshot()
    made.assign(x, group, pending)
    made.names()
    made.coarse_of(3)
    _ = made.displacement
    assert made.snapshot() == before
    assert all(np.array_equal(array, other) for array, other in zip((x, group, pending), held))  # noqa: B905 - three each


def test_what_is_kept_does_not_grow() -> None:
    cold, full = (len(learned(days, count=300).snapshot()) for days in (3, WARM_UP_DAYS))
    early, late = (len(learned(days, count=300).snapshot()) for days in (DAYS, 5 * DAYS))
    assert abs(full - cold) < 100  # deflated, so not to the byte
    assert abs(late - early) < 100
    # 60 profiles of 14 numbers; beside the centres of both levels twice, and their scale.
    assert full < 8 * WARM_UP * len(FIELDS) + 1000
    assert late < 8 * (2 * (6 * len(FIELDS) + 2 * len(COARSE_FIELDS)) + 2 * len(FIELDS) + 7) + 1500


# -- equal to River --------------------------------------------------------------------------------


def scaled(made: PeerGroups, x: Floats) -> Floats:
    """Written again: less the mean, over the deviation, not beyond a bound, times the weights."""
    scale = levels_of(made).scale
    spread = (x - scale.mean) / scale.deviation
    bounded: Floats = np.minimum(np.maximum(spread, -SPREAD_MAX), SPREAD_MAX) * WEIGHTS
    return bounded


def levels_of(made: PeerGroups) -> Levels:
    assert made.levels is not None
    return made.levels


def centres_at(made: PeerGroups) -> Any:  # noqa: ANN401 - of both levels
    return levels_of(made).centres()


def by_name(row: Floats, fields: list[int]) -> dict[str, float]:
    return {FIELDS[field]: float(row[field]) for field in fields}


def named(centres: Floats, fields: list[int], halflife: float = 0.005) -> Any:  # noqa: ANN401 - River's methods have no types
    """River's KMeans as anybody would make it, with the fields by their names."""
    made = cluster.KMeans(len(centres), halflife=halflife)
    for place, centre in enumerate(centres):
        made.centers[place].update(
            {FIELDS[field]: float(value) for field, value in zip(fields, centre, strict=True)}
        )
    return made


ALL_FIELDS = list(range(len(FIELDS)))


@given(seed=st.integers(0, 1000))
@law(30)
def test_the_nearest_group_is_what_river_predicts(seed: int) -> None:
    made = learned()
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 2, (200, len(FIELDS)))
    coarse = named(centres_at(made).coarse, COARSE_FIELDS)
    fine = [named(centres, ALL_FIELDS) for centres in centres_at(made).fine]
    expected = []
    for row in scaled(made, x):
        place = coarse.predict_one(by_name(row, COARSE_FIELDS))
        expected.append(3 * place + fine[place].predict_one(by_name(row, ALL_FIELDS)))
    assert groups_of(made, x).tolist() == expected
    own: Any = levels_of(made)  # and its own River objects, whose methods have no types, say so too
    for row, group in zip(scaled(made, x), expected, strict=True):
        place = own.coarse.predict_one(dict(enumerate(row[COARSE_FIELDS].tolist())))
        inside = own.fine[place].predict_one(dict(enumerate(row.tolist())))
        assert 3 * place + inside == group


def test_learning_is_rivers_of_a_tenth_of_the_profiles() -> None:
    made = learned()
    coarse = named(centres_at(made).coarse, COARSE_FIELDS)
    fine = [named(centres, ALL_FIELDS) for centres in centres_at(made).fine]
    taken = 0
    for day in range(DAYS + 1, DAYS + 6):
        for profile in made_profiles(day, 600):
            before = centres_of(levels_of(made).coarse)
            made.learn(profile[None], day)
            if np.array_equal(centres_of(levels_of(made).coarse), before):
                continue
            taken += 1
            row = scaled(made, profile[None])[0]
            place = coarse.learn_predict_one(by_name(row, COARSE_FIELDS))
            fine[place].learn_one(by_name(row, ALL_FIELDS))
    assert 0.08 * 3000 < taken < 0.12 * 3000
    expected = [
        [level.centers[c][FIELDS[f]] for f in ALL_FIELDS] for level in fine for c in range(3)
    ]
    found = centres_at(made).fine.reshape(6, -1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        centres_of(levels_of(made).coarse),
        [[coarse.centers[c][FIELDS[f]] for f in COARSE_FIELDS] for c in range(2)],
        rtol=0, atol=1e-12,
    )  # fmt: skip


def test_which_profiles_are_learned_depends_on_the_day_and_not_on_their_place() -> None:
    x = made_profiles(1, 200)
    made, turned, later = learned(), learned(), learned()
    made.learn(x[:50], DAYS + 1)
    turned.learn(x[:50][::-1], DAYS + 1)
    later.learn(x[:50], DAYS + 2)
    moved = [centres_at(groups).fine for groups in (made, turned, later)]
    # In another order the centres end a little apart, with the same profiles learned.
    assert np.abs(moved[0] - moved[1]).max() < 1e-4 < np.abs(moved[0] - moved[2]).max()


# -- sizes, displacement, hysteresis ---------------------------------------------------------------


def test_sizes_and_displacement_are_of_the_day_learned_last() -> None:
    made = learned()
    before = centres_at(made)
    x = made_profiles(77, 300)
    expected = np.bincount(groups_of(made, x), minlength=6)
    made.learn(x[:100], DAYS + 1)
    made.learn(x[100:], DAYS + 1)
    assert made.day == DAYS + 1
    assert np.array_equal(made.sizes, expected)
    apart = (centres_at(made).fine - before.fine).reshape(6, -1)
    np.testing.assert_allclose(made.displacement, np.linalg.norm(apart, axis=1), rtol=1e-12)
    assert 0 < made.displacement.max() < 1
    made.learn(x[:1], DAYS + 2)
    assert made.sizes.sum() == 1
    assert made.displacement.max() < 0.1


def test_displacement_tells_of_a_population_that_shifts() -> None:
    usual, shifted = learned(count=1000), learned(count=1000)
    usual.learn(made_profiles(70, 1000), DAYS + 1)
    shifted.learn(made_profiles(70, 1000) + 1, DAYS + 1)
    assert shifted.displacement.max() > 3 * usual.displacement.max()


def between(made: PeerGroups, start: int, end: int, share: float) -> Floats:
    """The profile so far on the way from the centre of one group to that of another."""
    centres = centres_at(made).fine.reshape(6, -1)
    scale = levels_of(made).scale
    x = centres[start] + share * (centres[end] - centres[start])
    profile: Floats = (x / WEIGHTS * scale.deviation + scale.mean)[None]
    return profile


def step(made: PeerGroups, profile: Floats, group: int, pending: int) -> tuple[int, int]:
    groups, candidates = made.assign(profile, np.array([group]), np.array([pending]))
    return int(groups[0]), int(candidates[0])


def test_an_account_moves_where_another_centre_is_clearly_nearer_twice_running() -> None:
    made = learned()
    at = [between(made, group, group, 0) for group in range(6)]
    assert [groups_of(made, profile)[0] for profile in at] == list(range(6))
    assert step(made, at[4], 1, NO_GROUP) == (1, 4)
    assert step(made, at[4], 1, 4) == (4, NO_GROUP)
    assert step(made, at[1], 1, 4) == (1, NO_GROUP)  # home again: it begins anew
    assert step(made, at[5], 1, 4) == (1, 5)  # another candidate, that has to stand twice too
    for no_group in (NO_GROUP, -7, 6, 2**40):
        assert step(made, at[4], no_group, 1) == (4, NO_GROUP)
        assert step(made, at[4], 1, no_group) == (1, 4)


def test_at_least_15_per_cent_nearer_is_what_counts() -> None:
    made = learned()
    # On the way from 0 to 1 the distances are share and 1 - share: 0.85 apart at 1 / 1.85.
    for group, other in ((0, 1), (1, 2), (4, 3)):
        little, enough = (between(made, group, other, 1 / 1.85 + d) for d in (-1e-3, 1e-3))
        assert groups_of(made, little)[0] == groups_of(made, enough)[0] == other
        assert step(made, little, group, NO_GROUP) == (group, NO_GROUP)
        assert step(made, little, group, other) == (group, NO_GROUP)
        assert step(made, enough, group, NO_GROUP) == (group, other)
        assert step(made, enough, group, other) == (other, NO_GROUP)


def test_a_candidate_need_not_be_the_nearest_twice() -> None:
    """Who has left its group for good does not stay because two others are as near."""
    made = learned()
    first, second = (between(made, 4, 5, share) for share in (0.49, 0.51))
    group, pending = step(made, first, 0, NO_GROUP)
    assert (group, pending) == (0, 4)
    assert step(made, second, group, pending) == (4, NO_GROUP)


# -- names, coarse groups --------------------------------------------------------------------------


def test_names_say_what_sets_groups_apart() -> None:
    rng = np.random.default_rng(3)
    made = PeerGroups(1, 2, 1, warm_up=2000)
    x = np.empty((0, len(FIELDS)))
    for day in range(1, WARM_UP_DAYS + 2):
        x = rng.normal(0, 0.1, (400, len(FIELDS)))
        x[:100, FIELDS.index("log_amount_mean")] += 3
        x[:100, API] += 0.9
        x[:100, FIELDS.index("card_share")] -= 0.5
        made.learn(x, day)
    group = int(groups_of(made, x[:1])[0])
    assert set(groups_of(made, x[:100])) == {group}
    names = made.names()
    assert list(names) == [0, 1]
    assert set(names[group].split(", ")) == {"large amounts", "by API"}
    assert set(names[1 - group].split(", ")) == {"small amounts", "seldom by API"}


def test_the_coarse_group_is_where_a_fine_one_lies() -> None:
    made = PeerGroups(1, 3, 4)
    assert [made.coarse_of(group) for group in range(12)] == [0] * 4 + [1] * 4 + [2] * 4
    assert made.coarse_of(NO_GROUP) == NO_GROUP
    assert made.count == 12
    for wrong in (-2, 12):
        with pytest.raises(ValueError, match="is no group"):
            made.coarse_of(wrong)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_profiles_are_rows_of_numbers(value: float) -> None:
    made = learned()
    before = made.snapshot()
    x = made_profiles(1, 5)
    for wrong in (x[:, 1:], x[0], np.where(np.arange(len(FIELDS)) == 3, value, x)):
        with pytest.raises(ValueError, match="input"):
            made.learn(wrong, DAYS + 1)
        with pytest.raises(ValueError, match="input"):
            made.assign(wrong, none_of(5), none_of(5))
    with pytest.raises(ValueError, match="not of the same accounts"):
        made.assign(x, none_of(4), none_of(5))
    assert made.snapshot() == before


@pytest.mark.parametrize(
    "options",
    [{"seed": -1}, {"coarse": 0}, {"coarse": 17}, {"fine": 0}, {"fine": 2.5}, {"warm_up": 11}],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        PeerGroups(**{"seed": 1, **options})


def test_profiles_far_out_move_no_centre_far() -> None:
    made = learned()
    for day in range(DAYS + 1, DAYS + 4):
        made.learn(made_profiles(day, 200) + 1e9, day)
    assert np.isfinite(centres_at(made).fine).all()
    assert np.abs(centres_at(made).fine / WEIGHTS).max() <= SPREAD_MAX


def test_a_field_that_never_varied_does_not_drown_the_others() -> None:
    made = PeerGroups(1, 2, 3, warm_up=WARM_UP)
    x = np.empty((0, len(FIELDS)))
    for day in range(1, DAYS + 40):
        x = made_profiles(day, 300)
        x[:, API] = 0  # nobody has an API, and later half of them a little
        x[::2, API] = 1e-3 * (day > WARM_UP_DAYS + 1)
        made.learn(x, day)
    with_it, without = x.copy(), x.copy()
    with_it[:, API], without[:, API] = 1e-3, 0
    assert np.array_equal(groups_of(made, with_it), groups_of(made, without))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", np.nan), ("deviation", 0), ("halflife", 0), ("halflife", 2), ("coarse", np.inf),
        ("fine", np.nan), ("sizes", -1), ("sizes", 0), ("coarse_before", np.nan),
        ("fine_before", np.inf),
    ],
)  # fmt: skip
def test_a_snapshot_of_other_numbers_is_refused(name: str, value: float) -> None:
    meta, arrays = unpack(learned().snapshot(), KIND, VERSION)
    wrong = np.full_like(arrays[name], value)
    for held in (wrong, arrays[name][None], arrays[name].astype(np.float32)):
        with pytest.raises(SnapshotError):
            PeerGroups.restore(pack(KIND, VERSION, meta, arrays | {name: held}))
    without = {left: array for left, array in arrays.items() if left != name}
    with pytest.raises(SnapshotError):
        PeerGroups.restore(pack(KIND, VERSION, meta, without))


@pytest.mark.parametrize(
    "changed",
    [
        {"fields": ["a"]}, {"coarse": 3}, {"fine": 0}, {"seed": -1}, {"day": -1},
        {"day_first": "1"}, {"more": 1}, {"warm_up": 5},
    ],
)  # fmt: skip
def test_a_snapshot_of_other_options_is_refused(changed: dict[str, Any]) -> None:
    meta, arrays = unpack(learned().snapshot(), KIND, VERSION)
    with pytest.raises(SnapshotError):
        PeerGroups.restore(pack(KIND, VERSION, meta | changed, arrays))


def test_a_warm_up_of_other_profiles_is_refused() -> None:
    meta, arrays = unpack(learned(3).snapshot(), KIND, VERSION)
    first = arrays["first"]
    for wrong in (first[:, 1:], np.concatenate([first, first]), first.astype(np.float32)):
        with pytest.raises(SnapshotError):
            PeerGroups.restore(pack(KIND, VERSION, meta, {"first": wrong}))
    with pytest.raises(SnapshotError):
        PeerGroups.restore(pack(KIND, VERSION, meta, {"first": first * np.nan}))
