"""Deliveries in the table: taken by one process each, noted once, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from monitor.store.intake import Intake
from monitor.store.programs.webhooks import (
    BATCH,
    LEASE,
    Deliveries,
    add_webhook,
    all_webhooks,
    delivery_counts,
    due,
    note_delivered,
    note_failed,
    remove_webhook,
)
from monitor.store.store import Store
from tests.support.stored import NOW, made_record, read_alert


def test_many_processes_take_each_delivery_once_and_all_are_counted(
    shared: Store, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sixteen bytes or more")
    made = add_webhook(shared, "https://a.example/x", [], secret, NOW)
    assert all_webhooks(shared) == [made]
    ids = [f"daily-amount/A{number}/20460" for number in range(2 * BATCH + 3)]
    reads = [read_alert(place + 1, made_record(name, 1)) for place, name in enumerate(ids)]
    Intake(shared).take(reads)
    later = NOW + 10**9
    with ThreadPoolExecutor(4) as pool:
        taken = [item for part in pool.map(lambda _: due(shared, later), range(6)) for item in part]
    assert sorted(item.event_id for item in taken) == sorted(f"{name}:1" for name in ids)
    assert due(shared, later + LEASE - 1) == []
    note_delivered(shared, taken[0], later)
    assert note_failed(shared, taken[1], "x" * 999, later) == "failed"
    with shared.reading() as connection:
        assert delivery_counts(connection) == Deliveries(len(ids) - 1, 1, 0, 1)
    Intake(shared).forget()
    Intake(shared).take(reads)
    with shared.reading() as connection:
        assert delivery_counts(connection) == Deliveries(len(ids) - 1, 1, 0, 1)
    assert remove_webhook(shared, made.number, later) == len(ids) - 1
    with shared.reading() as connection:
        assert delivery_counts(connection) == Deliveries(0, 0, 0, 0)
