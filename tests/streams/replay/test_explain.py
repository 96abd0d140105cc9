"""An alert explained: the same records say the same, and what was changed is what is named."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.alert import Status
from monitor.core.attributes import AttributeBook, Attributes
from monitor.core.money import amount_text
from monitor.core.transaction import Fields
from monitor.dispositions.rules import last_told
from monitor.engine.engine import Engine
from monitor.explain.comparison import ABSENT, figures_of
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.population import Population, rows_of
from streams.cli.views.explain import text_of
from streams.feed.reader import Batch
from streams.replay.explain import AlertSelection, explain_all_of_files, explain_of_files
from streams.replay.explain_topics import Beginning, ensure_reaches, notes_of
from streams.replay.explained import ExplainError, Explanation, chain_of
from streams.replay.rederivation import Late, Rederivation, lateness_of
from streams.replay.replay import Replay
from streams.topics.alerts import AlertFileError, alerts_of_file
from streams.topics.members import IncidentAlerts
from streams.wire import codec
from tests.support.command_line import Weir, weir_of
from tests.support.incident_stream import INCIDENT_POLICY, incident_rows
from tests.support.laws import law
from tests.support.made_stream import SEGMENTED, made_stream
from tests.support.rigs import command
from tests.support.transactions import POLICY, book, observed, row, transaction

Told = dict[str, Any]


@pytest.fixture
def weir(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weir:
    return weir_of(monkeypatch, capsys)


def batches_of(rows: Sequence[Fields], size: int = 700) -> list[Batch]:
    return [
        Batch(Path("made.csv"), rows[at : at + size], range(at + 1, at + 1 + size), [], 1.0)
        for at in range(0, len(rows), size)
    ]


def told_of(policies: PolicyBook, batches: Sequence[Batch], partitions: int = 4) -> list[Told]:
    run = Replay(policies, partitions)
    alerts = [alert for batch in batches for alert in run.observe(batch).alerts]
    return [json.loads(codec.alert_bytes(alert)) for alert in alerts]


def explained(
    alerts: Sequence[Told],
    alert: Told,
    policies: PolicyBook,
    batches: Sequence[Batch],
    parts: int = 4,
) -> Explanation:
    chain = chain_of(alerts, alert["alert_id"], alert["revision"])
    return explain_of_files(chain, policies, lambda: batches, parts)


def names_that_differ(explanation: Explanation) -> set[str]:
    return {figure.name for figure in explanation.figures if not figure.is_same}


# -- laws -----------------------------------------------------------------------------------------


@pytest.mark.no_cover
@law(15)
@example(79, 1, 1)  # a reversal of a closed day: it waits, and counts nowhere
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 40))
def test_every_alert_of_a_made_file_is_derived_again_alike(
    seed: int, partitions: int, size: int
) -> None:
    """Raised, restated and withdrawn: by late and by reversing records, and by another segment."""
    raw = [(n, record.value or b"") for n, record in enumerate(made_stream(seed), 1)]
    batches = [
        Batch(Path("made.jsonl"), [], [], raw[at : at + size], 1.0)
        for at in range(0, len(raw), size)
    ]
    policies = book(SEGMENTED)
    alerts = told_of(policies, batches, partitions)
    alone = []
    for alert in alerts:
        explanation = explained(alerts, alert, policies, batches, partitions)
        assert explanation.differs == []
        assert explanation.now == alert
        assert explanation.total == (None if alert["kind"] == "review" else alert["value"])
        alone.append(explanation.fields())
    chains = [chain_of(alerts, alert["alert_id"], alert["revision"]) for alert in alerts]
    at_once = explain_all_of_files(chains, policies, lambda: batches, partitions)
    assert [derived.fields() for derived in at_once if isinstance(derived, Explanation)] == alone


def test_made_streams_have_every_status() -> None:
    raw = [(n, record.value or b"") for n, record in enumerate(made_stream(1, 400), 1)]
    alerts = told_of(book(SEGMENTED), [Batch(Path("made.jsonl"), [], [], raw, 1.0)])
    assert {alert["status"] for alert in alerts} == {status.value for status in Status}


MODELLED = POLICY + "[budget]\nalerts_per_day = 50\nwarm_up_days = 5\n"


@pytest.fixture(scope="module")
def made_rows() -> list[Fields]:
    return [made_row for _, made in rows_of(Population(400, 12, 7)) for made_row in made]


def test_an_alert_of_a_list_has_the_transactions_with_its_counterparties() -> None:
    text = """
[lists.pep]
counterparties = ["P1", "P2"]
[[limit]]
id = "to-pep"
measure = "count"
where = { counterparty_in = "pep" }
above = 1
"""
    parties = ["P1", "P3", "P2", "P"]
    rows = [row(f"T{n}", amount="1.00", counterparty_id=who) for n, who in enumerate(parties)]
    policies, batches = book(POLICY + text), batches_of(rows)
    (alert,) = [its for its in told_of(policies, batches) if its["kind"] == "limit"]
    explanation = explained([alert], alert, policies, batches)
    assert explanation.differs == []
    assert [part.transaction.transaction_id for part in explanation.parts] == ["T0", "T2"]


@pytest.mark.no_cover
def test_an_outlier_is_derived_again_to_the_last_digit(made_rows: list[Fields]) -> None:
    policies, batches = book(MODELLED), batches_of(made_rows)
    for partitions in (1, 2):
        alerts = told_of(policies, batches, partitions)
        outliers = [alert for alert in alerts if alert["kind"] == "outlier"]
        last = outliers[-1]
        if partitions == 1:
            last = [alert for alert in outliers if alert["status"] == "restated"][-1]
        for outlier in (outliers[0], last):
            explanation = explained(alerts, outlier, policies, batches, partitions)
            assert explanation.differs == []
            assert explanation.now == outlier
            assert explanation.total is None


def test_the_models_of_an_outlier_have_a_name_that_follows_from_their_settings(
    made_rows: list[Fields],
) -> None:
    def models_of(text: str, partitions: int) -> set[str]:
        alerts = told_of(book(text), batches_of(made_rows), partitions)
        return {alert["evidence"]["model"] for alert in alerts if alert["kind"] == "outlier"}

    names = models_of(MODELLED, 1)
    assert {name.split("-2026")[0][:17] for name in names} == {"half-space-trees-"}
    assert len({name.split("@")[0] for name in names}) == 1
    assert all(name.split("@")[1].startswith("2026-") for name in names)
    other = models_of(MODELLED + "[models]\nseed = 2\n", 1)
    assert {name.split("@")[0] for name in names}.isdisjoint(name.split("@")[0] for name in other)


def test_an_alert_that_a_policy_version_caused_is_derived_again() -> None:
    """As a worker meets it: the version comes while the day is open, and lowers the limit."""
    second = policy_of(POLICY.replace("version = 1", "version = 2").replace("500.00", "150.00"))
    policies = book()
    engine = Engine(0, policies)
    records = [transaction("T1"), transaction("T2", hours=1), transaction("T3", hours=2)]
    step = observed(engine, *records[:2])
    assert step.alerts == []
    policies.add(second)
    engine.policies_changed()
    told = engine.take_step().alerts + observed(engine, *records[2:]).alerts
    alerts = [json.loads(codec.alert_bytes(alert)) for alert in told]
    assert [alert["transaction_id"] for alert in alerts] == [None]
    chain = chain_of(alerts, alerts[0]["alert_id"], None)
    assert lateness_of(chain) == list(Late)
    run = Rederivation(chain, policies, 0, 1, late=Late.POLICIES)
    run.take([0, 1, 2], records)
    assert run.alert == alerts[0]


def test_an_alert_that_attributes_caused_is_derived_again() -> None:
    """As a worker meets it: the account's segment comes while the day is open."""
    text = (
        POLICY
        + """
[[limit]]
id = "small"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "150.00"
scope = { segment = "small" }
"""
    )
    of_account = Attributes("small")
    engine = Engine(0, book(text))
    records = [transaction("T1"), transaction("T2", hours=1), transaction("T3", hours=2)]
    assert observed(engine, *records[:2]).alerts == []
    engine.ledger.attributes.take("A1", of_account)
    engine.attributes_changed(["A1"])
    told = engine.take_step().alerts + observed(engine, *records[2:]).alerts
    alerts = [json.loads(codec.alert_bytes(alert)) for alert in told]
    assert [(alert["transaction_id"], alert["limit"]) for alert in alerts] == [(None, "150.00")]
    known = AttributeBook()
    known.take("A1", of_account)
    run = Rederivation(alerts, book(text), 0, 1, known, Late.ATTRIBUTES)
    run.take([0, 1, 2], records)
    assert run.alert == alerts[0]
    rows = [row("T1"), row("T2", hours=1), row("T3", hours=2)]
    explanation = explain_of_files(alerts, book(text), lambda: batches_of(rows), 1, known)
    assert explanation.differs == []
    assert [part.transaction.transaction_id for part in explanation.parts] == ["T1", "T2"]


@pytest.mark.no_cover
def test_every_review_is_derived_again_alike(made_rows: list[Fields]) -> None:
    policies = book(POLICY.replace("500.00", "150.00") + "[review]\n")
    batches = batches_of(made_rows)
    alerts = told_of(policies, batches, 2)
    reviews = [alert for alert in alerts if alert["kind"] == "review"]
    assert {alert["status"] for alert in reviews} >= {"raised", "restated"}
    for review in reviews[:: max(len(reviews) // 12, 1)]:
        explanation = explained(alerts, review, policies, batches, 2)
        assert explanation.differs == []
        assert explanation.now == review


# -- with the systemic part, and many at once -----------------------------------------------------


@pytest.fixture(scope="module")
def of_incidents() -> tuple[list[Batch], list[Told]]:
    """Batches of a stream with incidents, and all that was told of it by two partitions."""
    batches = batches_of(incident_rows(), 300)
    return batches, told_of(book(INCIDENT_POLICY), batches, 2)


def test_every_revision_of_every_kind_is_derived_again_by_one_replay(
    of_incidents: tuple[list[Batch], list[Told]],
) -> None:
    batches, alerts = of_incidents
    kinds = {alert["kind"] for alert in alerts}
    assert kinds == {"daily-amount", "outlier", "review", "systemic"}
    assert any(alert["evidence"].get("grouped_days") for alert in alerts)
    assert {told["status"] for told in alerts if told["kind"] == "review"} == {*map(str, Status)}
    replays = []

    def feed() -> list[Batch]:
        replays.append(1)
        return batches

    chains = [chain_of(alerts, told["alert_id"], told["revision"]) for told in alerts]
    answers = explain_all_of_files(chains, book(INCIDENT_POLICY), feed, 2)
    assert len(replays) == 1
    for alert, answer in zip(alerts, answers, strict=True):
        assert isinstance(answer, Explanation), answer
        assert (answer.differs, answer.notes, answer.now) == ([], [], alert)
        is_sum = alert["kind"] == "daily-amount"
        assert answer.total == (alert["value"] if is_sum else None)


def test_what_was_rejected_is_no_part_of_a_value_there(told: list[Told]) -> None:
    rows = [*ROWS[:2], ROWS[0], row("T6", hours=1, reverses="T9"), *ROWS[2:]]
    alerts = told_of(book(), batches_of(rows), 2)
    chain = chain_of(alerts, told[0]["alert_id"], None)
    for answer in explain_all_of_files([chain, chain], book(), lambda: batches_of(rows), 2):
        assert isinstance(answer, Explanation)
        assert (answer.differs, answer.total) == ([], "600.00")
        assert [part.transaction.transaction_id for part in answer.parts] == ["T1", "T2", "T3"]


@pytest.mark.slow
def test_one_alert_says_the_same_as_one_of_many(
    of_incidents: tuple[list[Batch], list[Told]],
) -> None:
    batches, alerts = of_incidents
    last = {alert["kind"]: alert for alert in alerts}
    of_review = [told for told in alerts if told["evidence"].get("grouped_days")]
    for alert in (*last.values(), of_review[0], of_review[-1]):
        alone = explained(alerts, alert, book(INCIDENT_POLICY), batches, 2)
        assert (alone.differs, alone.now) == ([], alert)
        chain = chain_of(alerts, alert["alert_id"], alert["revision"])
        feed = lambda: batches  # noqa: E731 - as short as it is
        both = explain_all_of_files([chain, chain], book(INCIDENT_POLICY), feed, 2)
        for answer in both:
            assert isinstance(answer, Explanation)
            assert answer.fields() == alone.fields()


def test_what_was_changed_of_an_incident_and_of_its_reviews_is_named(
    of_incidents: tuple[list[Batch], list[Told]],
) -> None:
    """As it was without the systemic part: the very fault that explain had."""
    batches, alerts = of_incidents
    without = book(INCIDENT_POLICY.replace("[systemic]\n", ""))
    review = [alert for alert in alerts if alert["evidence"].get("grouped_days")][-1]
    incident = [alert for alert in alerts if alert["kind"] == "systemic"][-1]
    assert not explained(alerts, review, without, batches, 2).is_same
    nothing = explained(alerts, incident, without, batches, 2)
    day = incident["business_day"]
    assert nothing.differs == [f"the records tell no such alert up to business day {day}"]
    fewer = [batch._replace(rows=batch.rows[::2], numbers=batch.numbers[::2]) for batch in batches]
    other = explained(alerts, incident, book(INCIDENT_POLICY), fewer, 2)
    assert not other.is_same
    more = incident | {"grouped": incident["grouped"] + 1}
    changed = explained([more], more, book(INCIDENT_POLICY), batches, 2)
    assert changed.differs == ["it differs in grouped"]


def test_a_systemic_alert_shows_its_members_and_a_review_its_incidents(
    of_incidents: tuple[list[Batch], list[Told]],
) -> None:
    batches, alerts = of_incidents
    incidents = IncidentAlerts(alerts)
    last = last_told(alerts)
    for systemic in last.values():
        if systemic["kind"] == "systemic":
            members = incidents.members_of(systemic)
            assert len(members) == systemic["grouped"] > 0
            assert {member["segment"] for member in members} == {systemic["segment"]}
            assert {member["business_day"] for member in members} <= {*systemic["evidence"]["days"]}
            counted = sum(
                alert["kind"] == "daily-amount"
                and alert["segment"] == systemic["segment"]
                and alert["business_day"] in systemic["evidence"]["days"]
                for alert in last.values()
            )
            assert len(members) == counted
    of_review = next(alert for alert in last.values() if alert["evidence"].get("grouped_days"))
    found = incidents.leaving_out(of_review)
    assert [day for day, _ in found] == of_review["evidence"]["grouped_days"]
    assert all(day in incident["evidence"]["days"] for day, incident in found)
    explanation = explained(alerts, of_review, book(INCIDENT_POLICY), batches, 2)
    text = text_of(explanation.beside(incidents, []))
    assert all(f"  {day}  {incident['alert_id']}" in text for day, incident in found)
    incident = found[0][1]
    of_incident = explained(alerts, dict(incident), book(INCIDENT_POLICY), batches, 2)
    text = text_of(of_incident.beside(incidents, []))
    assert f"{incident['grouped']} account alerts belong to it:" in text
    assert "decided_by.number" in text
    assert text.splitlines()[-1] == "the same"


def test_a_review_that_says_the_same_by_another_record_is_the_same_with_a_note(
    of_incidents: tuple[list[Batch], list[Told]],
) -> None:
    """As a worker tells it that heard of the incident later; any other difference is one."""
    batches, alerts = of_incidents
    review = [alert for alert in alerts if alert["evidence"].get("grouped_days")][-1]
    later = review | {"revision": review["revision"] + 2, "offset": review["offset"] + 9}
    explanation = explained([later], later, book(INCIDENT_POLICY), batches, 2)
    assert explanation.differs == []
    assert f"was revision {later['revision']}" in explanation.notes[0]
    other = later | {"value": later["value"] + 1}
    assert not explained([other], other, book(INCIDENT_POLICY), batches, 2).is_same
    limit = next(alert for alert in alerts if alert["kind"] == "daily-amount")
    moved = limit | {"offset": limit["offset"] + 1}
    assert not explained([moved], moved, book(INCIDENT_POLICY), batches, 2).is_same


def test_a_sample_has_so_many_of_each_kind_and_another_seed_others(
    of_incidents: tuple[list[Batch], list[Told]],
) -> None:
    _, alerts = of_incidents
    chosen = AlertSelection(sample=3).chains_of(alerts)
    assert Counter(chain[-1]["kind"] for chain in chosen) == {
        "daily-amount": 3, "outlier": 3, "review": 3, "systemic": 3,
    }  # fmt: skip
    last = last_told(alerts)
    assert all(chain[-1] == last[chain[-1]["alert_id"]] for chain in chosen)
    assert AlertSelection(sample=3).chains_of(alerts) == chosen
    others = AlertSelection(sample=3, seed=2, kinds=("outlier",)).chains_of(alerts)
    assert {chain[-1]["kind"] for chain in others} == {"outlier"}
    assert others != [chain for chain in chosen if chain[-1]["kind"] == "outlier"]
    every = AlertSelection(sample=10**6, kinds=("review",)).chains_of(alerts)
    assert len(every) == sum(alert["kind"] == "review" for alert in last.values())
    with pytest.raises(ExplainError, match="no alert to explain"):
        AlertSelection(sample=3, kinds=("daily-count",)).chains_of(alerts)


@pytest.mark.no_cover
def test_many_are_shown_in_a_line_each_and_counted(
    of_incidents: tuple[list[Batch], list[Told]], tmp_path: Path, weir: Weir
) -> None:
    batches, _ = of_incidents
    lines = [codec.transaction_bytes(item) for batch in batches for item in batch.rows]
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "p.toml").write_text(INCIDENT_POLICY, encoding="utf-8")
    shown = ("--input", tmp_path / "t.jsonl", "--policy", tmp_path / "p.toml", "--partitions", 2)
    told = tmp_path / "a.jsonl"
    assert weir("replay", *shown[1:], "--alerts", told).status == 0
    same = weir("explain", "--sample", 2, "--alerts", told, *shown)
    assert (same.status, same.err) == (0, "")
    assert same.out.splitlines()[-4:] == [
        f"{kind:<12}       2 the same, 0 different"
        for kind in ("daily-amount", "outlier", "review", "systemic")
    ]
    changed = [json.loads(line) for line in told.read_bytes().splitlines()]
    review = last_told(alert for alert in changed if alert["kind"] == "review").popitem()[1]
    review["value"] += 1
    told.write_text("".join(json.dumps(alert) + "\n" for alert in changed), encoding="utf-8")
    amount = next(alert for alert in changed if alert["kind"] == "daily-amount")
    ids = (amount["alert_id"], review["alert_id"])
    differs = weir("explain", *ids, "--alerts", told, *shown, "--json")
    assert differs.status == 1
    first, second = map(json.loads, differs.out.splitlines())
    assert (first["same"], second["same"]) == (True, False)
    assert second["differs"][0].startswith("the records come to")
    for words in (("explain",), ("explain", "x", "--sample", 1), ("explain", "x", "y", "--revision",
                  1), ("explain", "x", "--kind", "review")):  # fmt: skip
        assert weir(*words, "--alerts", told, *shown).status == 2


# -- what was changed is named --------------------------------------------------------------------

ROWS = [
    row("T1", amount="100.00"), row("T2", hours=1, amount="300.00"),
    row("T3", hours=2, amount="200.00"), row("T4", hours=90, account_id="A2"),
    row("T5", hours=91),
]  # fmt: skip
OF_VALUE = {"evidence.over_by", "evidence.times_limit"}


@pytest.fixture
def told() -> list[Told]:
    (alert,) = told_of(book(), batches_of(ROWS))
    assert (alert["value"], alert["transaction_id"]) == ("600.00", "T3")
    return [alert]


def again(told: list[Told], text: str = POLICY, rows: Sequence[Fields] = ROWS) -> Explanation:
    return explained(told, told[0], book(text), batches_of(rows))


def test_another_amount_is_named(told: list[Told]) -> None:
    rows = [*ROWS[:1], row("T2", hours=1, amount="300.01"), *ROWS[2:]]
    explanation = again(told, rows=rows)
    assert explanation.differs == ["the records come to 600.01 here, the alert told 600.00"]
    totals = {"value", "evidence.totals.EUR.debit_amount", "evidence.over_by"}
    assert names_that_differ(explanation) == totals
    assert [part.fields()["amount"] for part in explanation.parts] == ["100.00", "300.01", "200.00"]


def test_another_limit_is_named(told: list[Told]) -> None:
    explanation = again(told, POLICY.replace("500.00", "420.00"))
    assert explanation.differs == ["the limit is 420.00 here, it was 500.00"]
    assert names_that_differ(explanation) == {"limit", *OF_VALUE}


def test_another_policy_version_is_named(told: list[Told]) -> None:
    explanation = again(told, POLICY.replace("version = 1", "version = 2"))
    assert explanation.differs == ["policy version 2 decides here, version 1 told it"]
    assert names_that_differ(explanation) == {"policy_version"}


def test_a_limit_that_another_transaction_tips_is_named_with_it(told: list[Told]) -> None:
    explanation = again(told, POLICY.replace("500.00", "350.00"))
    assert explanation.differs[0] == "the limit is 350.00 here, it was 500.00"
    assert "transaction T2 tips it here, it was T3" in explanation.differs


def test_what_is_not_told_any_more_is_said_with_what_the_day_comes_to(told: list[Told]) -> None:
    explanation = again(told, rows=[*ROWS[:1], *ROWS[2:]])
    assert explanation.now is None
    assert explanation.total == "300.00"
    (said,) = explanation.differs
    assert said.startswith("the records tell no such alert: as its day closed the value is 300.00;")
    assert said.endswith(" the limit 500.00 was exceeded by 600.00")
    assert {figure.now for figure in explanation.figures} == {ABSENT}


def test_a_record_more_before_it_is_another_place_and_no_more(told: list[Told]) -> None:
    before = row("T0", hours=-1, account_id="A1", amount="1.00", direction="credit")
    explanation = again(told, rows=[before, *ROWS])
    of_credit = {"evidence.totals.EUR.credit_count", "evidence.totals.EUR.credit_amount"}
    assert names_that_differ(explanation) == {"offset", *of_credit}
    assert explanation.differs == ["the record that tips it stands at offset 3 here, it stood at 2"]


def test_what_is_asked_for_and_not_there_is_said(told: list[Told]) -> None:
    with pytest.raises(ExplainError, match="no alert nothing is there"):
        chain_of(told, "nothing", None)
    with pytest.raises(ExplainError, match="has no revision 7: there is 1"):
        chain_of(told, told[0]["alert_id"], 7)


@given(st.lists(st.integers(1, 99_999), min_size=1, max_size=12), st.randoms())
def test_the_parts_of_a_value_add_up_to_it_and_nothing_else(
    cents: list[int], rng: random.Random
) -> None:
    """Beside what does not count: another direction, currency, account, and what is reversed."""
    rows = [row(f"T{n}", amount=amount_text(value, 2)) for n, value in enumerate(cents)]
    others = [
        row("X1", direction="credit", amount="9.99"), row("X2", currency="USD", amount="9.99"),
        row("X3", account_id="A2", amount="9.99"), row("X4", amount="9.99"),
    ]  # fmt: skip
    mixed = rows[:-1] + others
    rng.shuffle(mixed)
    mixed += [row("X5", reverses="X4", amount="9.99"), rows[-1]]
    policies = book(POLICY.replace("500.00", amount_text(sum(cents) - 1, 2)))
    batches = batches_of(mixed)
    alerts = [a for a in told_of(policies, batches) if a["kind"] == "daily-amount"]
    (last,) = [a for a in alerts if a["account_id"] == "A1"][-1:]
    explanation = explained(alerts, last, policies, batches)
    assert explanation.is_same
    listed = [part.transaction.amount_minor for part in explanation.parts]
    if last["offset"] == explanation.parts[-1].offset and last["transaction_id"] == rows[-1][0]:
        assert sorted(listed) == sorted(cents)
    assert amount_text(sum(listed), 2) == last["value"] == explanation.total


@given(st.recursive(st.none() | st.integers() | st.text(), lambda values: st.dictionaries(
    st.text(min_size=1), values, max_size=3) | st.lists(values, max_size=3)))  # fmt: skip
def test_every_figure_of_anything_is_the_same_as_itself(anything: object) -> None:
    fields = {"alert_id": "x", "evidence": anything}
    assert all(figure.is_same for figure in figures_of(fields, fields))
    assert not any(figure.is_same for figure in figures_of(fields, None))


# -- from topics that begin late ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "hours", "said"),
    [
        (0, 5.0, []),
        (1, None, ["before the business day"]),
        (1, -12.0, ["before the business day"]),
        (2, 1.0, ["at 2026-01-05T10:00:00Z, after the business day began"]),
    ],
)
def test_what_retention_has_taken_is_said(
    told: list[Told], offset: int, hours: float | None, said: list[str]
) -> None:
    calendar = book().calendar.calendar()
    time = None if hours is None else transaction("T", hours=hours).event_time
    notes = notes_of(told[0], calendar, Beginning(offset, time))
    assert len(notes) == len(said)
    assert all(part in note for part, note in zip(said, notes, strict=True))


def test_what_cannot_be_derived_from_there_on_is_refused(told: list[Told]) -> None:
    ensure_reaches(told[0], Beginning(told[0]["offset"], None))
    with pytest.raises(ExplainError, match=r"offset 3: the record .* at offset 2, is gone"):
        ensure_reaches(told[0], Beginning(3, None))
    outlier = told[0] | {"kind": "outlier"}
    ensure_reaches(outlier, Beginning(0, None))
    with pytest.raises(ExplainError, match="needs what was learned from offset 0 on"):
        ensure_reaches(outlier, Beginning(1, None))


# -- the command ----------------------------------------------------------------------------------


def test_the_command_says_the_same_or_what_differs(told: list[Told], tmp_path: Path) -> None:
    lines = [codec.transaction_bytes(item) for item in ROWS]
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "a.jsonl").write_text(json.dumps(told[0]) + "\n", encoding="utf-8")
    (tmp_path / "p.toml").write_text(POLICY, encoding="utf-8")
    files = ("--alerts", tmp_path / "a.jsonl", "--input", tmp_path / "t.jsonl")
    policy = ("--policy", tmp_path / "p.toml")
    same = command("explain", told[0]["alert_id"], *files, *policy)
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.endswith("\nthe same\n")
    assert "added up: 600.00" in same.stdout
    other = command("explain", told[0]["alert_id"], *files, "--json")  # by the default policy
    assert other.returncode == 1
    found = json.loads(other.stdout)
    assert (found["same"], len(found["transactions"])) == (False, 3)
    assert found["differs"]
    nowhere = command("explain", "nothing", *files, *policy)
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert nowhere.stderr == "weir: no alert nothing is there\n"
    half = command("explain", "nothing", *files[:2])
    assert half.returncode == 2
    assert "both --alerts and --input are needed" in half.stderr


def test_an_explanation_reads_side_by_side(told: list[Told]) -> None:
    text = text_of(again(told, POLICY.replace("500.00", "420.00")))
    (limit,) = [line for line in text.splitlines() if line.startswith("* limit")]
    assert limit.split() == ["*", "limit", "500.00", "420.00"]
    assert text.splitlines()[-1] == "the limit is 420.00 here, it was 500.00"


def test_a_file_that_has_no_alerts_is_said(tmp_path: Path) -> None:
    for content, said in ((b"no JSON\n", "line 1 is no JSON"), (b"\n[1]\n", "line 2 is no alert")):
        (tmp_path / "a.jsonl").write_bytes(content)
        with pytest.raises(AlertFileError, match=said):
            list(alerts_of_file(tmp_path / "a.jsonl"))
