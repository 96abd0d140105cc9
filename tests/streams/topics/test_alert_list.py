"""Alerts as a reader lists them: chosen, sorted, with when each was told and what it was."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from monitor.core.alert import Kind, Status
from monitor.core.business_day import event_time_of
from monitor.dispositions.disposition import Disposition
from streams.cli.options import DisposedAs, OfKind, OfStatus, SortedBy
from streams.cli.views.alerts import HEADER, AlertTable, told
from streams.feed.table import read_table
from streams.replay.replay import Replay
from streams.topics.alert_list import (
    AlertListError,
    Choice,
    Dispositions,
    Sort,
    day_stated,
    in_list_order,
    natural,
    time_stated,
    told_once,
    with_told_at,
)
from streams.topics.alert_table import COLUMNS, ending_of, texts_of, write_csv, write_parquet
from streams.topics.alerts import alerts_of_file
from streams.wire import codec
from tests.support.disposing import batch_of, disposed
from tests.support.incident_stream import INCIDENT_POLICY, incident_rows
from tests.support.transactions import book

Alert = dict[str, Any]


@pytest.fixture(scope="module")
def alerts() -> list[Alert]:
    """Alerts of every kind but counts, each told a second after the one before."""
    made = Replay(book(INCIDENT_POLICY), 2)
    rows = incident_rows()
    alerts = [
        json.loads(codec.alert_bytes(alert))
        for at in range(0, len(rows), 300)
        for alert in made.observe(batch_of(rows[at : at + 300])).alerts
    ]
    return [with_told_at(alert, 1_767_744_000_000 + 1000 * n) for n, alert in enumerate(alerts)]


# -- which are wanted -----------------------------------------------------------------------------


def test_every_part_of_a_choice_is_as_counted_one_by_one(alerts: list[Alert]) -> None:
    at = alerts[len(alerts) // 2]["told_at"]
    of_day = alerts[0]["business_day"]
    listed = [Dispositions([disposed(alerts[0]["alert_id"], "suspicious")]).beside(alert)
              for alert in alerts]  # fmt: skip
    wanted = {
        Choice(account="A3"): [alert for alert in listed if alert["account_id"] == "A3"],
        Choice(day=of_day): [alert for alert in listed if alert["business_day"] == of_day],
        Choice(told_day="2026-01-07"): [
            alert for alert in listed if alert["told_at"][:10] == "2026-01-07"
        ],
        Choice(since=event_time_of(at)): listed[len(listed) // 2 :],
        Choice(kinds=frozenset({"review", "systemic"})): [
            alert for alert in listed if alert["kind"] in ("review", "systemic")
        ],
        Choice(statuses=frozenset({"withdrawn"})): [
            alert for alert in listed if alert["status"] == "withdrawn"
        ],
        Choice(is_open=True): [
            alert for alert in listed if alert["alert_id"] != alerts[0]["alert_id"]
        ],
        Choice(): listed,
        Choice(account="A3", kinds=frozenset({"review"}), statuses=frozenset({"raised"})): [
            alert
            for alert in listed
            if (alert["account_id"], alert["kind"], alert["status"]) == ("A3", "review", "raised")
        ],
    }
    for choice, expected in wanted.items():
        assert len(expected) > 0
        assert [alert for alert in listed if choice.has(alert)] == expected


def test_when_alerts_were_told_is_asked_only_where_they_say_so(alerts: list[Alert]) -> None:
    silent = {name: alerts[0][name] for name in alerts[0] if name != "told_at"}
    assert Choice(day=silent["business_day"]).has(silent)
    for choice in (Choice(since=0), Choice(told_day="2026-01-07")):
        with pytest.raises(AlertListError, match="does not say when it was told"):
            choice.has(silent)
    with pytest.raises(AlertListError, match="sort them by day"):
        in_list_order([silent], Sort.TOLD)


@pytest.mark.parametrize("text", ["2026-13-45", "2026-1-5", "20260105", "2026-W02-1", "", "today"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(AlertListError, match="--day must be a day as YYYY-MM-DD, not"):
        day_stated(text, "--day")
    with pytest.raises(AlertListError, match="--since must be a day"):
        time_stated(text, "--since")


def test_a_time_is_a_day_in_utc_or_an_instant_with_its_offset() -> None:
    midnight = event_time_of("2026-01-05T00:00:00Z")
    assert time_stated("2026-01-05", "--since") == midnight
    assert time_stated("2026-01-05T01:00:00+01:00", "--since") == midnight
    with pytest.raises(AlertListError, match="--since"):
        time_stated("2026-01-05T01:00:00", "--since")
    assert (time_stated(None, "--since"), day_stated(None, "--day")) == (None, None)


# -- in which order -------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 10**30), max_size=20), st.sampled_from(["A", "acc-", "", "1x"]))
def test_ids_are_sorted_as_their_numbers_are(numbers: list[int], before: str) -> None:
    texts = [f"{before}{number}" for number in numbers]
    assert sorted(texts, key=natural) == [f"{before}{number}" for number in sorted(numbers)]


@given(st.lists(st.text("A019é~", max_size=6), max_size=12))
def test_any_texts_have_one_order(texts: list[str]) -> None:
    mixed = texts.copy()
    random.Random(1).shuffle(mixed)  # noqa: S311 - a made order is no secret
    assert sorted(texts, key=natural) == sorted(mixed, key=natural)


def test_an_id_may_have_more_digits_than_an_int_takes() -> None:
    long = "9" * 5000
    assert sorted([long, "10", "9"], key=natural) == ["9", "10", long]


def test_alerts_are_sorted_whatever_the_order_in_which_they_are_read(alerts: list[Alert]) -> None:
    mixed = alerts.copy()
    random.Random(3).shuffle(mixed)  # noqa: S311 - a made order is no secret
    assert in_list_order(mixed, None) == alerts  # by when they were told
    by_day = in_list_order(mixed, Sort.DAY)
    days = [alert["business_day"] for alert in by_day]
    assert days == sorted(days)
    by_account = in_list_order(mixed, Sort.ACCOUNT)
    numbers = [int(alert["account_id"][1:]) for alert in by_account if alert["account_id"]]
    assert numbers == sorted(numbers)
    for listed in (by_day, by_account):
        last: dict[str, int] = {}
        for alert in listed:
            if alert["kind"] != "systemic":  # of which each revision has a day of its own
                assert last.get(alert["alert_id"], 0) < alert["revision"]
                last[alert["alert_id"]] = alert["revision"]
    silent = [{name: alert[name] for name in alert if name != "told_at"} for alert in mixed]
    assert [alert["alert_id"] for alert in in_list_order(silent, None)] == [
        alert["alert_id"] for alert in by_day
    ]


def test_what_is_told_twice_is_listed_once_as_it_was_told_first(alerts: list[Alert]) -> None:
    again = [alert | {"told_at": "2027-01-01T00:00:00Z"} for alert in alerts]
    assert told_once([*alerts, *again]) == alerts


# -- what was made of them ------------------------------------------------------------------------


def test_all_dispositions_stand_beside_an_alert_and_one_of_them_holds(
    alerts: list[Alert],
) -> None:
    alert = alerts[0]
    first = disposed(alert["alert_id"], "false-alarm", 1, by="ann", note="as usual")
    second = disposed(alert["alert_id"], "suspicious", 5, by="ben")
    for words in ([first, second], [second, first], [first, second, first]):
        made = Dispositions(words)
        assert made.of(alert["alert_id"]) == [first, second]
        assert [made.holds(word) for word in made.all] == [False, True]
        shown = made.beside(alert)
        assert {name: shown[name] for name in alert} == alert
        assert shown["disposition"] == {
            "disposition": "suspicious", "by": "ben", "at": "2026-03-02T09:05:00Z", "note": None,
            "revision": None,
        }  # fmt: skip
        assert [word["by"] for word in shown["dispositions"]] == ["ann", "ben"]
        line = AlertTable([shown]).line(shown)
        assert line.endswith("suspicious by ben, 2026-03-02T09:05:00Z (1 before)")
    bare = Dispositions([]).beside(alert)
    assert (bare["disposition"], bare["dispositions"]) == (None, [])


# -- as text --------------------------------------------------------------------------------------


def test_a_table_has_ids_a_header_and_thousands(alerts: list[Alert]) -> None:
    big = next(alert for alert in alerts if alert["kind"] == "daily-amount") | {
        "value": "1234567.80"
    }
    table = AlertTable([big])
    line = table.line(big)
    assert line.startswith(f"{big['alert_id']}  {big['told_at'][:19]}Z  {big['business_day']}")
    assert "1,234,567.80 EUR" in line
    assert line.index("1,234,567.80") < line.index("500.00 EUR")
    names = table.header.split("  ")
    assert [name.strip() for name in names if name.strip()] == [
        *HEADER[:-1]
    ]  # nobody said anything
    outlier = next(alert for alert in alerts if alert["kind"] == "outlier")
    assert told(outlier, "value") == f"1 in {outlier['value']:,}"
    assert told(outlier, "value") in AlertTable().line(outlier)
    share = {"kind": "limit", "value": 801, "evidence": {"measured": {"measure": "share"}}}
    assert told(share, "value") == "80.1 %"
    for systemic in (alert for alert in alerts if alert["kind"] == "systemic"):
        line = AlertTable([systemic, big]).line(systemic)
        assert "the whole population has moved" in line
        assert f"{systemic['grouped']:,} alerts under it" in line


def test_text_of_others_does_not_reach_a_terminal_as_it_is(alerts: list[Alert]) -> None:
    bad = "\x1b[2J\x07\u202e"
    amount = next(alert for alert in alerts if alert["kind"] == "daily-amount")
    systemic = next(alert for alert in alerts if alert["kind"] == "systemic")
    said = Dispositions([disposed(amount["alert_id"], "suspicious", by=bad, note=bad)])
    spoiled = [
        said.beside(amount | {"account_id": bad, "threshold_id": bad}),
        systemic | {"segment": bad},
    ]
    for line in AlertTable(spoiled).lines(spoiled):
        assert line.isprintable()


# -- as tables ------------------------------------------------------------------------------------


def listed(alerts: list[Alert]) -> list[Alert]:
    words = [disposed(alert["alert_id"], "service-need", n, note='a "note",\nof two lines')
             for n, alert in enumerate(alerts[::5])]  # fmt: skip
    return [Dispositions(words).beside(alert) for alert in alerts]


def columns(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a table is to have of an alert, read off it field by field."""
    cause, held, evidence = alert.get("cause") or {}, alert["disposition"] or {}, alert["evidence"]
    plain = ("told_at", "alert_id", "revision", "kind", "status", "severity", "account_id",
             "business_day", "segment", "threshold_id", "direction", "currency", "value", "limit",
             "value_before", "score", "verdict", "limit_ratio", "suggested_limit", "grouped",
             "policy_version", "transaction_id", "event_time", "partition", "offset")  # fmt: skip
    return {name: alert.get(name) for name in plain} | {
        "times_limit": evidence.get("times_limit"),
        "reading": evidence.get("reading"),
        "breach_days": evidence.get("breach_days"),
        "near_days": evidence.get("near_days"),
        "cause_type": cause.get("type"),
        "cause_value": cause.get("value"),
        "cause_lift": cause.get("lift"),
        "suppressed_until": (alert.get("suppressed") or {}).get("until"),
        "suppression_reason": (alert.get("suppressed") or {}).get("reason"),
        "disposition": held.get("disposition"),
        "disposed_by": held.get("by"),
        "disposed_at": held.get("at"),
        "disposition_note": held.get("note"),
        "dispositions": len(alert["dispositions"]),
    }


def test_a_table_has_every_figure_of_every_alert(alerts: list[Alert]) -> None:
    for alert in listed(alerts):
        cells = texts_of(alert)
        assert json.loads(cells.pop("evidence") or "") == alert["evidence"]
        assert cells == {
            name: None if cell is None else str(cell) for name, cell in columns(alert).items()
        }


def test_csv_parquet_and_json_lines_are_read_as_one_table(
    alerts: list[Alert], tmp_path: Path
) -> None:
    shown = listed(alerts)
    with (tmp_path / "a.csv").open("wb") as file:
        write_csv(shown, file)
        assert not file.closed
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps(listed_alert) + "\n" for listed_alert in shown)
    )
    from_csv, from_lines = read_table(tmp_path / "a.csv"), read_table(tmp_path / "a.jsonl")
    assert from_csv.names == from_lines.names == tuple(column.name for column in COLUMNS)
    empty = {name: ["" if cell is None else cell for cell in cells]
             for name, cells in from_lines.columns.items()}  # fmt: skip
    assert {name: ["" if cell is None else cell for cell in cells]
            for name, cells in from_csv.columns.items()} == empty  # fmt: skip


def test_parquet_has_amounts_as_decimals_days_as_dates_and_times_in_utc(
    alerts: list[Alert], tmp_path: Path
) -> None:
    shown = listed(alerts)
    amount = next(listed_alert for listed_alert in shown if listed_alert["kind"] == "daily-amount")
    # No float is as exact as this value.
    shown.append(amount | {"value": "12345678901234567.89", "limit": "0.01"})
    path = tmp_path / "a.parquet"
    with path.open("wb") as file:
        write_parquet(shown, file)
    read = parquet.read_table(path)
    assert read.schema.field("value").type == pa.decimal128(38, 4)
    for row, alert in zip(read.to_pylist(), shown, strict=True):
        for name, expected in columns(alert).items():
            cell = row[name]
            if expected is None:
                assert cell is None
            elif isinstance(cell, Decimal):
                assert cell == Decimal(str(expected))
            elif isinstance(cell, datetime):
                assert cell.astimezone(UTC) == datetime.fromisoformat(expected)
            elif isinstance(cell, date):
                assert cell.isoformat() == expected
            else:
                assert cell == expected
    assert read_table(path).rows == len(shown)


def test_what_is_not_of_its_sort_is_refused_by_name(alerts: list[Alert]) -> None:
    amount = next(alert for alert in alerts if alert["kind"] == "daily-amount")
    for changes, name in (
        ({"value": "much"}, "value must be a decimal, not"),
        ({"value": "1.23456"}, "column value"),
        ({"partition": "x"}, "column partition"),
        ({"event_time": "noon"}, "event_time must be a time"),
    ):
        with pytest.raises(AlertListError, match=name):
            write_parquet([amount | changes], BytesIO())


def test_the_ending_says_what_is_written(tmp_path: Path) -> None:
    assert ending_of(Path("-")) == ending_of(Path("/dev/null")) == ".jsonl"
    for name in ("a.jsonl", "a.csv", "a.PARQUET"):
        assert ending_of(tmp_path / name) == Path(name).suffix.lower()
    for name in ("a", "a.json", "a.txt", "a.xlsx", "csv"):
        with pytest.raises(AlertListError, match=r"must end in \.jsonl, \.csv or \.parquet"):
            ending_of(tmp_path / name)


def test_what_options_let_choose_from_is_what_there_is() -> None:
    for choices, members in ((OfKind, Kind), (OfStatus, Status), (SortedBy, Sort),
                        (DisposedAs, Disposition)):  # fmt: skip
        assert [str(choice) for choice in choices] == [str(member) for member in members]


def test_alerts_of_a_file_are_those_that_were_written(alerts: list[Alert], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(alert) + "\n" for alert in alerts), encoding="utf-8")
    assert list(alerts_of_file(path)) == alerts
