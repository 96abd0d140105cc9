import csv
import importlib.util
import io
import json
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Alert, Status
from monitor.core.business_day import day_text
from monitor.core.transaction import Fields
from monitor.policy.document import policy_of
from monitor.policy.policy import Policy, PolicyBook
from monitor.population import COLUMNS, Population
from monitor.whatif import (
    Change,
    LimitDays,
    WhatIfError,
    above_of,
    changed_policy,
    limit_for,
    limit_of,
    limits_around,
    sketches_of,
)
from streams.cli import main
from streams.cli.views.whatif import subject_text
from streams.feed.population import made_batches
from streams.feed.reader import Batch
from streams.replay.replay import Replay
from streams.replay.whatif import Answer, fields_of, whatif
from tests.support.transactions import row

POLICY = """
version = 1
[calendar]
time_zone = "UTC"
allowed_lateness = "6h"
[[limit]]
id = "amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "{amount}"
[[limit]]
id = "amount-business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "{amount-business}"
scope = {{ segment = "business" }}
[[limit]]
id = "amount-a3"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "{amount-a3}"
scope = {{ account = "A3" }}
[[limit]]
id = "count"
measure = "count"
above = {count}
[[limit]]
id = "count-business"
measure = "count"
above = {count-business}
scope = {{ segment = "business" }}
"""
ABOVE = {
    "amount": "3.00", "amount-business": "5.00", "amount-a3": "1.00",
    "count": 1, "count-business": 2,
}  # fmt: skip
PARTITIONS = 2


def policy(**above: object) -> Policy:
    return policy_of(POLICY.format(**(ABOVE | above)))


def batch(rows: Sequence[Fields]) -> Batch:
    return Batch(Path("rows"), rows, range(1, len(rows) + 1), [], 1.0)


def standing(
    stated: Policy, batches: Iterable[Batch], partitions: int = PARTITIONS
) -> tuple[set[tuple[str, str, int]], int]:
    """Return what a replay alerts on in the end (limit, account, day), and how many it withdrew."""
    run = Replay(PolicyBook([stated]), partitions)
    last: dict[tuple[str, str, int], Status] = {}
    for each in batches:
        for alert in run.observe(each).alerts:
            assert isinstance(alert, Alert)
            assert alert.threshold is not None
            key = (alert.threshold.threshold_id, alert.account_id, alert.business_day)
            last[key] = alert.status
    stands = {key for key, status in last.items() if status is not Status.WITHDRAWN}
    return stands, sum(key[0] == "amount" for key in last.keys() - stands)


def asked(
    stated: Policy, limit: str, above: str, rows: Sequence[Fields], budget: Fraction | None = None
) -> Answer:
    threshold = limit_of(stated, limit)
    return whatif(stated, threshold, above_of(above, threshold), [batch(rows)], PARTITIONS, budget)


def assert_is_of(
    change: Change, limit: str, now: set[tuple[str, str, int]], then: set[tuple[str, str, int]]
) -> None:
    """Hold a change of a limit against what two replays alert on in the end."""
    for when, stands in (("now", now), ("then", then)):
        days = Counter(day for name, _, day in stands if name == limit)
        found = {day.business_day: getattr(day, when) for day in change.days}
        assert {day: count for day, count in found.items() if count} == days
    days_now = Counter(account for name, account, _ in now if name == limit)
    days_then = Counter(account for name, account, _ in then if name == limit)
    told = [
        (each.account_id, each.days_now, each.days_then)
        for each in (*change.starting, *change.stopping, *change.changing)
    ]
    accounts = days_now.keys() | days_then.keys()
    assert sorted(told) == sorted(
        (account, days_now[account], days_then[account])
        for account in accounts
        if days_now[account] != days_then[account]
    )
    assert {a.account_id for a in change.starting} == days_then.keys() - days_now.keys()
    assert {a.account_id for a in change.stopping} == days_now.keys() - days_then.keys()
    assert (change.accounts_now, change.accounts_then) == (len(days_now), len(days_then))


moves: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(["A1", "A2", "A3", "A4"]),
        "hours": st.integers(-12, 100),
        "amount": st.sampled_from(["0.00", "0.01", "0.99", "1.00", "2.00", "3.00", "3.01", "9.00"]),
        "direction": st.sampled_from(["debit", "debit", "credit"]),
        "currency": st.sampled_from(["EUR", "EUR", "USD"]),
        "segment": st.sampled_from([None, "retail", "business"]),
        "before": st.integers(1, 6),  # which one it takes back, or is a copy of
        "does": st.sampled_from(["move", "move", "move", "reverse", "repeat"]),
    }
)


@st.composite
def feeds(draw: st.DrawFn) -> list[Fields]:
    """Rows of some days, not quite in order: too-late ones, copies and reversals among them."""
    made = draw(st.lists(moves, max_size=40))
    made.sort(key=lambda move: move["hours"] - move["hours"] % 7 * 5)
    rows: list[Fields] = []
    for number, move in enumerate(made):
        hours, before, does = (move.pop(name) for name in ("hours", "before", "does"))
        other = made[max(number - before, 0)] if number else move
        name = f"T{number}"
        if does == "repeat" and number:
            name = f"T{max(number - before, 0)}"
        if does == "reverse" and number:
            move["account_id"] = other["account_id"]
            move["reverses"] = f"T{max(number - before, 0)}"
        rows.append(row(name, hours=hours, **{k: v for k, v in move.items() if v is not None}))
    return rows


@given(
    feeds(),
    st.sampled_from([
        ("amount", ["0.00", "0.99", "2.00", "3.00", "3.01", "4.00", "50.00"]),
        ("amount-business", ["0.00", "2.99", "5.00", "9.00"]),
        ("amount-a3", ["0.00", "0.01", "1.00", "4.00"]),
        ("count", ["0", "1", "2", "5"]),
        ("count-business", ["0", "1", "4"]),
    ]).flatmap(lambda choice: st.tuples(st.just(choice[0]), st.sampled_from(choice[1]))),
)  # fmt: skip
def test_the_answer_is_what_two_replays_give(rows: list[Fields], change: tuple[str, str]) -> None:
    limit, above = change
    answer = asked(policy(), limit, above, rows)
    now, withdrawn = standing(policy(), [batch(rows)])
    then, _ = standing(policy(**{limit: above}), [batch(rows)])
    assert {key for key in now if key[0] != limit} == {key for key in then if key[0] != limit}
    assert_is_of(answer.change, limit, now, then)
    if limit == "amount":
        assert answer.withdrawn == withdrawn
    run = Replay(PolicyBook([policy()]), PARTITIONS)
    run.observe(batch(rows))
    assert answer.totals.fields(0) == run.totals.fields(0)


PEER_GROUPS = """
version = 1
[calendar]
allowed_lateness = "6h"
[budget]
alerts_per_day = 5
[[limit]]
id = "everyone"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "300.00"
[[limit]]
id = "coarse"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "150.00"
scope = { peer_group = "A" }
"""


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "above"), [("everyone", 100_00), ("coarse", 1_00)])
def test_peer_groups_are_those_of_each_policy(limit: str, above: int) -> None:
    stated = policy_of(PEER_GROUPS)
    batches = list(made_batches(Population(300, 42, 5)))
    threshold = limit_of(stated, limit)
    answer = whatif(stated, threshold, above, batches, 1)
    now, _ = standing(stated, batches, 1)
    then, _ = standing(changed_policy(stated, threshold, above), batches, 1)
    for stands in (now, then):
        assert {"everyone", "coarse"} <= {key[0] for key in stands}  # the groups are there
    other = "coarse" if limit == "everyone" else "everyone"
    assert {key for key in now if key[0] == other} != {key for key in then if key[0] == other}
    assert_is_of(answer.change, limit, now, then)


@given(feeds(), st.sampled_from(["amount", "count"]), st.fractions(0, 6))
def test_the_curve_counts_exactly_and_the_sketch_tells_no_lie(
    rows: list[Fields], limit: str, budget: Fraction
) -> None:
    stated = policy()
    threshold = limit_of(stated, limit)
    answer = asked(stated, limit, "2", rows, budget)
    days = LimitDays(stated, threshold)
    run = Replay(PolicyBook([stated]), PARTITIONS)
    for closed in run.observe(batch(rows)).account_days:
        days.add(closed.account_id, closed.account_day)
    for account_id, account_day in run.open_account_days():
        days.add(account_id, account_day)
    values = days.values.tolist()
    limits, alerts, sketched = answer.curve
    assert limits.tolist() == sorted(set(limits.tolist()))
    assert {answer.change.above_now, answer.change.above_then} <= set(limits.tolist())
    for above, exact, least, most in zip(
        limits, alerts, sketched.least, sketched.most, strict=True
    ):
        assert exact == sum(value > above for value in values)
        assert least <= exact <= most
    if not values:
        assert answer.budget is None
        return
    assert answer.budget is not None
    assert answer.budget.limit in limits
    assert not alerts[-1]
    allowed = budget * len(days.business_days)
    assert answer.budget.alerts == sum(value > answer.budget.limit for value in values) <= allowed
    if answer.budget.limit:
        assert sum(value > answer.budget.limit - 1 for value in values) > allowed
    assert answer.budget.sketch_limit >= answer.budget.limit
    assert answer.budget.sketch_alerts <= answer.budget.alerts
    by_day = days.alerts_by_day(answer.budget.limit).tolist()
    assert answer.budget.alerts_most == max(by_day)
    assert answer.budget.days_over == sum(alerts > budget for alerts in by_day)


def test_at_the_limit_is_no_alert_and_one_minor_unit_above_is_one() -> None:
    rows = [row("T1", amount="4.00")]
    for above, alerts in (("3.99", 1), ("4.00", 0)):
        change = asked(policy(amount="50.00"), "amount", above, rows).change
        assert [(day.now, day.then) for day in change.days] == [(0, alerts)]


def test_accounts_come_with_most_breach_days_first_then_the_greatest_day_then_by_name() -> None:
    amounts = {"A1": "8.00", "A2": "9.00", "A4": "9.00", "A5": "7.00"}
    rows = [
        row(f"T{account}{day}", account_id=account, amount=amount, hours=24 * day)
        for account, amount in amounts.items()
        for day in range(2 if account == "A5" else 1)
    ]
    change = asked(policy(amount="10.00"), "amount", "6.00", rows).change
    assert change.starting == (
        ("A5", 0, 2, 700), ("A2", 0, 1, 900), ("A4", 0, 1, 900), ("A1", 0, 1, 800),
    )  # fmt: skip
    change = asked(policy(amount="6.00"), "amount", "10.00", rows).change
    assert [account.account_id for account in change.stopping] == ["A5", "A2", "A4", "A1"]


def test_a_day_on_which_the_limit_decided_for_nobody_counts_as_a_day_without_alerts() -> None:
    rows = [row("T1", account_id="A3", amount="9.00"), row("T2", hours=24)]
    answer = asked(policy(), "amount-a3", "20.00", rows)
    assert [(d.account_days, d.now, d.then) for d in answer.change.days] == [(1, 1, 0), (0, 0, 0)]
    assert fields_of(answer, 0)["now"] == {
        "above": "1.00", "alerts": 1, "accounts": 1,
        "alerts_per_day": {"mean": 0.5, "min": 0, "max": 1},
    }  # fmt: skip


def test_alerts_that_were_withdrawn_do_not_count_but_are_told_of() -> None:
    rows = [
        row("T1", amount="9.00"), row("R1", amount="9.00", reverses="T1"),  # withdrawn
        row("T2", account_id="A2", amount="9.00"),
        row("R2", account_id="A2", amount="9.00", reverses="T2"),
        row("T3", account_id="A2", amount="9.00"),  # withdrawn, and raised again
        row("T4", account_id="A3", amount="9.00"),
        row("R4", account_id="A3", amount="9.00", reverses="T4"),
    ]  # fmt: skip
    answer = asked(policy(), "amount", "5.00", rows)
    assert [(day.now, day.then) for day in answer.change.days] == [(1, 1)]
    assert answer.withdrawn == 1  # A3 has a limit of its own


def test_sums_beyond_any_limit_are_counted_too() -> None:
    huge = f"{10**16 - 1}.99"
    rows = [row(f"T{number}", amount=huge) for number in range(12)]
    answer = asked(policy(), "amount", huge, rows, Fraction(0))
    assert [(day.now, day.then) for day in answer.change.days] == [(1, 1)]


@pytest.mark.parametrize(
    ("values", "marked", "first", "last"),
    [((120, 130, 4_017), [150], 130, 4_200), ((), [5, 70], 5, 70), ((0, 0), [9], 9, 9)],
)
def test_the_limits_of_the_curve_are_round_and_reach_where_nothing_alerts(
    values: tuple[int, ...], marked: list[int], first: int, last: int
) -> None:
    days = LimitDays(policy(), limit_of(policy(), "amount"))
    for number, value in enumerate(values):
        amount = f"{value // 100}.{value % 100:02d}"
        run = Replay(PolicyBook([policy()]), 1)
        run.observe(batch([row("T1", account_id=f"B{number}", amount=amount)]))
        for account_day in run.open_account_days():
            days.add(*account_day)
    limits = limits_around(days, marked).tolist()
    assert (limits[0], limits[-1]) == (first, last)
    assert all(limit % 10 ** (len(str(limit)) - 2) == 0 for limit in limits if limit > 9)
    assert set(marked) <= set(limits)
    if not values:
        assert limit_for(days, sketches_of(days), Fraction(1)) is None


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("amount", "1,5"), ("amount", "1.555"), ("amount", "-1"), ("amount", ""), ("amount", "ten"),
        ("count", "1.5"), ("count", "-1"), ("count", ""), ("count", "\u0662"), ("count", "9" * 19),
    ],
)  # fmt: skip
def test_what_is_no_limit_of_the_kind_is_refused_by_name(limit: str, text: str) -> None:
    with pytest.raises(WhatIfError, match=f"{limit} is a limit"):
        above_of(text, limit_of(policy(), limit))


# -- the command -----------------------------------------------------------------------------------


def text_of(svg: str) -> str:
    """Return what a chart shows as text; the comments of matplotlib repeat its source."""
    return " | ".join(re.findall(r">([^<>]+)</text>", svg))


Weir = Callable[..., tuple[int, str, str]]


@pytest.fixture
def weir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Weir:
    """Run the command line here, in a folder of its own; return its status, stdout and stderr."""
    monkeypatch.setattr("streams.interpreter.configure_interpreter", lambda: None)
    monkeypatch.delenv("WEIR_POLICY", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["weir", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made population: 200 accounts, 20 days."""
    path = tmp_path_factory.mktemp("feed") / "transactions.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for made in made_batches(Population(200, 20, 3)):
            writer.writerows(made.rows)
    return path


def test_json_and_table_have_everything_and_agree(weir: Weir, feed: Path, tmp_path: Path) -> None:
    status, out, err = weir(
        "whatif", "--limit", "daily-amount", "--above", "300.00", "--file", feed, "--budget", "2",
        "--table", "curve.csv", "--json",
    )  # fmt: skip
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert (found["business_days"], found["now"]["above"]) == (20, "2000.00")
    assert found["then"]["above"] == "300.00"
    for when in ("now", "then"):
        by_day = [day[when] for day in found["by_day"]]
        assert found[when]["alerts"] == sum(by_day)
        assert found[when]["alerts_per_day"] == {
            "mean": round(sum(by_day) / 20, 2), "min": min(by_day), "max": max(by_day),
        }  # fmt: skip
    assert len(found["starting"]) > 30  # many more than the screen shows
    assert found["then"]["accounts"] - found["now"]["accounts"] == len(found["starting"])
    assert not found["stopping"]
    assert found["suggested"]["alerts"] <= 40
    assert found["suggested"]["budget_alerts_per_day"] == 2
    with (tmp_path / "curve.csv").open(newline="", encoding="utf-8") as file:
        rows = [dict(each) for each in csv.DictReader(file)]
    assert rows == [{k: str(v) for k, v in point.items()} for point in found["curve"]]
    curve = {point["limit"]: point["alerts"] for point in found["curve"]}
    assert curve["2000.00"] == found["now"]["alerts"]
    assert curve["300.00"] == found["then"]["alerts"]
    assert curve[found["suggested"]["limit"]] == found["suggested"]["alerts"]


def test_the_screen_has_the_main_figures_and_says_where_the_rest_is(weir: Weir, feed: Path) -> None:
    question = ("whatif", "--limit", "daily-amount", "--above", "300.00", "--file", feed)
    found = json.loads(weir(*question, "--budget", "2", "--json")[1])
    status, out, _ = weir(*question, "--budget", "2")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "limit 2,000.00 EUR 300.00 EUR" in lines
    now, then = found["now"], found["then"]
    assert f"alerts {now['alerts']:,} {then['alerts']:,}" in lines
    assert f"accounts alerting {now['accounts']} {then['accounts']}" in lines
    assert f"accounts that would start to alert: {len(found['starting'])}" in lines
    assert f"... and {len(found['starting']) - 10} more: --json has all" in lines
    first = found["starting"][0]
    assert any(line.startswith(f"{first['account_id']} 0 {first['days_then']} ") for line in lines)
    assert "... and 6 days before: --json has all" in lines
    marked = [line for line in lines if line.endswith((" now", " then", " for the budget"))]
    assert len([line for line in marked if line[0].isdigit()]) == 3
    assert any(line.startswith("for 2 alerts a day: ") for line in lines)
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.no_cover
def test_the_page_shows_what_the_commands_say(weir: Weir) -> None:
    page = (Path(__file__).parents[3] / "docs" / "whatif.md").read_text(encoding="utf-8")
    calls = re.findall(r"^\$ weir (.+)\n((?:(?!\$ |```).*\n)*)", page, re.MULTILINE)
    assert len(calls) == 2
    for call, shown in calls:
        status, out, _ = weir(*shlex.split(call))
        assert status == 0
        first, is_cut, _ = shown.partition("...\n")
        assert out.startswith(first) if is_cut else out == shown


def test_a_table_may_go_to_stdout_instead(weir: Weir, feed: Path) -> None:
    status, out, _ = weir(
        "whatif", "--limit", "daily-count", "--above", "9", "--file", feed, "--table", "-"
    )
    assert status == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {"9", "15"} <= {each["limit"] for each in rows}


def test_the_policys_budget_is_used_where_none_is_given(
    weir: Weir, feed: Path, tmp_path: Path
) -> None:
    (tmp_path / "p.toml").write_text(
        POLICY.format(**ABOVE) + "[budget]\nalerts_per_day = 3\n", encoding="utf-8"
    )
    question = (
        "whatif", "--policy", "p.toml", "--limit", "amount", "--above", "8", "--file", feed,
        "--json",
    )  # fmt: skip
    suggested = json.loads(weir(*question)[1])["suggested"]
    assert suggested["budget_alerts_per_day"] == 3
    suggested = json.loads(weir(*question, "--budget", "0.5")[1])["suggested"]
    assert suggested["budget_alerts_per_day"] == 0.5
    assert suggested["alerts"] <= 10


def test_rejected_rows_are_told_of(weir: Weir, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "transaction_id,account_id,booked_at,amount,currency,direction\n"
        "T1,A1,2026-01-05T09:00:00Z,9.00,EUR,debit\n"
        "T2,A1,2026-01-05T09:00:00Z,nine,EUR,debit\n",
        encoding="utf-8",
    )
    _, out, err = weir(
        "whatif", "--limit", "daily-amount", "--above", "1", "--file", "t.csv", "--json"
    )
    assert err == "rejected rows: 1 (weir replay tells which, and why)\n"
    assert json.loads(out)["replay"]["rejected_by_reason"] == {"bad-amount": 1}


def test_an_id_cannot_steer_the_terminal(weir: Weir, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "transaction_id,account_id,booked_at,amount,currency,direction\n"
        "T1,A\ue0001,2026-01-05T09:00:00Z,9.00,EUR,debit\n",  # not a control character
        encoding="utf-8",
    )
    _, out, _ = weir("whatif", "--limit", "daily-amount", "--above", "1", "--file", "t.csv")
    assert "\ue000" not in out
    assert "A\\ue0001" in out


GAUGE = """
[[limit]]
id = "weekly"
measure = "count"
period = "week"
above = 9
"""


@pytest.mark.parametrize(
    ("text", "limit", "told"),
    [
        (
            POLICY.format(**ABOVE) + GAUGE,
            "nosuch",
            (
                "no limit 'nosuch' in the policy. On a day's amount or count the policy has amount,"
                " amount-business, amount-a3, count, count-business; of its other limits nothing is"
                " counted: weekly"
            ),
        ),
        (
            POLICY.format(**ABOVE) + GAUGE,
            "weekly",
            (
                "limit weekly is not on a day's amount or count: of others nothing is counted. On"
                " these the policy has amount, amount-business, amount-a3, count, count-business"
            ),
        ),
        (
            "version = 1" + GAUGE,
            "nosuch",
            (
                "no limit 'nosuch' in the policy. On a day's amount or count the policy has none;"
                " of its other limits nothing is counted: weekly"
            ),
        ),
    ],
)
def test_an_unknown_limit_names_those_that_can_be_asked_and_the_others(
    text: str, limit: str, told: str
) -> None:
    with pytest.raises(WhatIfError) as refused:
        limit_of(policy_of(text), limit)
    assert str(refused.value) == told


QUESTION = ("whatif", "--file", "t.csv")
DEFAULT_IDS = "daily-amount, daily-amount-business, daily-count, daily-count-business"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--limit", "none", "--above", "1"),
            f"On a day's amount or count the policy has {DEFAULT_IDS}",
        ),
        (("--limit", "daily-amount", "--above", "1,50"), "write an amount from 0 on"),
        (("--limit", "daily-count", "--above", "1.5"), "write a whole number"),
        (("--limit", "daily-count", "--above", "1", "--budget", "nan"), "--budget is nan"),
        (("--limit", "daily-count", "--above", "1", "--budget", "-1"), "--budget is -1.0"),
        (("--limit", "daily-count", "--above", "1", "--out", "a.jpg"), "ends in .png or .svg"),
        (("--limit", "daily-count", "--above", "1", "--out", "no/a.png"), "there is no folder no"),
        (("--limit", "daily-count", "--above", "1", "--table", "."), "is a folder"),
        (("--limit", "daily-count", "--above", "1", "--table", "-", "--json"), "name a file"),
        (("--limit", "daily-count", "--above", "1"), "t.csv is not there"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_read(
    weir: Weir, arguments: tuple[str, ...], told: str
) -> None:
    status, out, err = weir(*QUESTION, *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.startswith("weir: ")


def test_without_matplotlib_only_the_chart_is_missing(
    weir: Weir, feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name)
    )
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # an import of it raises
    question = ("whatif", "--limit", "daily-count", "--above", "9", "--file", feed)
    status, out, err = weir(*question, "--out", "a.png")
    assert (status, out) == (3, "")
    assert "pip install -e '.[plot]'" in err
    assert not Path("a.png").exists()
    status, out, _ = weir(*question, "--json", "--table", "a.csv")
    assert status == 0
    assert json.loads(out)["now"]["above"] == 15
    assert Path("a.csv").read_text(encoding="utf-8").startswith("limit,alerts,")


@pytest.mark.no_cover
def test_the_chart_marks_both_limits_and_names_its_axes_and_units(weir: Weir, feed: Path) -> None:
    question = (
        "whatif", "--limit", "daily-amount", "--above", "1500.00", "--file", feed, "--budget", "1",
    )  # fmt: skip
    found = json.loads(weir(*question, "--out", "a.svg", "--json")[1])
    drawn = Path("a.svg").read_text(encoding="utf-8")
    for text in (
        "What if daily-amount were 1,500.00 EUR instead of 2,000.00 EUR",
        "Alerts by limit: debit amount in EUR of a business day, everyone",
        "limit (EUR)",
        "alerts a business day, mean",
        "exact",
        "by the sketch, 1 % relative error",
        f"now: 2,000.00 EUR, {found['now']['alerts_per_day']['mean']:.2f} a day",
        f"then: 1,500.00 EUR, {found['then']['alerts_per_day']['mean']:.2f} a day",
        f"for 1 a day: {float(found['suggested']['limit']):,.2f} EUR",
        "business day",
        day_text(Population(200, 20, 3).start.toordinal()),
    ):
        assert text in text_of(drawn), text
    weir(*question, "--out", "b.svg")
    assert Path("b.svg").read_text(encoding="utf-8") == drawn


@pytest.mark.parametrize("above", ["0", "9", "1000000"])
def test_a_chart_of_a_count_is_drawn_whatever_the_limit(weir: Weir, feed: Path, above: str) -> None:
    status, _, err = weir(
        "whatif", "--limit", "daily-count", "--above", above, "--file", feed, "--out", "a.png"
    )
    assert (status, err) == (0, "")
    data = Path("a.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    size = tuple(int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    assert size == (1500, 1275)


def test_text_in_a_chart_is_no_formula_and_one_day_is_enough(weir: Weir, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        'version = 1\n[[limit]]\nid = "a"\nmeasure = "count"\nabove = 1\n'
        'scope = { segment = "a$b_c$" }\n',
        encoding="utf-8",
    )
    (tmp_path / "t.csv").write_text(
        "transaction_id,account_id,booked_at,amount,currency,direction,segment\n"
        "T1,A1,2026-01-05T09:00:00Z,9.00,EUR,debit,a$b_c$\n",
        encoding="utf-8",
    )
    status, _, err = weir(
        "whatif", "--policy", "p.toml", "--limit", "a", "--above", "1", "--file", "t.csv",
        "--out", "a.svg",
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert "segment a$b_c$" in text_of(Path("a.svg").read_text(encoding="utf-8"))


def test_a_limit_that_decides_for_nobody_changes_nothing_and_has_no_chart(
    weir: Weir, feed: Path, tmp_path: Path
) -> None:
    (tmp_path / "p.toml").write_text(
        POLICY.format(**ABOVE).replace('account = "A3"', 'account = "nobody"'), encoding="utf-8"
    )
    question: tuple[Any, ...] = (
        "whatif", "--policy", "p.toml", "--limit", "amount-a3", "--above", "9", "--file", feed,
    )  # fmt: skip
    status, out, err = weir(*question)
    assert (status, err) == (0, "")
    assert "it would change nothing" in out
    status, out, err = weir(*question, "--out", "a.png", "--json", "--budget", "1")
    assert status == 1
    assert json.loads(out)["account_days"] == 0
    assert "a.png is not drawn" in err
    assert not Path("a.png").exists()


def test_no_name_of_a_scope_moves_the_cursor_of_a_terminal() -> None:
    text = POLICY.format(**ABOVE).replace('segment = "business"', r'segment = "a\u001b[31m"')
    assert subject_text(limit_of(policy_of(text), "count-business")).isprintable()
