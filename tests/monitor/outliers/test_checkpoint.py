"""What the models of a partition have learned, part by part: written once, put back, or refused."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evidence.tail import WINDOW_DAYS
from models.learner.checkpoint import ACCOUNT_BYTES
from monitor.core.transaction import Transaction
from monitor.engine.engine import Engine
from monitor.outliers.checkpoint import Memory, Parts
from monitor.outliers.scorer import Scorer
from tests.support.laws import law
from tests.support.spending import BUDGET, POLICY, made_spending
from tests.support.transactions import book, transaction

MODELLED = POLICY + BUDGET
SPENDING = made_spending(2)
COUNT = len(SPENDING)
BUCKETS = 16
DAY = 24


class Kept:
    """A partition's engine with a memory, and the parts that a changelog would have."""

    def __init__(
        self, kept: dict[str, bytes] | None = None, text: str = MODELLED, key: bytes | None = None
    ) -> None:
        self.engine = Engine(0, book(text), BUCKETS)
        assert self.engine.outliers.scorer is not None
        self.memory = Memory(self.engine.outliers.scorer, self.engine.ledger.bucket_of, key)
        self.parts = dict(kept or {})
        self.refused = self.memory.restore(self.parts, BUCKETS) if kept else []

    @property
    def scorer(self) -> Scorer:
        assert self.engine.outliers.scorer is not None
        return self.engine.outliers.scorer

    def observe(self, first: int, items: list[Transaction]) -> list[tuple[str, int, float | None]]:
        """Return the outlier alerts that are told."""
        self.engine.observe(range(first, first + len(items)), items)
        alerts = self.engine.take_step().alerts
        return [(a.alert_id, a.revision, a.score) for a in alerts if a.score is not None]

    def flush(self) -> Parts:
        """Write what is new, as a flush does."""
        parts = self.memory.new_parts()
        self.parts |= parts.written
        for name in parts.dropped:
            del self.parts[name]
        return parts


@cache
def flushed(key: bytes | None = None, until: int = COUNT - 300, each: int = 150) -> Kept:
    """Return a partition that flushed after every so many transactions; not to be used further."""
    kept = Kept(key=key)
    for first in range(0, until, each):
        kept.observe(first, SPENDING[first : min(first + each, until)])
        kept.flush()
    return kept


def accounts_of(kept: Kept) -> dict[str, bytes]:
    """Return what is kept of each account, by its id."""
    learner = kept.scorer.learner
    return {name: learner.accounts[row].tobytes() for name, row in kept.scorer.rows.items()}


def scores_of(kept: Kept, items: list[Transaction]) -> list[float]:
    scores: list[float] = []
    kept.scorer.on_scored = lambda _, outcome: scores.extend(outcome.scores.tolist())
    kept.observe(COUNT + 1000, items)
    return scores


# -- restored --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, b"secret"])
def test_what_was_flushed_is_put_back_whole(key: bytes | None) -> None:
    before = flushed(key)
    back = Kept(before.parts, key=key)
    assert back.refused == []
    assert accounts_of(back) == accounts_of(before)
    assert back.scorer.segments == before.scorer.segments
    assert back.scorer.channels == before.scorer.channels
    assert back.scorer.account_ids == sorted(back.scorer.rows, key=back.scorer.rows.__getitem__)
    restored, saved = back.scorer.learner, before.scorer.learner
    assert restored.day == saved.day == back.scorer.day
    assert restored.budget.tobytes() == saved.budget.tobytes()
    assert restored.groups.tobytes() == saved.groups.tobytes()
    assert sorted(restored.tails.days) == sorted(saved.tails.days)
    assert restored.tails.tail.fit.tobytes() == saved.tails.tail.fit.tobytes()
    assert restored.is_warm


def test_it_goes_on_as_if_nothing_had_happened() -> None:
    undisturbed = Kept()
    undisturbed.observe(0, SPENDING[: COUNT - 300])
    told = undisturbed.observe(COUNT - 300, SPENDING[COUNT - 300 :])
    back = Kept(flushed().parts)
    again = back.observe(COUNT - 300, SPENDING[COUNT - 300 :])
    assert len(told) > 3
    told, again = sorted(told), sorted(again)  # accounts of a day may be closed in another order
    assert [fields[:2] for fields in again] == [fields[:2] for fields in told]
    assert [fields[2] for fields in again] == pytest.approx(
        [fields[2] for fields in told], rel=0.05
    )


@pytest.mark.no_cover
@law(12)
@given(st.lists(st.integers(1, COUNT // 2), min_size=1, max_size=6, unique=True))
def test_whenever_one_flushes_what_was_last_is_what_comes_back(cuts: list[int]) -> None:
    kept, first = Kept(), 0
    for end in sorted(cuts):
        kept.observe(first, SPENDING[first:end])
        kept.flush()
        first = end
    back = Kept(kept.parts)
    assert back.refused == []
    assert accounts_of(back) == accounts_of(kept)


def test_the_budget_may_have_changed_meanwhile() -> None:
    back = Kept(flushed().parts, MODELLED.replace("alerts_per_day = 4", "alerts_per_day = 40"))
    assert back.refused == []
    back.observe(COUNT, SPENDING[-300:-299])
    assert back.scorer.learner.budget["alerts_per_day"].tolist() == [40.0]


# -- what is written, and when ---------------------------------------------------------------------


def test_only_the_buckets_of_accounts_that_changed_are_written() -> None:
    kept = Kept(flushed().parts)
    day = max(item.event_time for item in SPENDING[: COUNT - 300])
    hours = (day - SPENDING[0].event_time) / 3_600_000_000
    # The sweep of the day before is done with by these.
    kept.observe(COUNT, [transaction(f"U{n}", hours=hours, account_id="A7") for n in range(60)])
    kept.flush()
    kept.observe(COUNT + 60, [transaction("V1", hours=hours, account_id="A7")])
    parts = kept.flush()
    assert set(parts.written) == {f"accounts:{kept.engine.ledger.bucket_of('A7')}", "core"}
    assert parts.dropped == []
    parts = kept.flush()
    assert set(parts.written) == {"core"}


def test_a_bucket_has_all_its_accounts_whichever_changed() -> None:
    kept = flushed()
    names = {name for name in kept.parts if name.startswith("accounts:")}
    bucket_of = kept.engine.ledger.bucket_of
    assert names == {f"accounts:{bucket_of(name)}" for name in kept.scorer.rows}
    for name in names:
        accounts = sum(
            f"accounts:{kept.engine.ledger.bucket_of(account)}" == name
            for account in kept.scorer.rows
        )
        assert len(kept.parts[name]) > accounts * ACCOUNT_BYTES


def test_each_finished_day_is_written_once_and_dropped_when_it_leaves_the_window() -> None:
    kept, written, dropped = Kept(), [], []
    for first in range(0, COUNT, 50):
        kept.observe(first, SPENDING[first : first + 50])
        parts = kept.flush()
        written += [name for name in parts.written if name.startswith("day:")]
        dropped += parts.dropped
    assert len(written) == len(set(written)) > 20
    assert dropped == written[: len(dropped)]
    assert len(written) - len(dropped) == WINDOW_DAYS
    days = {f"day:{day}" for day in kept.scorer.learner.tails.days}
    assert {name for name in kept.parts if name.startswith("day:")} == days


def test_state_does_not_grow_with_the_stream() -> None:
    sizes = [
        sum(map(len, flushed(until=until, each=100).parts.values())) for until in (2600, COUNT)
    ]
    assert sizes[1] < 1.2 * sizes[0]


# -- refused ---------------------------------------------------------------------------------------


def tampered(data: bytes) -> bytes:
    return data[:-40] + bytes([data[-40] ^ 1]) + data[-39:]


def test_a_tampered_bucket_is_refused_and_its_accounts_alone_begin_afresh() -> None:
    before = flushed()
    name = next(name for name in sorted(before.parts) if name.startswith("accounts:"))
    back = Kept({**before.parts, name: tampered(before.parts[name])})
    (why,) = back.refused
    assert why == f"{name}: the snapshot was changed since it was made"
    lost = {
        account
        for account in before.scorer.rows
        if f"accounts:{back.engine.ledger.bucket_of(account)}" == name
    }
    assert lost
    kept = accounts_of(before)
    assert accounts_of(back) == {account: kept[account] for account in kept.keys() - lost}
    assert back.scorer.learner.is_warm
    scores = scores_of(back, SPENDING[-300:])
    assert np.isfinite(scores).all()
    assert lost <= back.scorer.rows.keys()


@pytest.mark.parametrize("part", ["core", "day"])
def test_without_its_core_or_a_finished_day_all_begins_afresh(part: str) -> None:
    before = flushed()
    name = next(name for name in sorted(before.parts) if name.startswith(part))
    back = Kept({**before.parts, name: tampered(before.parts[name])})
    (why,) = back.refused
    assert why == "core: the snapshot was changed since it was made"
    assert back.scorer.rows == {}
    assert not back.scorer.learner.is_warm
    scores = scores_of(back, SPENDING[-300:])
    assert np.isnan(scores).all()


def test_a_missing_day_is_refused_with_its_reason() -> None:
    parts = dict(flushed().parts)
    name = max(name for name in parts if name.startswith("day:"))
    del parts[name]
    (why,) = Kept(parts).refused
    assert why == f"core: the finished days [{name.removeprefix('day:')}] are not there"


@pytest.mark.parametrize(
    ("written", "read", "said"),
    [
        (None, b"secret", "without a key"), (b"secret", None, "with a key, and none is set"),
        (b"secret", b"other", "made with another key"),
    ],
)  # fmt: skip
def test_parts_of_another_key_are_refused(
    written: bytes | None, read: bytes | None, said: str
) -> None:
    (why,) = Kept(flushed(written).parts, key=read).refused
    assert why.startswith("core: ")
    assert said in why


def test_parts_of_other_models_are_refused() -> None:
    (why,) = Kept(flushed().parts, MODELLED + "[models]\nseed = 8\n").refused
    assert why.startswith("core: the snapshot is of the models [1, False, 'half-space-trees']")


@pytest.mark.parametrize("is_sealed", [True, False])
def test_parts_of_more_buckets_take_the_place_of_others_once_the_seal_says_so(
    *, is_sealed: bool
) -> None:
    kept = Kept(flushed().parts)
    before, accounts = set(kept.parts), accounts_of(kept)
    kept.engine.ledger.deal(4 * BUCKETS)
    kept.memory.deal(4 * BUCKETS)
    parts = kept.memory.new_parts()
    dealt = {name for name in parts.written if name.startswith(f"accounts:{4 * BUCKETS}:")}
    assert {name.count(":") for name in parts.written if name.startswith("accounts:")} == {2}
    assert len(dealt) > len([name for name in before if name.startswith("accounts:")])
    assert {name for name in before if name.startswith("accounts:")} == set(parts.dropped)
    back = Kept()
    buckets = 4 * BUCKETS if is_sealed else BUCKETS
    back.engine.ledger.begin_with(buckets)
    assert back.memory.restore({**kept.parts, **parts.written}, buckets) == []
    assert accounts_of(back) == accounts
    others = (before if is_sealed else dealt) - {"core"}
    assert {name for name in others if name.startswith("accounts:")} == set(
        back.memory.new_parts().dropped
    )


def test_of_nothing_nothing_is_refused() -> None:
    kept = Kept()
    assert kept.memory.restore({}, BUCKETS) == []
    assert kept.memory.restore({"accounts:3": b"left over"}, BUCKETS) == []
    assert kept.scorer.rows == {}


def test_what_was_refused_is_dropped_and_the_next_one_refuses_nothing() -> None:
    """Else accounts of models that are gone would come back, beside a core that knows them not."""
    back = Kept({**flushed().parts, "core": b"spoilt"})
    assert back.refused
    for _ in range(2):
        back.observe(COUNT, SPENDING[-1:])
        back.flush()
        bucket = back.engine.ledger.bucket_of(SPENDING[-1].account_id)
        assert set(back.parts) == {"core", f"accounts:{bucket}"}
    again = Kept(back.parts)
    assert again.refused == []
    assert list(again.scorer.rows) == [SPENDING[-1].account_id]


def test_a_tampered_bucket_is_refused_once() -> None:
    before = flushed()
    name = next(name for name in sorted(before.parts) if name.startswith("accounts:"))
    back = Kept({**before.parts, name: b"spoilt"})
    assert len(back.refused) == 1
    assert back.flush().dropped == [name]
    assert Kept(back.parts).refused == []


def test_days_that_the_core_does_not_know_are_dropped() -> None:
    """A crash between two writes leaves them: the day will be written anew when it is finished."""
    before = flushed()
    latest = max(before.scorer.learner.tails.days)
    extra = {"day:1": before.parts[f"day:{latest}"], f"day:{latest + 1}": b"of a flush cut off"}
    back = Kept({**before.parts, **extra})
    assert back.refused == []
    assert sorted(back.flush().dropped) == sorted(extra)
    assert back.flush().dropped == []


@pytest.mark.no_cover
@law(15)
@given(st.data())
def test_whatever_bytes_a_part_has_it_is_used_or_refused(data: st.DataObject) -> None:
    before = flushed()
    name = data.draw(st.sampled_from(sorted(before.parts)))
    cut = data.draw(st.integers(0, len(before.parts[name])))
    bytes_ = data.draw(
        st.one_of(st.binary(max_size=99), st.just(before.parts[name][:cut]),
                  st.sampled_from(sorted(before.parts)).map(before.parts.__getitem__))
    )  # fmt: skip
    back = Kept({**before.parts, name: bytes_})
    assert len(back.refused) <= 1
    scores_of(back, SPENDING[-20:])
    back.flush()
    assert Kept(back.parts).refused == []
