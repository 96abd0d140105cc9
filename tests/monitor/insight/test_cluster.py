import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.insight.cluster import Groups, cluster, points_of
from monitor.insight.table import InsightError, Table, table_of
from tests.support.laws import law

PLANTED = {"student": (22, 300), "worker": (42, 2500), "pensioner": (70, 1200)}


def customers(rows: int = 300, seed: int = 1) -> tuple[Table, list[str]]:
    """Return customers of three kinds, each of two cities, and the kind of each."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(list(PLANTED), rows).tolist()
    ages = [str(round(PLANTED[kind][0] + rng.normal(0, 2))) for kind in kinds]
    inflows = [f"{PLANTED[kind][1] * rng.lognormal(0, 0.05):.2f}" for kind in kinds]
    cities = rng.choice(["Brno", "Praha"], rows).tolist()
    names = [str(place) for place in range(rows)]
    columns = {"customer_id": names, "age": ages, "inflow": inflows, "city": cities, "kind": kinds}
    return table_of(columns), kinds


def levels(groups: Groups) -> tuple[list[str], list[str]]:
    """Return the coarse and the fine group of each row."""
    size = len(groups.groups[0].is_row)
    coarse, fine = [""] * size, [""] * size
    for group in groups.groups:
        for row in np.nonzero(group.is_row)[0].tolist():
            fine[row] = group.name
            if "." not in group.name:
                coarse[row] = group.name
    return coarse, fine


columns_of_any = st.integers(1, 30).flatmap(
    lambda rows: st.fixed_dictionaries({
        "word": st.lists(st.none() | st.sampled_from("abc"), min_size=rows, max_size=rows),
        "number": st.lists(st.none() | st.integers(-9, 9).map(str), min_size=rows, max_size=rows),
        "money": st.lists(st.integers(0, 10**7).map(str), min_size=rows, max_size=rows),
    })
)  # fmt: skip


@law(40)
@given(columns_of_any, st.integers(1, 4), st.integers(1, 3), st.randoms(use_true_random=False))
def test_groups_part_the_rows_and_their_order_changes_nothing(
    columns: dict[str, list[str | None]], coarse: int, fine: int, random: st.DataObject
) -> None:
    rows = len(columns["word"])
    table = table_of(columns)
    try:
        found = cluster(table, sizes=(coarse, fine))
    except InsightError:
        assert all(len(set(table.columns[name])) == 1 for name in columns)
        return
    of_coarse, of_fine = levels(found)
    assert all(name for name in of_coarse)
    assert all(inner.split(".")[0] == outer
               for outer, inner in zip(of_coarse, of_fine, strict=True))  # fmt: skip
    assert len({*of_coarse}) <= coarse
    assert len({*of_fine}) <= coarse * fine
    assert 0 <= found.explained_coarse <= found.explained + 1e-9 <= 1 + 1e-9
    order = list(range(rows))
    random.shuffle(order)  # type: ignore[attr-defined] # a Random by another name
    mixed = {name: [column[place] for place in order] for name, column in columns.items()}
    other_coarse, other_fine = levels(cluster(table_of(mixed), sizes=(coarse, fine)))
    assert other_coarse == [of_coarse[place] for place in order]
    assert other_fine == [of_fine[place] for place in order]


@pytest.mark.parametrize("seed", range(5))
def test_planted_kinds_are_found_coarse_and_cities_fine(seed: int) -> None:
    table, kinds = customers(seed=seed)
    found = cluster(table, ["age", "inflow", "city"], (3, 2), seed=seed)
    coarse, fine = levels(found)
    assert len({*zip(coarse, kinds, strict=True)}) == 3
    assert len({*zip(fine, table.columns["city"], kinds, strict=True)}) == 6
    assert found.explained > 0.95


def test_a_group_is_told_by_what_sets_it_apart_in_its_own_units() -> None:
    table, kinds = customers()
    found = cluster(table, ["age", "inflow"], (3, 1))
    assert [group.rows for group in found.groups] == sorted(
        (kinds.count(kind) for kind in PLANTED), reverse=True
    )
    for group in found.groups:
        kind = kinds[int(np.nonzero(group.is_row)[0][0])]
        mark = next(mark for mark in group.marks if mark.attribute == "kind")
        assert (mark.value, mark.t_weight, mark.d_weight) == (kind, 1.0, 1.0)
        age, inflow = group.means
        assert age.mean == pytest.approx(PLANTED[kind][0], abs=0.5)
        assert inflow.mean == pytest.approx(PLANTED[kind][1], rel=0.05)
        assert found.means["age"] == pytest.approx(table.numbers["age"].mean())
        assert age.mean_elsewhere == pytest.approx(table.numbers["age"][~group.is_row].mean())


def test_what_makes_no_groups_is_said() -> None:
    table, _ = customers()
    streets = [f"street {place}" for place in range(table.rows)]
    more = table_of({**table.columns, "street": streets, "bank": ["ours"] * table.rows})
    found = cluster(more)
    assert found.columns == ["age", "inflow", "city", "kind"]
    assert found.left_out == {"street": "300 different words", "bank": "one value"}
    assert cluster(more, ["age"]).left_out["inflow"] == "not asked for"
    with pytest.raises(InsightError, match=r"no column can make groups: .*street"):
        cluster(more, ["street"])
    with pytest.raises(InsightError, match="no column 'agee'"):
        cluster(more, ["agee"])


def test_fewer_rows_than_groups_are_groups_of_one() -> None:
    found = cluster(table_of({"a": ["1", "5"]}), sizes=(3, 3))
    assert [group.rows for group in found.groups] == [1, 1]


def test_points_weigh_columns_alike() -> None:
    table = table_of({"word": ["a", "b"] * 50, "number": ["1", "2", "3", "4", None] * 20})
    x = points_of(table, table.names)
    words, number, is_missing = x[:, :2], x[:, 2], x[:, 3]
    assert ((words[0] - words[1]) ** 2).sum() == pytest.approx(1)
    known = number[is_missing == 0]
    assert known.mean() == pytest.approx(0)
    assert known.std() == pytest.approx(1)
    assert set(number[is_missing == 1]) == {0.0}


def test_a_few_very_rich_customers_do_not_make_all_others_one_group() -> None:
    rng = np.random.default_rng(3)
    balances = np.where(np.arange(300) % 2, 1_000, 20_000) * rng.lognormal(0, 0.1, 300)
    balances[:3] = 10**9
    table = table_of({"balance": [f"{balance:.2f}" for balance in balances]})
    coarse, _ = levels(cluster(table, sizes=(2, 1)))
    assert sorted(map(coarse.count, {*coarse})) == pytest.approx([150, 150], abs=3)
