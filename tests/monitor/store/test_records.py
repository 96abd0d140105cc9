"""Records of the topics: what a store keeps of them, and what does not count as one."""

from typing import Any, cast

import pytest
from sqlalchemy import String

from monitor.store.records import account_day_of
from monitor.store.schema import account_days
from monitor.store.store import Store
from tests.support.account_days import DAYS, in_table, take

GOOD = {"account_id": "A1", "business_day": DAYS[0], "segment": "a", "totals": []}


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"segment": None},
        {"segment": ""},
        {"account_id": "x" * 256, "segment": "é" * 256},
        {"business_day": "1899-12-31"},
        {"business_day": "3000-01-01"},
    ],
)
def test_every_account_day_that_is_one_can_be_stored(
    either_store: Store, other: dict[str, Any]
) -> None:
    take(either_store, 0, [dict(account_day_of({**GOOD, **other}))])
    assert in_table(either_store) == 1
    assert cast(String, account_days.c.account_id.type).length == 256


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("account_id", None),
        ("account_id", 5),
        ("account_id", "a\0b"),
        ("account_id", "x" * 257),
        ("segment", 5),
        ("segment", []),
        ("segment", "a\0b"),
        ("segment", "x" * 257),
        ("business_day", None),
        ("business_day", "zzzz"),
        ("business_day", "20260105"),
        ("business_day", "2026-W02"),
        ("business_day", "2026-02-31"),
        ("business_day", "2026-01-05T00"),
        ("business_day", "0001-01-03"),
        ("business_day", "9999-12-31"),
    ],
)
def test_what_is_no_account_day_is_told(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        account_day_of({**GOOD, name: value})
