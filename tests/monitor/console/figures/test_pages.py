"""The pages of the team and of groups, and the same as JSON."""

import html
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from starlette.testclient import TestClient

from monitor.console.figures.groups import NO_SEGMENT, named, segment_named, share_of
from monitor.console.language.formats import duration
from monitor.console.openapi.document import document
from monitor.dispositions.deadlines import Deadlines
from monitor.store import people
from monitor.store.figures import team
from monitor.store.intake import RecordSort
from tests.monitor.console.made_console import (
    POLICY,
    MadeConsole,
    account_day,
    cheap_hashes,
    identity,
    limit_alert,
    outlier,
    segment_day,
    systemic,
)

BUDGET = "[budget]\nalerts_per_day = 20\nwarm_up_days = 7\n"


def text_of(client: TestClient, address: str) -> str:
    """Return the words of a page, blanks as one."""
    answer = client.get(address)
    assert answer.status_code == 200
    main = answer.text.partition("<main")[2]
    words = html.unescape(re.sub(r"<[^>]*>", " ", main))
    return re.sub(r"\s+", " ", words)


def close(client: TestClient, alert_id: str, disposition: str) -> None:
    answer = client.post(
        f"/api/v1/alerts/{alert_id}/dispositions", json={"disposition": disposition}
    )
    assert answer.status_code == 201


def decided(console: MadeConsole, number: int) -> None:
    """Let Ana close so many alerts of a new limit, every second as suspicious."""
    made = [limit_alert(f"T{at}", threshold_id="of-the-test") for at in range(number)]
    console.take(*made)
    with console.client("ana") as client:
        for at, record in enumerate(made):
            close(client, record["alert_id"], "suspicious" if at % 2 else "false-alarm")


def ensure_as_documented(path: str, fields: object) -> None:
    answer = document()["paths"][path]["get"]["responses"]["200"]
    schema = {
        **answer["content"]["application/json"]["schema"],
        "components": document()["components"],
    }
    jsonschema.validate(fields, schema)


@pytest.mark.parametrize(("number", "confirmed", "share"), [(9, 4, None), (10, 5, 500)])
def test_no_share_is_told_of_fewer_than_ten(
    console: MadeConsole, number: int, confirmed: int, share: int | None
) -> None:
    decided(console, number)
    with console.client("vera") as client:
        fields = client.get("/api/v1/team").json()
        text = text_of(client, "/team")
    ensure_as_documented("/api/v1/team", fields)
    (row,) = fields["precision"]["by_limit"]
    assert (row["closed"], row["confirmed"], row["per_mille"]) == (number, confirmed, share)
    (ana,) = [person for person in fields["decided"]["people"] if person["name"] == "ana"]
    assert (ana["days_7"]["median_seconds"] is None) == (share is None)
    said = f"{'50.0 %' if share else '-'} {confirmed} 0 {number - confirmed} 0 0"
    assert f"of-the-test {number} {confirmed} {said}" in text


def test_the_row_of_nobody_is_its_own_and_people_lead_to_their_queue(
    console: MadeConsole,
) -> None:
    with console.client("ana") as client:
        alert_id = identity("A1 2026-02-14")
        asked = {"action": "assign", "assignee": "ana"}
        assert client.post(f"/api/v1/alerts/{alert_id}/actions", json=asked).status_code == 201
        whole = client.get("/team").text
        text = text_of(client, "/team")
    assert 'href="/queue?tab=open&amp;assignee=ana"' in whole
    assert "unassigned 6 6 0" in text
    assert "ana 1 1 0" in text


def test_a_closed_strange_day_counts_for_its_detector(console: MadeConsole) -> None:
    with console.client("ana") as client:
        close(client, outlier("A1")["alert_id"], "service-need")
        fields = client.get("/api/v1/team").json()
    (row,) = fields["precision"]["by_model"]
    assert (row["name"], row["closed"], row["confirmed"]) == ("half-space-trees", 1, 1)
    assert row["dispositions"] == {"service-need": 1}


def test_capacity_has_the_budget_of_the_day(console: MadeConsole) -> None:
    with console.client("vera") as client:
        assert [day["budget"] for day in client.get("/api/v1/team").json()["days"]] == [None] * 14
        console.take(
            POLICY.replace("version = 1", 'version = 2\neffective_from = "2026-09-20"') + BUDGET,
            sort=RecordSort.POLICY,
        )
        days = client.get("/api/v1/team").json()["days"]
        text = text_of(client, "/team")
    assert [(day["day"], day["budget"]) for day in days[:3]] == [
        ("2026-09-21", 20),
        ("2026-09-20", 20),
        ("2026-09-19", None),
    ]
    assert (days[0]["raised"], days[0]["strange"], days[0]["is_all_raised"]) == (7, 1, True)
    assert "2026-09-21 20 1 7 0 2026-09-20 20 0 0 0 2026-09-19 none 0 0 0" in text


def test_the_deadlines_are_those_of_the_app_and_are_shown(console: MadeConsole) -> None:
    console.clock.now += 2 * people.HOUR
    with console.client("vera") as client:
        before = client.get("/api/v1/team").json()
        shown = text_of(client, "/team")
        assert "allows: critical 4 h, high 1 d, medium 3 d, low 7 d." in shown
        console.app.state.deadlines = Deadlines.of("critical=30m,high=60m,medium=60m,low=60m")
        after = client.get("/api/v1/team").json()
        shown = text_of(client, "/team")
        assert "allows: critical 30 min, high 1 h, medium 1 h, low 1 h." in shown
    assert before["target_seconds"]["critical"] == 14_400
    assert after["target_seconds"] == {
        "critical": 1_800,
        "high": 3_600,
        "medium": 3_600,
        "low": 3_600,
    }
    late = [sum(person["late"] for person in found["open"]["people"]) for found in (before, after)]
    assert late == [0, after["open"]["counted"]]
    assert late[1] > 0


def test_what_is_not_counted_whole_is_said(
    console: MadeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(console, 12)
    with console.client("vera") as client:
        assert "Only the" not in text_of(client, "/team")
        monkeypatch.setattr(team.open_ages, "__defaults__", (2,))
        monkeypatch.setattr(team.decided_since, "__defaults__", (5,))
        text = text_of(client, "/team")
        fields = client.get("/api/v1/team").json()
    assert "alerts are open. Only the" in text
    assert "All figures of decisions here begin at" in text
    assert "not counted" in text
    assert (fields["open"]["counted"], fields["open"]["is_all"]) == (2, False)
    assert (fields["decided"]["is_all"], fields["days"][0]["decided"]) == (False, None)
    ensure_as_documented("/api/v1/team", fields)


# -- groups ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("segment", ["", "(none)", "((none))", "(none", "none", "a/b", "()"])
def test_a_segment_that_is_called_as_none_is_has_a_page_of_its_own(
    console: MadeConsole, segment: str
) -> None:
    assert segment_named(named(segment)) == segment
    names = ["", "(none)", "((none))"]
    for number, name in enumerate(names):
        made = {**segment_day("2026-02-15", name), "account_days": 20 + number}
        console.take(made, sort=RecordSort.SEGMENT_DAY)
    with console.client("vera") as client:
        listed = client.get("/api/v1/groups").json()["items"]
        counts = {
            item["segment"]: client.get(f"/api/v1/groups/{item['segment']}").json()["days"][0]
            for item in listed
        }
    assert {name: day["account_days"] for name, day in counts.items()} == {
        "current": 20,
        "(none)": 20,
        "((none))": 21,
        "(((none)))": 22,
    }


def week(console: MadeConsole, segment: str | None, breaches: int = 2) -> None:
    """Close February of a segment, with other breaches in its last week."""
    console.take(
        *(
            segment_day(f"2026-02-{day:02d}", segment, breaches=breaches if day > 21 else 1)
            for day in range(1, 29)
        ),
        sort=RecordSort.SEGMENT_DAY,
    )


def test_a_group_compares_its_week_with_the_days_before(console: MadeConsole) -> None:
    week(console, "current")
    week(console, None, 0)
    with console.client("vera") as client:
        listed = client.get("/api/v1/groups").json()
        fields = client.get("/api/v1/groups/current").json()
        text = text_of(client, "/groups/current")
        none = client.get(f"/api/v1/groups/{NO_SEGMENT}").json()
        assert 'href="/groups/%28none%29"' in client.get("/groups").text
    ensure_as_documented("/api/v1/groups", listed)
    ensure_as_documented("/api/v1/groups/{segment}", fields)
    rows = {row["segment"]: row for row in listed["items"]}
    assert set(rows) == {"current", NO_SEGMENT}
    assert rows["current"] == {
        "segment": "current",
        "days": 7,
        "account_days": 140,
        "breaches": 14,
        "days_before": 21,
        "account_days_before": 420,
        "breaches_before": 21,
    }
    assert listed["span"] == {"first": "2026-01-25", "week": "2026-02-22", "last": "2026-02-28"}
    (limit,) = fields["limits"]
    assert (limit["measures"], limit["week"]["lowest_limit"]) == (
        "amount a day out, EUR",
        "2000.00",
    )
    assert limit["distance"] == {"difference": "0.0000", "at": "0.00", "is_higher": False}
    assert "both are spread alike" in text
    assert "this week 2,000.00 140 14 10.00 %" in text
    assert "all others, this week 140 0 0.00 %" in text
    assert none["limits"][0]["week"]["breaches"] == 0


def test_a_day_that_a_partition_has_not_closed_is_not_compared(console: MadeConsole) -> None:
    console.take(
        segment_day("2026-02-20"),
        segment_day("2026-02-18", partition=1),
        segment_day("2026-01-02", partition=2),
        sort=RecordSort.SEGMENT_DAY,
    )
    with console.client("vera") as client:
        assert client.get("/api/v1/groups").json()["span"]["last"] == "2026-02-18"


def test_a_limit_that_no_policy_states_is_told_without_its_unit(console: MadeConsole) -> None:
    record = segment_day("2026-02-28")
    record["limits"][0]["threshold_id"] = "gone"
    console.take(record, sort=RecordSort.SEGMENT_DAY)
    with console.client("vera") as client:
        fields = client.get("/api/v1/groups/current").json()
        text = text_of(client, "/groups/current")
    (limit,) = [limit for limit in fields["limits"] if limit["threshold_id"] == "gone"]
    assert (limit["measures"], limit["week"]["lowest_limit"]) == (None, "200000")
    assert "values are minor units or transactions" in text
    assert "too few account-days for a distance" in text


def test_a_group_is_described_by_what_marks_its_accounts(console: MadeConsole) -> None:
    days: list[dict[str, Any]] = [
        account_day(f"D{number}", "2026-02-28")
        | {
            "segment": "current" if number < 20 else "savings",
            "branch": "B1" if number < 15 or number > 35 else "B2",
            "peer_group": None,
        }
        for number in range(40)
    ]
    console.take(*days, sort=RecordSort.ACCOUNT_DAY)
    with console.client("vera") as client:
        fields = client.get("/api/v1/groups/current").json()["description"]
        text = text_of(client, "/groups/current")
    assert fields["missing"] == ["product", "peer_group"]
    (mark,) = fields["marks"]
    assert (mark["attribute"], mark["value"], mark["account_days"]) == ("branch", "B1", 15)
    assert (mark["share"], mark["share_elsewhere"]) == (0.75, 0.2)
    assert [row["values"] for row in fields["tuples"]] == [{"branch": "B1"}, {"branch": "B2"}]
    assert "Branch B1 15 75.0 % 20.0 %" in text
    assert "No account-day says its peer group." in text


@pytest.mark.parametrize(
    ("days", "why_not"),
    [
        (0, "A description needs 10 account-days of the segment"),  # of a day of A1 alone
        (9, "A description needs 10 account-days of the segment"),
        (10, "Account-days have no other attribute."),
    ],
)
def test_a_description_says_what_it_lacks(console: MadeConsole, days: int, why_not: str) -> None:
    made: list[dict[str, Any]] = [
        account_day(f"{segment}{number}", "2026-02-28")
        | {"segment": segment, "branch": None, "peer_group": ""}
        for segment in ("current", "savings")
        for number in range(days)
    ]
    console.take(*made, sort=RecordSort.ACCOUNT_DAY)
    with console.client("vera") as client:
        assert why_not in text_of(client, "/groups/current")


def test_incidents_of_a_segment_are_on_its_page(console: MadeConsole) -> None:
    console.take({**systemic("2026-02-15"), "segment": "savings"})
    with console.client("vera") as client:
        found = client.get("/api/v1/groups/current").json()["incidents"]
        assert found == [systemic()["alert_id"]]
        assert f'href="/incidents/{found[0]}"' in client.get("/groups/current").text
        assert client.get("/groups/nobody").status_code == 404
        assert client.get("/groups/a%00b").status_code == 404
        assert client.get("/api/v1/groups/nobody").status_code == 404


def test_without_any_closed_day_the_pages_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "HASHER", cheap_hashes())
    console = MadeConsole(tmp_path)
    with console.client("vera") as client:
        assert "No business day was reported as closed yet" in text_of(client, "/groups")
        listed = client.get("/api/v1/groups").json()
        fields = client.get("/api/v1/team").json()
        assert "Nothing of this sort was closed." in text_of(client, "/team")
    ensure_as_documented("/api/v1/groups", listed)
    ensure_as_documented("/api/v1/team", fields)
    assert listed == {"span": None, "items": [], "next": None}
    console.close()


def test_words_of_figures() -> None:
    assert duration(None) == "-"
    assert share_of(0, 10) == "0.00 %"
