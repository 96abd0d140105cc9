"""`weir alerts` over a file: listed, written down, and disposed of."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from monitor.core.business_day import MICROSECONDS, TIME_LAST, event_time_text
from monitor.dispositions.rules import last_told
from streams.wire import codec
from tests.support.command_line import Weir, weir_of
from tests.support.incident_stream import INCIDENT_POLICY, incident_rows

Alert = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alerts")
    lines = [codec.transaction_bytes(row) for row in incident_rows()]
    (folder / "t.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (folder / "p.toml").write_text(INCIDENT_POLICY, encoding="utf-8")
    return folder


@pytest.fixture
def weir(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> Weir:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("WEIR_BROKER", raising=False)
    run = weir_of(monkeypatch, capsys)
    if not (folder / "a.jsonl").exists():
        assert run("replay", "t.jsonl", "--policy", "p.toml", "--alerts", "a.jsonl").status == 0
    (folder / "a.dispositions.jsonl").unlink(missing_ok=True)
    return run


@pytest.fixture
def alerts(weir: Weir, folder: Path) -> list[Alert]:  # noqa: ARG001 - it makes the file
    return [json.loads(line) for line in (folder / "a.jsonl").read_bytes().splitlines()]


def ids_of(out: str) -> list[str]:
    """Return the ids of a table, or of JSON Lines."""
    lines = out.splitlines()
    if lines[0].startswith("{"):
        return [json.loads(line)["alert_id"] for line in lines]
    return [line.split()[0] for line in lines[1:]]


def test_a_file_is_listed_by_day_with_ids_and_a_header(weir: Weir, alerts: list[Alert]) -> None:
    said = weir("alerts", "--alerts", "a.jsonl")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines()[0].split() == [
        "alert", "day", "account", "over", "its", "limit", "total,", "when", "told", "limit",
        "times", "severity", "status",
    ]  # fmt: skip
    assert sorted(ids_of(said.out)) == sorted(alert["alert_id"] for alert in alerts)
    days = [line.split()[1] for line in said.out.splitlines()[1:]]
    assert days == sorted(days)


def test_choices_go_together(weir: Weir, alerts: list[Alert]) -> None:
    last = last_told(alerts)
    chosen = [
        alert["alert_id"]
        for alert in last.values()
        if alert["kind"] in ("review", "outlier") and alert["status"] != "withdrawn"
    ]
    words = ("--last", "--kind", "review", "--kind", "outlier", "--status", "raised",
             "--status", "restated")  # fmt: skip
    said = weir("alerts", "--alerts", "a.jsonl", *words, "--json")
    assert sorted(ids_of(said.out)) == sorted(chosen)
    day = alerts[0]["business_day"]
    said = weir("alerts", "--alerts", "a.jsonl", "--day", day, "--account", "A3")
    assert sorted(ids_of(said.out)) == sorted(
        alert["alert_id"]
        for alert in alerts
        if (alert["business_day"], alert["account_id"]) == (day, "A3")
    )  # fmt: skip
    nothing = weir("alerts", "--alerts", "a.jsonl", "--account", "nobody")
    assert (nothing.status, nothing.out) == (0, "")
    assert "no alert is as asked for" in nothing.err


def test_members_of_an_incident_are_listed(weir: Weir, alerts: list[Alert]) -> None:
    incident = [alert for alert in alerts if alert["kind"] == "systemic"][-1]
    said = weir("alerts", "--alerts", "a.jsonl", "--incident", incident["alert_id"], "--json")
    members = [json.loads(line) for line in said.out.splitlines()]
    assert len(members) == incident["grouped"]
    assert {member["segment"] for member in members} == {incident["segment"]}
    assert {member["business_day"] for member in members} <= {*incident["evidence"]["days"]}
    amount = next(alert for alert in alerts if alert["kind"] == "daily-amount")
    for wrong in (amount["alert_id"], "nothing"):
        said = weir("alerts", "--alerts", "a.jsonl", "--incident", wrong)
        assert (said.status, said.out) == (2, "")
        assert f"there is no systemic alert {wrong}" in said.err


def test_the_ending_of_out_says_what_is_written(
    weir: Weir, alerts: list[Alert], folder: Path
) -> None:
    last = last_told(alerts)
    for name in ("out.csv", "out.parquet", "out.jsonl"):
        said = weir("alerts", "--alerts", "a.jsonl", "--last", "--out", name)
        assert (said.status, said.out, said.err) == (0, "", "")
    assert parquet.read_table(folder / "out.parquet").num_rows == len(last)
    lines = (folder / "out.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["disposition"] for line in lines] == [None] * len(last)
    described = [
        weir("describe", name, "--target", "kind=review", "--crosstab", "segment,reading",
             "--ignore", "evidence", "--json").out
        for name in ("out.csv", "out.parquet", "out.jsonl")
    ]  # fmt: skip
    assert len({*described}) == 1
    assert json.loads(described[0])
    for name in ("out.txt", "out", "out.json"):
        said = weir("alerts", "--alerts", "a.jsonl", "--out", name)
        assert (said.status, said.out) == (2, "")
        assert "must end in .jsonl, .csv or .parquet" in said.err
        assert not (folder / name).exists()
    replayed = weir("replay", "t.jsonl", "--policy", "p.toml", "--alerts", "wrong.csv")
    assert replayed.status == 2
    assert "would be written as JSON Lines" in replayed.err
    again = weir("explain", last.popitem()[1]["alert_id"], "--alerts", "out.jsonl", "--input",
                 "t.jsonl", "--policy", "p.toml")  # fmt: skip
    assert (again.status, again.out.splitlines()[-1]) == (0, "the same")


def test_a_disposition_goes_beside_the_file_and_a_second_one_warns(
    weir: Weir, alerts: list[Alert], folder: Path
) -> None:
    alert_id = alerts[0]["alert_id"]
    of_file = ("--alerts", "a.jsonl")
    first = weir("alerts", "dispose", alert_id, "--as", "false-alarm", "--by", "ann", *of_file)
    assert (first.status, first.err) == (0, "")
    assert "a.dispositions.jsonl" in first.out
    second = weir("alerts", "dispose", alert_id, "--as", "suspicious", "--by", "ben", *of_file)
    assert second.status == 0
    assert f"{alert_id} was disposed of before: false-alarm by ann at 20" in second.err
    lines = (folder / "a.dispositions.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["by"] for line in lines] == ["ann", "ben"]  # both stay

    listed = weir("alerts", "dispositions", *of_file, "--json")
    found = [json.loads(line) for line in listed.out.splitlines()]
    assert [(word["by"], word["alert_id"]) for word in found] == [
        ("ann", alert_id),
        ("ben", alert_id),
    ]
    assert sum(word["holds"] for word in found) == 1
    text = weir("alerts", "dispositions", alert_id, *of_file)
    assert [line.startswith("*") for line in text.out.splitlines()].count(True) == 1
    shown = weir("alerts", *of_file, "--account", alerts[0]["account_id"], "--json")
    (held,) = [alert["disposition"] for alert in map(json.loads, shown.out.splitlines())
               if alert["alert_id"] == alert_id and alert["revision"] == 1]  # fmt: skip
    assert held["by"] == next(word["by"] for word in found if word["holds"])
    table = weir("alerts", *of_file, "--account", alerts[0]["account_id"])
    assert f"{held['disposition']} by {held['by']}" in table.out
    still_open = weir("alerts", *of_file, "--open", "--json")
    assert alert_id not in ids_of(still_open.out)
    nobody = weir("alerts", "dispositions", "another", *of_file)
    assert (nobody.status, nobody.out) == (0, "")


def test_many_second_dispositions_are_counted(
    weir: Weir, alerts: list[Alert], folder: Path
) -> None:
    ids = sorted({alert["alert_id"] for alert in alerts})[:9]
    lines = [{"alert_id": alert_id, "disposition": "suspicious", "by": "ann"} for alert_id in ids]
    (folder / "many.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ("alerts", "dispose", "--from", "many.jsonl", "--alerts", "a.jsonl")
    assert weir(*words).err == ""
    again = weir(*words).err.splitlines()
    assert len(again) == 6
    assert again[-1] == "weir: and 4 more such alerts"


def test_a_disposition_that_is_dated_ahead_is_refused(
    weir: Weir, alerts: list[Alert], folder: Path
) -> None:
    line = {"alert_id": alerts[0]["alert_id"], "disposition": "suspicious", "by": "ann"}
    words = ("alerts", "dispose", "--from", "ahead.jsonl", "--alerts", "a.jsonl")
    now = int(time.time()) * MICROSECONDS
    for at, status in (
        (TIME_LAST, 2),
        (now + 3600 * MICROSECONDS, 2),
        (now + 60 * MICROSECONDS, 0),
        (now, 0),
    ):
        dated = {**line, "at": event_time_text(at)}
        (folder / "ahead.jsonl").write_text(json.dumps(dated) + "\n")
        (folder / "a.dispositions.jsonl").unlink(missing_ok=True)
        said = weir(*words)
        assert said.status == status
        assert (folder / "a.dispositions.jsonl").exists() == (status == 0)
        assert ("must be no later than now" in said.err) == (status == 2)
        assert (dated["at"] in said.err) == (status == 2)


def test_an_alert_that_is_not_in_the_file_is_refused(weir: Weir, folder: Path) -> None:
    said = weir("alerts", "dispose", "nothing", "--as", "suspicious", "--by", "ann", "--alerts",
                "a.jsonl")  # fmt: skip
    assert said.status == 2
    assert "no alert nothing is in a.jsonl" in said.err
    assert not (folder / "a.dispositions.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("alerts",), "by --alerts FILE, or a broker by --broker"),
        (("alerts", "dispose", "x", "--as", "suspicious", "--by", "a"), "by --alerts FILE, or a"),
        (("alerts", "dispositions"), "by --alerts FILE, or a broker"),
        (("alerts", "--alerts", "a.jsonl", "--broker", "b:1"), "leave one of them out"),
        (("alerts", "--alerts", "a.jsonl", "--day", "2026-13-45"), "--day must be a day as"),
        (("alerts", "--alerts", "a.jsonl", "--told-day", "5.1.2026"), "--told-day must be a day"),
        (("alerts", "--alerts", "a.jsonl", "--since", "noon"), "--since must be a day"),
        (("alerts", "--alerts", "a.jsonl", "--since", "2026-01-01"), "does not say when it was"),
        (("alerts", "--alerts", "a.jsonl", "--sort", "told"), "do not say when they were told"),
        (("alerts", "--alerts", "a.jsonl", "--follow"), "--follow is for the topic"),
        (("alerts", "--alerts", "a.jsonl", "--kind", "amount"), "daily-amount"),
        (("alerts", "--alerts", "nowhere.jsonl"), "nowhere.jsonl: No such file"),
        (("alerts", "--alerts", "a.jsonl", "--out", "a.jsonl"), "is read too"),
        (("alerts", "--alerts", "t.jsonl"), "line 1 is no alert"),
        (("alerts", "dispose", "x", "--as", "nonsense", "--by", "a"), "service-need"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(
    weir: Weir, words: tuple[str, ...], problem: str
) -> None:
    said = weir(*words)
    assert (said.status, said.out) == (2, "")
    assert problem in " ".join(said.err.replace("│", " ").split())
