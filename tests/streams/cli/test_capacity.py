"""`weir capacity`: text for people, JSON for programs, one clear error for what cannot be."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.policy.document import DEFAULT_LIMITS, FULL_POLICY
from streams.lab.capacity.costs import FULL, LIMITS
from streams.lab.capacity.curve import SizedCosts
from streams.lab.capacity.plan import SEEDS, Surroundings, losses_of, plan_of
from streams.lab.capacity.rebalance import WorkerGroup, worst_of
from streams.lab.capacity.sizing import Target, recovery_needs
from tests.support.command_line import Weir, fields, weir_of

ASKED = ("--transactions-per-second", "10k", "--accounts", "2.5M")


@pytest.fixture
def weir(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weir:
    """Run the command line here."""
    return weir_of(monkeypatch, capsys)


def test_a_person_sees_the_size_and_each_loss(weir: Weir) -> None:
    said = weir("capacity", *ASKED)
    assert said.status == 0
    lines = said.out.splitlines()
    plan = plan_of(LIMITS, Target(10_000, 2_500_000), Surroundings())
    assert lines[0].split()[:2] == ["partitions", str(plan.sizing.partitions)]
    assert lines[1].split()[:2] == ["workers", str(plan.sizing.workers)]
    for name, outcome in plan.losses.items():
        assert outcome is not None
        (line,) = [line for line in lines if line.startswith(f"{name}  ")]
        assert line.removeprefix(name).split()[0] == f"{outcome.deciding_seconds:,.0f}"


def test_a_program_gets_the_same_figures(weir: Weir) -> None:
    found = fields(weir("capacity", *ASKED, "--full", "--json"))
    target = Target(10_000, 2_500_000)
    plan = plan_of(FULL, target, Surroundings())
    assert found["sizing"]["workers"] == plan.sizing.workers
    assert found["sizing"]["flush"]["bytes"] == plan.sizing.flush.bytes
    assert found["target"]["accounts"] == 2_500_000
    group = WorkerGroup(plan.sizing.workers, plan.sizing.partitions, 10_000)
    needs = recovery_needs(FULL, target, plan.sizing, 1e9)
    rolled = worst_of(group, needs, losses_of(Surroundings())["rolled"], SEEDS)
    assert found["losses"]["rolled"] == rolled._asdict()
    assert found["costs"]["transaction_us"]["from"] == "published"
    assert set(found["costs"]) == set(FULL._fields)


def test_options_reach_the_plan(weir: Weir) -> None:
    options = (
        "--transactions-a-day", "40M", "--open-days", "2", "--partitions", "24",
        "--worker-memory", "32", "--core-share", "0.5", "--headroom", "0.3", "--replicas", "2",
        "--session-timeout", "45", "--heartbeat", "5", "--bandwidth", "250", "--segment-mb", "64",
    )  # fmt: skip
    found = fields(weir("capacity", *ASKED, *options, "--seed", "3", "--json"))
    target = Target(10_000, 2_500_000, 4e7, 2, 2, 0.3, 32e9, 0.5, 24)
    plan = plan_of(LIMITS, target, Surroundings(45, 5, 250e6, 64e6), 3)
    assert found["target"] == target._asdict()
    assert found["losses"] == {
        name: None if outcome is None else outcome._asdict()
        for name, outcome in plan.losses.items()
    }


def test_several_are_compared_one_a_line(weir: Weir) -> None:
    asked = (
        "--transactions-per-second", "1k,2k", "--accounts", "10k,1M", "--partitions", "8,16",
    )  # fmt: skip
    found = fields(weir("capacity", *asked, "--peak-factor", "4", "--json"))["plans"]
    assert len(found) == 8
    assert {plan["target"]["transactions_a_day"] for plan in found} == {
        1000 * 86_400 / 4,
        2000 * 86_400 / 4,
    }
    head, *lines = weir("capacity", *asked, "--peak-factor", "4").out.splitlines()
    assert head.split()[:2] == ["a", "second"]
    assert [line.split()[:3] for line in lines[:3]] == [
        ["1k", "10k", "8"], ["1k", "10k", "16"], ["1k", "1M", "8"],
    ]  # fmt: skip
    assert [line.split()[3] for line in lines] == [str(plan["sizing"]["workers"]) for plan in found]


def test_own_figures_take_the_place_of_published_ones(weir: Weir, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(
        json.dumps({"cpu_us_per_transaction": 40.0, "policy": "limits"}), encoding="utf-8"
    )
    found = fields(weir("capacity", *ASKED, "--from-bench", path, "--json"))
    assert found["costs"]["transaction_us"]["value"] == 40
    assert found["costs"]["transaction_us"]["from"] == "yours"
    assert found["costs"]["read_ns_a_byte"]["from"] == "published"
    before = fields(weir("capacity", *ASKED, "--json"))
    assert found["sizing"]["cores_busy"] > before["sizing"]["cores_busy"]
    said = weir("capacity", *ASKED, "--from-bench", path, "--costs").out
    (line,) = [line for line in said.splitlines() if line.startswith("transaction_us")]
    assert line.split() == ["transaction_us", "40", "us", "yours", "weir", "bench"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--accounts", "0"), "must be a number greater than 0"),
        (("--accounts", "-3"), "must be a number greater than 0"),
        (("--accounts", "1e9"), "must be a number greater than 0"),
        (("--accounts", "1k,"), "must be a number greater than 0"),
        (("--transactions-per-second", "fast"), "must be a number greater than 0"),
        (("--partitions", "many"), "or auto, not 'many'"),
        (("--partitions", "20k"), "partitions must be from 1 to 10,000, not 20000"),
        (("--partitions", "1", "--transactions-per-second", "1M"), "cannot keep up with 1,000,000"),
        (("--headroom", "1"), "headroom must be from 0 to below 1, not 1"),
        (("--worker-memory", "0.2"), "memory of a worker must be more than"),
        (("--bandwidth", "0"), "bandwidth must be greater than 0 MB a second, not 0"),
        (("--bandwidth", "-1"), "bandwidth must be greater than 0 MB a second, not -1"),
        (("--bandwidth", "nan"), "bandwidth must be greater than 0 MB a second, not nan"),
        (("--worker-memory", "-1"), "memory of a worker must be greater than 0 GB, not -1 GB"),
        (("--worker-memory", "0.001"), "which one without accounts needs, not 0.001 GB"),
        (("--session-timeout", "inf"), "session timeout must be a number of seconds"),
        (("--session-timeout", "nan"), "session timeout must be a number of seconds"),
        (("--session-timeout", "0"), "session timeout must be from 1 to 300 seconds, not 0"),
        (("--heartbeat", "inf"), "heartbeat must be a number of seconds, e.g. 2.5, not inf"),
        (("--heartbeat", "0"), "heartbeat must be from 0.1 to 100 seconds, not 0"),
        (("--heartbeat", "6"), "heartbeat must be at most half of the session timeout, 10 s"),
        (("--segment-mb", "inf"), "segment.bytes must be from 0 to 2,147 MB, not inf"),
        (("--segment-mb", "nan"), "segment.bytes must be from 0 to 2,147 MB, not nan"),
        (("--segment-mb", "-1"), "segment.bytes must be from 0 to 2,147 MB, not -1"),
        (("--segment-mb", "3000"), "segment.bytes must be from 0 to 2,147 MB, not 3,000"),
        (("--replicas", "0"), "copies must be a whole number from 1 to 9, not 0"),
        (("--replicas", "1000000000"), "copies must be a whole number from 1 to 9, not 1e+09"),
        (
            ("--transactions-a-day", "10000M"),
            "10,000 transactions a second make 864,000,000 a day at most, not 10,000,000,000",
        ),
        (
            ("--transactions-per-second", "1k,9k", "--transactions-a-day", "200M"),
            "1,000 transactions a second make 86,400,000 a day at most, not 200,000,000",
        ),
        (("--partitions", "1.5"), "must be a whole number, not 1.5"),
        (
            ("--partitions", "1", "--transactions-per-second", "1M", "--accounts", "1k"),
            "1 worker with 1 partition cannot",
        ),
        (("--transactions-a-day", "5", "--peak-factor", "2"), "leave one of them out"),
        (("--from-bench", "nowhere.json"), "nowhere.json: No such file"),
    ],
)
def test_what_cannot_be_is_one_message(weir: Weir, options: tuple[str, ...], says: str) -> None:
    said = weir("capacity", *ASKED, *options)
    assert (said.status, said.out) == (2, "")
    message = " ".join(said.err.replace("│", " ").split())
    assert says in message
    assert "Traceback" not in message


def test_a_day_may_be_as_busy_as_its_greatest_rate(weir: Weir) -> None:
    found = fields(weir("capacity", *ASKED, "--transactions-a-day", "864M", "--json"))
    assert found["sizing"] == fields(weir("capacity", *ASKED, "--json"))["sizing"]


@pytest.mark.parametrize("full", [False, True])
def test_a_curve_that_bench_prints_is_what_capacity_takes(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, full: bool
) -> None:
    points = [
        SizedCosts(1000, 1000, 10**6, 10**5, 256, 3.0, 10**5, 2.0, 10**6, 1.0, 0.01),
        SizedCosts(1000, 3000, 2 * 10**6, 2 * 10**5, 256, 3.0, 10**5, 2.0, 10**6, 1.0, 0.03),
        SizedCosts(9000, 9000, 10**7, 10**6, 256, 4.0, 10**5, 2.0, 10**6, 1.0, 0.1),
    ]
    asked: list[str] = []

    def measured(policy_text: str, say: Callable[[str], None]) -> list[SizedCosts]:
        asked.append(policy_text)
        say("measuring")
        return points

    monkeypatch.setattr("streams.lab.capacity.curve.curve", measured)
    options = ("--full",) if full else ()
    said = weir("bench", "--curve", "--json", *options)
    assert (said.status, said.err) == (0, "measuring\n")
    assert asked == [FULL_POLICY if full else DEFAULT_LIMITS]
    path = tmp_path / "curve.json"
    path.write_text(said.out, encoding="utf-8")
    refused = weir("capacity", *ASKED, "--from-bench", path, *(() if full else ("--full",)))
    assert (refused.status, refused.out) == (2, "")
    assert f"it was measured {'with' if full else 'without'} --full" in refused.err
    found = fields(weir("capacity", *ASKED, "--from-bench", path, "--json", *options))
    assert found["costs"]["transaction_bytes"]["value"] == 500
    assert found["costs"]["flush_ns_a_byte"]["from"] == "yours"
    lines = weir("bench", "--curve", *options).out.splitlines()
    assert lines[0].split()[:2] == ["accounts", "transactions"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["1,000", "1,000", "1,000,000"],
        ["1,000", "3,000", "2,000,000"],
        ["9,000", "9,000", "10,000,000"],
    ]
