"""Dispositions: which one holds, what they teach, and what a rule is worth by counting."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from models.rules.condition import Among, Between, Condition, NotAmong
from monitor.dispositions.disposition import (
    MEANINGS,
    Disposed,
    Disposition,
    DispositionError,
    disposed_of,
    holding,
)
from monitor.dispositions.features import CATEGORIES, NUMBERS, Features, features_of
from monitor.dispositions.rules import last_told, lesson_of
from monitor.policy.models import DEFAULT_BUDGET
from monitor.population import Population, rows_of
from streams.replay.replay import Replay
from streams.topics.dispositions import (
    add_to_file,
    dispositions_of_file,
    lesson_of_files,
    with_rules,
)
from streams.wire import codec
from tests.support.disposing import BEGIN, batch_of, disposed
from tests.support.documents import DOCS, tables
from tests.support.rigs import command
from tests.support.transactions import POLICY, book, row

Told = dict[str, Any]


@pytest.fixture(scope="module")
def alerts() -> list[Told]:
    """Alerts of a made population: of amounts, counts and models, restated ones among them."""
    rows = [made_row for _, made in rows_of(Population(400, 12, 7)) for made_row in made]
    text = POLICY.replace("500.00", "150.00") + DEFAULT_BUDGET.replace("= 7", "= 5")
    told = Replay(book(text), 1).observe(batch_of(rows))
    return [json.loads(codec.alert_bytes(alert)) for alert in told.alerts]


def planted(alert: Told) -> str:
    """Return what an analyst says who looks at two things alone."""
    if alert["kind"] == "daily-count":
        return "service-need"
    features = features_of(alert)
    times = features["times_limit"]
    assert isinstance(times, float)
    return "suspicious" if times > 2 else "false-alarm"


def words_on(alerts: Sequence[Told], seed: int = 1) -> list[Disposed]:
    """Return dispositions by the planted rule, one in twelve by chance, some said twice."""
    rng = random.Random(seed)  # noqa: S311 - a made stream is no secret
    said = []
    for number, alert_id in enumerate(sorted(last_told(alerts))):
        label = planted(last_told(alerts)[alert_id]) if rng.random() > 1 / 12 else "data-fault"
        if rng.random() < 0.2:
            said.append(disposed(alert_id, rng.choice(list(Disposition)), number))
        said.append(disposed(alert_id, label, number + 5000))
    return said


# -- which one holds ------------------------------------------------------------------------------

some = st.builds(
    disposed, st.sampled_from("abc"), st.sampled_from(list(Disposition)), st.integers(0, 3),
    st.sampled_from("AB"), st.none() | st.sampled_from(["", "x"]),
)  # fmt: skip


@given(
    st.lists(some, max_size=12).flatmap(
        lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn))
    )
)
def test_which_one_holds_does_not_follow_from_the_order_of_arrival(
    lists: tuple[list[Disposed], list[Disposed]],
) -> None:
    left, right = map(holding, lists)
    assert left.keys() == right.keys()
    for alert_id, held in left.items():
        of_alert = [word for word in lists[0] if word.alert_id == alert_id]
        assert held in of_alert
        assert right[alert_id].disposition == held.disposition
        assert held.at == max(word.at for word in of_alert)
        twice = holding([*lists[0], *lists[1]])  # a topic read twice is the same topic
        assert twice[alert_id].disposition == held.disposition


@pytest.mark.no_cover
def test_a_lesson_is_the_same_however_its_records_come(alerts: list[Told]) -> None:
    words = words_on(alerts)
    lesson = lesson_of(alerts, words)
    rng = random.Random(5)  # noqa: S311 - a made stream is no secret
    for _ in range(2):
        mixed_alerts, mixed_words = alerts.copy(), words.copy()
        rng.shuffle(mixed_alerts)
        rng.shuffle(mixed_words)
        assert lesson_of(mixed_alerts, mixed_words) == lesson
    assert len(lesson.rules) > 2


# -- what rules are worth -------------------------------------------------------------------------


def meets(features: Features, condition: Condition) -> bool:
    """Return whether a condition holds, read off its parts."""
    value = features[condition.attribute]
    match condition:
        case Among():
            return value in condition.values
        case NotAmong():
            return value is not None and value not in condition.values
        case Between():
            assert not isinstance(value, str)
            return value is not None and (
                (condition.above is None or condition.above < value)
                and (condition.up_to is None or value <= condition.up_to)
            )


@pytest.mark.no_cover
@settings(max_examples=4, deadline=None, phases=[Phase.generate])  # to shrink takes minutes
@given(seed=st.integers(0, 10**6), cut=st.floats(0.1, 1))
def test_confidence_is_that_of_counting_one_by_one(
    alerts: list[Told], seed: int, cut: float
) -> None:
    words = words_on(alerts, seed)
    words = words[: int(len(words) * cut)]
    lesson = lesson_of(alerts, words)
    told = {
        alert["alert_id"]: alert for alert in sorted(alerts, key=lambda alert: alert["revision"])
    }
    labels = {
        word.alert_id: word.disposition.value for word in sorted(words, key=lambda word: word.at)
    }
    assert lesson.disposed == len(labels)
    covered = 0
    for rule in lesson.rules:
        met = [name for name in labels
               if all(meets(features_of(told[name]), c) for c in rule.rule.conditions)]  # fmt: skip
        right = sum(labels[name] == rule.rule.label for name in met)
        assert (rule.rows, rule.hits) == (len(met), right)
        assert rule.confidence == (right / len(met) if met else 0)
        covered += len(met)
    assert covered <= len(labels)  # no alert meets two rules


def test_what_analysts_go_by_is_found_and_shown_with_each_alert(alerts: list[Told]) -> None:
    lesson = lesson_of(alerts, words_on(alerts))
    for label in ("suspicious", "false-alarm", "service-need"):
        best = max((r for r in lesson.rules if r.rule.label == label), key=lambda r: r.hits)
        assert best.confidence > 0.8, best
    suspicious = [rule.rule.text() for rule in lesson.rules if rule.rule.label == "suspicious"]
    assert any("times_limit >" in text for text in suspicious)
    right = 0
    for alert in last_told(alerts).values():
        met = lesson.met_by(alert)
        assert len(met) <= 1
        right += bool(met) and met[0].rule.label == planted(alert)
        shown = with_rules(dict(alert), lesson)
        assert [rule["text"] for rule in shown["rules"]] == [rule.rule.text() for rule in met]
        assert {name: shown[name] for name in alert} == alert
    assert right / len(last_told(alerts)) > 0.9


def test_before_anything_was_said_nothing_is_shown(alerts: list[Told]) -> None:
    lesson = lesson_of(alerts, [])
    assert (lesson.rules, lesson.disposed) == ([], 0)
    assert with_rules(alerts[0], lesson) == alerts[0]
    learned = lesson_of(alerts, [disposed(alerts[0]["alert_id"], "suspicious"),
                             disposed("nobody's", "suspicious")])  # fmt: skip
    assert (learned.disposed, learned.unknown) == (1, ["nobody's"])
    assert learned.met_by(alerts[0]) == []  # "IF anything" says nothing of this alert


# -- features -------------------------------------------------------------------------------------


def test_features_are_those_of_the_list_and_of_their_sort(alerts: list[Told]) -> None:
    assert {alert["kind"] for alert in alerts} == {"daily-amount", "daily-count", "outlier"}
    for alert in alerts:
        features = features_of(alert)
        assert list(features) == [*CATEGORIES, *NUMBERS]
        assert all(isinstance(features[name], str) for name in CATEGORIES)
        assert all(isinstance(features[name], float | None) for name in NUMBERS)


def test_features_by_hand() -> None:
    rows = [row("T1", amount="1500.00"), row("T2", hours=1, amount="500.00", direction="credit")]
    told = Replay(book(), 1).observe(batch_of(rows)).alerts
    alert = json.loads(codec.alert_bytes(told[0]))
    alert["evidence"]["totals"][0] |= {"credit_count": 1, "credit_amount": "500.00"}
    expected = {
        "kind": "daily-amount", "currency": "EUR", "weekday": "Mon", "times_limit": 3.0,
        "hour": 9.0, "transactions": 2.0, "debit_share": 0.75, "corrections": 0.0,
        "reading": "none", "breach_days": 0.0,
    }  # fmt: skip
    assert {name: features_of(alert)[name] for name in expected} == expected
    assert features_of(alert | {"value": "99999.00"})["times_limit"] == 10.0
    assert features_of(alert | {"limit": "0.00"})["times_limit"] is None
    of_many = {"revision": 1, "kind": "systemic", "verdict": "limit-mis-set",
               "business_day": "2026-01-05", "value": 12, "limit": 5}  # fmt: skip
    features = features_of(of_many)
    assert list(features) == [*CATEGORIES, *NUMBERS]
    assert (features["verdict"], features["times_limit"]) == ("limit-mis-set", 2.4)
    assert (features["hour"], features["transactions"], features["segment"]) == (None, None, "none")


def test_every_feature_and_disposition_stands_in_the_documents() -> None:
    stated = {cells[0].strip("`"): cells[1] for cells in tables(DOCS / "operations.md", "feature")}
    assert stated == CATEGORIES | NUMBERS
    said = {
        cells[0].strip("`"): cells[1] for cells in tables(DOCS / "operations.md", "disposition")
    }
    assert said == {disposition.value: MEANINGS[disposition] for disposition in Disposition}


# -- records and files ----------------------------------------------------------------------------


@given(some)
def test_what_is_written_is_read_alike(word: Disposed) -> None:
    if word.note == "":
        word = word._replace(note=None)
    assert disposed_of(json.loads(codec.disposition_bytes(word))) == word


def test_all_problems_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    good = {"alert_id": "a", "disposition": "suspicious", "by": "A", "at": "2026-03-02T09:00:00Z"}
    lines = [good, {}, good | {"disposition": "sus"}, good | {"at": "now"}, good | {"note": 5}, [1]]
    path = tmp_path / "d.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n{\n", encoding="utf-8")
    with pytest.raises(DispositionError) as refused:
        dispositions_of_file(path)
    said = refused.value.problems
    at_lines = [problem.split("line ")[1].partition(":")[0] for problem in said]
    assert at_lines == ["2", "2", "2", "2", "3", "4", "5", "6", "7"]
    path.write_text('{"alert_id": "a", "disposition": "suspicious"}\n', encoding="utf-8")
    (word,) = dispositions_of_file(path, by="B", at="2026-03-02T09:00:00Z", note=None)
    assert (word.by, word.at, word.note) == ("B", BEGIN, None)
    before = path.read_bytes()
    add_to_file(path, [word])
    assert path.read_bytes() == before + codec.disposition_bytes(word) + b"\n"  # only ever added


@pytest.mark.no_cover
def test_the_command_adds_to_a_file_and_explain_and_rules_read_it(
    alerts: list[Told], tmp_path: Path
) -> None:
    told, words = tmp_path / "a.jsonl", tmp_path / "d.jsonl"
    told.write_text("".join(json.dumps(alert) + "\n" for alert in alerts), encoding="utf-8")
    add_to_file(words, words_on(alerts))
    of_outlier = next(alert["alert_id"] for alert in alerts if alert["kind"] == "outlier")
    said = command("alerts", "dispose", of_outlier, "--as", "limit-wrong", "--by", "B", "--to",
                   words, "--json")  # fmt: skip
    assert (said.returncode, json.loads(said.stdout)) == (0, {"dispositions": 1})
    last = dispositions_of_file(words)[-1]
    assert (last.alert_id, last.disposition, last.by) == (of_outlier, "limit-wrong", "B")
    assert holding(dispositions_of_file(words))[of_outlier] == last  # said now, so it holds
    wrong = command("alerts", "dispose", of_outlier, "--as", "nonsense", "--to", words)
    assert wrong.returncode == 2
    assert all(disposition.value in wrong.stderr.replace("\n", "") for disposition in Disposition)
    nobody = command("alerts", "dispose", of_outlier, "--as", "suspicious", "--to", words)
    assert nobody.returncode == 2
    assert "by is missing" in nobody.stderr
    lesson = lesson_of_files(words, told)
    assert lesson.disposed == len(last_told(alerts))
    shown = command("rules", "--dispositions", words, "--alerts", told, "--json")
    assert (shown.returncode, json.loads(shown.stdout)) == (0, lesson.fields())
    text = command("rules", "--dispositions", words, "--alerts", told)
    assert (text.returncode, text.stderr) == (0, "")
    assert all(rule.rule.text() in text.stdout for rule in lesson.rules)
    for mistake in ((), ("--alerts", told), ("table.csv",), ("--label", "x"),
                    ("table.csv", "--label", "x", "--dispositions", words),
                    ("--dispositions", words, "--alerts", words)):  # fmt: skip
        wrong = command("rules", *mistake)
        assert (wrong.returncode, wrong.stdout) == (2, ""), mistake
