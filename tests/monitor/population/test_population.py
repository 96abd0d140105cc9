"""A made population: the same arguments give the same bytes, and its labels are true."""

import csv
import io
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.transaction import FIELDS, Reason, Rejection, transaction_of
from monitor.engine.engine import Engine
from monitor.policy.document import DEFAULT_POLICY, policy_of
from monitor.policy.policy import PolicyBook
from monitor.population import COLUMNS, Population, PopulationError, rows_of
from monitor.population.faults import KINDS, LATE_DAYS_MAX
from monitor.population.labels import incident_labels_of, labels_of_day
from monitor.population.rows import csv_header, csv_of
from tests.support.laws import law

HEADER = (
    b"transaction_id,account_id,booked_at,amount,currency,direction,counterparty_id,"
    b"counterparty_institution,channel,segment,branch,reverses\n"
)

populations = st.builds(
    Population,
    st.integers(1, 60),
    st.integers(1, 4),
    st.integers(0, 1 << 40),
    start=st.dates(date(1950, 1, 1), date(2100, 1, 1)),
    currency=st.sampled_from(["EUR", "USD"]),
    anomaly_share=st.sampled_from([0.0, 0.0012, 0.3]),
    with_incidents=st.booleans(),
    with_faults=st.booleans(),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "America/New_York"]),
    with_needs=st.booleans(),
)


def bytes_of(population: Population) -> list[bytes]:
    """Return the CSV of each day."""
    return [b"".join(csv_of(population, made)) for made in population.made_days()]


def labels_of(population: Population) -> list[dict[str, Any]]:
    labels = [label for made in population.made_days() for label in labels_of_day(made)]
    return labels + list(incident_labels_of(population))


# -- the same ------------------------------------------------------------------------------------


@law(30)
@given(populations)
def test_the_same_arguments_give_the_same_bytes_and_labels(population: Population) -> None:
    again = replace(population)
    assert bytes_of(population) == bytes_of(again)
    assert labels_of(population) == labels_of(again)


def test_another_seed_gives_other_rows() -> None:
    assert bytes_of(Population(50, 2, 1)) != bytes_of(Population(50, 2, 2))


@law(20)
@given(populations, st.integers(1, 4))
def test_a_longer_run_begins_as_a_shorter_one(population: Population, more: int) -> None:
    longer = replace(population, days=population.days + more)
    assert bytes_of(longer)[: population.days] == bytes_of(population)


def test_a_longer_run_begins_as_a_shorter_one_that_ends_within_an_incident() -> None:
    whole = Population(150, 45, 4, with_incidents=True)
    for days in (26, 33, 43):
        assert bytes_of(whole)[:days] == bytes_of(replace(whole, days=days))


@law(30)
@given(populations)
def test_the_bytes_of_a_file_and_the_tuples_are_the_same_rows(population: Population) -> None:
    text = b"".join(bytes_of(population)).decode("ascii")
    read = [tuple(row) for row in csv.reader(io.StringIO(text))]
    assert read == [row for _, rows in rows_of(population) for row in rows]
    assert text.count("\n") == len(read)
    assert all(len(row) == len(COLUMNS) for row in read)


def test_the_header_is_that_of_the_fields() -> None:
    assert csv_header() == HEADER
    assert ",".join(FIELDS).encode() + b"\n" == HEADER


# -- what the rows are ---------------------------------------------------------------------------


@law(20)
@given(populations)
def test_rows_are_transactions_but_for_the_faults_that_say_so(population: Population) -> None:
    for made, rows in rows_of(population):
        for row, fault in zip(rows, made.faults.tolist(), strict=True):
            item = transaction_of(row)
            kind = KINDS[fault - 1] if fault else "sound"
            if isinstance(item, Rejection):
                assert item.reason == kind
            else:
                assert kind in {"sound", "duplicate", "late"}


def test_ids_are_of_one_row_each_but_for_duplicates() -> None:
    population = Population(800, 5, 5, with_faults=True)
    labels = labels_of(population)
    twice = Counter(label["transaction_id"] for label in labels if label["kind"] == "duplicate")
    ids = Counter(row[0] for _, rows in rows_of(population) for row in rows)
    assert {key for key, count in ids.items() if count > 1} == set(twice)
    assert all(ids[key] == 1 + count for key, count in twice.items())
    assert twice


def test_without_faults_the_feed_is_in_the_order_of_time_and_nothing_is_set_aside() -> None:
    engine = Engine(0, PolicyBook([policy_of(DEFAULT_POLICY)]))
    rows = [row for _, made in rows_of(Population(300, 6, 5, anomaly_share=0.01)) for row in made]
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)
    engine.observe(range(len(rows)), [transaction_of(row) for row in rows])
    step = engine.take_step()
    assert step.rejections == []
    assert step.transactions == len(rows)
    assert any(row[11] for row in rows), "some take others back"


def test_with_faults_each_is_set_aside_with_its_reason() -> None:
    population = Population(2000, 8, 5, with_faults=True)
    text = DEFAULT_POLICY.replace("[calendar]", '[calendar]\nallowed_lateness = "24h"')
    engine = Engine(0, PolicyBook([policy_of(text)]))
    rows = [row for _, made in rows_of(population) for row in made]
    engine.observe(range(len(rows)), [transaction_of(row) for row in rows])
    found = Counter(rejection.reason.value for _, rejection in engine.take_step().rejections)
    labelled = Counter(
        label["kind"] for label in labels_of(population) if label["level"] == "fault"
    )
    assert set(labelled) == set(KINDS)
    too_late = found.pop(Reason.TOO_LATE.value)
    assert 0 < too_late <= labelled.pop("late")
    assert found == labelled


def test_a_late_row_is_at_most_so_many_days_late() -> None:
    population = Population(2000, 8, 5, with_faults=True)
    for made, rows in rows_of(population):
        for row, fault in zip(rows, made.faults.tolist(), strict=True):
            if fault and KINDS[fault - 1] == "late":
                late = made.day.toordinal() - date.fromisoformat(row[2][:10]).toordinal()
                assert 1 <= late <= LATE_DAYS_MAX


# -- what the labels say -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "population",
    [
        Population(400, 27, 3, anomaly_share=0.01, with_incidents=True, with_faults=True),
        Population(60, 3, 1, anomaly_share=0.3, time_zone="America/New_York"),
    ],
    ids=["all", "anomalies"],
)
def test_labels_name_rows_that_exist(population: Population) -> None:
    accounts_of: dict[str, set[str]] = {}
    days = set()
    for made, rows in rows_of(population):
        days.add(made.day.isoformat())
        for row in rows:
            accounts_of.setdefault(row[0], set()).add(row[1])
    everyone = set().union(*accounts_of.values())
    levels: Counter[str] = Counter()
    for label in labels_of(population):
        levels[label["level"]] += 1
        match label["level"]:
            case "transaction":
                assert accounts_of[label["transaction_id"]] == {label["account_id"]}
            case "fault":
                assert accounts_of[label["transaction_id"]] <= {label["account_id"], ""}
                assert label["business_day"] in days
            case "account-day":
                assert label["account_id"] in everyone
                assert label["business_day"] in days
            case "incident":
                assert set(label["days"]) <= days
                assert set(label["accounts"]) <= {f"A{number:07d}" for number in range(400)}
            case other:
                pytest.fail(f"no level of labels: {other}")
    assert levels["transaction"] >= levels["account-day"] > 0
    assert (levels["incident"] > 0) == population.with_incidents
    assert (levels["fault"] > 0) == population.with_faults


def test_an_account_day_is_labelled_once_for_each_kind() -> None:
    labels = [
        (label["account_id"], label["business_day"], label["kind"])
        for label in labels_of(Population(400, 5, 3, anomaly_share=0.1))
        if label["level"] == "account-day"
    ]
    assert len(labels) == len(set(labels)) > 20


# -- what makes none -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accounts": 0}, "accounts is 0"), ({"days": 0}, "days is 0"),
        ({"days": 3661}, "days is 3661"), ({"seed": -1}, "seed is -1"),
        ({"currency": "JPY"}, "currency is 'JPY'"), ({"currency": "eur"}, "currency is 'eur'"),
        ({"anomaly_share": 1.5}, "anomalies is 1.5"), ({"anomaly_share": -0.1}, "anomalies is"),
        ({"time_zone": "Berlin"}, "time zone is 'Berlin'"), ({"start": date(1899, 1, 1)}, "start"),
        ({"accounts": 10_000_001}, "accounts is 10000001"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_population(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PopulationError, match=said):
        Population(**{"accounts": 1, "days": 1, "seed": 1, **changes})


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(PopulationError, match=r"accounts is 0.*; days is 0.*; seed is -1"):
        Population(0, 0, -1)
