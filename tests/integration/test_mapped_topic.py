"""Change events of Debezium on a real worker: they decide as the same rows in Weir's own JSON."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from streams.archive.transactions import TransactionTopic
from streams.cli.options import book_of
from streams.feed.envelopes.mapped import records_reading
from streams.kafka.partitioner import dealer
from streams.lab.rig import total_of
from streams.replay.explain import AlertSelection
from streams.replay.explain_topics import explain_of_topics
from streams.replay.explained import Explanation, explanation_or_raise
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.topics.weights import last_day
from tests.support.envelopes import Booking, change_event, map_text, unscaled_text
from tests.support.registries import avro_event, event_schema, fake_registry
from tests.support.rigs import (
    Broker,
    command,
    own_rig,
    records_of,
    running,
    send,
    until,
    until_taken_in,
)
from tests.support.scoped_limits import SCOPED
from tests.support.transactions import POLICY

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "debezium.topic.toml"
START: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)


def event(booking: Booking, op: str = "c", status: str = "booked") -> bytes:
    """Return the change event of a row of the table in the example."""
    row = {
        "id": booking.id, "account_id": booking.account,
        "booked_at": booking.booked_at.isoformat().replace("+00:00", "Z"),
        "amount": unscaled_text(booking.minor), "currency": "EUR", "counterparty": booking.payee,
        "channel": booking.channel, "status": status, "reverses": booking.reverses,
    }  # fmt: skip
    made = change_event(None, op, row) if op == "d" else change_event(row, op)
    return json.dumps(made).encode()


def key_of(account: int) -> bytes:
    return b'{"account_id":%d}' % account


def read(settings: Settings, topic: str) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in records_of(settings, topic)]


def explained(settings: Settings, told: list[dict[str, Any]]) -> Explanation:
    async def run() -> Explanation:
        chains = AlertSelection((told[-1]["alert_id"],)).chains_of(told)
        (answer,) = await explain_of_topics(settings, chains, book_of(settings.policy))
        return explanation_or_raise(answer)

    return asyncio.run(run())


ROWS: Final = [
    Booking(1, 1001, START, -40000, "P1", "web"),
    Booking(2, 1001, START + timedelta(hours=1), 90000),
    Booking(3, 1001, START + timedelta(hours=2), -10001),
    Booking(4, 1002, START + timedelta(hours=3), -45000),
    Booking(5, 1001, START + timedelta(hours=4), 10001, reverses=3),
]


def test_change_events_decide_as_rows_of_weir_and_are_explained(
    broker: Broker, tmp_path: Path
) -> None:
    topic = {"transactions_map": str(EXAMPLE), "partitions": "2"}
    with own_rig(broker, tmp_path, POLICY, **topic) as settings, running(settings) as worker:
        deal = dealer(2)
        for row in ROWS:
            key = key_of(row.account)
            send(settings, [(key, event(row))], partition=deal(key.decode()))
        bad = [
            (key_of(1001), event(ROWS[0], "d")),
            (key_of(1001), None),
            (b'{"id":9}', event(ROWS[0]._replace(id=9))),
            (key_of(1001), event(ROWS[0]._replace(id=10), status="memo")),
        ]
        offsets = send(settings, bad, partition=deal(key_of(1001).decode()))
        until_taken_in(worker, len(ROWS) + 3)
        until(
            lambda: total_of(worker.samples(), "weir_left_out_records_total") == 1,
            "the memo is left out",
            worker,
        )
        assert total_of(worker.samples(), "weir_unaccounted_records_total") == 0
        alerts = [
            alert
            for alert in read(settings, Topics.of(settings).alerts)
            if alert["kind"] == "daily-amount"
        ]
        assert [(each["account_id"], each["status"], each["value"]) for each in alerts] == [
            ("1001", "raised", "500.01"), ("1001", "withdrawn", "400.00"),
        ]  # fmt: skip

        book, reading = book_of(settings.policy), records_reading(settings)
        day = asyncio.run(last_day(settings, book, reading.read))
        assert day == START.date().toordinal(), "weights that are taught begin after it"

        rejected = read(settings, Topics.of(settings).rejections)
        assert [(each["reason"], each["offset"]) for each in rejected] == [
            ("malformed", offsets[0]), ("malformed", offsets[1]), ("wrong-key", offsets[2]),
        ]  # fmt: skip
        assert "deleted (op d)" in rejected[0]["detail"]
        assert "tombstone" in rejected[1]["detail"]
        assert rejected[2]["record"].encode() == bad[2][1]

        found = explained(settings, alerts[:1])
        assert (found.differs, found.total) == ([], "500.01")
        assert [part.transaction.transaction_id for part in found.parts] == ["1", "3"]

        number, offset = alerts[0]["partition"], alerts[0]["offset"]
        seen = asyncio.run(TransactionTopic(settings).of_account("1001", number, offset))
        assert [each.transaction.transaction_id for each in seen.transactions] == [
            "1", "2", "3", "5",
        ]  # fmt: skip

        told = command("check", **settings.variables())
        assert told.returncode == 0, told.stderr
        assert "of the last 9 records, by the map: 5 are transactions" in told.stdout
        assert "1 are left out by [[where]], 2 are rejected as malformed" in told.stdout
        send(settings, [(key_of(1001), b'{"of": "another table"}')] * 20, partition=0)
        told = command("check", **settings.variables())
        assert told.returncode == 3, told.stdout
        assert "wrong: of the last 29 records, by the map: 5 are transactions" in told.stdout
        (tmp_path / "transactions.csv").write_text("transaction_id\n", encoding="utf-8")
        sent = command("send", tmp_path / "transactions.csv", **settings.variables())
        assert sent.returncode == 2
        assert "WEIR_TRANSACTIONS_MAP says" in sent.stderr


def test_an_account_has_its_attributes_whatever_the_form_of_keys(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    deal = dealer(2)
    account = next(
        number for number in range(1, 99) if deal(str(number)) != deal(key_of(number).decode())
    )
    topic = {"transactions_map": str(EXAMPLE), "partitions": "2"}
    with own_rig(embedded_broker, tmp_path, SCOPED, **topic) as settings:
        accounts = tmp_path / "accounts.jsonl"
        accounts.write_text(f'{{"account_id": "{account}", "product": "savings"}}\n')
        sent = command("send", "--accounts", accounts, **settings.variables())
        assert sent.returncode == 0, sent.stderr
        with running(settings) as worker:
            row = Booking(1, account, START, -30000)
            number = deal(key_of(account).decode())
            send(settings, [(key_of(account), event(row))], partition=number)
            until(lambda: bool(read(settings, Topics.of(settings).alerts)), "it is told", worker)
            (alert,) = read(settings, Topics.of(settings).alerts)
            assert (alert["threshold_id"], alert["partition"]) == ("savings", number)
            accounts.write_text(f'{{"account_id": "{account}", "product": "giro"}}\n')
            command("send", "--accounts", accounts, **settings.variables())
            until(
                lambda: read(settings, Topics.of(settings).alerts)[-1]["status"] == "withdrawn",
                "its open day is decided again",
                worker,
            )


def test_a_worker_waits_for_the_registry_and_passes_no_record_over(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    text = map_text("debezium", more='format = "avro"\nkey = {}\n')
    (tmp_path / "avro.topic.toml").write_text(text, encoding="utf-8")
    with fake_registry() as registry:
        registry.status = 503
        registry.add(7, event_schema())
        topic = {
            "transactions_map": str(tmp_path / "avro.topic.toml"), "partitions": "1",
            "schema_registry": registry.url, "liveness_seconds": "3",
        }  # fmt: skip
        with own_rig(embedded_broker, tmp_path, POLICY, **topic) as settings:
            told = command("check", **settings.variables())
            assert (told.returncode, "it answers 503" in told.stderr) == (3, True)
            with running(settings) as worker:
                rows = [Booking(1, 1001, START, -60000), Booking(2, 1001, START, -1)]
                send(settings, [(b"1001", avro_event(row, 7)) for row in rows])
                away = "is away, and records wait for schema 7"
                until(lambda: away in worker.said(), "it says that it waits", worker)
                time.sleep(8)  # longer than a worker may stall
                worker.ensure_running()
                assert total_of(worker.samples(), "weir_transactions_total") == 0
                registry.status = 200
                until_taken_in(worker, 2)
                assert read(settings, Topics.of(settings).rejections) == []
                (alert, *_) = read(settings, Topics.of(settings).alerts)
                assert (alert["account_id"], alert["value"]) == ("1001", "600.00")
