"""The command line: what is asked for on stdout, what is wrong in one message, and the status."""

import csv
import inspect
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer.main

from monitor.core.transaction import FIELDS
from monitor.policy.document import FULL_POLICY
from monitor.population.needs import KINDS
from streams.cli import main
from streams.reference.commands import commands
from tests.support.command_line import Weir, weir_of
from tests.support.transactions import POLICY, row

COMMANDS = dict(commands(typer.main.get_command(main.app), "weir"))
NOBODY = "127.0.0.1:1"
"""Where no broker answers."""


ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith("WEIR_")
} | {"PYTHONPATH": str(Path(main.__file__).parents[2])}


@pytest.fixture
def weir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Weir:
    """Run the command line here, in a folder of its own."""
    monkeypatch.setattr("streams.interpreter.configure_interpreter", lambda: None)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        monkeypatch.delenv(name)

    return weir_of(monkeypatch, capsys)


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Five rows: one that alerts, one that is sent twice, one that is broken."""
    rows = [
        row("T1", amount="400.00"), row("T2", hours=1, amount="100.01"),
        row("T2", hours=1, amount="100.01"), row("T3", hours=2, amount="-1"),
        row("T4", hours=80, account_id="A2", amount="5.00"),
    ]  # fmt: skip
    lines = [",".join(FIELDS), *(",".join(cell or "" for cell in cells) for cells in rows)]
    path = tmp_path / "transactions.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# -- help ----------------------------------------------------------------------------------------


def test_help_names_every_command(weir: Weir) -> None:
    said = weir("--help")
    assert said.status == 0
    for name in ("demo", "worker", "send", "generate", "replay", "alerts", "check", "drill"):
        assert f" {name} " in said.out
    assert weir("-h").out == said.out


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"weir", "weir policy"}])
def test_the_help_of_each_command_has_an_example_of_it(weir: Weir, name: str) -> None:
    said = weir(*name.split()[1:], "--help")
    assert said.status == 0
    examples = said.out.partition("Examples:")[2]
    assert name in examples, name
    assert said.err == ""


def test_without_a_command_help_is_shown_and_that_is_a_mistake(weir: Weir) -> None:
    said = weir()
    assert said.status == 2
    assert "Usage:" in said.out + said.err


def test_the_version(weir: Weir) -> None:
    said = weir("--version")
    assert said.status == 0
    assert said.out.strip()[0].isdigit()


# -- policy check --------------------------------------------------------------------------------

BROKEN = """
version = 0
[calendar]
time_zone = "Berlin"
cut_off = "25:00"
[[limit]]
id = "x"
measure = "sum"
direction = "debit"
currency = "eur"
above = 3.5
"""


def test_a_broken_policy_is_refused_with_all_its_problems(weir: Weir, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(BROKEN, encoding="utf-8")
    said = weir("policy", "check", "p.toml")
    assert said.status == 2
    assert said.out == ""
    assert said.err.startswith("weir: p.toml cannot be used:\n  - ")
    for problem in ("version", "'Berlin'", "'25:00'", "'sum'", "'eur'"):
        assert problem in said.err
    assert said.err.count("\n  - ") == 5


def test_a_policy_is_said_in_words(weir: Weir, feed: Path) -> None:
    said = weir("policy", "check", feed.with_name("policy.toml"))
    assert (said.status, said.err) == (0, "")
    assert "debit amount of a day over 500.00 EUR, for everyone" in said.out
    found = json.loads(weir("policy", "check", "policy.toml", "--json").out)
    assert found["version"] == 1
    assert set(found["limits"]) == {"daily-amount", "daily-count"}
    assert [found[part] for part in ("reviews", "outliers", "systemic", "models")] == [
        [], None, None, None,
    ]  # fmt: skip
    shown = weir("policy", "check", "policy.toml").out
    assert "48 hours after its end" in shown
    assert not set('[]{}"') & set(shown), "no notation of Python's"


def test_the_policy_to_begin_with_is_shown_without_a_broker(weir: Weir) -> None:
    said = weir("policy", "show", "--default")
    assert (said.status, said.out, said.err) == (0, FULL_POLICY, "")
    found = json.loads(weir("policy", "show", "--default", "--json").out)
    assert [name for name, said in found.items() if said is None] == ["rates"]
    assert weir("policy", "show", "--default", "--broker", "127.0.0.1:1").status == 2


@pytest.mark.parametrize(
    "command", [("policy", "check"), ("replay", "transactions.csv", "--policy")]
)
@pytest.mark.parametrize("content", [b"\xff\xfe", b"=", b"[" * 20_000, b""])
def test_a_file_that_is_no_policy_is_said(
    weir: Weir, feed: Path, command: tuple[str, ...], content: bytes
) -> None:
    feed.with_name("bad.toml").write_bytes(content)
    said = weir(*command, "bad.toml")
    assert said.status == 2
    assert said.err.startswith("weir: bad.toml cannot be used:\n  - ")


# -- replay --------------------------------------------------------------------------------------


def test_a_replay_says_what_came_of_a_file(weir: Weir, feed: Path, tmp_path: Path) -> None:
    said = weir(
        "replay", feed, "--policy", "policy.toml", "--json", "--alerts", "a.jsonl",
        "--rejections", "r.jsonl", "--account-days", "d.jsonl",
    )  # fmt: skip
    assert (said.status, said.err) == (0, "")
    (line,) = said.out.splitlines()
    totals = json.loads(line)
    counts = {"records": 5, "transactions": 3, "rejected": 2, "duplicates": 1, "alerts": 1}
    assert {name: totals[name] for name in counts} == counts
    assert totals["rejected_by_reason"] == {"bad-amount": 1, "duplicate": 1}
    assert totals["alerts_by_kind_and_status"] == {"daily-amount/raised": 1}
    assert totals["seconds"] >= 0
    (alert,) = lines_of(tmp_path / "a.jsonl")
    expected = {
        "kind": "daily-amount", "status": "raised", "threshold_id": "daily-amount",
        "account_id": "A1", "business_day": "2026-01-05", "value": "500.01", "limit": "500.00",
        "transaction_id": "T2",
    }  # fmt: skip
    assert {name: alert[name] for name in expected} == expected
    assert alert["alert_id"]
    date.fromisoformat(alert["business_day"])  # or it is none
    rejections = lines_of(tmp_path / "r.jsonl")
    assert {json.loads(line["record"])["account_id"] for line in rejections} == {"A1"}
    assert sorted((line["reason"], line["row"], line["file"]) for line in rejections) == [
        ("bad-amount", 4, "transactions.csv"), ("duplicate", 3, "transactions.csv"),
    ]  # fmt: skip
    assert all(
        json.loads(line["record"])["account_id"] == "A1" for line in lines_of(Path("r.jsonl"))
    )


def test_a_replay_for_a_person_to_read(weir: Weir, feed: Path) -> None:
    said = weir("replay", feed, "--policy", "policy.toml")
    assert (said.status, said.err) == (0, "")
    assert [line.split()[-1] for line in said.out.splitlines() if line.startswith("records")] == [
        "5"
    ]


def test_alerts_on_stdout_are_alone_there(weir: Weir, feed: Path) -> None:
    said = weir("replay", feed, "--policy", "policy.toml", "--alerts", "-")
    assert said.status == 0
    assert [json.loads(line)["kind"] for line in said.out.splitlines()] == ["daily-amount"]


def test_the_program_itself_does_as_its_parts(feed: Path) -> None:
    """Once as a process of its own: what is printed, and the status that a shell sees."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", "replay", str(feed), *arguments],
            env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    good = run("--policy", str(feed.with_name("policy.toml")), "--json")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["alerts"] == 1
    bad = run("--policy", "nowhere.toml")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == "weir: nowhere.toml: No such file or directory\n"


# -- what is wrong -------------------------------------------------------------------------------

MISTAKES = [
    (("replay", "nowhere.csv"), 2, "nowhere.csv is not there"),
    (("replay", "transactions.csv", "--map", "nowhere.toml"), 2, "nowhere.toml: No such file"),
    (("replay", "transactions.csv", "--map", "policy.toml"), 2, "policy.toml cannot be read:"),
    (("replay", "transactions.csv", "--partitions", "0"), 2, "--partitions"),
    (("replay", "policy.toml"), 2, "policy.toml is no .csv"),
    (("replay",), 2, "Missing argument"),
    (("replay", "transactions.csv", "--wat"), 2, "No such option"),
    (("wat",), 2, "No such command"),
    (("policy", "check", "nowhere.toml"), 2, "nowhere.toml: No such file"),
    (("policy", "check", "."), 2, "Is a directory"),
    (("generate", "--accounts", "0", "--days", "0", "--out", "x.csv"), 2, "accounts is 0"),
    (("generate", "--accounts", "1", "--days", "1", "--out", "no/x.csv"), 2, "no folder no"),
    (("check",), 2, "WEIR_BROKER is missing"),
    (("worker", "--broker", "x"), 2, "WEIR_BROKER must be host:port"),
    (("worker", "--broker", NOBODY, "--policy", "nowhere.toml"), 2, "nowhere.toml: No such file"),
    (("replay", "transactions.csv", "--alerts", "no/a.jsonl"), 2, "there is no folder no"),
    (("replay", "transactions.csv", "--alerts", "."), 2, "is a folder"),
    (("replay", "transactions.csv", "--alerts", "transactions.csv"), 2, "is read too"),
    (("replay", "transactions.csv", "--policy", "policy.toml", "--alerts", "./policy.toml"), 2,
     "policy.toml is read too"),
    (("replay", "transactions.csv", "--alerts", "a", "--rejections", "./a"), 2, "two outputs"),
    (("replay", "transactions.csv", "--alerts", "-", "--rejections", "-"), 2, "two outputs"),
    (("replay", "transactions.csv", "--alerts", "-", "--json"), 2, "--json prints on stdout"),
    (("demo", "--input", "transactions.csv", "--alerts", "transactions.csv"), 2, "is read too"),
    (("whatif", "--limit", "daily-count", "--above", "1", "--file", "transactions.csv",
      "--table", "transactions.csv"), 2, "is read too"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    MISTAKES,
    ids=[" ".join(arguments) for arguments, _, _ in MISTAKES],
)
def test_a_mistake_is_one_message_and_touches_nothing(
    weir: Weir, feed: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    before = {path: path.read_bytes() for path in feed.parent.iterdir()}
    ended = weir(*arguments)
    assert ended.status == status
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert {path: path.read_bytes() for path in feed.parent.iterdir()} == before


@pytest.mark.slow
def test_where_no_broker_answers_the_status_is_3(feed: Path) -> None:
    """As processes of their own, all at a time: what waits is Kafka's client."""
    commands_of = (
        ("check",), ("policy", "set", "policy.toml"), ("send", "transactions.csv"),
    )  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "streams.cli", *arguments, "--broker", NOBODY],
            cwd=feed.parent, env=ENVIRONMENT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for arguments in commands_of
    ]  # fmt: skip
    for arguments, process in zip(commands_of, started, strict=True):
        out, err = process.communicate(timeout=100)
        assert process.returncode == 3, (arguments, err)
        assert err.startswith(f"weir: no broker answers at {NOBODY}"), arguments
        assert err.count("\n") == 1
        assert out == ""


# -- files that are written ----------------------------------------------------------------------


def broken_at_its_end(path: Path) -> Path:
    """Return a Parquet file of many rows, whose last part is damaged."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415 - heavy, and only here

    rows = [row(f"T{number}", account_id=f"A{number % 50}") for number in range(60_000)]
    table = pa.table({name: [cells[place] for cells in rows] for place, name in enumerate(FIELDS)})
    file = path / "broken.parquet"
    parquet.write_table(table, file, row_group_size=10_000)
    content = bytearray(file.read_bytes())
    middle = len(content) * 2 // 3
    content[middle : middle + 4000] = b"\xff" * 4000
    file.write_bytes(content)
    return file


def test_what_fails_midway_leaves_no_half_file_behind(weir: Weir, tmp_path: Path) -> None:
    source = broken_at_its_end(tmp_path)
    (tmp_path / "alerts.jsonl").write_bytes(b"of yesterday\n")
    said = weir("replay", source, "--alerts", "alerts.jsonl", "--rejections", "r.jsonl")
    assert said.status == 2
    assert "broken.parquet" in said.err
    assert (tmp_path / "alerts.jsonl").read_bytes() == b"of yesterday\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alerts.jsonl", "broken.parquet"]


def test_a_link_stays_a_link_and_a_device_a_device(weir: Weir, feed: Path, tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to("alerts.jsonl")
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        said = weir("replay", feed, "--policy", "policy.toml", "--alerts", "link.jsonl",
                    "--rejections", "pipe")  # fmt: skip
        assert said.status == 0, said.err
        assert os.read(reading, 1 << 16).count(b"\n") == 2
    finally:
        os.close(reading)
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "pipe").is_fifo()
    assert len(lines_of(tmp_path / "alerts.jsonl")) == 1


def test_generated_files_are_the_same_for_the_same_seed(weir: Weir, tmp_path: Path) -> None:
    runs = [
        weir(
            "generate", "--accounts", 30, "--days", 3, "--seed", 9, "--faults", "--json",
            "--out", f"{name}.csv", "--labels", f"{name}.jsonl",
        )
        for name in ("a", "b")
    ]  # fmt: skip
    assert [(said.status, said.err) for said in runs] == [(0, "")] * 2
    made = json.loads(runs[-1].out)
    content = (tmp_path / "a.csv").read_bytes()
    assert content == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert content.count(b"\n") == made["rows"] + 1
    assert len(content) == made["bytes"]


def test_days_of_needs_are_counted_apart_from_anomalies(weir: Weir, tmp_path: Path) -> None:
    asked = ("--accounts", 2000, "--days", 30, "--needs", "--incidents", "--json")
    said = weir("generate", *asked, "--out", "t.csv", "--labels", "l.jsonl")
    lines = (tmp_path / "l.jsonl").read_text(encoding="utf-8").splitlines()
    labels = [label for label in map(json.loads, lines) if label["level"] == "account-day"]
    of_needs = [label for label in labels if label["kind"] in KINDS]
    made = json.loads(said.out)
    assert made["account_days_of_needs"] == len(of_needs) > 50
    assert made["anomalies"] == len(labels) - len(of_needs) > 0


# -- account attributes --------------------------------------------------------------------------


def without_segments(source: Path, folder: Path) -> tuple[Path, Path]:
    """Write transactions that name no segment, and accounts that have it as an attribute."""
    with source.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    bare, accounts = folder / "bare.csv", folder / "accounts.csv"
    segments = {row["account_id"]: row["segment"] for row in rows if row["segment"]}
    with bare.open("w", newline="", encoding="utf-8") as file:
        written = csv.DictWriter(file, list(rows[0]))
        written.writeheader()
        written.writerows(row | {"segment": ""} for row in rows)
    lines = [f"{account_id},{segment}" for account_id, segment in segments.items()]
    accounts.write_text("\n".join(["account_id,segment", *lines]), encoding="utf-8")
    assert len(set(segments.values())) > 1
    return bare, accounts


def test_attributes_say_what_transactions_do_not(weir: Weir, tmp_path: Path) -> None:
    assert (
        weir("generate", "--accounts", 60, "--days", 5, "--seed", 4, "--out", "t.csv").status == 0
    )
    bare, accounts = without_segments(tmp_path / "t.csv", tmp_path)
    outputs = ("--alerts", "--account-days")
    for name, *given in (
        ("named", tmp_path / "t.csv"), ("known", bare, "--accounts", accounts), ("bare", bare),
    ):  # fmt: skip
        options = [word for out in outputs for word in (out, f"{name}{out}")]
        assert weir("replay", *given, *options).status == 0
    for out in outputs:
        named, known, unknown = (
            (tmp_path / f"{name}{out}").read_bytes() for name in ("named", "known", "bare")
        )
        assert named == known != unknown


def test_rows_that_are_no_account_are_told_and_counted(
    weir: Weir, feed: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("account_id,opened\nA1,\n" + ",x\n" * 7, encoding="utf-8")
    said = weir("replay", feed, "--accounts", "a.csv", "--json")
    assert said.status == 0
    assert json.loads(said.out)["accounts_rejected"] == 7
    told = said.err.splitlines()
    assert told[0] == "weir: a.csv, row 2: missing-field: account_id"
    assert (len(told), told[-1]) == (6, "weir: and more rows that are no account")


def test_what_would_alert_by_product_is_what_a_replay_says(weir: Weir, tmp_path: Path) -> None:
    assert (
        weir("generate", "--accounts", 60, "--days", 5, "--seed", 4, "--out", "t.csv").status == 0
    )
    lines = [f"A{number:07d},{'savings' if number % 2 else 'giro'}" for number in range(61)]
    (tmp_path / "a.csv").write_text("\n".join(["account_id,product", *lines]), encoding="utf-8")
    text = (
        'version = 1\n[[limit]]\nid = "savings"\nmeasure = "amount"\ndirection = "debit"\n'
        'currency = "EUR"\nabove = "100.00"\nscope = { product = "savings" }\n'
    )
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    given = ("--policy", "p.toml", "--accounts", "a.csv", "--json")
    replayed = json.loads(weir("replay", "t.csv", *given).out)
    asked = weir("whatif", "--limit", "savings", "--above", "200.00", "--file", "t.csv", *given)
    answer = json.loads(asked.out)
    assert replayed["alerts"] == answer["now"]["alerts"] > answer["then"]["alerts"] > 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("send",), "name files, accounts by --accounts, or a --heartbeat"),
        (("send", "t.csv", "--forget"), "--forget are for --accounts"),
        (("send", "--accounts", "a.csv", "--map", "m", "--accounts-map", "n"), "there are none"),
        (("replay", "t.csv", "--accounts-map", "m"), "--accounts-map is for --accounts"),
        (("demo", "--accounts", "0"), "0 is no number of accounts"),
        (("demo", "--accounts", "a.csv"), "a.csv is no number"),
        (("demo", "--accounts", "5", "--accounts-map", "m"), "for a file of --accounts"),
    ],
)
def test_what_does_not_fit_together_is_said(
    weir: Weir, feed: Path, words: tuple[str, ...], problem: str
) -> None:
    feed.rename(feed.with_name("t.csv"))
    said = weir(*words)
    assert said.status == 2
    assert problem in " ".join(said.err.replace("│", " ").split())


# -- help ----------------------------------------------------------------------------------------


def test_every_example_stands_on_one_line_of_a_terminal() -> None:
    for name, command in commands(typer.main.get_command(main.app), "weir"):
        _, _, examples = inspect.cleandoc(command.help).partition("Examples:")
        for line in examples.splitlines():
            too_wide_already = ("weir explain", "weir alerts")
            assert len(line.strip()) <= 76 or name.startswith(too_wide_already), line


def test_the_help_is_ordered_by_who_reads_it(weir: Weir) -> None:
    shown = weir("--help").out
    panels = [main.BEGIN, main.RUN, main.WORK, main.STUDY]
    assert sorted(panels, key=shown.index) == panels
    assert "\u256d\u2500 Commands" not in shown, "a command stands in no panel"
    assert "Begin with weir demo" in shown
    assert "<bool>" not in shown.replace("-h      <bool>", "")
