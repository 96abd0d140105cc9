"""Systemic alerts: a stream tells what a replay of the same file tells, byte for byte."""

import json
from pathlib import Path

import pytest

from monitor.policy.document import DEFAULT_POLICY
from monitor.population import Population
from streams.feed.population import made_batches
from tests.support.backlog import differences, ends_of, figures, wrong_members
from tests.support.rigs import command

POLICY = DEFAULT_POLICY + "\n[systemic]\n"


def systemic_in(file: Path) -> list[bytes]:
    """Return the systemic alerts of a file, in order of their days."""
    lines = [line for line in file.read_bytes().splitlines() if b'"kind":"systemic"' in line]
    return sorted(lines)


@pytest.mark.slow
def test_a_stream_tells_what_a_replay_tells(tmp_path: Path) -> None:
    file, policy = tmp_path / "made.csv", tmp_path / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    made = command(
        "generate", "--accounts", "1500", "--days", "40", "--incidents", "--seed", "3",
        "--out", file,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    told: dict[str, list[bytes]] = {}
    for name, options in (("replay", [file]), ("demo", ["--input", file, "--until-end"])):
        alerts = tmp_path / f"{name}.jsonl"
        run = command(name, *options, "--policy", policy, "--alerts", alerts, "--json")
        assert run.returncode == 0, run.stderr
        told[name] = systemic_in(alerts)
        counts = json.loads(run.stdout)["alerts_by_kind_and_status"]
        found = sum(n for kind, n in counts.items() if kind.startswith("systemic/"))
        assert found == len(told[name])
    assert told["replay"]
    assert told["demo"] == told["replay"]


@pytest.mark.xfail(
    strict=False, reason="known: the text of a day that is open at the end may differ"
)
@pytest.mark.slow
def test_a_stream_that_works_off_a_backlog_ends_with_the_reviews_of_a_replay() -> None:
    """All records are on the topic before the worker starts: verdicts come when days are long over.

    `python -m tests.support.backlog` does the same with files, and has the figures of greater ones.
    """
    population = Population(1500, days=40, seed=3, with_incidents=True)
    batches = list(made_batches(population))
    ends = ends_of(batches)
    assert differences(ends) == []
    rows = [row for batch in batches for row in batch.rows]
    assert wrong_members(ends.stream, rows) == []
    assert figures(ends)["reviews that leave out days"]


def test_a_replay_takes_several_policy_versions_and_writes_segment_days(tmp_path: Path) -> None:
    rows = [
        "transaction_id,account_id,booked_at,amount,currency,direction,segment",
        *(
            f"T{day}-{n},A{n},2026-01-{day:02d}T10:00:00Z,900.00,EUR,debit,retail"
            for day in range(5, 15)
            for n in range(3)
        ),
    ]
    file, days, alerts = tmp_path / "rows.csv", tmp_path / "days.jsonl", tmp_path / "alerts.jsonl"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(POLICY, encoding="utf-8")
    lower = POLICY.replace("version = 1", 'version = 2\neffective_from = "2026-01-10"')
    second.write_text(lower.replace('above = "2000.00"', 'above = "800.00"'), encoding="utf-8")
    run = command(
        "replay", file, "--policy", first, "--policy", second, "--partitions", "2",
        "--alerts", alerts, "--segment-days", days, "--json",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    told = [json.loads(line) for line in alerts.read_bytes().splitlines()]
    limits = [alert for alert in told if alert["kind"] == "daily-amount"]
    assert {alert["policy_version"] for alert in limits} == {2}
    assert min(alert["business_day"] for alert in limits) == "2026-01-10"
    breaches: dict[str, int] = {}
    accounts: dict[str, int] = {}
    for record in map(json.loads, days.read_bytes().splitlines()):
        day = record["business_day"]
        if not record["account_days"]:
            continue  # a day of nothing is told, too
        accounts[day] = accounts.get(day, 0) + record["account_days"]
        for limit in record["limits"]:
            if limit["threshold_id"] == "daily-amount":
                breaches[day] = breaches.get(day, 0) + limit["breaches"]
    closed = [f"2026-01-{day:02d}" for day in range(5, 12)]  # 48 hours of lateness after it
    assert accounts == dict.fromkeys(closed, 3)
    assert breaches == {day: 3 if day >= "2026-01-10" else 0 for day in closed}
