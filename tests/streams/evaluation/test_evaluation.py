"""`weir evaluate` against plain counts, scikit-learn, and a replay of the same rows."""

import csv
import importlib.util
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score

from models.learner.columns import Outcome
from monitor.core.alert import Alert, Kind, Status
from monitor.core.business_day import day_of_text, day_text
from monitor.core.transaction import FIELDS
from monitor.outliers.scorer import Scorer, SeenRecords
from monitor.policy.policy import Policy, PolicyBook
from monitor.population import Population, needs
from monitor.population.labels import incident_labels_of, labels_of_day
from streams.cli import main
from streams.cli.views.evaluate import draw_level, verdict_of
from streams.evaluation import runs as evaluate_seeds
from streams.evaluation.evaluation import policy_for, with_seed
from streams.evaluation.levels import Level
from streams.evaluation.runs import SeedRun, Source, processes_for, run_of
from streams.evaluation.table import TransactionTable, table_of
from streams.feed.population import made_batches
from streams.feed.reader import files_of, read
from streams.replay.replay import Replay

DAYS, WARM_UP = 34, 12
START = "2026-01-05"
WANTED = ("spike", "take-over", "structuring", "mule")

Row = dict[str, str]
Weir = Callable[..., tuple[int, str, str]]


class Made(NamedTuple):
    """A made population on disk, with its labels as two columns and as lines."""

    rows: list[Row]  # in the order of event time
    path: Path
    labels: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """200 accounts with an anomaly every 67th account-day, incidents and needs."""
    folder = tmp_path_factory.mktemp("made")
    population = Population(200, DAYS, 5, anomaly_share=0.015, with_incidents=True, with_needs=True)
    lines = [label for day in population.made_days() for label in labels_of_day(day)]
    lines += incident_labels_of(population)
    kind_of = {line["transaction_id"]: line["kind"] for line in lines if "transaction_id" in line}
    rows = []
    for batch in made_batches(population):
        for fields in batch.rows:
            row = {name: text or "" for name, text in zip(FIELDS, fields, strict=True)}
            kind = kind_of.get(row["transaction_id"], "")
            rows.append(row | {"is_odd": "1" if kind else "0", "kind": kind})
    rows.sort(key=lambda row: datetime.fromisoformat(row["booked_at"]))
    labels = folder / "labels.jsonl"
    labels.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return Made(rows, written(rows, folder / "rows.csv"), labels)


def written(rows: Sequence[Row], path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def weir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Weir:
    """Run the command line here, in a folder of its own; return its status, stdout and stderr."""
    monkeypatch.setattr(evaluate_seeds, "configure_interpreter", lambda: None)
    monkeypatch.delenv("WEIR_POLICY", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["weir", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


def figures(weir: Weir, *arguments: object) -> dict[str, Any]:
    settings = ("--warm-up-days", WARM_UP, "--seeds", 1, "--partitions", 1)
    status, out, err = weir(*settings, *arguments, "--json")
    assert (status, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


ASKED: dict[tuple[str, ...], dict[str, Any]] = {}


def figures_of_made(weir: Weir, made: Made, *labels: object) -> dict[str, Any]:
    """Return the figures of the made population, which several tests ask for with these labels."""
    key = (str(made.path), *map(str, labels))
    if key not in ASKED:
        ASKED[key] = figures(weir, made.path, *labels)
    return deepcopy(ASKED[key])


def without_time(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "cpu_us_per_transaction"}


def day_of(row: Row) -> str:
    return row["booked_at"][:10]


def is_judged(row: Row) -> bool:
    return day_of(row) >= "2026-01-17"  # the fifth, and twelve days


def ratios_of(rows: Sequence[Row]) -> list[float]:
    """The rule, added up plainly: amount over the own mean of 30 days with a payment of 50."""
    past: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    ratios = []
    for row in rows:
        amount, when = float(row["amount"]), datetime.fromisoformat(row["booked_at"])
        recent = [a for t, a in past[row["account_id"]] if (when - t).total_seconds() < 30 * 86_400]
        ratios.append(amount / ((sum(recent) + 50) / (len(recent) + 1)))
        past[row["account_id"]].append((when, amount))
    return ratios


def table_in(path: Path) -> TransactionTable:
    return table_of(read(files_of([path])))


def run_on(path: Path, policy: Policy | None = None, partitions: int = 1) -> SeedRun:
    return run_of(
        table_in(path), policy or policy_for(None, 5, WARM_UP), partitions, lambda _: None
    )


def test_judged_is_what_a_plain_count_says(weir: Weir, made: Made) -> None:
    found = figures_of_made(weir, made, "--labels", made.labels, "--kinds", ",".join(WANTED))
    assert (found["rows"], found["rejected"], found["labels_unmatched"]) == (len(made.rows), 0, 0)
    assert (found["judged_from"], found["judged_to"]) == ("2026-01-17", "2026-02-07")
    judged = [row for row in made.rows if is_judged(row) and not row["reverses"]]
    kept = [row for row in judged if row["kind"] in ("", *WANTED)]
    transactions = found["transactions"]
    assert found["judged"] == transactions["judged"] == len(kept)
    assert transactions["left_out"] == len(judged) - len(kept) > 0
    assert transactions["positives"] == sum(row["kind"] in WANTED for row in judged) > 20
    account_days = found["account_days"]
    holds = defaultdict(set)
    for row in judged:
        holds[row["account_id"], day_of(row)].add(row["kind"])
    assert account_days["judged"] == len(holds)  # a day with other kinds alone is a negative
    assert account_days["left_out"] == 0
    assert account_days["positives"] == sum(bool(kinds & {*WANTED}) for kinds in holds.values())
    of_kind = Counter(kind for kinds in holds.values() for kind in kinds if kind)
    assert account_days["positives_by_kind"] == of_kind
    assert set(transactions["by_kind"]) == {row["kind"] for row in judged} - {""}


def test_the_rule_is_the_one_added_up_plainly(weir: Weir, made: Made) -> None:
    found = figures(weir, made.path, "--label", "is_odd", "--kind", "kind", "--kinds", "mule,spike")
    # What takes a transaction back is neither judged nor part of anyone's mean.
    rows = [row for row in made.rows if not row["reverses"]]
    pairs = [pair for pair in zip(rows, ratios_of(rows), strict=True) if is_judged(pair[0])]
    kept = [(row, ratio) for row, ratio in pairs if row["kind"] in ("", "mule", "spike")]
    expected = average_precision_score([bool(row["kind"]) for row, _ in kept], [r for _, r in kept])
    assert found["transactions"]["rule_ap"] == pytest.approx(expected, abs=1e-6)
    greatest: dict[tuple[str, str], float] = defaultdict(float)
    for row, ratio in pairs:
        key = (row["account_id"], day_of(row))
        greatest[key] = max(greatest[key], ratio)
    odd = {(row["account_id"], day_of(row)) for row, _ in pairs if row["kind"] in {"mule", "spike"}}
    expected = average_precision_score([key in odd for key in greatest], [*greatest.values()])
    assert found["account_days"]["rule_ap"] == pytest.approx(expected, abs=1e-6)


def test_scores_and_alerts_are_those_of_a_replay(made: Made) -> None:
    policy = with_seed(policy_for(None, 60, WARM_UP), 3)
    table = table_in(made.path)
    run = run_of(table, policy, 2, lambda _: None)
    scores: dict[str, float] = {}
    last_of_days: dict[tuple[str, int], float] = {}
    closed: dict[tuple[str, int], float] = {}
    replay = Replay(PolicyBook([policy]), 2)

    def watch(scorer: Scorer) -> Callable[[SeenRecords, Outcome], None]:
        def note(seen: SeenRecords, outcome: Outcome) -> None:
            scored = [seen[number] for number in range(len(seen))]
            for item, score, day in zip(scored, outcome.scores, outcome.day_scores, strict=True):
                scores[item.transaction.transaction_id] = score
                last_of_days[item.transaction.account_id, item.day] = day
            for ended in outcome.closed:
                for row, day, score in zip(*ended, strict=True):
                    closed[scorer.account_ids[row], day] = score

        return note

    for engine in replay._engines:
        assert engine.outliers.scorer is not None
        engine.outliers.scorer.on_scored = watch(engine.outliers.scorer)
    raised: Counter[int] = Counter()
    reports: Counter[int] = Counter()
    for batch in read(files_of([made.path])):
        alerts = [alert for alert in replay.observe(batch).alerts if isinstance(alert, Alert)]
        outliers = [alert for alert in alerts if alert.kind is Kind.OUTLIER]
        raised.update(
            outlier.business_day for outlier in outliers if outlier.status is Status.RAISED
        )
        reports.update(day_of_text(str(outlier.evidence["day"])) for outlier in outliers)
    assert run.alerts == raised
    assert run.reports == reports
    assert raised.total() > 20
    ids = [transaction.transaction_id for transaction in table.transactions]
    np.testing.assert_array_equal(run.score, [scores.get(name, np.nan) for name in ids])
    assert dict(
        zip(
            zip((table.account_ids[a] for a in run.closed_account), run.closed_day, strict=True),
            run.closed_score,
            strict=True,
        )
    ) == closed  # fmt: skip
    last = int(run.day.max())
    assert not any(day == last for _, day in closed)  # nothing ends the last day
    for place in np.flatnonzero(run.day == last)[-20:].tolist():
        account = table.account_ids[table.account[place]]
        later = (run.day == last) & (table.account == table.account[place])
        assert run.day_score[np.flatnonzero(later)[-1]] == last_of_days[account, last]


@pytest.mark.no_cover
@pytest.mark.parametrize("partitions", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_the_figures_are_scikit_learns_of_those_scores(
    weir: Weir, made: Made, partitions: int
) -> None:
    """Dealt to ten, the stream is too thin at first: what has no score comes last."""
    found = figures(weir, made.path, "--label", "is_odd", "--seeds", 2, "--partitions", partitions)
    transactions, account_days = found["transactions"], found["account_days"]
    for place, seed in enumerate((1, 2)):
        run = run_on(made.path, with_seed(policy_for(None, None, WARM_UP), seed), partitions)
        judged = np.array([is_judged(row) for row in made.rows]) & (run.day > 0)
        odd = np.array([row["is_odd"] == "1" for row in made.rows])
        score = np.nan_to_num(run.score, nan=-99)
        expected = average_precision_score(odd[judged], score[judged])
        assert transactions["ap"][place] == pytest.approx(expected, abs=1e-6)
        assert transactions["unscored"] == np.isnan(run.score[judged]).sum()
        assert bool(transactions["unscored"]) == (partitions == 10)
        holds, scores = account_days_of_run(made, run)
        days = [key for key in holds if key[1] >= "2026-01-17"]
        expected = average_precision_score(
            [holds[key] for key in days], np.nan_to_num([scores[key] for key in days], nan=-99)
        )
        assert account_days["ap"][place] == pytest.approx(expected, abs=1e-6)
        assert account_days["unscored"] == sum(np.isnan(scores[key]) for key in days)
        assert bool(account_days["unscored"]) == (partitions == 10)
    assert transactions["by_kind"] == {}  # no column says any kind
    assert len(account_days["ap"]) == len(account_days["auc"]) == found["seeds"] == 2
    alerts = found["alerts_per_day"]
    assert alerts["reported"] >= alerts["mean"]
    assert list(alerts["by_day"]) == sorted({day_of(row) for row in made.rows if is_judged(row)})
    assert alerts["mean"] == pytest.approx(
        sum(alerts["by_day"].values()) / (DAYS - WARM_UP), abs=1e-3
    )


AccountDays = dict[tuple[str, str], float]


def account_days_of_run(made: Made, run: SeedRun) -> tuple[AccountDays, AccountDays]:
    """Return of each account-day whether it is odd, and its score: at its end, or as it stands."""
    holds: AccountDays = {}
    scores: AccountDays = {}
    for row, day, score in zip(made.rows, run.day, run.day_score, strict=True):
        if day > 0:
            key = (row["account_id"], day_of(row))
            holds[key] = max(holds.get(key, 0), float(row["is_odd"]))
            scores[key] = score
    account_ids = table_in(made.path).account_ids
    closed = zip(run.closed_account, run.closed_day, run.closed_score, strict=True)
    scores |= {(account_ids[account], day_text(day)): score for account, day, score in closed}
    return holds, scores


def test_with_dispositions_the_other_figures_stay_and_what_was_taught_is_said(
    weir: Weir, made: Made
) -> None:
    asked = (made.path, "--labels", made.labels, "--dispositions-per-day", 5)
    found = figures(weir, *asked, "--label-after-days", 3)
    teaching = found.pop("teaching")
    assert without_time(found) == without_time(figures_of_made(weir, made, "--labels", made.labels))
    assert (teaching["dispositions_per_day"], teaching["label_after_days"]) == (5, 3)
    assert teaching["labels"] == [5 * (DAYS - WARM_UP)]
    assert 0 < teaching["confirmed"][0] < teaching["labels"][0]
    for level in ("transactions", "account_days"):
        assert teaching[level]["gain"] == pytest.approx(
            teaching[level]["ap"][0] - found[level]["ap"][0], abs=2e-6
        )
    settings = ("--warm-up-days", WARM_UP, "--seeds", 1, "--partitions", 1)
    status, out, _ = weir(*settings, *asked)
    assert status == 0
    assert "With 5 dispositions a day, each given 1 day later: 110 labels, " in out
    assert "Account-days, taught: average precision 0." in out
    said = r"^Transactions: (no weights|weights from \S+ on,) in the end \(seed 1\)"
    assert re.search(said, out, re.MULTILINE)


def test_labels_as_columns_and_as_lines_give_one_answer(weir: Weir, made: Made) -> None:
    kinds = ("--kinds", ",".join(WANTED))
    columns = figures(weir, made.path, "--label", "is_odd", "--kind", "kind", *kinds)
    lines = figures_of_made(weir, made, "--labels", made.labels, *kinds)
    assert without_time(columns) == without_time(lines)


def test_without_kinds_incidents_and_needs_are_not_looked_for(weir: Weir, made: Made) -> None:
    found = figures_of_made(weir, made, "--labels", made.labels)
    assert set(found["kinds"]) >= set(WANTED)
    others = {row["kind"] for row in made.rows} - {*found["kinds"], ""}
    assert others - {*needs.KINDS} == {"external-cause", "data-fault"}
    assert others & {*needs.KINDS}
    left_out = sum(is_judged(row) and row["kind"] in others for row in made.rows)
    assert found["transactions"]["left_out"] == left_out > 10


@pytest.mark.no_cover
def test_the_order_of_the_file_changes_nothing(weir: Weir, made: Made, tmp_path: Path) -> None:
    alone = {row["booked_at"]: row for row in made.rows}  # equal times would change places
    rows = list(alone.values())
    shuffled = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]
    answers = [
        without_time(figures(weir, written(some, tmp_path / "r.csv"), "--label", "is_odd"))
        for some in (rows, shuffled)
    ]
    assert answers[0] == answers[1]
    assert answers[0]["rejected"] == 0


@pytest.mark.no_cover
def test_no_score_knows_what_comes_later(made: Made, tmp_path: Path) -> None:
    first = made.rows[: len(made.rows) * 2 // 3]
    whole = run_on(made.path)
    some = run_on(written(first, tmp_path / "first.csv"))
    np.testing.assert_array_equal(some.score, whole.score[: len(first)])
    np.testing.assert_array_equal(some.day_score, whole.day_score[: len(first)])
    assert np.isfinite(some.score).sum() > 3000


def test_labels_dealt_at_random_are_found_as_often_as_chance_has_it(
    weir: Weir, made: Made, tmp_path: Path
) -> None:
    draw = np.random.default_rng(2).random(len(made.rows)) < 0.1
    rows = [row | {"is_odd": str(int(is_odd))} for row, is_odd in zip(made.rows, draw, strict=True)]
    found = figures(weir, written(rows, tmp_path / "r.csv"), "--label", "is_odd")["transactions"]
    assert found["ap"][0] == pytest.approx(0.1, abs=0.015)
    assert found["auc"][0] == pytest.approx(0.5, abs=0.03)
    low, high = found["gain_interval"]
    assert low < 0 < high


def test_models_that_are_worse_than_the_rule_are_said_to_be(
    weir: Weir, made: Made, tmp_path: Path
) -> None:
    """Labelled is what the rule finds: no score can be better, and ours is not as good."""
    rows = [row for row in made.rows if not row["reverses"]]
    rows = [
        row | {"is_odd": "yes" if ratio > 8 else "no"}
        for row, ratio in zip(rows, ratios_of(rows), strict=True)
    ]
    path = written(rows, tmp_path / "r.csv")
    found = figures(weir, path, "--label", "is_odd")
    for level in ("transactions", "account_days"):
        assert found[level]["rule_ap"] == 1
        assert found[level]["gain_interval"][1] < 0
        assert verdict_of(found[level]).startswith("not above the rule but below it, by 0.")
    status, out, err = weir(
        path, "--label", "is_odd", "--warm-up-days", WARM_UP, "--seeds", 1, "--partitions", 1
    )
    assert (status, err) == (0, "")
    assert "Transactions: not above the rule but below it" in out
    assert "Account-days: not above the rule but below it" in out


@pytest.mark.parametrize(
    ("gain", "interval", "said"),
    [
        (0.2, [0.1, 0.3], "above the rule by 0.200 (95 % +0.100 to +0.300)"),
        (0.2, [0.0, 0.3], "not above the rule: the gain is +0.200 (95 % +0.000 to +0.300)"),
        (-0.1, [-0.3, 0.1], "not above the rule: the gain is -0.100 (95 % -0.300 to +0.100)"),
        (-0.2, [-0.3, -0.1], "not above the rule but below it, by 0.200 (95 % -0.300 to -0.100)"),
        (None, [None, None], "nothing is labelled here, so nothing can be said"),
    ],
)
def test_the_verdict(gain: float | None, interval: list[float | None], said: str) -> None:
    assert verdict_of({"gain": gain, "gain_interval": interval}) == said


def test_labels_of_account_days_alone_leave_transactions_without_a_verdict(
    weir: Weir, made: Made, tmp_path: Path
) -> None:
    lines = made.labels.read_text(encoding="utf-8").splitlines(keepends=True)
    days = [line for line in lines if json.loads(line)["level"] == "account-day"]
    strange = {
        "level": "account-day", "account_id": "nobody", "business_day": START, "kind": "mule",
    }  # fmt: skip
    labels = tmp_path / "l.jsonl"
    labels.write_text("\n" + "".join(days) + json.dumps(strange), encoding="utf-8")
    found = figures(weir, made.path, "--labels", labels)
    assert found["labels_unmatched"] == 1
    assert found["transactions"]["ap"] == [None]
    assert found["transactions"]["gain_interval"] == [None, None]
    whole = figures_of_made(weir, made, "--labels", made.labels)
    assert found["account_days"] == whole["account_days"]
    status, out, _ = weir(made.path, "--labels", labels, "--warm-up-days", WARM_UP, "--seeds", 1)
    assert status == 0
    assert "Transactions: nothing is labelled here, so nothing can be said." in out
    assert "1 labels name what the table has not." in out


def test_rows_that_are_rejected_and_that_take_back_are_counted_and_not_judged(
    weir: Weir, made: Made, tmp_path: Path
) -> None:
    late = [row for row in made.rows if is_judged(row)]
    twin = late[50]
    back = late[70] | {"transaction_id": "back", "reverses": late[70]["transaction_id"]}
    bad = late[90] | {"transaction_id": "bad", "amount": "-1.00"}
    rows = [*made.rows, twin, back, bad]
    found = figures(weir, written(rows, tmp_path / "r.csv"), "--label", "is_odd")
    before = figures_of_made(weir, made, "--label", "is_odd")
    assert found["rows"] == before["rows"] + 3
    assert found["rejected_by_reason"] == {"bad-amount": 1, "duplicate": 1}
    assert found["reversals"] == before["reversals"] + 1
    assert found["judged"] == before["judged"]


def test_the_label_of_a_transaction_that_came_twice_is_that_of_the_one_that_was_taken(
    weir: Weir, made: Made, tmp_path: Path
) -> None:
    odd = [row for row in made.rows if is_judged(row) and row["kind"] == "burst"]
    found = figures(weir, written(made.rows + odd, tmp_path / "r.csv"), "--labels", made.labels)
    before = figures_of_made(weir, made, "--labels", made.labels)
    assert found["rejected_by_reason"] == {"duplicate": len(odd)}
    assert found["transactions"] == before["transactions"]
    assert found["account_days"] == before["account_days"]


def test_a_policy_of_ones_own_decides_and_the_options_change_it(
    weir: Weir, made: Made, tmp_path: Path
) -> None:
    policy = tmp_path / "p.toml"
    text = 'version = 1\n[[limit]]\nid = "n"\nmeasure = "count"\nabove = 100000\n'
    policy.write_text(text, encoding="utf-8")
    asked = (made.path, "--label", "is_odd", "--seeds", 1, "--partitions", 1, "--policy", policy)
    status, _, err = weir(*asked)
    assert status == 2
    assert "it has no [budget], so it has no models: state --budget" in err
    policy.write_text(f"{text}[budget]\nalerts_per_day = 60\nwarm_up_days = 14\n", encoding="utf-8")
    status, out, _ = weir(*asked, "--json")
    stated = json.loads(out)
    assert status == 0
    assert (stated["alerts_per_day"]["budget"], stated["warm_up_days"]) == (60, 14)
    changed = json.loads(weir(*asked, "--json", "--budget", 3, "--warm-up-days", 13)[1])
    assert (changed["alerts_per_day"]["budget"], changed["warm_up_days"]) == (3, 13)
    assert changed["alerts_per_day"]["mean"] < stated["alerts_per_day"]["mean"]


def test_a_folder_has_the_chart_and_the_figures(weir: Weir, made: Made, tmp_path: Path) -> None:
    found = figures(weir, made.path, "--label", "is_odd", "--out", tmp_path)
    assert json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8")) == found
    chart = (tmp_path / "precision-recall.png").read_bytes()
    assert chart.startswith(b"\x89PNG")
    figures(weir, made.path, "--label", "is_odd", "--out", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == chart


def test_the_chart_says_what_is_judged_and_both_average_precisions() -> None:
    rng = np.random.default_rng(6)
    positive = rng.random(4000) < 0.1
    judged = positive | (rng.random(4000) < 0.9)
    scores = [rng.normal(positive * 1.0) for _ in range(3)]
    level = Level(
        np.arange(4000) // 100, positive, judged, judged & ~positive, {"1": positive},
        scores[0], scores[1:],
    )  # fmt: skip
    axes = Figure().subplots()
    draw_level(axes, level, "Rows")
    count, rows = int(positive.sum()), int(judged.sum())
    assert axes.get_title(loc="left") == f"Rows: {count:,} of {rows:,} positive"
    rule, *models = (average_precision_score(positive[judged], s[judged]) for s in scores)
    legend = axes.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    spread = f"({min(models):.3f} to {max(models):.3f}, 2 seeds)"
    assert texts == [
        f"models, average precision {np.mean(models):.3f} {spread}",
        f"ratio rule, average precision {rule:.3f}",
    ]
    for line in axes.lines:
        recall, precision = (np.asarray(values, np.float64) for values in line.get_data())
        assert recall[0] < 0.01
        assert recall[-1] > 0.99
        assert np.all(np.diff(recall) >= 0)
        assert precision[-1] < 0.2


def test_without_matplotlib_only_the_chart_is_missing(
    weir: Weir, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name)
    )
    status, out, err = weir(made.path, "--label", "is_odd", "--out", "a.png")
    assert (status, out) == (3, "")
    assert "pip install -e '.[plot]'" in err
    assert not Path("a.png").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give one of --label (a column) and --labels (a file)"),
        (("--label", "is_odd", "--labels", "l"), "give one of --label (a column) and --labels"),
        (("--labels", "l", "--kind", "kind"), "--kind is a column beside --label"),
        (("--label", "is_odd", "--kinds", "1"), "--kinds needs --kind"),
        (("--label", "odd"), "there is no column odd\n"),
        (
            ("--label", "odd", "--kind", "kinds"),
            "there is no column kinds\n  - its columns are tra",
        ),
        (("--label", "kind"), "column kind cannot be read:\n  - 'burst', 'data-fault'"),
        (("--label", "is_odd", "--kind", "kind", "--kinds", "mule,9"), "none is of kind 9: there"),
        (("--label", "is_odd", "--warm-up-days", "34"), "is labelled from 2026-02-08 on: the days"),
        (("--label", "reverses", "--kind", "kind"), "'T0"),
        (("--label", "is_odd", "--warm-up-days", "3"), "budget.warm_up_days is 3: a whole number"),
        (("--label", "is_odd", "--budget", "0"), "budget.alerts_per_day is 0: a whole number"),
        (
            ("--label", "is_odd", "--label-after-days", "2"),
            "--label-after-days needs --dispositions-per-day",
        ),
        (("--label", "is_odd", "--out", "no/a.png"), "there is no folder no"),
        (("--label", "is_odd", "--out", "a.svg"), "a.svg is no folder that is there, and no .png"),
        (("--labels", "gone.jsonl"), "gone.jsonl: No such file"),
    ],
)
def test_what_cannot_be_answered_is_said(
    weir: Weir, made: Made, options: tuple[str, ...], said: str
) -> None:
    status, out, err = weir(made.path, "--seeds", 1, *options)
    assert (status, out) == (2, "")
    assert said in " ".join(err.replace("│", "").split()) or said in err


@pytest.mark.parametrize(
    ("kept", "options", "said"),
    [
        (0, (), "it has no rows: name a file of transactions"),
        (
            9,
            ("--as-of", "2020-01-01T00:00:00Z"),
            "all 9 are rejected (9 future); give a later --as-of, or leave it out",
        ),
        (-9, (), "all 9 are rejected (9 bad-amount); weir replay --rejections FILE says why"),
    ],
)
def test_without_a_row_to_judge_it_says_why_and_what_to_do(
    weir: Weir, made: Made, tmp_path: Path, kept: int, options: tuple[str, ...], said: str
) -> None:
    """`kept` rows stay; those of a negative number have no amount."""
    path = tmp_path / "r.csv"
    lines = made.path.read_text(encoding="utf-8").splitlines()[: abs(kept) + 1]
    if kept < 0:
        lines[1:] = [line.replace(".", "x") for line in lines[1:]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for asked in (("--labels", made.labels), ("--label", "is_odd")):
        status, out, err = weir(path, *asked, "--seeds", 1, *options)
        assert (status, out) == (2, "")
        assert said in err


def test_labels_after_the_judged_days_are_said_to_be_none(
    weir: Weir, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 22 judged days, the labels of the 3 last come too late for `--label-after-days 2`."""
    settings = ("--warm-up-days", WARM_UP, "--seeds", 1, "--partitions", 1)
    asked = (made.path, "--labels", made.labels, "--dispositions-per-day", 5, *settings)
    teaching = json.loads(weir(*asked, "--label-after-days", 2, "--json")[1])["teaching"]
    assert (teaching["labels"], teaching["labels_too_late"]) == ([110], [15])
    status, out, _ = weir(*asked, "--label-after-days", 2)
    assert status == 0
    assert "each given 2 days later: 110 labels, " in out
    assert "Of the labels 15 come too late to be in the score of a judged day." in out
    monkeypatch.setattr("streams.evaluation.runs.runs_of", None)  # it is seen before they run
    for days in (DAYS - WARM_UP - 1, 1000):
        status, out, err = weir(*asked, "--label-after-days", days)
        assert (status, out) == (2, "")
        assert "only 22 days are judged" in err
        assert "--label-after-days must be at most 20, not" in err


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ({"level": "transaction", "transaction_id": "NOPE", "account_id": "A0000007"}, "burst"),
        ({"level": "account-day", "account_id": "NOPE", "business_day": "2026-02-01"}, "mule"),
    ],
)
def test_labels_of_another_file_do_not_blame_the_warm_up(
    weir: Weir, made: Made, tmp_path: Path, label: dict[str, str], kind: str
) -> None:
    labels = tmp_path / "l.jsonl"
    other = made.labels.read_text(encoding="utf-8")
    other = "".join(line + "\n" for line in other.splitlines() if f'"{kind}"' not in line)
    for before in ("", other):  # other kinds may be found: those that are looked for are not
        labels.write_text(before + json.dumps(label | {"kind": kind}) + "\n", encoding="utf-8")
        status, _, err = weir(made.path, "--labels", labels, "--kinds", kind, "--seeds", 1)
        assert status == 2
        assert f"no label of kind {kind} (1 in all) names a transaction or an account of" in err
        assert "warm-up" not in err


def test_broken_labels_are_said_with_their_lines(weir: Weir, made: Made, tmp_path: Path) -> None:
    labels = tmp_path / "l.jsonl"
    good = '{"level": "transaction", "kind": "mule", "account_id": "A", "transaction_id": "T"}'
    bad = '{"level": "account-day", "kind": "mule", "account_id": "A", "business_day": "soon"}'
    labels.write_text("\n".join([good, "{", bad, *["[]"] * 20]), encoding="utf-8")
    status, _, err = weir(made.path, "--labels", labels)
    assert status == 2
    assert f"{labels} cannot be read:\n  - line 2: " in err
    assert "line 3: Invalid isoformat string: 'soon'" in err
    assert "and 12 lines more" in err


def test_json_lines_have_no_column_of_labels(weir: Weir, tmp_path: Path) -> None:
    rows = tmp_path / "r.jsonl"
    rows.write_text("{}\n", encoding="utf-8")
    status, _, err = weir(rows, "--label", "is_odd")
    assert status == 2
    assert "r.jsonl is JSON Lines, which has no column is_odd" in err


@pytest.mark.parametrize(
    ("cell", "is_odd"),
    [("1", 1), (" TRUE", 1), ("yes", 1), ("2.5", 1), ("0", 0), ("0.0", 0), ("", 0), ("No", 0)],
)
def test_what_a_label_may_be(
    weir: Weir, made: Made, tmp_path: Path, cell: str, is_odd: int
) -> None:
    rows = [row | {"is_odd": "0"} for row in made.rows if row["booked_at"] < "2026-01-13"]
    rows[-1]["is_odd"], rows[-2]["is_odd"] = cell, "1"
    path = written(rows, tmp_path / "r.csv")
    found = figures(weir, path, "--label", "is_odd", "--warm-up-days", 5)
    assert found["transactions"]["positives"] == 1 + is_odd


def test_kinds_of_numbers_are_compared_as_numbers(weir: Weir, made: Made, tmp_path: Path) -> None:
    rows = [row | {"is_odd": "0", "kind": ""} for row in made.rows if day_of(row) < "2026-01-13"]
    for row, kind in zip(rows[-4:], ("3", "3.0", "30", ""), strict=True):
        row |= {"is_odd": "1", "kind": kind}
    path = written(rows, tmp_path / "r.csv")
    asked = ("--label", "is_odd", "--kind", "kind", "--kinds", "3", "--warm-up-days", 5)
    found = figures(weir, path, *asked)["transactions"]
    assert (found["positives"], found["left_out"]) == (2, 2)
    assert found["positives_by_kind"] == {"3": 2, "30": 1}  # what has no kind has no name


def test_few_rows_little_memory_or_one_seed_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr(evaluate_seeds, "_available", lambda: 10 * 10**9)
    assert processes_for(5, 1000) == 1
    assert processes_for(5, 1_000_000) == 4
    assert processes_for(3, 1_000_000) == 3
    assert processes_for(1, 1_000_000) == 1
    assert processes_for(5, 3_000_000) == 2
    assert processes_for(5, 30_000_000) == 1


def test_available_memory_is_read_or_taken_for_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evaluate_seeds, "MEMORY", tmp_path / "meminfo")
    assert evaluate_seeds._available() == 0
    text = "MemTotal:  9 kB\nMemAvailable:   5 kB\n"
    (tmp_path / "meminfo").write_text(text, encoding="ascii")
    assert evaluate_seeds._available() == 5 * 1024


def test_runs_stand_in_the_order_of_their_seeds_whichever_comes_first(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = [with_seed(policy_for(None, 5, WARM_UP), seed) for seed in (1, 2)]
    table, rows = table_in(made.path), list[int]()
    first = run_of(table, policies[0], 1, rows.append)
    told = [(1, 40), (1, first._replace(cpu_seconds=2.0)), (0, 60), (0, first)]
    monkeypatch.setattr(evaluate_seeds, "processes_for", lambda *_: 2)
    monkeypatch.setattr(evaluate_seeds, "_told", lambda *_, **__: iter(told))
    rows.clear()
    runs = evaluate_seeds.runs_of(table, Source([made.path], None), policies, 1, rows.append)
    assert (runs[0], runs[1].cpu_seconds) == (first, 2.0)
    assert rows == [40, 60]


@pytest.mark.slow
def test_two_processes_say_what_one_does(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate_seeds, "processes_for", lambda *_: 2)
    policies = [with_seed(policy_for(None, 5, WARM_UP), seed) for seed in (1, 2, 3)]
    table, rows = table_in(made.path), list[int]()
    source = Source([made.path], None)
    runs = evaluate_seeds.runs_of(table, source, policies, 2, rows.append, has_features=True)
    assert sum(rows) == 3 * len(made.rows)
    for run, policy in zip(runs, policies, strict=True):
        alone = run_of(table, policy, 2, lambda _: None, has_features=True)
        np.testing.assert_array_equal(run.features, alone.features)
        assert alone.features[alone.day > 0].any(axis=1).all()
        np.testing.assert_array_equal(run.score, alone.score)
        np.testing.assert_array_equal(run.closed_score, alone.closed_score)
        assert run.alerts == alone.alerts
    assert not np.array_equal(runs[0].score, runs[1].score, equal_nan=True)


@pytest.mark.slow
def test_a_process_that_fails_is_told_and_no_figures_are_made(
    made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evaluate_seeds, "processes_for", lambda *_: 2)
    policies = [policy_for(None, 5, WARM_UP)] * 2
    with pytest.raises(evaluate_seeds.SeedError, match="ended before its seeds were done"):
        evaluate_seeds.runs_of(
            table_in(made.path), Source([tmp_path / "gone.csv"], None), policies, 2, lambda _: None
        )
