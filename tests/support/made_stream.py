"""A small stream with everything in it, and what comes of it where nothing disturbs it."""

import json
import random
from typing import Any, NamedTuple, Self

from monitor.core.account import ClosedDay, Told
from monitor.core.alert import Alert
from monitor.core.review_fields import facts_fields, review_fields
from monitor.core.waiting import Waiting
from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.state import changelog
from streams.wire import codec
from tests.support.fake_log import TOPICS, Log
from tests.support.open_days import contents_of
from tests.support.records import GOOD_TIMESTAMP, Record, decided, record
from tests.support.transactions import POLICY

SEGMENTED = (
    POLICY
    + """
[[limit]]
id = "daily-amount-business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "700.00"
scope = { segment = "business" }

[review]
days = 2
window_days = 3
near_share = 0.6
"""
)
POLICY_SEGMENTED = policy_of(SEGMENTED)
BUCKETS = 3
HOUR = 3_600_000_000


def made_stream(seed: int, count: int = 110) -> list[Record]:
    """Return records of some ten days: duplicates, reversals, late and broken ones among them."""
    rng = random.Random(seed)  # noqa: S311 - a made stream is no secret
    records: list[Record] = []
    accounts: dict[str, str] = {}
    for offset in range(count):
        made = _made(rng, offset, accounts)
        if rng.random() < 0.1 and records:
            again = rng.choice(records[-12:])
            made = again._replace(offset=offset, timestamp=made.timestamp)
        elif rng.random() < 0.04:
            made = made._replace(key=b"A9", value=rng.choice([made.value, b"\xff"]))
        records.append(made)
    return records


def _made(rng: random.Random, offset: int, accounts: dict[str, str]) -> Record:
    """Return a record; `accounts` has those that may be taken back, and gets this one."""
    hours = offset * 2.0
    timestamp = GOOD_TIMESTAMP + offset * 2 * 3_600_000
    fields = {"account_id": f"A{offset % 5}", "amount": f"{rng.randint(50, 400)}.00"}
    if rng.random() < 0.3:
        fields["segment"] = rng.choice(["business", "retail"])
    kinds = ["usual", "reversal", "early", "late", "bad", "ahead", "USD"]
    match rng.choices(kinds, [50, 16, 9, 20, 4, 4, 8]):
        case ["reversal"] if accounts:
            fields["reverses"], fields["account_id"] = rng.choice(list(accounts.items())[-12:])
            fields["amount"] = f"{rng.randint(50, 250)}.00"
            hours -= rng.choice([0, 0, 10, 40])  # of another day than what it takes back, too
        case ["early"]:
            fields["reverses"] = f"T{offset + rng.choice([5, 10])}"  # of the same account
            fields["amount"] = f"{rng.randint(50, 250)}.00"
        case ["late"]:
            hours -= rng.choice([20, 30, 40, 90])  # within the lateness of 48 h, or not
        case ["bad"]:
            fields["amount"] = "1.234"
        case ["ahead"]:
            hours += 2  # further than the clock skew
        case ["USD"]:
            fields["currency"] = "USD"
        case _:
            pass  # as usual
    accounts[f"T{offset}"] = fields["account_id"]
    return record(offset, f"T{offset}", hours=hours, timestamp=timestamp, **fields)


def new_engine() -> Engine:
    """Return the engine of the made stream: few buckets, so that each has several accounts."""
    return Engine(0, PolicyBook([POLICY_SEGMENTED]), BUCKETS)


def arrays_engine() -> Engine:
    """Return the same engine with its ordinary accounts in arrays."""
    return OrdinaryEngine(0, PolicyBook([POLICY_SEGMENTED]), BUCKETS)


class Outcome(NamedTuple):
    """All that came of a stream: what was told, and what is left in state."""

    alerts: dict[tuple[str, int], bytes]
    rejections: dict[int, bytes]
    account_days: dict[tuple[str, str], bytes]
    days: dict[tuple[str, int], tuple[dict[str, list[int]], dict[str, Told], str | None, object]]
    reviews: dict[str, object]
    contents: dict[int, dict[tuple[str, str], int]]
    waiting: dict[str, tuple[Waiting, ...]]
    watermark: int | None
    offset_last: int

    @classmethod
    def undisturbed(cls, records: list[Record]) -> Self:
        """Return the outcome of one engine that sees all records, with nothing around it."""
        engine = new_engine()
        engine.observe([record.offset for record in records], decided(records, HOUR))
        while engine.has_closing_days:
            engine.close_account_days()
        step = engine.take_step()
        rejections = {
            offset: codec.rejection_bytes(
                why, {"topic": TOPICS.transactions, "partition": 0, "offset": offset},
                records[offset].key, records[offset].value,
            )
            for offset, why in step.rejections
        }  # fmt: skip
        return cls(
            dict(map(_written_alert, step.alerts)), rejections,
            dict(map(_written_day, step.account_days)), *left_in(engine),
        )  # fmt: skip

    @classmethod
    def of_log(cls, log: Log) -> Self:
        """Return the outcome that the topics tell of, and that a worker recovers.

        What is told twice must be told in the same bytes.
        """
        engine = new_engine()
        changelog.recover(engine, log.kept())
        assert not engine.has_closing_days
        told: tuple[dict[Any, bytes], dict[Any, bytes], dict[Any, bytes]] = ({}, {}, {})
        for into, topic, names in zip(
            told,
            (TOPICS.alerts, TOPICS.rejections, TOPICS.account_days),
            (("alert_id", "revision"), ("offset",), ("account_id", "business_day")),
            strict=True,
        ):
            for written in log.topics[topic]:
                assert written.value is not None
                fields = json.loads(written.value)
                key = tuple(fields[name] for name in names)
                first = into.setdefault(key if len(names) > 1 else key[0], written.value)
                assert first == written.value, f"{topic}: {key} is told in two ways"
        return cls(*told, *left_in(engine))


def _written_alert(alert: Alert) -> tuple[tuple[str, int], bytes]:
    return (alert.alert_id, alert.revision), codec.alert_bytes(alert)


def _written_day(closed: ClosedDay) -> tuple[tuple[str, str], bytes]:
    day = str(closed.fields()["business_day"])
    return (closed.account_id, day), codec.closed_day_bytes(closed)


def left_in(engine: Engine) -> tuple[Any, ...]:
    days = {
        (account.account_id, account_day.day): (
            account_day.totals, dict(account_day.told), account_day.segment,
            None if account_day.facts is None else facts_fields(account_day.facts, int),
        )
        for account in engine.ledger.accounts.values()
        for account_day in account.days
    }  # fmt: skip
    reviews = {
        account.account_id: review_fields(account.review, int)
        for account in engine.ledger.accounts.values()
        if account.review is not None
    }
    names = {account.tag: account.account_id for account in engine.ledger.accounts.values()}
    contents = {
        day: {
            (names[key[: key.index(" ") + 1]], key[key.index(" ") + 1 :]): content
            for key, content in contents_of(open_day).items()
        }
        for day, open_day in engine.ledger.open_days.items()
        if open_day.contents
    }
    waiting = {
        name: account.waiting for name, account in engine.ledger.accounts.items() if account.waiting
    }
    assert engine.ledger.reversals_waiting == sum(map(len, waiting.values()))
    return days, reviews, contents, waiting, engine.ledger.watermark, engine.ledger.offset_last
