"""The batch tree: laws of every tree, scikit-learn's where both are the same, and the classic."""

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from models.rules.condition import Among, Rule
from monitor.insight.cut import Cut
from monitor.insight.gain import relevances, split_of
from monitor.insight.rule_counts import counted
from monitor.insight.rules import learned_of, unseen_of
from monitor.insight.sample import Numbers, Sample, sample_of
from monitor.insight.table import InsightError, Table, table_of
from monitor.insight.tree import Growth, Node, error_rate_limit, grow, paths, pruned, rules_of

TENNIS = Path(__file__).parent / "tennis.csv"


def tennis() -> Sample:
    with TENNIS.open() as file:
        rows = list(csv.DictReader(file))
    return sample_of(table_of({name: [row[name] for row in rows] for name in rows[0]}), "play")


words = st.sampled_from(["a", "b", "c", ""])
figures = st.sampled_from(["", "1", "2", "2.5", "40", "-3"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Words and numbers with gaps, and a label of two values at least."""
    rows = draw(st.lists(st.tuples(words, words, figures, figures), min_size=2, max_size=40))
    labels = draw(st.lists(st.sampled_from("xyz"), min_size=len(rows), max_size=len(rows)))
    labels[:2] = "x", "y"
    columns = dict(zip(("w1", "w2", "n1", "n2"), map(list, zip(*rows, strict=True)), strict=True))
    return table_of({**columns, "label": labels})


growths = st.builds(
    Growth, st.integers(0, 6), st.integers(1, 6), st.sampled_from(["gain", "ratio"])
)


def sample_or_none(table: Table) -> Sample | None:
    try:
        return sample_of(table, "label")
    except InsightError as error:
        assert "no column but label" in str(error)  # noqa: PT017 - all were keys
        return None


@given(tables(), growths, st.booleans())
def test_each_row_meets_one_rule_whose_counts_are_its_leafs(
    table: Table,
    growth: Growth,
    prune: bool,  # noqa: FBT001 - drawn
) -> None:
    sample = sample_or_none(table)
    if sample is None:
        return
    tree = grow(sample, growth)
    tree = pruned(tree) if prune else tree
    labels, rows = sample.label.texts(), sample.rows()
    rules = rules_of(tree, sample.label.values)
    assert all(sum(rule.holds(row) for rule in rules) == 1 for row in rows)
    of_rule = {rule_counted.rule: rule_counted for rule_counted in counted(rules, rows, labels)}
    for rule, leaf in zip(rules, tree.leaves(), strict=True):
        with_counts = {label: n for label, n in zip(sample.label.values, leaf.counts) if n}  # noqa: B905
        assert of_rule[rule].counts == with_counts
        assert leaf.rows >= growth.rows_min or not tree.children
    assert sum(rule_counted.rows for rule_counted in of_rule.values()) == len(rows)
    assert tree.depth <= growth.depth_max
    reached = Counter(id(tree.reached(row)) for row in rows)
    assert reached == {id(leaf): leaf.rows for leaf in tree.leaves()}


@given(tables())
def test_a_grown_tree_errs_only_where_rows_are_alike(table: Table) -> None:
    """Down to single rows, and with all splits allowed, nothing but equal rows stays together."""
    sample = sample_or_none(table)
    if sample is None:
        return
    tree = grow(sample, Growth(depth_max=50, rows_min=1))
    alike: dict[tuple[object, ...], Counter[str]] = {}
    for row, label in zip(sample.rows(), sample.label.texts(), strict=True):
        key = tuple(None if value != value else value for value in row.values())  # noqa: PLR0124
        alike.setdefault(key, Counter())[label] += 1
    assert sum(leaf.errors for leaf in tree.leaves()) <= _errors_of_missing_aside(alike)


def _errors_of_missing_aside(alike: dict[tuple[object, ...], Counter[str]]) -> int:
    """Rows with a missing number go with the larger part, so they may not be told from others."""
    gaps = sum(sum(labels.values()) for key, labels in alike.items() if None in key[-2:])
    return gaps + sum(sum(labels.values()) - max(labels.values()) for labels in alike.values())


@given(st.integers(0, 5000), st.integers(4, 60), st.integers(1, 5), st.integers(2, 3))
@settings(deadline=None)
def test_on_two_values_it_is_scikit_learns_entropy_tree(
    seed: int, rows: int, columns: int, labels: int
) -> None:
    """The same gains, and the same predictions for the rows that it was grown from."""
    draw = np.random.default_rng(seed)
    bits = draw.integers(0, 2, (rows, columns))
    label = draw.integers(0, labels, rows)
    bits[:2], label[:2] = [[0] * columns, [1] * columns], [0, 1]
    named = {
        f"c{place}": [("no", "yes")[bit] for bit in bits[:, place]] for place in range(columns)
    }
    sample = sample_of(table_of({**named, "label": [str(value) for value in label]}), "label")

    for relevance in relevances(sample):
        place = int(relevance.attribute[1:])
        stump = DecisionTreeClassifier(criterion="entropy", max_depth=1, random_state=0)
        theirs = stump.fit(bits[:, [place]], label).tree_
        after = theirs.impurity[1:] @ theirs.weighted_n_node_samples[1:] / rows
        expected = theirs.impurity[0] - after if theirs.node_count > 1 else 0.0
        assert relevance.gain == pytest.approx(expected, abs=1e-9)

    tree = grow(sample, Growth(depth_max=50, rows_min=1))
    theirs = DecisionTreeClassifier(criterion="entropy", random_state=0).fit(bits, label)
    ours = [tree.reached(row).label for row in sample.rows()]
    assert ours == theirs.predict(bits).tolist()


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 2)), min_size=2, max_size=40))
def test_a_split_of_numbers_is_the_best_of_all_cut_points(pairs: list[tuple[int, int]]) -> None:
    values = np.array([value for value, _ in pairs], np.float64)
    label = np.array([name for _, name in pairs])

    def entropy(part: np.ndarray) -> float:
        shares: list[float] = (np.bincount(part) / len(part)).tolist()
        return -sum(share * math.log2(share) for share in shares if share)

    gains = {
        cut: entropy(label)
        - sum(len(part) * entropy(part) for part in (label[values <= cut], label[values > cut]))
        / len(label)
        for cut in sorted(set(values))[:-1]
    }
    split = split_of(Numbers("n", values), label, 3, 1)
    assert (split is None) == (not gains)
    if split is not None:
        assert split.gain == pytest.approx(max(gains.values()), abs=1e-9)
        first, second = split.conditions
        assert [first.holds({"n": value}) for value in values] == (split.part == 0).tolist()
        assert [second.holds({"n": value}) for value in values] == (split.part == 1).tolist()


def test_the_classic_table_has_its_gains() -> None:
    gains = {relevance.attribute: round(relevance.gain, 3) for relevance in relevances(tennis())}
    assert gains == {"outlook": 0.247, "humidity": 0.152, "wind": 0.048, "temperature": 0.029}
    ratios = {relevance.attribute: round(relevance.ratio, 3) for relevance in relevances(tennis())}
    assert ratios == {"outlook": 0.156, "humidity": 0.152, "wind": 0.049, "temperature": 0.019}


@pytest.mark.parametrize("criterion", ["gain", "ratio"])
def test_the_classic_table_has_its_five_rules(criterion: str) -> None:
    learned = learned_of(tennis(), Growth(criterion=criterion))
    assert {rule.rule.text() for rule in learned.rules} == {
        "IF outlook = overcast THEN yes",
        "IF outlook = rain AND wind = strong THEN no",
        "IF outlook = rain AND wind = weak THEN yes",
        "IF outlook = sunny AND humidity = high THEN no",
        "IF outlook = sunny AND humidity = normal THEN yes",
    }
    assert [rule.confidence for rule in learned.rules] == [1.0] * 5
    high = next(rule for rule in learned.rules if "high" in rule.rule.text())
    assert (high.rows, high.hits, high.support, high.lift) == (3, 3, 3 / 14, 14 / 5)
    assert learned.accuracy == 1
    assert learned.accuracy_of_most_frequent == 9 / 14


def test_what_says_something_only_together_is_found() -> None:
    """No attribute of an exclusive or has any gain alone."""
    columns = {"p": list("0011") * 5, "q": list("0101") * 5, "label": list("nyyn") * 5}
    columns["noise"] = list("kl") * 10
    tree = grow(sample_of(table_of(columns), "label"), Growth())
    assert [leaf.errors for leaf in tree.leaves()] == [0, 0, 0, 0]


def test_what_says_nothing_does_not_split() -> None:
    columns = {"p": list("0011"), "label": list("nyny")}
    assert grow(sample_of(table_of(columns), "label"), Growth(rows_min=1)) == Node((2, 2))


def test_rare_values_go_together_or_with_the_largest_part() -> None:
    columns = {"city": list("aaaabbbcd"), "label": list("nnnnyyyyy")}
    sample = sample_of(table_of(columns), "label")
    (city,) = sample.features

    def parts(rows_min: int) -> list[tuple[str | None, ...]]:
        split = split_of(city, sample.label.codes, 2, rows_min)
        assert split is not None
        return [condition.values for condition in split.conditions if isinstance(condition, Among)]

    assert parts(2) == [("a",), ("b",), ("c", "d")]
    assert parts(3) == [("a", "c", "d"), ("b",)]


def test_a_missing_value_is_a_category_and_goes_with_the_larger_part_of_numbers() -> None:
    columns = {
        "card": ["gold", "gold", "", "", "", ""],
        "age": ["20", "60", "60", "60", "", ""],
        "label": list("yynnnn"),
    }
    sample = sample_of(table_of(columns), "label")
    tree = grow(sample, Growth())
    assert [condition.text() for condition in tree.conditions] == ["card = gold", "card = (none)"]
    numbers = split_of(sample.features[1], sample.label.codes, 2, 1)
    assert numbers is not None
    assert [condition.text() for condition in numbers.conditions] == [
        "age <= 40",
        "age > 40 or (none)",
    ]


def test_the_pessimistic_error_rates_are_quinlans() -> None:
    """C4.5, section 4.2: the votes of the United States' House of Representatives."""
    limits = {(0, 6): 0.206, (0, 9): 0.143, (0, 1): 0.750}
    assert {key: round(error_rate_limit(*key), 3) for key in limits} == limits
    below = 6 * error_rate_limit(0, 6) + 9 * error_rate_limit(0, 9) + error_rate_limit(0, 1)
    assert below == pytest.approx(3.273, abs=1e-3)
    leaves = (Node((6, 0)), Node((9, 0)), Node((0, 1)))
    conditions = tuple(Among("vote", (value,)) for value in "ynu")
    tree = Node((15, 1), "vote", 0.1, conditions, leaves)
    assert pruned(tree) == Node((15, 1))
    # 6 * .206 + 2 * .5 = 2.2 errors of the leaves are less than the 3.4 of their root.
    pays = Node((6, 2), "vote", 0.8, conditions[:2], (Node((6, 0)), Node((0, 2))))
    assert 8 * error_rate_limit(2, 8) == pytest.approx(3.4, abs=0.1)
    assert pruned(pays) == pays


@pytest.mark.parametrize(("errors", "rows"), [(0, 1), (3, 40), (200, 500), (7, 7)])
def test_at_the_limit_so_few_errors_are_a_quarter_probable(errors: int, rows: int) -> None:
    rate = error_rate_limit(errors, rows)
    probable = sum(
        math.comb(rows, k) * rate**k * (1 - rate) ** (rows - k) for k in range(errors + 1)
    )
    assert probable == pytest.approx(1.0 if errors == rows else 0.25, abs=1e-6)


def test_pruning_helps_on_noise_and_keeps_what_is_there() -> None:
    draw = np.random.default_rng(5)
    noise = draw.integers(0, 3, (300, 4))
    signal = draw.integers(0, 2, 300)
    label = np.where(draw.random(300) < 0.15, 1 - signal, signal)
    columns = {f"n{place}": [f"v{value}" for value in noise[:, place]] for place in range(4)}
    columns |= {"s": [f"v{value}" for value in signal], "label": [f"l{value}" for value in label]}
    sample = sample_of(table_of(columns), "label")
    whole, cut = grow(sample, Growth()), pruned(grow(sample, Growth()))
    assert cut.attribute == "s"
    assert len(list(cut.leaves())) < len(list(whole.leaves())) / 3
    unseen = {prune: unseen_of(sample, Growth(), prune=prune).accuracy for prune in (False, True)}
    assert unseen[True] > unseen[False]
    assert unseen[True] > 0.8


def test_keys_and_rows_without_a_label_are_left_out_and_told() -> None:
    columns = {
        "id": [f"c{row}" for row in range(8)], "number": [str(row + 4) for row in range(8)],
        "age": ["30", "30", "40", "40", "50", "50", "60", "60"], "label": [*"xxyyxxy", ""],
    }  # fmt: skip
    sample = sample_of(table_of(columns), "label")
    assert sample.keys == ("id", "number")
    assert [feature.name for feature in sample.features] == ["age"]
    assert sample.unlabelled == 1
    assert len(sample.rows()) == 7


def test_given_cut_points_make_intervals_that_name_themselves() -> None:
    columns = {"age": ["20", "30", "40", "55", "60", "70"] * 3, "label": list("aabbcc") * 3}
    sample = sample_of(table_of(columns), "label", {"age": Cut((30.0, 55.0))})
    rules = rules_of(grow(sample, Growth()), sample.label.values)
    assert [rule.text() for rule in rules] == [
        "IF age <= 30 THEN a", "IF 30 < age <= 55 THEN b", "IF age > 55 THEN c",
    ]  # fmt: skip


def test_a_rare_label_is_told_where_it_is_more_frequent() -> None:
    columns = {"region": list("pppp" * 5 + "qqqq" * 5), "loan": list("gggb" * 5 + "gggg" * 5)}
    sample = sample_of(table_of(columns), "loan")
    rules = learned_of(sample, Growth(), then="b").rules
    assert [(rule.rule.text(), rule.confidence, rule.lift) for rule in rules] == [
        ("IF region = p THEN b", 0.25, 2.0),
        ("IF region = q THEN b", 0.0, 0.0),
    ]


def test_a_path_that_asks_twice_is_one_condition() -> None:
    columns = {"n": [str(row) for row in (1, 2, 3, 4, 5, 6) * 3], "label": list("aabbaa") * 3}
    sample = sample_of(table_of(columns), "label")
    (middle,) = [path for path, leaf in paths(grow(sample, Growth())) if leaf.label == 1]
    assert len(middle) == 2
    texts = [rule.text() for rule in rules_of(grow(sample, Growth()), sample.label.values)]
    assert "IF 2 < n <= 4 THEN b" in texts


def test_counts_are_of_the_rows_that_are_given() -> None:
    rule = Rule((Among("c", ("a",)),), "x")
    (rule_counted,) = counted([rule], [{"c": "a"}, {"c": "a"}, {"c": "b"}, {}], list("xyxy"))
    assert (
        rule_counted.rows,
        rule_counted.hits,
        rule_counted.support,
        rule_counted.confidence,
        rule_counted.lift,
    ) == (2, 1, 0.25, 0.5, 1.0)
    (never,) = counted([Rule((Among("c", ("z",)),), "v")], [{"c": "a"}], ["x"])
    assert (never.rows, never.confidence, never.lift, never.support) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("label", "growth", "problem"),
    [
        ("nothing", Growth(), "no column 'nothing' in the table"),
        ("one", Growth(), "label one has 1 different values"),
        ("many", Growth(), "label many has 30 different values.*--cut makes classes"),
        ("two", Growth(depth_max=-1), "a depth of -1"),
        ("two", Growth(rows_min=0), "at least 0 rows"),
        ("two", Growth(criterion="gini"), "criterion gini is none: gain or ratio"),
    ],
)
def test_what_cannot_be_is_refused(label: str, growth: Growth, problem: str) -> None:
    columns = {
        "one": ["a"] * 30,
        "many": [str(row**2) for row in range(30)],
        "two": list("ab") * 15,
    }
    with pytest.raises(InsightError, match=problem):
        learned_of(sample_of(table_of(columns), label), growth)
