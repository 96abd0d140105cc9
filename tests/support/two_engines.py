"""The plain engine and the one with arrays, side by side: what each tells and holds must be equal.

Each has a partition of its own with a log behind it, so that both are flushed and recovered as a
worker does it, each from what either has written.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import pytest

from models.learner import learner
from models.learner.checkpoint import core_bytes
from models.peers.groups import PeerGroups
from monitor.core.attributes import Attributes
from monitor.core.transaction import Transaction
from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.engine.step import Step
from monitor.ordinary.accounts import BETWEEN_IDS
from monitor.policy.policy import Policy, PolicyBook
from monitor.review.membership import NO_VERDICTS, Verdicts
from monitor.systemic.record import segment_records_of
from streams.kafka.producer import Outgoing
from streams.state import changelog, keys
from streams.wire import codec
from streams.wire.columns import read_run
from streams.worker import partition
from streams.worker.partition import Partition
from tests.support.fake_log import TOPICS, CrashError, Log
from tests.support.records import Record
from tests.support.strange_stream import CALENDARS, StrangeStream, strange_policy, strange_verdicts

BUCKETS: Final = 3

HAS_MODELS: Final = 0.4
"""The share of policies with models, whose peer groups begin with few accounts here."""

Cut = Callable[[int], Sequence[int]]
"""Returns the lengths of runs that so many records are cut into."""


class _Receipt(NamedTuple):
    offset: int


class _Acknowledged:
    def ack(self) -> bool:
        return True


class _Outbox:
    """Writes at once, until it stops before a batch of the changelog that it is told of."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.stops_before: int | None = None  # of a flush's batches: journal, buckets, seal

    async def send(
        self, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[asyncio.Future[object]]:
        assert partition == 0
        if topic == TOPICS.changelog and self.stops_before is not None:
            is_journal = any(keys.is_journal(record.key or b"") for record in records)
            is_seal = any(keys.is_seal(record.key or b"") for record in records)
            if (0 if is_journal else 2 if is_seal else 1) >= self.stops_before:
                raise CrashError
        self.log.topics[topic] += records
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        done.set_result(_Receipt(len(self.log.topics[topic]) - 1))
        return [done]


class Side:
    """One engine behind its partition, and all that it has told since the last comparison."""

    def __init__(self, make: type[Engine], policies: Sequence[Policy], log: Log) -> None:
        self.log = log
        self.told: Counter[object] = Counter()
        self.alerts: dict[str, list[bytes]] = {}
        self.account_days: Counter[bytes] = Counter()
        self.entries: Counter[object] = Counter()
        self.in_python: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.offsets: list[int] = []
        self.begin(make, policies, {}, NO_VERDICTS)

    def begin(
        self, make: type[Engine], policies: Sequence[Policy],
        attributes: dict[str, Attributes], verdicts: Verdicts,
    ) -> None:  # fmt: skip
        """Begin with a new engine, from what the log holds."""
        self.engine = make(0, PolicyBook(list(policies)), BUCKETS)
        for account_id, of_account in attributes.items():
            self.engine.ledger.attributes.take(account_id, of_account)
        self.engine.reviews.restore_verdicts(verdicts)
        self.outbox = _Outbox(self.log)
        self.partition = Partition(
            self.engine, self.log.kept(), self.outbox, TOPICS, lambda _: True
        )
        assert self.partition.lost is None

    def note(self, step: Step) -> None:
        """Note what a Step tells."""
        for alert in step.alerts:
            self.alerts.setdefault(alert.account_id, []).append(codec.alert_bytes(alert))
        self.offsets = [alert.cause.offset for alert in step.alerts]
        self.told.update(map(repr, step.rejections))
        for of_day in step.segment_days:
            self.told.update(map(codec.segment_record_bytes, segment_records_of(0, of_day)))
        self.told.update(map(repr, step.waiting))
        self.account_days.update(map(codec.closed_day_bytes, step.account_days))
        self.account_days.update(value for rows in step.closed_rows for _, value in rows.pairs())
        self.entries.update(step.entries)
        for rows in step.entry_rows:
            self.entries.update(rows.entries())
        self.in_python.update(step.in_python)
        self.counts.update(
            transactions=step.transactions, ahead=step.ahead, redelivered=step.redelivered,
            rejections=len(step.rejections), waiting=len(step.waiting), settled=len(step.settled),
            heartbeats=step.heartbeats,
        )  # fmt: skip

    async def take(self, records: Sequence[Record], lengths: Sequence[int]) -> None:
        """Take records, in runs of these lengths."""
        first = 0
        for length in lengths:
            run = list(records[first : first + length])
            first += length
            if run:
                self.note(await self.partition.take(_Acknowledged(), read_run([run])))

    async def drain(self) -> None:
        """Let all that has closed be told of."""
        self.note(await self.partition.tick())
        while self.engine.has_closing_days or self.engine.is_closing:
            self.note(await self.partition.tick())

    # -- what it holds ----------------------------------------------------------------------------

    def held(self) -> dict[str, object]:
        """Return what the engine holds, in words that both have."""
        ledger = self.engine.ledger
        return {
            "open days": {day: len(opened.contents) for day, opened in ledger.open_days.items()},
            "open": ledger.open_transactions(),
            "watermark": ledger.marks.marks(),
            "lone": ledger.lone,
            "first": ledger.day_open_first,
            "offset": ledger.offset_last,
            "waiting": ledger.reversals_waiting,
            "closing": self.engine.has_closing_days,
            "seen": [limits.seen for limits in self.engine.policies.limit_sets],
            "unwatched": [limits.unwatched for limits in self.engine.policies.limit_sets],
            "rejections": self.engine.names_held()["rejections"],
            "beyond": self.engine.names_counted_as_others(),
            **self._models(),
        }

    def _models(self) -> dict[str, object]:
        """Return what the models hold, as bytes."""
        scorer = self.engine.outliers.scorer
        if scorer is None:
            return {}
        names = {"segments": list(scorer.segments), "channels": list(scorer.channels)}
        accounts = scorer.learner.accounts
        return {
            "models": core_bytes(scorer.learner, names),
            "hot payers": scorer.hot_payers,
            "accounts of models": {
                account_id: accounts[row].tobytes() for account_id, row in scorer.rows.items()
            },
            "peer groups": {
                account_id: scorer.peer_group(account_id) for account_id in scorer.rows
            },
        }

    def state(self) -> list[object]:
        """Return the accounts and rejections of all buckets as they would be written, decoded.

        The two engines may have different numbers of buckets: one has more bytes, and dealt sooner.
        """
        ledger = self.engine.ledger
        numbers = range(len(ledger.buckets))
        state: list[object] = []
        for number, rows in zip(numbers, ledger.rows_of(numbers), strict=True):
            bucket = ledger.buckets[number]
            for account in bucket.accounts.values():
                if account in ledger.dirty:
                    account.kept = b""
            rejections, accounts = keys.unpacked(changelog.bucket_bytes(bucket, rows)[8:])
            # After a crash between two writes ids come back of accounts that hold nothing else.
            held = [account for account in accounts if any(account[1:])]
            assert {ledger.bucket_of(account[0]) for account in held} <= {number}
            state += [*held, *rejections]
        return sorted(state, key=repr)


def assert_equal(what: str, ours: Any, its: Any) -> None:  # noqa: ANN401 - compared
    """Fail with what differs: `ours` is of the engine with arrays, `its` of the plain one."""
    if ours == its:
        return
    if isinstance(ours, Mapping):
        keys = [key for key in ours.keys() | its.keys() if ours.get(key) != its.get(key)]
        ours, its = ({key: found.get(key) for key in keys} for found in (ours, its))
    elif isinstance(ours, set):
        ours, its = ours - its, its - ours
    pytest.fail(f"{what} differ: {ours} of the arrays, {its} of the plain engine")


def contents(engine: Engine) -> dict[tuple[str, int, str], int]:
    """Return what a plain engine's open days hold, by account, day and kept id."""
    tags = {account.tag: account_id for account_id, account in engine.ledger.accounts.items()}
    found = {}
    for day, open_day in engine.ledger.open_days.items():
        assert isinstance(open_day.contents, dict)
        for key, content in open_day.contents.items():
            tag, _, name = key.partition(" ")
            found[tags[tag + " "], day, name] = content
    return found


def assert_same_ids(plain: Engine, arrays: Engine) -> None:
    """Fail unless the engine with arrays holds each id that the plain one holds, and its content.

    That it holds no others follows from how many there are.
    """
    for (account_id, day, name), content in contents(plain).items():
        found = arrays.ledger.open_days[day].contents.get(account_id + BETWEEN_IDS + name)
        assert found == content, (account_id, name, day)


class Pair:
    """Both engines on one stream; `compare` fails where they differ."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.policies = list(policies)
        self.attributes: dict[str, Attributes] = {}
        self.verdicts = NO_VERDICTS
        self.are_repeats_equal = True
        self.plain = Side(Engine, policies, Log())
        self.arrays = Side(OrdinaryEngine, policies, Log())

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both of them."""
        return self.plain, self.arrays

    async def both(self, do: Callable[[Side], Awaitable[object]]) -> None:
        """Do the same to both."""
        for side in self.sides:
            await do(side)

    async def take(self, records: Sequence[Record], cut: Cut) -> None:
        """Let both take records: the plain one as one run, the other one in several."""
        await self.plain.take(records, [len(records)])
        is_in_order = self.plain.offsets == sorted(self.plain.offsets)
        for length in cut(len(records)):
            run, records = records[:length], records[length:]
            await self.arrays.take(run, [length])
            offsets = self.arrays.offsets
            assert not is_in_order or offsets == sorted(offsets)

    async def compare(self) -> None:
        """Fail where they differ, in what was told or in what is held."""
        await self.both(Side.drain)
        plain, arrays = self.sides
        assert_equal("alerts", arrays.alerts, plain.alerts)
        if self.are_repeats_equal:
            assert_equal("told", arrays.told, plain.told)
            assert_equal("counts", arrays.counts, plain.counts)
            # The plain one keeps an account that has nothing but reversals, for its tag.
            ours, its = (side.engine.ledger.count_accounts() for side in (arrays, plain))
            assert ours <= its
        else:
            assert_equal("told", set(arrays.told), set(plain.told))
        assert_equal("account-days", arrays.account_days, plain.account_days)
        assert_equal("entries", arrays.entries, plain.entries)
        assert_equal("held", arrays.held(), plain.held())
        assert_equal("state", arrays.state(), plain.state())
        assert_same_ids(plain.engine, arrays.engine)

    async def add_policy(self, policy: Policy) -> None:
        """Give both a further policy version."""
        self.policies.append(policy)
        for side in self.sides:
            side.engine.policies.add(policy)
            side.partition.changes.note_policies()
            side.note(await side.partition.tick())

    async def set_attributes(self, account_id: str, attributes: Attributes | None) -> None:
        """Let an account have other attributes."""
        if attributes is None:
            self.attributes.pop(account_id, None)
        else:
            self.attributes[account_id] = attributes
        for side in self.sides:
            if side.engine.ledger.attributes.take(account_id, attributes):
                side.partition.changes.note_account(account_id)
            side.note(await side.partition.tick())

    async def set_verdicts(self, verdicts: Verdicts) -> None:
        """Let the systemic side decide otherwise."""
        self.verdicts = verdicts
        for side in self.sides:
            side.partition.changes.note_verdicts(verdicts)
            side.note(await side.partition.tick())

    async def flush(self) -> None:
        """Keep the state of both."""
        await self.both(Side.drain)
        await self.both(lambda side: side.partition.flush())

    async def recover(self, *, is_crossed: bool, stops_before: int | None) -> int:
        """Begin with new engines, from their own state or each from the other's.

        With `stops_before` a flush before it ends there. Returns the offset to go on from.
        """
        await self.both(Side.drain)
        if stops_before is not None:
            self.are_repeats_equal = False
            for side in self.sides:
                side.outbox.stops_before = stops_before
                with contextlib.suppress(CrashError):
                    await side.partition.flush()
        sealed = {side.log.sealed() for side in self.sides}
        assert len(sealed) == 1
        if is_crossed:
            self.plain.log, self.arrays.log = self.arrays.log, self.plain.log
        self.plain.begin(Engine, self.policies, self.attributes, self.verdicts)
        self.arrays.begin(OrdinaryEngine, self.policies, self.attributes, self.verdicts)
        return sealed.pop() + 1


def cut_at_random(rng: random.Random, most: int) -> Cut:
    """Return a cut into runs of up to so many records."""

    def cut(count: int) -> list[int]:
        lengths = []
        while count > 0:
            lengths.append(min(rng.randint(1, most), count))
            count -= lengths[-1]
        return lengths

    return cut


def with_heartbeats(rng: random.Random, records: Sequence[Record], share: float) -> list[Record]:
    """Return records of which some are heartbeats, of up to 20 hours before or 60 after them."""
    found = []
    for record in records:
        item = codec.decode(record.value)
        if isinstance(item, Transaction) and rng.random() < share:
            moment = item.event_time + rng.choice([-20, 0, 1, 20, 60]) * 3_600_000_000
            found.append(record._replace(key=None, value=codec.heartbeat_bytes("test", moment)))
            continue
        found.append(record)
    return found


async def _scenario(rng: random.Random, count: int, heartbeats: float) -> Pair:
    """Run both engines over a stream with everything in it, and compare them now and then."""
    stream = StrangeStream(rng, rng.choice([2, 4, 12, 40]), rng.choice([0.03, 0.1, 0.5]))
    calendar = rng.choice(CALENDARS)
    has_models = rng.random() < HAS_MODELS
    pair = Pair([strange_policy(rng, 1, calendar, stream.accounts, has_models=has_models)])
    records = stream.records(0, count)
    if heartbeats:
        records = with_heartbeats(rng, records, heartbeats)
    cut = cut_at_random(rng, rng.choice([1, 5, 40, 200]))
    at = 0
    while at < count:
        size = rng.choice([1, 10, 60, 200])
        await pair.take(records[at : at + size], cut)
        at = min(at + size, count)
        match rng.randrange(14):
            case 0 | 1 | 2 | 3:
                await _change(pair, rng, stream.accounts, calendar)
            case 4:
                units = rng.randint(1, 3)
                for side in pair.sides:
                    side.engine.close_account_days(units)
            case 5 | 6:
                await pair.flush()
            case 7 if rng.random() < 0.6:
                stops = rng.choice([None, None, 0, 1, 2])
                at = await pair.recover(is_crossed=rng.random() < 0.5, stops_before=stops)
                at = max(at - rng.choice([0, 0, 3, 30]), 0)
            case 8:
                at = max(at - rng.choice([1, 5, 50]), 0)
            case 9 | 10:
                await pair.compare()
            case _:
                pass
    await pair.compare()
    return pair


async def _change(pair: Pair, rng: random.Random, accounts: list[str], calendar: str) -> None:
    """Change what both decide by."""
    match rng.randrange(4):
        case 0:
            version, has_models = len(pair.policies) + 1, rng.random() < HAS_MODELS
            policy = strange_policy(rng, version, calendar, accounts, has_models=has_models)
            await pair.add_policy(policy)
        case 1:
            await pair.set_verdicts(strange_verdicts(rng, pair.policies))
        case _:
            segment, product = rng.choice([None, "business", "own"]), rng.choice([None, "card"])
            for account_id in rng.sample(accounts, min(2, len(accounts))):
                attributes = rng.choice([Attributes(segment, None, product), None])
                await pair.set_attributes(account_id, attributes)


def assert_engines_agree(rng: random.Random, count: int, heartbeats: float = 0.0) -> Pair:
    """Run both engines over so many records; return them. Fails where they differ.

    Such a share of the records are heartbeats.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner, "PeerGroups", partial(PeerGroups, coarse=2, fine=2, warm_up=4))
        patch.setattr(partition, "BUCKET_BYTES_MAX", 300)
        patch.setattr(partition, "DEALT", 4)
        return asyncio.run(_scenario(rng, count, heartbeats))
