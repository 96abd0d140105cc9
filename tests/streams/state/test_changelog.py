"""State: what is written is what comes back, and what cannot be understood is refused."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.account import SERIES, AccountDay, Told
from monitor.core.business_day import day_of_text
from monitor.core.transaction import transaction_of
from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.ledger.ledger import NO_AMOUNT, SERIES_BITS, Bucket, Entry
from monitor.ledger.rejections import rejection_rows
from monitor.ledger.watermark import NEVER, Lone, Marks
from monitor.policy.document import DEFAULT_POLICY, policy_of
from monitor.policy.policy import PolicyBook
from monitor.population import Population, rows_of
from streams.state import changelog, journal, keys
from streams.state import keys as kept_format
from streams.state.accounts import account_bytes
from streams.state.changelog import Seal
from streams.state.keys import FORMAT, StateError, encode
from tests.support.open_days import contents_of
from tests.support.transactions import POLICY

WRITER = keys.next_writer((), b"w")
MONDAY = day_of_text("2026-01-05")
BUCKETS = 4
PARSED = policy_of(POLICY)


def marks_at(watermark: int) -> Marks:
    return Marks("A2", watermark, watermark, watermark)


def an_engine(buckets: int = BUCKETS, *policies: str) -> Engine:
    return Engine(0, PolicyBook([PARSED, *map(policy_of, policies)]), buckets)


def a_seal(engine: Engine, **changes: object) -> Seal:
    seal = Seal(
        100, marks_at(0), None, engine.policies.calendar.text(), list(engine.policies.versions),
        len(engine.ledger.buckets), WRITER, rejection_rows(engine.ledger.rejections),
    )  # fmt: skip
    return seal._replace(**changes)  # type: ignore[arg-type]


def kept_of(engine: Engine, chunks: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
    """Return all that a partition would keep of an engine."""
    seal = a_seal(engine, offset=engine.ledger.offset_last, watermark=engine.ledger.marks.marks())
    kept = {keys.seal_key(WRITER): changelog.seal_bytes(seal), **(chunks or {})}
    for number, bucket in enumerate(engine.ledger.buckets):
        bucket.offset_last = engine.ledger.offset_last
        kept[keys.bucket_key(WRITER, number)] = changelog.bucket_bytes(bucket)
    return kept


# -- round trips ---------------------------------------------------------------------------------

offsets = st.integers(0, (1 << 63) - 1)
times = st.integers(NEVER, 1 << 55)
seals = st.builds(
    Seal, offsets, st.builds(Marks, st.text(max_size=9), *[times] * 5),
    st.none() | st.builds(Lone, st.text(max_size=9), st.none() | times, st.none() | offsets),
    st.text(max_size=30),
    st.lists(st.integers(1, 1 << 40)), st.integers(1, 65_536), st.binary(max_size=12),
    st.lists(st.tuples(st.integers(1, 9), st.none() | st.text(), st.text()).map(list)),
    st.tuples(*[st.integers(0, 1 << 40)] * 3),
    gauges=st.dictionaries(st.text(max_size=4), st.integers(0, 1_000_000), max_size=2),
)  # fmt: skip


@given(seals)
def test_a_seal_comes_back(seal: Seal) -> None:
    assert changelog.seal_of(changelog.seal_bytes(seal)) == seal


amounts_left = st.integers(0, 10**18 - 1).map(lambda amount: amount << SERIES_BITS)
contents = st.tuples(
    amounts_left | st.just(1 << SERIES_BITS | NO_AMOUNT), st.integers(0, len(SERIES) - 1)
).map(lambda drawn: drawn[0] | drawn[1])
names = st.text(st.characters(codec="utf-8"), max_size=40)
rows = st.tuples(
    st.integers(0, 1 << 40), names, names, contents,
    st.none() | st.tuples(names, st.integers(1, 3_000_000)),
)  # fmt: skip


@given(st.lists(rows, min_size=1), st.integers(1, 3_000_000))
def test_a_journal_chunk_comes_back(drawn: list[tuple], day: int) -> None:  # type: ignore[type-arg]
    entries = [
        Entry(offset, account_id, name, day, content, reverses)
        for offset, account_id, name, content, reverses in drawn
    ]
    entries.sort(key=lambda entry: entry.offset)
    assert journal.chunk_of(journal.journal_bytes(day, entries)) == (day, entries, [])


originals = st.builds(
    journal.Original, st.integers(0, 1 << 40), st.none() | st.binary(max_size=9),
    st.integers(0, 3).map(lambda quarters: b"x" * (quarters << 16)),
)  # fmt: skip


@given(st.lists(originals), st.integers(1, 3_000_000))
def test_originals_come_back_in_chunks_that_a_topic_takes(
    drawn: list[journal.Original], day: int
) -> None:
    chunks = list(journal.originals_bytes(day, drawn))
    assert all(len(chunk) < journal.ORIGINALS_BYTES_MAX + 2000 for chunk in chunks)
    back = [journal.chunk_of(chunk) for chunk in chunks]
    assert all(entry[:2] == (day, []) for entry in back)
    assert [original for entry in back for original in entry.originals] == drawn


amounts = st.integers(0, 1000) | st.integers((1 << 63) - 2, 1 << 70)
totals = st.tuples(st.integers(0, 99), amounts, st.integers(0, 99), amounts)
tolds = st.builds(
    Told, st.sampled_from(["raised", "restated", "withdrawn"]), st.integers(1, 9), amounts, amounts
)
days = st.tuples(
    st.none() | st.sampled_from(["retail", "business", "é"]),
    st.integers(0, 1 << 53),
    st.dictionaries(st.sampled_from(["EUR", "USD", "JPY"]), totals, min_size=1),
    st.dictionaries(st.sampled_from(["daily-amount", "daily-count"]), tolds),
)
accounts = st.dictionaries(
    st.sampled_from(["A1", "A2", "A3", "é", "\0", "x" * 256]),
    st.dictionaries(st.integers(MONDAY, MONDAY + 3), days, min_size=1),
)
Drawn = dict[str, dict[int, tuple]]  # type: ignore[type-arg]


def all_days(engine: Engine) -> dict[tuple[str, int], tuple[object, ...]]:
    return {
        (account.account_id, account_day.day): (
            account_day.segment,
            account_day.segment_time,
            account_day.totals,
            dict(account_day.told),
        )
        for account in engine.ledger.accounts.values()
        for account_day in account.days
    }


def engine_with(drawn: Drawn) -> Engine:
    """Return an engine whose accounts have days as drawn, and which closes none of them."""
    engine = an_engine()
    engine.ledger.restore_watermark(marks_at(PARSED.calendar.calendar().start_of(MONDAY + 2)))
    engine.ledger.offset_last = 7
    for account_id, of_days in drawn.items():
        account = engine.ledger.account(account_id)
        for day, (segment, segment_time, of_totals, told) in of_days.items():
            account_day = AccountDay(account, day)
            account_day.segment, account_day.segment_time = segment, segment_time
            for currency, values in of_totals.items():
                account_day.totals_in(currency)[:4] = values
            for name, report in told.items():
                account_day.note(name, report)
            account.days += (account_day,)
    return engine


@given(accounts)
def test_accounts_with_their_days_come_back_whatever_they_sum_to(drawn: Drawn) -> None:
    engine = engine_with(drawn)
    recovered = an_engine()
    assert changelog.recover(recovered, kept_of(engine)).chunks == []
    assert all_days(recovered) == all_days(engine)
    assert (recovered.ledger.offset_last, recovered.ledger.watermark) == (
        7,
        engine.ledger.watermark,
    )
    assert [set(bucket.accounts) for bucket in recovered.ledger.buckets] == [
        set(bucket.accounts) for bucket in engine.ledger.buckets
    ]
    assert not recovered.ledger.dirty
    for account_day in [
        day for account in recovered.ledger.accounts.values() for day in account.days
    ]:
        assert all(figures[4] == 0 for figures in account_day.totals.values())


def test_an_account_that_did_not_change_is_not_written_anew() -> None:
    engine = engine_with({"A1": {MONDAY: (None, 0, {"EUR": (1, 2, 3, 4)}, {})}})
    before = kept_of(engine)
    account = engine.ledger.accounts["A1"]
    assert account.kept == account_bytes(account)
    account.days[0].totals_in("EUR")[0] = 9
    assert kept_of(engine) == before
    account.kept = b""
    assert kept_of(engine) != before


# -- what is put together of it ------------------------------------------------------------------


def test_without_a_seal_nothing_was_ever_committed() -> None:
    kept = kept_of(engine_with({"A1": {MONDAY: (None, 0, {"EUR": (1, 2, 3, 4)}, {})}}))
    del kept[keys.seal_key(WRITER)]
    engine = an_engine()
    assert changelog.recover(engine, kept).chunks == []
    assert (engine.ledger.accounts, engine.ledger.offset_last, engine.ledger.watermark) == (
        {},
        -1,
        None,
    )


def test_a_chunk_counts_up_to_the_seal_and_beyond_it_where_its_bucket_does() -> None:
    engine = an_engine()
    engine.ledger.restore_watermark(marks_at(PARSED.calendar.calendar().start_of(MONDAY)))
    engine.ledger.offset_last = 9
    first, second = (
        next(
            name for name in map("A{}".format, range(99)) if engine.ledger.bucket_of(name) == number
        )
        for number in (0, 1)
    )
    entries = [
        Entry(offset, account_id, f"T{offset}", MONDAY, 5 << SERIES_BITS)
        for offset in (8, 9, 10, 11) for account_id in (first, second)
    ]  # fmt: skip
    kept = kept_of(engine, {keys.journal_key(WRITER, 1): journal.journal_bytes(MONDAY, entries)})
    bucket = engine.ledger.buckets[1]
    bucket.offset_last = 10
    kept[keys.bucket_key(WRITER, 1)] = changelog.bucket_bytes(bucket)
    recovered = an_engine()
    ((day, _),) = changelog.recover(recovered, kept).chunks
    assert day == MONDAY
    tags = {name: account.tag for name, account in recovered.ledger.accounts.items()}
    assert set(contents_of(recovered.ledger.open_days[MONDAY])) == {
        *(f"{tags[first]}T{offset}" for offset in (8, 9)),
        *(f"{tags[second]}T{offset}" for offset in (8, 9, 10)),
    }
    assert recovered.ledger.offset_recovered_last == 10


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_what_reversals_have_left_follows_from_entries_in_any_order(order: tuple[int, ...]) -> None:
    engine = an_engine()
    engine.ledger.restore_watermark(marks_at(0))
    day = engine.ledger.calendar.day_of(0)
    entries = [
        Entry(0, "A1", "T0", day, 10 << SERIES_BITS),
        Entry(1, "A1", "T1", day + 1, 4 << SERIES_BITS, ("T0", day)),
        Entry(2, "A1", "T2", day + 1, 3 << SERIES_BITS, ("T1", day + 1)),
        Entry(3, "A1", "T3", day + 2, 9 << SERIES_BITS, ("T9", day - 1)),  # of a closed day
    ]
    engine.ledger.restore_entries(entries[place] for place in order)
    engine.ledger.entries_restored()
    left = {
        key[-2:]: content >> SERIES_BITS
        for open_day in engine.ledger.open_days.values()
        for key, content in contents_of(open_day).items()
    }
    assert left == {"T0": 10 - 4 + 3, "T1": 4 - 3, "T2": 3, "T3": 9}


def test_what_a_new_policy_decides_otherwise_is_told_at_recovery() -> None:
    engine = engine_with({"A1": {MONDAY: (None, 0, {"EUR": (1, 60_000, 0, 0)}, {})}})
    lower = POLICY.replace("version = 1", "version = 2").replace("500.00", "100.00")
    recovered = an_engine(BUCKETS, lower)
    changelog.recover(recovered, kept_of(engine))
    (alert,) = recovered.take_step().alerts
    assert (alert.status, alert.policy_version, alert.value) == ("raised", 2, 60_000)
    unchanged = an_engine()
    changelog.recover(unchanged, kept_of(engine))
    assert unchanged.take_step().alerts == []


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("record", ["seal", "bucket", "journal"])
@pytest.mark.parametrize("make", [Engine, OrdinaryEngine])
def test_another_format_is_refused(
    record: str, make: type[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_with({"A1": {MONDAY: (None, 0, {"EUR": (1, 2, 3, 4)}, {})}})
    kept = kept_of(engine)
    monkeypatch.setattr(kept_format, "FORMAT", 99)
    if record == "journal":
        entry = Entry(0, "A1", "T1", MONDAY, 5 << SERIES_BITS)
        kept[keys.journal_key(WRITER, 1)] = journal.journal_bytes(MONDAY, [entry])
    else:
        bucket = engine.ledger.bucket_of("A1")
        key = keys.seal_key(WRITER) if record == "seal" else keys.bucket_key(WRITER, bucket)
        kept[key] = kept_of(engine)[key]
    monkeypatch.undo()
    with pytest.raises(StateError, match=f"has format 99, this program knows {FORMAT}: go on with"):
        changelog.recover(make(0, PolicyBook([PARSED]), BUCKETS), kept)


def test_a_damaged_bucket_is_refused_before_a_kernel_reads_its_accounts() -> None:
    engine = engine_with({"A1": {MONDAY: (None, 0, {"EUR": (1, 2, 3, 4)}, {})}})
    key = keys.bucket_key(WRITER, engine.ledger.bucket_of("A1"))
    whole = kept_of(engine)
    no_accounts = changelog.bucket_bytes(Bucket())[:-5] + encode(7)
    for value in (whole[key][:-1], whole[key] + b"\0", no_accounts):
        with pytest.raises(StateError, match=r"of partition 0 is damaged\. Start with fresh state"):
            changelog.recover(
                OrdinaryEngine(0, PolicyBook([PARSED]), BUCKETS), {**whole, key: value}
            )


@pytest.mark.parametrize("line", ['time_zone = "Europe/Berlin"', 'cut_off = "03:00"',
                                  'allowed_lateness = "1h"'])  # fmt: skip
def test_another_calendar_is_refused(line: str) -> None:
    text = POLICY.replace('time_zone = "UTC"', line)
    engine = Engine(0, PolicyBook([policy_of(text)]), BUCKETS)
    with pytest.raises(StateError, match=r"under the calendar\s+UTC cut-off 00:00:00 lateness"):
        changelog.recover(engine, kept_of(an_engine()))


def test_another_clock_skew_is_none_of_states_business() -> None:
    text = POLICY.replace('time_zone = "UTC"', 'clock_skew = "5m"')
    engine = Engine(0, PolicyBook([policy_of(text)]), BUCKETS)
    assert changelog.recover(engine, kept_of(an_engine())).chunks == []


def test_another_leap_is_none_of_states_business() -> None:
    text = POLICY.replace('leap = "3660d"', 'leap = "1d"')
    engine = Engine(0, PolicyBook([policy_of(text)]), BUCKETS)
    assert changelog.recover(engine, kept_of(an_engine())).chunks == []


def test_state_from_before_there_were_terms_is_refused() -> None:
    with pytest.raises(StateError, match="by a program before this one"):
        keys.next_writer((b"b:3", b"seal"), b"w")


def test_what_another_writer_writes_later_changes_nothing_that_counts() -> None:
    engine = engine_with({"A1": {MONDAY: (None, 0, {"EUR": (1, 2, 3, 4)}, {})}})
    kept = kept_of(engine)
    later = keys.next_writer(kept, b"a")
    counts = {key.replace(WRITER, later): value for key, value in kept.items()}
    marks = engine.ledger.marks.marks()
    seal = a_seal(engine, offset=engine.ledger.offset_last, watermark=marks, writer=later)
    counts[keys.seal_key(later)] = changelog.seal_bytes(seal)
    kept[keys.seal_key(WRITER)] = changelog.seal_bytes(seal._replace(offset=99, writer=WRITER))
    kept[keys.bucket_key(WRITER, engine.ledger.bucket_of("A1"))] = b"whatever"
    recovered = an_engine()
    found = changelog.recover(recovered, {**counts, **kept})
    assert recovered.ledger.offset_last == engine.ledger.offset_last
    assert set(recovered.ledger.accounts) == {"A1"}
    assert len(found.buckets) == BUCKETS
    assert all(keys.is_of_another(key, later) for key in kept)
    assert not any(keys.is_of_another(key, later) for key in counts)


def test_state_says_how_many_buckets_there_are() -> None:
    engine = an_engine(8)
    changelog.recover(engine, kept_of(an_engine()))
    assert len(engine.ledger.buckets) == BUCKETS


@pytest.mark.parametrize("count", [0, 65_537])
def test_a_seal_that_names_no_possible_number_of_buckets_is_refused(count: int) -> None:
    kept = kept_of(an_engine())
    seal = changelog.seal_of(kept[keys.seal_key(WRITER)])._replace(buckets=count)
    with pytest.raises(StateError, match="the seal of partition 0 is damaged"):
        changelog.recover(an_engine(), {**kept, keys.seal_key(WRITER): changelog.seal_bytes(seal)})


# -- which of two versions holds -----------------------------------------------------------------


def version(offset: int, content: bytes) -> bytes:
    return changelog._OFFSET.pack(offset) + content


writes = st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=2)), min_size=1)


@given(writes, st.sampled_from([keys.seal_key(WRITER), keys.bucket_key(WRITER, 3)]))
def test_an_older_version_never_takes_the_place_of_a_newer_one(
    drawn: list[tuple[int, bytes]], key: bytes
) -> None:
    kept: dict[bytes, bytes] = {}
    changelog.keep(kept, [(key, version(*change)) for change in drawn])
    greatest = max(offset for offset, _ in drawn)
    last = [content for offset, content in drawn if offset == greatest][-1]
    assert kept == {key: version(greatest, last)}


def test_a_chunk_has_no_versions_and_a_tombstone_takes_it_away() -> None:
    chunk, other = keys.journal_key(WRITER, 1), keys.journal_key(WRITER, 2)
    kept = {chunk: b"\xff" * 9}
    changelog.keep(kept, [(chunk, b"\0" * 9), (other, b"x")])
    assert kept == {chunk: b"\0" * 9, other: b"x"}
    changelog.keep(kept, [(chunk, None), (chunk, None)])
    assert kept == {other: b"x"}


# -- how great it is -----------------------------------------------------------------------------


def test_an_account_takes_160_bytes_and_20_for_each_open_transaction() -> None:
    days_made = rows_of(Population(1500, 6, 3))
    items = [transaction_of(fields) for _, made in days_made for fields in made]
    engine = Engine(0, PolicyBook([policy_of(DEFAULT_POLICY)]))
    chunks: dict[bytes, bytes] = {}
    run_length = 1000
    for first in range(0, len(items), run_length):
        run = items[first : first + run_length]
        engine.observe(range(first, first + len(run)), run)
        by_day: dict[int, list[Entry]] = {}
        for entry in engine.take_step().entries:
            by_day.setdefault(entry.day, []).append(entry)
        chunks |= {
            keys.journal_key(b"%d" % day, first): journal.journal_bytes(day, entries)
            for day, entries in by_day.items()
        }
        open_names = {b"%d" % day for day in engine.ledger.open_days}
        chunks = {key: value for key, value in chunks.items() if key.split(b":")[1] in open_names}
    for account in engine.ledger.accounts.values():
        account.kept = b""
    size = sum(map(len, kept_of(engine, chunks).values()))
    assert len(engine.ledger.accounts) > 1000
    assert engine.ledger.open_transactions() > 5000
    assert size <= 160 * len(engine.ledger.accounts) + 20 * engine.ledger.open_transactions()
