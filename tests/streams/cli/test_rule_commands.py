"""`weir associate` and `weir rules`, as they are called."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams.cli import main
from tests.support.command_line import Weir, fields, weir_of
from tests.support.references import DATA

TENNIS = Path(__file__).parents[2] / "monitor" / "insight" / "tennis.csv"
FIVE_RULES = {
    "IF outlook = overcast THEN yes",
    "IF outlook = rain AND wind = strong THEN no",
    "IF outlook = rain AND wind = weak THEN yes",
    "IF outlook = sunny AND humidity = high THEN no",
    "IF outlook = sunny AND humidity = normal THEN yes",
}


@pytest.fixture
def weir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Weir:
    """Run the command line in a folder with the classic table, and a larger one of loans."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tennis.csv").write_bytes(TENNIS.read_bytes())
    lines = ["id,age,card,loan"]
    for place in range(400):
        age, card = 20 + place * 7 % 60, ("gold", "", "classic")[place % 3]
        status = "D" if age <= 30 and card == "" else ("A", "C", "C", "A", "B")[place % 5]
        lines.append(f"x{place},{age},{card},{'' if place % 40 == 0 else status}")
    (tmp_path / "loans.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return weir_of(monkeypatch, capsys)


def test_the_classic_rules_come_out_with_no_option_but_the_label(weir: Weir) -> None:
    found = fields(weir("rules", "tennis.csv", "--label", "play", "--json"))
    gains = {
        attribute["attribute"]: round(attribute["information_gain"], 3)
        for attribute in found["attributes"]
    }
    assert gains == {"outlook": 0.247, "humidity": 0.152, "wind": 0.048, "temperature": 0.029}
    assert {rule["text"] for rule in found["rules"]} == FIVE_RULES
    assert all(rule["confidence"] == 1 for rule in found["rules"])
    assert (found["tree"]["attribute"], found["tree"]["labels"]) == ("outlook", {"no": 5, "yes": 9})


def test_a_column_that_names_the_days_does_not_spoil_them(weir: Weir, tmp_path: Path) -> None:
    lines = TENNIS.read_text(encoding="utf-8").splitlines()
    for name in ("D{}", "{}"):
        days = [",".join((name.format(day), line)) for day, line in enumerate(lines[1:], 1)]
        text = "\n".join([f"day,{lines[0]}", *days])
        (tmp_path / "days.csv").write_text(text, encoding="utf-8")
        found = fields(weir("rules", "days.csv", "--label", "play", "--json"))
        assert found["columns_left_out"] == ["day"]
        assert {rule["text"] for rule in found["rules"]} == FIVE_RULES


def test_rules_show_a_person_the_gains_the_tree_and_the_rules(weir: Weir) -> None:
    said = weir("rules", "tennis.csv", "--label", "play")
    assert said.status == 0
    assert "outlook      0.247       0.156      3" in said.out
    assert "|   humidity = high: no (3)" in said.out
    assert "21.4 %    100.0 %   2.80       3        3  IF outlook = sunny AND humidity" in said.out
    few = weir("rules", "tennis.csv", "--label", "play", "--top", "2").out
    assert (few.count(" THEN "), said.out.count(" THEN ")) == (2, 5)
    assert "3 more rules" in few
    assert re.search(r"Right in 100.0 % of these rows, and in \d+.\d % of rows that a", said.out)


def test_a_rare_class_is_told_by_both_trees(weir: Weir) -> None:
    options = ("--label", "loan", "--class", "bad=B,D", "--class", "good=A,C", "--then", "bad")
    found = fields(weir("rules", "loans.csv", *options, "--max-depth", "3", "--stream", "--json"))
    assert found["rows_unlabelled"] == 10
    assert found["columns_left_out"] == ["id"]
    assert set(found["labels"]) == {"bad", "good"}
    best, stream = found["rules"][0], found["stream"]
    assert {condition["attribute"] for condition in best["if"]} == {"age", "card"}
    assert best["confidence"] == 1
    assert best["count"] == best["rows"] == best["labels"]["bad"]
    assert {rule["then"] for rule in found["rules"] + stream["rules"]} == {"bad"}
    assert sum(rule["rows"] for rule in stream["rules"]) == found["rows"] == 390
    assert 0.5 < found["roc_area_unseen"] <= 1
    assert 0 <= stream["accuracy_prequential"] <= 1
    said = weir("rules", "loans.csv", *options, "--stream")
    assert "Rules of the stream's tree, which saw each row once, in order" in said.out
    assert said.out.count("Area under the ROC curve of rows not seen: 0.") == 2


def test_pruning_and_cut_points_are_followed(weir: Weir) -> None:
    options = ("rules", "loans.csv", "--label", "loan", "--json")
    whole = fields(weir(*options))
    cut = fields(weir(*options, "--prune", "--cut", "age=30,55"))
    assert len(cut["rules"]) < len(whole["rules"])
    texts = " ".join(rule["text"] for rule in cut["rules"])
    assert "age <= 30" in texts


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_tree_is_drawn_alike_each_time(weir: Weir, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    options = ("rules", "tennis.csv", "--label", "play", "--picture")
    for name in ("a", "b"):
        assert weir(*options, f"{name}.{ending}").status == 0
    first, second = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("a", "b"))
    assert first == second
    if ending == "svg":
        text = first.decode()
        assert all(f">{told}<" in text for told in ("outlook", "humidity = high", "100 % of 4"))
    else:
        assert first.startswith(b"\x89PNG")


def test_associations_tell_a_program_their_figures(weir: Weir) -> None:
    options = ("associate", "tennis.csv", "--min-support", "0.2", "--min-confidence", "0.9")
    found = fields(weir(*options, "--json"))
    (overcast,) = [
        rule for rule in found["rules"] if rule["text"] == "IF outlook=overcast THEN play=yes"
    ]
    assert (overcast["count"], overcast["rows"], overcast["confidence"]) == (4, 4, 1.0)
    assert overcast["support"] == 4 / 14
    assert overcast["lift"] == pytest.approx(14 / 9)
    assert overcast["leverage"] == pytest.approx(4 / 14 - 4 * 9 / 14**2)
    assert overcast["p_value"] == pytest.approx(126 / 1001)
    assert len(fields(weir(*options, "--all", "--json"))["rules"]) > len(found["rules"])
    said = weir(*options, "--top", "2")
    assert said.out.count(" THEN ") == 2
    assert f"{len(found['rules']) - 2} more rules" in said.out


def test_associations_with_a_target_end_in_it(weir: Weir) -> None:
    options = ("associate", "loans.csv", "--target", "loan=D")
    found = fields(weir(*options, "--json"))
    assert found["rules"]
    assert "(none)" not in json.dumps(found)
    (best, *_) = fields(weir(*options, "--missing", "--json"))["rules"]
    assert {condition["column"] for condition in best["if"]} == {"age", "card"}
    assert best["confidence"] > 0.9
    assert {rule["text"].partition(" THEN ")[2] for rule in found["rules"]} == {"loan=D"}
    said = weir(*options, "--min-confidence", "1", "--min-support", "1")
    assert said.status == 0
    assert "No rule is right in 100.0 % of its rows" in said.out


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (("rules", "tennis.csv", "--label", "sport"), 2, "no column 'sport' in the table"),
        (("rules", "none.csv", "--label", "play"), 2, "none.csv: No such file"),
        (("rules", "tennis.csv", "--label", "play", "--then", "maybe"), 2, "no row has play=maybe"),
        (("rules", "tennis.csv", "--label", "play", "--class", "x="), 2, "class 'x=' is none"),
        (("rules", "tennis.csv", "--label", "play", "--class", "x=no,so"), 2, "no row has play=so"),
        (("rules", "tennis.csv", "--label", "play", "--criterion", "gini"), 2, "gain or ratio"),
        (("rules", "tennis.csv", "--label", "play", "--max-depth", "99"), 2, "a depth of 99"),
        (("rules", "tennis.csv", "--label", "play", "--picture", "t.pdf"), 2, ".png or .svg"),
        (("associate", "tennis.csv", "--target", "play"), 2, "write COL=VALUE"),
        (("associate", "tennis.csv", "--min-support", "0"), 2, "a support of 0.0 is none"),
        (("associate", "tennis.csv", "--cut", "outlook=1"), 2, "column outlook cannot be cut"),
    ],
)
def test_what_cannot_be_is_one_message(
    weir: Weir, arguments: tuple[str, ...], status: int, problem: str
) -> None:
    said = weir(*arguments)
    assert said.status == status
    assert problem in said.err
    assert said.err.startswith("weir: ")
    assert not said.out


def test_a_tree_too_large_for_a_picture_says_what_to_do(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("streams.cli.views.rules.LEAVES_MAX", 4)
    said = weir("rules", "tennis.csv", "--label", "play", "--picture", "t.svg")
    assert said.status == 2
    assert "5 leaves, and a picture at most 4: give it a lower --max-depth" in said.err
    assert not (tmp_path / "t.svg").exists()


def test_without_mlxtend_it_says_what_to_install(
    weir: Weir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    said = weir("associate", "tennis.csv")
    assert said.status == 3
    assert "pip install -e '.[insight]'" in said.err


def test_customers_of_a_bank_give_what_a_banker_can_read(weir: Weir, tmp_path: Path) -> None:
    if not (DATA / "berka").exists():
        pytest.skip(f"{DATA / 'berka'} is not there: name the data's folder by WEIR_TEST_DATA")
    script = Path(main.__file__).parents[2] / "examples" / "berka_customers.py"
    subprocess.run([sys.executable, script, DATA / "berka", tmp_path], check=True)
    options = ("--class", "bad=B,D", "--class", "good=A,C", "--then", "bad")
    found = fields(weir(
        "rules", "customers.csv", "--label", "loan", *options, "--ignore", "district",
        "--max-depth", "3", "--min-rows", "15", "--json",
    ))  # fmt: skip
    assert found["columns_left_out"] == ["account_id"]
    assert found["labels"] == {"bad": 76, "good": 606}
    assert found["attributes"][0]["attribute"] == "orders"
    assert found["rules"][0]["lift"] > 4
    assert found["roc_area_unseen"] > 0.7
    assert len({rule["text"] for rule in found["rules"]}) == len(found["rules"]) > 4
