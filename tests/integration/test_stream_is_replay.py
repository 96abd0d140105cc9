"""One file through a broker, Faust and durable state, and through a replay: the same answer."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from monitor.policy.document import DEFAULT_POLICY
from tests.support.references import BERKA, BIRMINGHAM, EXAMPLES, Reference, digest_of, path_of
from tests.support.rigs import command

EVERY_SCOPE = """
version = 3
[calendar]
time_zone = "Asia/Kathmandu"
cut_off = "17:30"
allowed_lateness = "12h"
[[limit]]
id = "amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "1500.00"
[[limit]]
id = "amount-business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "20000.00"
scope = { segment = "business" }
severity = "high"
[[limit]]
id = "amount-of-one"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "0.01"
scope = { account = "A0000007" }
[[limit]]
id = "count"
measure = "count"
direction = "both"
above = 12
[[limit]]
id = "count-of-few"
measure = "count"
direction = "both"
above = 3
scope = { in_list = "few" }
[lists.few]
accounts_file = "few.txt"
[[suppression]]
account = "A0000007"
until = "2026-01-06"
reason = "agreed"
"""
FEW = "".join(f"A{number:07d}\n" for number in range(20, 60))


def stated(folder: Path, policy: str) -> Path:
    """Write a policy and the file of its list; return the policy's file."""
    (folder / "few.txt").write_text(FEW, encoding="utf-8")
    file = folder / "policy.toml"
    file.write_text(policy, encoding="utf-8")
    return file


class Answer(NamedTuple):
    """What a run over a file said, without the order in which partitions came to say it."""

    totals: dict[str, Any]
    last: dict[str, tuple[Any, ...]]  # the last telling of every alert id
    told: Counter[tuple[Any, ...]]  # every telling
    rejections: Counter[tuple[str, str]]


def answer(name: str, folder: Path, *options: str | Path) -> Answer:
    alerts, rejections = folder / f"{name}-alerts.jsonl", folder / f"{name}-rejections.jsonl"
    run = command(
        name, *options, "--as-it-stands", "--alerts", alerts, "--rejections", rejections, "--json"
    )
    assert run.returncode == 0, run.stderr
    told = [json.loads(line) for line in alerts.read_bytes().splitlines()]
    last: dict[str, dict[str, Any]] = {}
    for alert in told:
        before = last.get(alert["alert_id"])
        assert before is None or before["revision"] < alert["revision"]
        last[alert["alert_id"]] = alert
    rejected = [json.loads(line) for line in rejections.read_bytes().splitlines()]
    totals = json.loads(run.stdout)
    totals.pop("models", None)  # of a replay: a worker has metrics for it
    return Answer(
        totals,
        {alert_id: _said(alert) for alert_id, alert in last.items()},
        Counter(map(_said, told)),
        Counter((rejection["reason"], rejection["record"]) for rejection in rejected),
    )


def _said(alert: dict[str, Any]) -> tuple[Any, ...]:
    names = (
        "alert_id", "revision", "status", "account_id", "business_day", "kind", "threshold_id",
        "value", "limit", "currency", "segment", "severity", "policy_version", "transaction_id",
        "event_time",
    )  # fmt: skip
    parts = (json.dumps(alert.get(name), sort_keys=True) for name in ("evidence", "suppressed"))
    return (*(alert[name] for name in names), *parts)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five days of 400 accounts, with reversals, late rows, rows that come twice and broken ones.

    And with what a made population has none of: a day that is over its limit and is taken back,
    and a row that comes when its day is closed.
    """
    file = tmp_path_factory.mktemp("made") / "transactions.csv"
    made = command(
        "generate", "--accounts", "400", "--days", "6", "--anomalies", "20", "--faults",
        "--seed", "11", "--out", file,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    first, *rows = file.read_text(encoding="utf-8").splitlines()
    more = [
        "R1,A0000009,2026-01-08T10:00:00Z,99999.00,EUR,debit,,,,current,,",
        "R2,A0000009,2026-01-08T10:00:01Z,99999.00,EUR,debit,,,,current,,R1",
        "R3,A0000009,2026-01-07T10:00:02Z,1.00,EUR,debit,,,,current,,nothing",
        "R15,A0000009,2026-01-08T12:00:02Z,1.00,EUR,debit,,,,current,,nothing",
        "R11,A0000009,2026-01-08T10:00:02Z,1.00,EUR,debit,,,,current,,R2",
        "R12,A0000009,2026-01-08T10:00:02Z,99999.00,EUR,debit,,,,current,,R2",
        "R13,A0000009,2026-01-08T10:00:02Z,5.00,EUR,debit,,,,current,,R14",
        "R14,A0000009,2026-01-08T10:00:02Z,9.00,EUR,debit,,,,current,,",
        "R4,A0000009,2026-01-05T10:00:00Z,1.00,EUR,debit,,,,current,,",
        "R5,A0000009,2026-01-08T10:00:03Z,1.005,EUR,debit,,,,current,,",
        "R6,A0000009,2026-01-08T10:00:03Z,1.00,XXL,debit,,,,current,,",
        ",A0000009,2026-01-08T10:00:03Z,1.00,EUR,debit,,,,current,,",
        "R8,A0000009,2026-01-08 at ten,1.00,EUR,debit,,,,current,,",
        "R9,A0000009,too few cells",
        # Each twice over a limit on a day that has ended: in UTC, and by the cut-off below.
        "S1,A0000010,2026-01-07T20:00:00Z,9000.00,EUR,debit,,,,current,,",
        "S2,A0000010,2026-01-07T20:00:01Z,9000.00,EUR,debit,,,,current,,",
        "S3,A0000011,2026-01-08T11:00:00Z,9000.00,EUR,debit,,,,current,,",
        "S4,A0000011,2026-01-08T11:00:01Z,9000.00,EUR,debit,,,,current,,",
    ]
    place = next(n for n, row in enumerate(rows) if row.split(",")[2] > "2026-01-08T20:00")
    waits = "R10,A0000009,2026-01-10T23:59:59Z,1.00,EUR,debit,,,,current,,still-nothing"
    lines = [first, *rows[:place], *more, *rows[place:], waits]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


POLICIES = pytest.mark.parametrize(
    "policy",
    [
        pytest.param(DEFAULT_POLICY, id="default", marks=pytest.mark.slow),
        pytest.param(EVERY_SCOPE, id="every-scope"),
    ],
)


def assert_the_same(stream: Answer, replay: Answer) -> None:
    assert stream.last == replay.last
    assert stream.told == replay.told
    assert stream.rejections == replay.rejections
    assert stream.totals | {"seconds": 0} == replay.totals | {"seconds": 0}


@POLICIES
def test_a_stream_says_what_a_replay_says(made: Path, policy: str, tmp_path: Path) -> None:
    file = stated(tmp_path, policy)
    replay = answer("replay", tmp_path, made, "--policy", file)
    stream = answer("demo", tmp_path, "--input", made, "--policy", file, "--until-end")
    # The file has all that could come out differently.
    if policy == EVERY_SCOPE:
        assert {said[-1] == "null" for said in replay.last.values()} == {False, True}
        assert "count-of-few" in {said[6] for said in replay.last.values()}
    assert replay.totals["waiting"] > 0
    assert {said[2] for said in replay.last.values()} == {"raised", "restated", "withdrawn"}
    assert {reason for reason, _ in replay.rejections} == {
        "malformed", "missing-field", "bad-amount", "bad-time", "unknown-currency", "too-late",
        "duplicate", "nothing-to-reverse", "reversal-mismatch",
    }  # fmt: skip
    assert_the_same(stream, replay)


@pytest.mark.slow
def test_faust_s_own_transport_says_it_too(made: Path, tmp_path: Path) -> None:
    file = stated(tmp_path, EVERY_SCOPE)
    replay = answer("replay", tmp_path, made, "--policy", file)
    stream = answer(
        "demo", tmp_path, "--input", made, "--policy", file, "--until-end", "--transport", "plain"
    )
    assert_the_same(stream, replay)


@pytest.mark.slow
@pytest.mark.parametrize("reference", [BERKA, BIRMINGHAM], ids=lambda reference: reference.name)
def test_real_data_through_a_broker_meets_the_reference_counts(
    reference: Reference, tmp_path: Path
) -> None:
    options = (
        "--map", EXAMPLES / f"{reference.name}.map.toml",
        "--policy", EXAMPLES / f"{reference.name}.policy.toml",
    )  # fmt: skip
    data = path_of(reference)
    stream = answer("demo", tmp_path, "--input", data, *options, "--until-end")
    assert stream.totals["records"] == reference.rows
    assert stream.totals["skipped"] == reference.skipped
    days: dict[str, set[tuple[str, str]]] = {"daily-amount": set(), "daily-count": set()}
    for _, _, status, account, day, kind, *_ in stream.last.values():
        assert status in {"raised", "restated"}
        days[kind].add((account, day))
    assert len(days["daily-amount"]) == reference.amount_days
    assert len(days["daily-count"]) == reference.count_days
    assert digest_of(days["daily-amount"]) == reference.amount_days_sha256
    assert_the_same(stream, answer("replay", tmp_path, data, *options))


@pytest.mark.slow
def test_a_stream_with_account_attributes_says_what_a_replay_with_them_says(
    made: Path, tmp_path: Path
) -> None:
    with made.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if None not in row]
    segments = {row["account_id"]: row["segment"] for row in rows if row["segment"]}
    accounts, bare = tmp_path / "accounts.csv", tmp_path / "bare.csv"
    lines = [f"{account_id},{segment},Praha" for account_id, segment in segments.items()]
    accounts.write_text("\n".join(["account_id,segment,branch", *lines]), encoding="utf-8")
    with bare.open("w", newline="", encoding="utf-8") as file:
        written = csv.DictWriter(file, list(rows[0]))
        written.writeheader()
        written.writerows(row | {"segment": ""} for row in rows)
    given = ("--policy", stated(tmp_path, EVERY_SCOPE), "--accounts", accounts)
    stream = answer("demo", tmp_path, "--input", bare, *given, "--until-end")
    replay = answer("replay", tmp_path, bare, *given)
    assert replay.totals.pop("accounts_known") == len(segments.keys() - {""})
    assert replay.totals.pop("accounts_rejected") == ("" in segments)
    assert_the_same(stream, replay)
    without = answer("replay", tmp_path, bare, *given[:2])
    assert without.last != replay.last
