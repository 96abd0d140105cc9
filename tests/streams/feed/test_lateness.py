"""Why many rows are late: the order in which they stand."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from monitor.engine.engine import Engine
from monitor.ledger.watermark import Marks
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.feed.lateness import RowOrder
from streams.feed.reader import Batch
from streams.replay.replay import Replay
from streams.state import changelog, keys
from streams.topics.held_back import waiting_of
from streams.worker.lateness_log import CAUSES, LatenessLog
from tests.support.ahead import CAUTIOUS, at, days_of_three
from tests.support.records import GOOD
from tests.support.transactions import observed, row

Row = tuple[str | None, ...]


def rows(days: Iterable[float], name: str = "T") -> list[Row]:
    return [
        row(f"{name}{day}-{n}", hours=24 * day + n, account_id=f"A{n}")
        for day in days
        for n in range(3)
    ]


def replayed(*files: tuple[str, Sequence[Row]]) -> Replay:
    run = Replay(PolicyBook([policy_of(CAUTIOUS)]), 1)
    for name, transactions in files:
        run.observe(Batch(Path(name), list(transactions), list(range(len(transactions))), [], 1.0))
    return run


def test_rows_in_order_are_no_cause_to_say_anything() -> None:
    run = replayed(("a.csv", rows(range(20))), ("b.csv", rows(range(20, 40))))
    assert run.warning is None
    assert run.totals.fields(1)["ahead"] == 0


@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ([("a.csv", rows(range(20))[::-1])], "newest first"),
        ([("b.csv", rows(range(20, 40))), ("a.csv", rows(range(20)))], "a.csv begins before"),
        ([("a.csv", [*rows([0, 30], "X"), *rows(range(20))])], "two accounts are dated ahead"),
    ],
)
def test_the_likely_cause_of_many_late_rows_is_said(
    files: list[tuple[str, Sequence[Row]]], cause: str
) -> None:
    run = replayed(*files)
    assert run.totals.rejections["too-late"] > 10
    assert run.warning is not None
    assert cause in run.warning
    assert f"{run.totals.rejections['too-late']} of " in run.warning


def test_rows_far_behind_those_before_are_counted() -> None:
    order = RowOrder(lateness=10)
    order.take(Path("a"), [0, 5, 20, 9, 10, 25, 15, 14])
    assert (order.rows, order.late) == (8, 2)


def test_a_worker_logs_many_late_records_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    log, engine = LatenessLog(), Engine(0, PolicyBook([policy_of(CAUTIOUS)]))
    observed(engine, *days_of_three(30))
    lates = [[at(f"L{second}{n}", 1, f"B{n % 3}") for n in range(600)] for second in range(4)]
    for second, late in enumerate(lates):
        log.take(observed(engine, *late), second)
    (record,) = caplog.records
    assert "were rejected as too-late" in record.getMessage()
    assert CAUSES in record.getMessage()
    log.take(observed(engine, *lates[-1]), 3600.0)
    log.take(observed(engine, *lates[-1]), 3601.0)
    assert len(caplog.records) == 2


def test_a_worker_logs_once_that_a_watermark_waits(caplog: pytest.LogCaptureFixture) -> None:
    log, engine = LatenessLog(), Engine(0, PolicyBook([policy_of(CAUTIOUS)]))
    observed(engine, *days_of_three(2))
    log.note_held_back(0, engine.ledger.marks)
    assert caplog.records == []
    for day in (50, 51, 52):
        observed(engine, at(f"X{day}", day, "B1"))
        log.note_held_back(0, engine.ledger.marks)
    (record,) = caplog.records
    assert "the watermark waits for a second account" in record.getMessage()
    assert GOOD["account_id"] not in record.getMessage()


def test_check_tells_which_partitions_wait_by_their_latest_seals() -> None:
    engine = Engine(0, PolicyBook([policy_of(CAUTIOUS)]))
    observed(engine, *days_of_three(2))

    def last(unique: bytes, others: Iterable[bytes] = ()) -> dict[bytes, bytes]:
        writer = keys.next_writer(others, unique)
        seal = changelog.Seal(
            9, engine.ledger.marks.marks(), engine.ledger.lone, "", [1], 4, writer
        )
        return {keys.seal_key(writer): changelog.seal_bytes(seal)}

    well = last(b"one")
    observed(engine, at("X", 50, "B1"))
    waits = last(b"two", well)
    bad = dict.fromkeys(well, b"\x00" * 8 + b"\x91\x01")
    kept = {0: well, 1: {**waits, **well, b"b:1": b"x"}, 2: {}, 3: bad}
    found = waiting_of(kept, range(5))
    assert found.unknown == [2, 3, 4]
    (account,) = found.held_back
    assert (account.partition, account.account_id, account.dated) == (
        1,
        "B1",
        "2026-02-24T09:00:00Z",
    )
    assert account.seconds == 50 * 86_400 - 86_400 - 1728
    assert "account B1 has records dated 2026-02-24" in account.text()
    assert isinstance(engine.ledger.marks.marks(), Marks)
