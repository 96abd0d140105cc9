"""Costs of one's own machine: which figures of benchmarks become which costs."""

import json
from pathlib import Path
from typing import Any

import pytest

from streams.lab.capacity.costs import (
    FULL,
    FULL_WORD,
    LIMITS,
    LIMITS_WORD,
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


SAID = {"policy": "limits"}
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
    found, names = measured_in(
        file_of(tmp_path / "c.json", {"curve": CURVE} | SAID), LIMITS, LIMITS_WORD
    )
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
        file_of(tmp_path / "b.json", {"cpu_us_per_transaction": 5.5, "ratio": 40} | SAID),
        LIMITS,
        LIMITS_WORD,
    )
    assert names == ["transaction_us"]
    assert found == LIMITS._replace(transaction_us=5.5)


def test_a_series_is_read_and_its_last_run_counts(tmp_path: Path) -> None:
    runs = [
        {
            "when": "",
            "machine": {},
            "options": {"full": False},
            "figures": {"cpu_us_per_transaction": value},
        }
        for value in (9, 4)
    ]
    assert (
        measured_in(file_of(tmp_path / "s.jsonl", *runs), LIMITS, LIMITS_WORD)[0].transaction_us
        == 4
    )


def test_two_recoveries_say_what_reading_costs(tmp_path: Path) -> None:
    few = {"accounts": 4000, "read_seconds": 7, "read_cpu_seconds": 3, "changelog_bytes": 10**6}
    many = {
        "accounts": 10**6,
        "read_seconds": 20,
        "read_cpu_seconds": 5,
        "changelog_bytes": 201 * 10**6,
    }
    path = file_of(tmp_path / "r.jsonl", {"recovery": many} | SAID, {"recovery": few} | SAID)
    found, names = measured_in(path, LIMITS, LIMITS_WORD)
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
        ('{"curve": []}\n', "line 1, cannot be used: the curve must have two sizes with as many"),
        ('{"curve": 5}\n', "line 1, cannot be used: curve must be an array"),
        ('{"curve": [5]}\n', "size 1 of the curve must be an object with accounts"),
        ('{"curve": [{"accounts": "x"}]}\n', "size 1 of the curve must have open_transactions"),
        ('{"recovery": {}}\n', "the recovery must have accounts, read_seconds"),
        ('{"recovery": 1}\n', "the recovery must be an object with accounts"),
        ('{"cpu_us_per_transaction": 0}\n', "must be a number greater than 0, not 0"),
        ('{"cpu_us_per_transaction": -1}\n', "must be a number greater than 0, not -1"),
        ('{"cpu_us_per_transaction": true}\n', "must be a number greater than 0, not true"),
        ('{"cpu_us_per_transaction": NaN}\n', "must be a number greater than 0, not NaN"),
        (f'{{"cpu_us_per_transaction": 1{"0" * 400}}}\n', "must be a number greater than 0, not 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CapacityError) as refused:
        measured_in(path, LIMITS, LIMITS_WORD)
    assert str(refused.value).startswith(str(path))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        (
            {"memory_bytes": -5},
            "must be a number greater than 0, not -5",
        ),
        (
            {"state_bytes": 0},
            "must be a number greater than 0, not 0",
        ),
        (
            {"decide_us": "x"},
            'must be a number of at least 0, not "x"',
        ),
        (
            {"rebuild_seconds": float("nan")},
            "must be a number of at least 0",
        ),
        (
            {"flush_us_many": float("inf")},
            "must be a number of at least 0",
        ),
        (
            {"accounts": True},
            "must be a number greater than 0, not true",
        ),
        (
            {"open_transactions": None},
            "must be a number greater",
        ),
    ],
)
def test_a_curve_with_a_figure_that_cannot_be_is_refused(
    tmp_path: Path, figures: dict[str, Any], says: str
) -> None:
    """Every size counts: those beyond the greatest partition, too."""
    for place in range(len(CURVE)):
        points = [each | (figures if number == place else {}) for number, each in enumerate(CURVE)]
        path = file_of(tmp_path / "c.json", {}, {"curve": points} | SAID)
        with pytest.raises(CapacityError) as refused:
            measured_in(path, LIMITS, LIMITS_WORD)
        assert str(refused.value).startswith(f"{path}, line 2, cannot be used: ")
        (name,) = figures
        assert f"{name} of size {place + 1} of the curve {says}" in str(refused.value)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (CURVE[:2], "two sizes with as many accounts, and different open_transactions"),
        ([CURVE[1], CURVE[1]], "two sizes with as many accounts, and different open_transactions"),
        (CURVE[1:3], "two sizes with different accounts, up to 300,000"),
        ([point(10**6, 1), point(10**6, 2)], "two sizes with different accounts, up to 300,000"),
    ],
)
def test_a_curve_with_too_few_sizes_says_which_it_needs(
    tmp_path: Path, points: list[dict[str, float]], says: str
) -> None:
    path = file_of(tmp_path / "c.json", {"curve": points} | SAID)
    with pytest.raises(CapacityError, match=says):
        measured_in(path, LIMITS, LIMITS_WORD)


def test_recoveries_that_read_no_more_are_refused(tmp_path: Path) -> None:
    same = {"read_seconds": 7, "read_cpu_seconds": 3, "changelog_bytes": 10**6}
    runs = [{"recovery": same | {"accounts": count}} | SAID for count in (1, 2)]
    with pytest.raises(CapacityError, match="must have read more changelog_bytes"):
        measured_in(file_of(tmp_path / "r.json", *runs), LIMITS, LIMITS_WORD)


RECOVERY = {"accounts": 9, "read_seconds": 7, "read_cpu_seconds": 3, "changelog_bytes": 10**6}


@pytest.mark.parametrize(
    "figures", [{"curve": CURVE}, {"cpu_us_per_transaction": 5.5}, {"recovery": RECOVERY}]
)
@pytest.mark.parametrize("is_series", [False, True])
def test_figures_of_another_policy_are_refused(
    tmp_path: Path, figures: dict[str, Any], *, is_series: bool
) -> None:
    words = {LIMITS_WORD: ("without --full", "leave --full out"), FULL_WORD: ("with", "add --full")}
    for measured, (how, change) in words.items():
        run = figures | {"policy": measured}
        if is_series:  # an old one, of which only the options say it
            run = {"options": {"full": measured == FULL_WORD}, "figures": figures}
        path = file_of(tmp_path / "b.json", run)
        asked = FULL_WORD if measured == LIMITS_WORD else LIMITS_WORD
        with pytest.raises(CapacityError) as refused:
            measured_in(path, LIMITS, asked)
        assert f"line 1, cannot be used: it was measured {how}" in str(refused.value)
        assert str(refused.value).endswith(change)
        if "recovery" not in figures:  # one alone is nothing yet
            assert measured_in(path, LIMITS, measured)[1]


@pytest.mark.parametrize("word", [{}, {"policy": "else"}, {"policy": None}, {"policy": [1]}])
def test_a_file_that_does_not_say_its_policy_is_refused(
    tmp_path: Path, word: dict[str, Any]
) -> None:
    path = file_of(tmp_path / "b.json", {"curve": CURVE} | word)
    with pytest.raises(CapacityError, match='add "policy": "full" to the line'):
        measured_in(path, FULL, FULL_WORD)
