"""Costs of one's own machine: which figures of benchmarks become which costs."""

import json
from pathlib import Path
from typing import Any

import pytest

from streams.lab.capacity.costs import (
    FULL,
    LIMITS,
    SOURCES,
    CapacityError,
    Costs,
    measured_in,
)


def point(accounts: int, each: int, **figures: float) -> dict[str, float]:
    """Return one size of a curve whose costs are 300 and 100 bytes, 50 and 30, 2 and 1 us."""
    transactions = accounts * each
    made: dict[str, float] = {
        "accounts": accounts,
        "open_transactions": transactions,
        "memory_bytes": 300 * accounts + 100 * transactions,
        "state_bytes": 50 * accounts + 30 * transactions,
        "rebuild_seconds": (2 * accounts + transactions) / 1e6,
        "decide_us": 3.0,
        "flush_bytes_many": 1_500_000,
        "flush_us_many": 1.0,
    }
    return made | figures


CURVE = [
    point(30_000, 1, decide_us=3.0),
    point(100_000, 1),
    point(100_000, 5, flush_us_many=1.2),
    point(300_000, 1, decide_us=4.5),
    point(1_000_000, 1, decide_us=99.0, flush_us_many=99.0),
]


def file_of(path: Path, *runs: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(run) + "\n" for run in runs), encoding="utf-8")
    return path


def test_every_cost_has_a_source_and_is_published() -> None:
    assert set(SOURCES) == set(Costs._fields)
    assert all(value > 0 for value in (*LIMITS, *FULL))
    for name in ("transaction_us", "account_bytes", "state_account_bytes", "rebuild_account_us"):
        assert getattr(FULL, name) > getattr(LIMITS, name)


def test_a_curve_says_what_accounts_and_transactions_cost(tmp_path: Path) -> None:
    found, names = measured_in(file_of(tmp_path / "c.json", {"curve": CURVE}), LIMITS)
    assert found.account_bytes == pytest.approx(300)
    assert found.transaction_bytes == pytest.approx(100)
    assert found.state_account_bytes == pytest.approx(50)
    assert found.state_transaction_bytes == pytest.approx(30)
    assert found.rebuild_account_us == pytest.approx(2)
    assert found.rebuild_transaction_us == pytest.approx(1)
    assert found.flush_ns_a_byte == pytest.approx(12)  # 1.2 us of 15,000 records, 1.5 MB
    assert found.growth_us == pytest.approx(1.5)  # ten times as many accounts
    assert found.transaction_us == LIMITS.transaction_us
    assert len(names) == 8


def test_a_whole_benchmark_says_what_a_transaction_costs(tmp_path: Path) -> None:
    found, names = measured_in(
        file_of(tmp_path / "b.json", {"cpu_us_per_transaction": 5.5, "ratio": 40}), LIMITS
    )
    assert names == ["transaction_us"]
    assert found == LIMITS._replace(transaction_us=5.5)


def test_a_series_is_read_and_its_last_run_counts(tmp_path: Path) -> None:
    runs = [
        {"when": "", "machine": {}, "options": {}, "figures": {"cpu_us_per_transaction": value}}
        for value in (9, 4)
    ]
    assert measured_in(file_of(tmp_path / "s.jsonl", *runs), LIMITS)[0].transaction_us == 4


def test_two_recoveries_say_what_reading_costs(tmp_path: Path) -> None:
    few = {"accounts": 4000, "read_seconds": 7, "read_cpu_seconds": 3, "changelog_bytes": 10**6}
    many = {
        "accounts": 10**6,
        "read_seconds": 20,
        "read_cpu_seconds": 5,
        "changelog_bytes": 201 * 10**6,
    }
    path = file_of(tmp_path / "r.jsonl", {"recovery": many}, {"recovery": few})
    found, names = measured_in(path, LIMITS)
    assert names == ["read_ns_a_byte", "start_seconds"]
    assert found.read_ns_a_byte == pytest.approx(10)
    assert found.start_seconds == pytest.approx(4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must have a run of weir bench"),
        ("{}\n", "must have a run of weir bench"),
        ('{"cpu_us_per_transaction": {"all": 3}}\n', "must have a run of weir bench"),
        ("nonsense\n", "line 1, must be an object"),
        ("[1]\n", "line 1, must be an object"),
        ('{"curve": []}\n', "has figures that cannot be used"),
        ('{"curve": [{"accounts": "x"}]}\n', "has figures that cannot be used"),
        ('{"recovery": {}}\n', "has figures that cannot be used"),
        ('{"cpu_us_per_transaction": -1}\n', "has figures that cannot be: transaction_us"),
        ('{"cpu_us_per_transaction": NaN}\n', "has figures that cannot be: transaction_us"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CapacityError) as refused:
        measured_in(path, LIMITS)
    assert str(refused.value).startswith(str(path))
    assert says in str(refused.value)
