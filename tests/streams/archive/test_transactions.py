"""Transactions of an account are found on the topic, around a record."""

import asyncio
from pathlib import Path

import pytest

from monitor.console.transactions import NotReachableError
from streams.archive import transactions
from streams.archive.transactions import TransactionTopic
from streams.lab.broker import free_port
from streams.settings import settings_of
from tests.support.rigs import Broker, own_rig, records, send
from tests.support.transactions import POLICY


def test_those_of_the_account_are_found_and_no_others(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "BEFORE", 20)
    monkeypatch.setattr(transactions, "AFTER", 10)
    with own_rig(broker, tmp_path, POLICY) as settings:
        others = [(b"M", value.replace(b'"L"', b'"M"')) for _, value in records(100, 40)]
        mixed = [pair for both in zip(records(0, 40), others, strict=True) for pair in both]
        mixed[30] = (b"L", b"no transaction")
        offsets = send(settings, mixed)
        source = TransactionTopic(settings)
        found = asyncio.run(source.of_account("L", 0, offsets[32]))
        nobody = asyncio.run(source.of_account("N", 0, offsets[32]))
        at_end = asyncio.run(source.of_account("L", 0, offsets[78]))
    ids = [seen.transaction.transaction_id for seen in found.transactions]
    assert ids == [str(number) for number in range(6, 21) if number != 15]
    assert [seen.offset for seen in found.transactions] == [2 * int(name) for name in ids]
    assert found.first == 12
    assert nobody.transactions == []
    assert [seen.transaction.transaction_id for seen in at_end.transactions][-1] == "39"


def test_a_broker_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "SECONDS_MAX", 2.0)
    source = TransactionTopic(settings_of({}, broker=f"127.0.0.1:{free_port()}"))
    with pytest.raises(NotReachableError, match="does not answer"):
        asyncio.run(source.of_account("L", 0, 0))
