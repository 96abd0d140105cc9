"""Limits: figures that a plain count gives, too, and changes that two people make."""

import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from monitor.console.limits import amended
from monitor.core.business_day import event_time_text
from monitor.policy.document import policy_of
from monitor.store.desk import Topic, unsent
from monitor.store.intake import Intake, Read, RecordSort
from monitor.store.limits import proposals_of
from monitor.store.proposals import (
    ProposalState,
    ProposalStep,
    StepKind,
    proposals_in,
    step_of,
)
from monitor.store.schema import OF_TOPICS
from monitor.store.sealing import seal_quiet_days
from monitor.store.standing import ActionError
from tests.monitor.console.made_console import LIMIT, POLICY, MadeConsole, account_day
from tests.support.laws import law
from tests.support.stored import contents, sqlite_store

WHATIF = f"/api/v1/limits/{LIMIT}"


def made_days(seed: int) -> list[dict[str, Any]]:
    """Return account-days of some accounts, with amounts around the limits that are asked for."""
    rng = random.Random(seed)  # noqa: S311 - made data
    days = []
    for number in range(40):
        for day in range(1, 29):
            if rng.random() < 0.7:
                amount = rng.choice(["0.00", "1999.99", "2000.00", "2000.01", "2500.00", "2500.01"])
                made = account_day(f"D{number}", f"2026-03-{day:02d}")
                made["totals"][0]["debit_amount"] = amount
                if rng.random() < 0.2:
                    made["totals"] = []
                days.append(made)
    return days


def counted(days: list[dict[str, Any]], above: int) -> Counter[str]:
    """Return on how many days each account is over a limit (in cents), by plain counting."""
    over: Counter[str] = Counter()
    for day in days:
        cents = sum(int(total["debit_amount"].replace(".", "")) for total in day["totals"])
        over[day["account_id"]] += cents > above
    return +over


@pytest.mark.parametrize(("above", "cents"), [("2500", 250_000), ("1999.99", 199_999), ("0", 0)])
def test_what_another_limit_changes_is_what_plain_counting_gives(
    console: MadeConsole, above: str, cents: int
) -> None:
    days = made_days(5)
    console.take(*days, sort=RecordSort.ACCOUNT_DAY)
    now, then = counted(days, 200_000), counted(days, cents)
    with console.client("vera") as client:
        found = client.get(WHATIF, params={"above": above, "days": "28"}).json()["whatif"]
    assert (found["first"], found["last"]) == ("2026-03-01", "2026-03-28")
    for side, over in (("now", now), ("then", then)):
        assert (found[side]["alerts"], found[side]["accounts"]) == (over.total(), len(over))
    names = {name: [row["account_id"] for row in found[name]] for name in ("starting", "stopping")}
    assert sorted(names["starting"]) == sorted(then.keys() - now.keys())
    assert sorted(names["stopping"]) == sorted(now.keys() - then.keys())
    changing = {row["account_id"]: (row["days_now"], row["days_then"]) for row in found["changing"]}
    both = now.keys() & then.keys()
    assert changing == {name: (now[name], then[name]) for name in both if now[name] != then[name]}
    curve = {point["above"]: point["alerts"] for point in found["curve"]}
    assert curve["2000.00"] == now.total()
    assert all(
        alerts == counted(days, int(limit.replace(".", ""))).total()
        for limit, alerts in curve.items()
    )


def test_only_the_closed_days_that_are_asked_for_count(console: MadeConsole) -> None:
    days = made_days(6)
    console.take(*days, sort=RecordSort.ACCOUNT_DAY)
    last_week = [day for day in days if day["business_day"] > "2026-03-21"]
    with console.client("vera") as client:
        found = client.get(WHATIF, params={"days": "7"}).json()["whatif"]
        text = client.get(f"/limits/{LIMIT}", params={"days": "7", "above": "2500"}).text
    assert found["now"]["alerts"] == counted(last_week, 200_000).total()
    assert found["account_days"] == len(last_week)
    assert "Accounts that would not alert any more" in text


def test_money_is_exact_whether_days_are_sealed_or_not(console: MadeConsole) -> None:
    most = 9_007_199_254_740_993  # in cents; a float has no such number
    days = []
    for number, cents in enumerate((most - 1, most, most + 1)):
        for day in range(1, 29):
            made = account_day(f"D{number}", f"2026-03-{day:02d}")
            made["totals"][0]["debit_amount"] = f"{cents // 100}.{cents % 100:02d}"
            days.append(made)
    console.take(*days, sort=RecordSort.ACCOUNT_DAY)
    asked = {"above": f"{most // 100}.{most % 100 - 1:02d}", "days": "28"}
    with console.client("vera") as client:
        found = client.get(WHATIF, params=asked).json()["whatif"]
        assert seal_quiet_days(console.store, 1)
        assert client.get(WHATIF, params=asked).json()["whatif"] == found
    assert (found["now"]["alerts"], found["then"]["alerts"]) == (3 * 28, 2 * 28)


def test_totals_that_cannot_be_read_are_refused_with_their_count(console: MadeConsole) -> None:
    days = made_days(7)
    for day in days[:3]:
        day["totals"] = [{"currency": "XXX", "debit_amount": "many"}]
    console.take(*days, sort=RecordSort.ACCOUNT_DAY)
    with console.client("vera") as client:
        answer = client.get(WHATIF, params={"days": "28"})
        page = client.get(f"/limits/{LIMIT}", params={"days": "28"})
        later = client.get(WHATIF, params={"days": "7"})
    assert (answer.status_code, page.status_code, later.status_code) == (503, 503, 200)
    said = f"the totals of 3 of {len(days)} account-days cannot be read, as of 'D0'"
    assert answer.json()["detail"].startswith(said)


def test_two_people_put_another_limit_in_force(console: MadeConsole) -> None:
    with console.client("bob") as client:
        asked = {"above": "2500.00", "effective_from": "2026-03-01", "note": "prices rose"}
        made = client.post(f"{WHATIF}/proposals", json=asked)
        proposal_id = made.json()["proposal_id"]
        text = client.get(f"/api/v1/proposals/{proposal_id}").json()["policy"]
        own = client.post(f"/api/v1/proposals/{proposal_id}/decision", json={"decision": "approve"})
    assert (made.status_code, own.status_code) == (201, 403)
    wanted = POLICY.replace("2000.00", "2500.00").replace("version = 1", "version = 2")
    assert text.replace('effective_from = "2026-03-01"\n', "") == wanted, "comments stay"
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    decide = f"/api/v1/proposals/{proposal_id}/decision"
    with console.client("paul") as client:
        blind = client.post(decide, json={"decision": "approve", "policy_sha256": "0" * 64})
        assert blind.status_code == 409
        done = client.post(decide, json={"decision": "approve", "policy_sha256": sha256})
        again = client.post(decide, json={"decision": "decline"})
    assert (done.status_code, again.status_code) == (201, 409)
    assert (done.json()["progress"], done.json()["decided_by"]) == ("approved", "paul")
    with console.store.reading() as connection:
        waiting = [(record.topic, record.key, record.value) for record in unsent(connection)]
    assert [topic for topic, _, _ in waiting] == [Topic.CASES, Topic.CASES, Topic.POLICY]
    assert waiting[-1][1:] == ("2", text)
    assert policy_of(text).effective_from_text == "2026-03-01"


def test_a_policy_that_no_second_person_approved_is_shown_so(console: MadeConsole) -> None:
    def said(client: TestClient) -> tuple[Any, bool, bool]:
        pages = [client.get(address).text for address in ("/health", "/limits")]
        health, limits = ("it is in force without a second person here" in page for page in pages)
        return client.get("/api/v1/health").json()["policy_set_alone"], health, limits

    at = event_time_text(console.clock.now)
    with console.client("paul") as client:
        set_alone, *shown = said(client)
        assert (set_alone["version"], shown) == (1, [True, True])
        proposal_id = console.propose("bob")
        proposed = client.get(f"/api/v1/proposals/{proposal_id}").json()
        console.take(proposed["policy"], sort=RecordSort.POLICY)
        assert said(client)[0]["version"] == 2, "it was proposed, and nobody has approved it"
        done = client.post(
            f"/api/v1/proposals/{proposal_id}/decision",
            json={"decision": "decline"},
        )
        assert done.status_code == 201
        assert said(client)[0] == {"version": 2, "at": said(client)[0]["at"]}
    assert set_alone["at"] <= at


def test_a_policy_that_two_people_made_is_not_shown_as_one_s(console: MadeConsole) -> None:
    proposal_id = console.propose("bob")
    with console.client("paul") as client:
        asked = client.get(f"/api/v1/proposals/{proposal_id}").json()
        body = {"decision": "approve", "policy_sha256": asked["policy_sha256"]}
        done = client.post(f"/api/v1/proposals/{proposal_id}/decision", json=body)
        assert done.status_code == 201
        console.take(asked["policy"], sort=RecordSort.POLICY)
        assert client.get("/api/v1/health").json()["policy_set_alone"] is None
        text = client.get("/limits").text
    assert "in force without a second person here" not in text
    assert text.count(", without a second person") == 1, "version 1 among the versions"


def test_an_analyst_cannot_approve_and_a_viewer_cannot_propose(console: MadeConsole) -> None:
    proposal_id = console.propose("bob")
    with console.client("ana") as client:
        answer = client.post(
            f"/api/v1/proposals/{proposal_id}/decision", json={"decision": "decline"}
        )
        assert answer.status_code == 403
    with console.client("vera") as client:
        answer = client.post(f"{WHATIF}/proposals", json={"above": "1.00"})
        assert answer.status_code == 403
    with console.client("bob") as client:
        taken_back = client.post(
            f"/api/v1/proposals/{proposal_id}/decision", json={"decision": "decline"}
        )
    assert taken_back.json()["progress"] == "declined"


def test_a_proposal_is_stale_once_another_version_is_in_force(console: MadeConsole) -> None:
    proposal_id = console.propose("bob")
    with console.client("paul") as client:
        shown = client.get(f"/api/v1/proposals/{proposal_id}").json()
        console.take(POLICY.replace("version = 1", "version = 2"), sort=RecordSort.POLICY)
        answer = client.post(
            f"/api/v1/proposals/{proposal_id}/decision",
            json={"decision": "approve", "policy_sha256": shown["policy_sha256"]},
        )
        page = client.get(f"/proposals/{proposal_id}")
    assert answer.status_code == 409
    assert "version 2 is in force by now" in answer.json()["detail"]
    assert page.status_code == 200
    assert "Put exactly this in force" not in page.text


@pytest.mark.parametrize(
    "asked",
    [
        {"above": "2000.00"},
        {"above": "1.001"},
        {"above": "-1"},
        {"above": None},
        {"above": "2500", "effective_from": "tomorrow"},
        {"above": "2500", "note": 5},
        {"above": "2500", "more": 1},
    ],
)
def test_what_cannot_be_proposed_is_said(console: MadeConsole, asked: dict[str, Any]) -> None:
    with console.client("bob") as client:
        answer = client.post(f"{WHATIF}/proposals", json=asked)
    assert answer.status_code == 400, answer.text
    with console.store.reading() as connection:
        assert proposals_of(connection) == []


def test_without_a_policy_the_pages_say_so(tmp_path: Path) -> None:
    console = MadeConsole(tmp_path)
    with console.client("vera") as client:
        text = client.get("/limits").text
        assert "No policy is on the policy topic" in text
        assert client.get(f"/limits/{LIMIT}").status_code == 404
        assert client.get("/api/v1/limits").json()["items"] == []
        console.take(POLICY, "version = 0", sort=RecordSort.POLICY)
        text = client.get("/limits").text
        assert 'Refused by workers: <span lang="en">record 2 of the policy topic cannot' in text
        assert client.get(f"/limits/{LIMIT}").status_code == 200
        assert client.get("/limits/nope").status_code == 404
    console.close()


OTHER_LIMITS = """
[[limit]]
id = "savings-of-firms"
measure = "amount"
currency = "EUR"
at_least = "900.00"
scope = { segment = "business", product = "savings" }

[[limit]]
id = "cash-in-a-day"
measure = "count"
window = "24h"
above = 4
where = { channel = ["atm"] }
"""


def test_limits_of_other_sorts_are_listed_and_one_that_says_at_least_is_amended(
    console: MadeConsole,
) -> None:
    text = POLICY.replace("version = 1", "version = 2") + OTHER_LIMITS
    console.take(text, sort=RecordSort.POLICY)
    with console.client("bob") as client:
        page = client.get("/limits").text
        listed = client.get("/api/v1/limits").json()
        asked = {"above": "1000.00", "effective_from": "2026-03-01"}
        made = client.post("/api/v1/limits/savings-of-firms/proposals", json=asked)
        proposed = client.get(f"/api/v1/proposals/{made.json()['proposal_id']}").json()["policy"]
        assert client.get("/limits/cash-in-a-day").status_code == 404
    says = "count within 24h where channel atm, for everyone: over 4 medium"
    assert f'<strong>cash-in-a-day</strong>: <span lang="en">{says}</span>' in page
    assert listed["others"] == [{"threshold_id": "cash-in-a-day", "says": says}]
    scopes = {item["threshold_id"]: item["scope"] for item in listed["items"]}
    assert scopes["savings-of-firms"] == "segment business, product savings"
    (amended,) = (limit for limit in policy_of(proposed).thresholds if limit.product == "savings")
    assert amended.above == 100_000


@pytest.mark.parametrize(
    "stated",
    [
        'above = "2000.00"',
        'at_least = "2000.01"',
        'tiers = [{ above = "2000.00", severity = "low" }]',
        'tiers = [{ at_least = "2000.01", severity = "low" }]',
        'tiers = [\n  # why\n  { severity = "low", at_least = "2000.01" },\n]',
        '[[limit.tiers]]\nat_least = "2000.01"\nseverity = "low"',
    ],
)
@pytest.mark.parametrize("further", ["", "where = {}", 'period = "day"'])
def test_a_limit_is_amended_however_it_is_written(stated: str, further: str) -> None:
    text = 'version = 1\n[[limit]]\nid = "d"\nmeasure = "amount"\ncurrency = "EUR"\n'
    before = policy_of(f"{text}{further}\n{stated}\n")
    after = amended(before, before.thresholds[0], 300_000, "2026-12-05")
    assert after.thresholds == (before.thresholds[0]._replace(above=300_000),)
    assert before.thresholds[0].above == 200_000
    assert ("# why" in after.text) == ("# why" in before.text)


# -- proposals follow from the topic --------------------------------------------------------------

_DETAIL = {
    "threshold_id": LIMIT,
    "above": "1",
    "effective_from": "2026-01-01",
    "base_version": 1,
    "version": 2,
    "policy_sha256": "aa",
    "note": None,
}
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(list(StepKind)),
        st.sampled_from(["bob", "paul", "(token nightly for bob)"]),
        st.integers(1, 6),
        st.sampled_from(["aa", "bb"]),
    ),
    max_size=6,
)


def steps_of(drawn: list[tuple[StepKind, str, int, str]]) -> list[ProposalStep]:
    """Return steps of one proposal of bob's, made at the time 3."""
    made = ProposalStep("p", StepKind.PROPOSE, "bob", 3, _DETAIL)
    details: dict[StepKind, dict[str, Any]] = {
        StepKind.PROPOSE: _DETAIL,
        StepKind.DECLINE: {"note": None},
    }
    others = [
        ProposalStep("p", step, by, at, details.get(step, {"policy_sha256": sha, "note": None}))
        for step, by, at, sha in drawn
        if step is not StepKind.PROPOSE
    ]
    return [made, *others]


@law(100)
@given(drawn=_STEPS, data=st.data())
def test_proposals_are_the_same_in_whatever_order_steps_come_and_however_often(
    drawn: list[tuple[StepKind, str, int, str]], data: st.DataObject
) -> None:
    steps = steps_of(drawn)
    ordered = data.draw(st.permutations([*steps, *data.draw(st.lists(st.sampled_from(steps)))]))
    (found,) = proposals_in(ordered)
    assert found == proposals_in(steps)[0]
    if found.progress is ProposalState.APPROVED:
        assert found.decision is not None
        assert found.decision.by == "paul"
        assert found.decision.detail["policy_sha256"] == "aa"


@law(60)
@given(drawn=_STEPS)
def test_a_step_is_read_as_it_was_written(drawn: list[tuple[StepKind, str, int, str]]) -> None:
    for step in steps_of(drawn):
        read = step_of(json.loads(json.dumps(step.fields())))
        assert (read, read.step_id) == (step, step.step_id)


@pytest.mark.parametrize(
    "change",
    [
        {"action": "approve"}, {"by": ""}, {"at": "noon"}, {"version": "2"}, {"base_version": True},
        {"policy_sha256": None}, {"note": 7}, {"proposal_id": 3},
    ],
)  # fmt: skip
def test_a_record_that_is_no_step_is_refused(change: dict[str, Any]) -> None:
    fields = ProposalStep("p", StepKind.PROPOSE, "bob", 3_000_000, _DETAIL).fields()
    assert step_of(fields).proposal_id == "p"
    with pytest.raises(ActionError, match=next(iter(change))):
        step_of(fields | change)


def test_a_store_that_is_made_again_has_policies_and_proposals(tmp_path: Path) -> None:
    steps = steps_of([(StepKind.APPROVE, "paul", 5, "aa")])
    read = [
        Read(RecordSort.PROPOSAL_STEP, "cases", 0, offset, step.at, step)
        for offset, step in enumerate(steps)
    ]
    read.append(Read(RecordSort.POLICY, "policy", 0, 7, 1, POLICY))
    store = sqlite_store(tmp_path)
    Intake(store).take(read)
    once = contents(store)
    Intake(store).forget()
    assert all(not rows for rows in contents(store).values())
    for item in [*read, *read]:
        Intake(store).take([item])
    assert contents(store) == once
    assert {"policies", "proposal_steps"} <= {table.name for table in OF_TOPICS}
    store.close()
