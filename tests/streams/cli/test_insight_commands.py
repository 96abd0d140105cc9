"""`weir describe` and `weir cluster`, as they are called."""

import csv
import math
from pathlib import Path

import pytest

from tests.support.command_line import Weir, fields, weir_of

HIERARCHY = '[hierarchy.city]\nBrno = "Moravia"\nZlin = "Moravia"\nPraha = "Bohemia"\n'


@pytest.fixture
def weir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Weir:
    """Run the command line in a folder with a table of customers and a hierarchy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    cities, cards = ["Brno", "Praha", "Zlin"], ["gold", "", "classic", ""]
    marks = ["b", "[red]"]
    rows = [
        f"{place},{20 + place},{cities[place % 3]},{cards[place % 4]},{marks[place % 2]}"
        for place in range(48)
    ]
    text = "\n".join(["customer_id,age,city,card,mark", *rows]) + "\n"
    (tmp_path / "customers.csv").write_text(text, encoding="utf-8")
    (tmp_path / "h.toml").write_text(HIERARCHY, encoding="utf-8")

    return weir_of(monkeypatch, capsys)


def test_describe_tells_a_program_what_it_shows_a_person(weir: Weir) -> None:
    options = (
        "describe", "customers.csv", "--target", "card=gold", "--cut", "age=30,55",
        "--hierarchy", "h.toml", "--values-max", "2", "--crosstab", "city,mark",
    )  # fmt: skip
    found = fields(weir(*options, "--json"))
    assert (found["target_rows"], found["against_rows"]) == (12, 36)
    became = {attribute["attribute"]: attribute for attribute in found["attributes"]}
    assert set(became) == {"age", "city", "mark"}  # the id names the rows, the card is the class
    assert (became["city"]["levels_climbed"], became["city"]["values_left"]) == (1, 2)
    assert became["age"]["removed"] == "3 values, and no hierarchy"
    rows = found["rows"]
    assert set(rows[0]) == {"values", "count", "t_weight", "d_weight", "against"}
    assert math.fsum(row["t_weight"] for row in rows) == pytest.approx(1)
    assert math.fsum(row["against"]["t_weight"] for row in rows) == pytest.approx(1)
    assert all(row["d_weight"] + row["against"]["d_weight"] == pytest.approx(1) for row in rows)
    assert sum(row["count"] for row in rows) == 12
    assert sum(cell["count"] for cell in found["crosstab"]["cells"]) == 12
    shown = weir(*options)
    assert shown.status == 0
    for said in ("card=gold (12 rows)", "2 of 3", "Moravia", "[red]", "12 of 48 (25.0 %)"):
        assert said in shown.out


def test_describe_against_a_missing_value(weir: Weir) -> None:
    found = fields(weir(
        "describe", "customers.csv", "--target", "card=gold", "--target", "card=classic",
        "--against", "card=(none)", "--ignore", "age", "--json",
    ))  # fmt: skip
    assert found["target"] == "card=gold or card=classic"
    assert (found["target_rows"], found["against_rows"]) == (24, 24)
    assert [row["values"]["mark"] for row in found["rows"] if row["count"]] == ["b"] * 3


def test_cluster_groups_rows_and_writes_them(weir: Weir, tmp_path: Path) -> None:
    options = ("cluster", "customers.csv", "--columns", "age, city", "--coarse", 3, "--fine", 2)
    found = fields(weir(*options, "--out", "grouped.csv", "--json"))
    assert found["columns"] == ["age", "city"]
    assert found["left_out"] == {"card": "not asked for", "mark": "not asked for"}
    assert sum(group["rows"] for group in found["groups"]) == 48
    with (tmp_path / "grouped.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    for group in found["groups"]:
        inside = [row for row in rows if row["group_coarse"] == group["group"]]
        assert len(inside) == group["rows"]
        ages = [float(row["age"]) for row in inside]
        mean = next(figure for figure in group["means"] if figure["column"] == "age")
        assert mean["mean"] == pytest.approx(sum(ages) / len(ages))
        assert sum(fine["rows"] for fine in group["fine"]) in {0, group["rows"]}
    shown = weir(*options)
    assert "48 rows, grouped by age, city" in shown.out
    for group in found["groups"]:
        assert f"{group['rows']:,}" in shown.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("describe", "none.csv", "--target", "a=b"), "none.csv: No such file"),
        (("describe", "customers.csv", "--target", "card=golden"), "(none), classic, gold"),
        (("describe", "customers.csv", "--target", "x=1"), "it has customer_id, age"),
        (
            ("describe", "customers.csv", "--target", "card=gold", "--cut", "city=3"),
            "cannot be cut",
        ),
        (("describe", "customers.csv", "--target", "card=gold", "--cut", "x=3"), "no column 'x'"),
        (("describe", "customers.csv", "--target", "card=gold", "--crosstab", "age"), "write two"),
        (
            ("describe", "customers.csv", "--target", "card=gold", "--hierarchy", "customers.csv"),
            "customers.csv is no TOML",
        ),
        (("cluster", "customers.csv", "--columns", "agee"), "no column 'agee'"),
        (("cluster", "customers.csv", "--out", "customers.csv"), "is read too"),
        (("cluster", "customers.csv", "--ignore", "x"), "no column 'x'"),
    ],
)
def test_what_cannot_be_used_is_one_message_and_status_2(
    weir: Weir, arguments: tuple[str, ...], problem: str
) -> None:
    said = weir(*arguments)
    assert said.status == 2
    assert problem in said.err
    assert said.err.count("weir: ") == 1
    assert not said.out
