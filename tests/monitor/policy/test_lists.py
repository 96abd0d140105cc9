"""[lists] of a policy: how files become a part of it, what filters by them, what is refused."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Alert
from monitor.core.names import NameList
from monitor.engine.engine import plain_engine
from monitor.gauges.sql import sql_of
from monitor.policy.document import policy_of
from monitor.policy.lists import ListFileError, packed, unpacked, with_files
from monitor.policy.policy import PolicyError
from streams.topics.policy_file import policy_of_file
from tests.support.calls import calls_of
from tests.support.gauged_streams import any_items
from tests.support.laws import law
from tests.support.transactions import POLICY, book, observed, transaction

rests = st.text(
    st.characters(exclude_categories=("C", "Z")) | st.sampled_from('A"\\'), min_size=1, max_size=60
)
beginnings = st.sampled_from(["", "DE893704004405320", "x" * 40])
names = st.builds("".join, st.tuples(beginnings, rests))

LISTED = """
[lists.pep]
counterparties = ["P1", "P2"]
[[limit]]
id = "to-pep"
measure = "count"
where = { counterparty_in = "pep" }
above = 1
"""

OF_A_FILE = LISTED.replace(
    'counterparties = ["P1", "P2"]', 'counterparties_file = "pep.txt"  # ours'
)


@law(200)
@given(st.lists(names, min_size=1, unique=True))
def test_names_that_are_packed_are_unpacked_and_their_order_says_nothing(ids: list[str]) -> None:
    assert unpacked(packed(ids)) == sorted(ids)
    assert packed(ids) == packed(ids[::-1])


@law(100)
@given(st.lists(names, min_size=1, unique=True))
def test_a_policy_with_a_file_is_the_one_that_states_its_names(ids: list[str]) -> None:
    lines = [name if name[0] not in '#"' and " " not in name else f'"{name}"' for name in ids]
    commented = ["# ours", "", *lines, "  #", *(f'"{name}"' for name in ids), ""]
    text = with_files(POLICY + OF_A_FILE, lambda _: "\n".join(commented).encode())
    policy = policy_of(text)
    listed = policy.lists["pep"].counterparties
    assert listed is not None
    assert listed.names == frozenset(ids)
    assert policy_of(policy.text).lists == policy.lists
    assert with_files(text, lambda _: b"") == text


def told(text: str, *counterparties: str) -> int:
    engine = plain_engine(0, book(POLICY + text), 1)
    rows = [
        transaction(f"t{n}", amount="1.00", counterparty_id=who)
        for n, who in enumerate(counterparties)
    ]
    alerts = observed(engine, *rows).alerts
    return sum(alert.threshold.threshold_id == "to-pep" for alert in alerts)


def test_a_filter_measures_what_is_with_a_counterparty_of_its_list() -> None:
    assert told(LISTED, "P1", "P2")
    assert not told(LISTED, "P1", "P3", "P")


def test_an_alert_names_the_list_and_the_sql_has_its_names() -> None:
    engine = plain_engine(0, book(POLICY + LISTED), 1)
    rows = [transaction(f"t{n}", amount="1.00", counterparty_id="P1") for n in range(2)]
    (alert,) = observed(engine, *rows).alerts
    assert alert.evidence["measured"]["where"] == {"counterparty_in": "pep"}  # type: ignore[index]
    (limit,) = policy_of(POLICY + LISTED).gauges
    assert "counterparty_id IN ('P1', 'P2')" in sql_of(limit)


def test_a_gauge_is_another_one_with_another_list_and_the_same_under_another_name() -> None:
    def name_with(listed: str, name: str = "pep") -> str:
        text = LISTED.replace('["P1", "P2"]', listed).replace("pep", name)
        return policy_of(POLICY + text).gauges[0].gauge.name

    assert name_with('["P2", "P1", "P1"]') == name_with('["P1", "P2"]', "vip")
    assert name_with('["P1"]') != name_with('["P1", "P2"]')


def test_a_limit_without_a_list_keeps_the_name_that_state_has() -> None:
    text = POLICY + '[[limit]]\nid = "w"\nmeasure = "count"\nperiod = "week"\nabove = 1\n'
    assert policy_of(text).gauges[0].gauge.name == "88b759ea9eff4126"


def test_a_digest_is_that_of_the_sorted_file() -> None:
    listed = NameList("x", ["b", "a", "b"])
    assert listed.digest == "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2"


def test_a_file_is_found_beside_its_policy(tmp_path: Path) -> None:
    (tmp_path / "pep.txt").write_bytes(b"\xef\xbb\xbfP2\r\nP1\n\n")
    path = tmp_path / "policy.toml"
    path.write_text(POLICY + OF_A_FILE, encoding="utf-8")
    policy = policy_of_file(path)
    assert policy.lists["pep"].counterparties == NameList("pep", ["P1", "P2"])
    assert "_file" not in policy.text
    (tmp_path / "pep.txt").unlink()
    assert policy_of(policy.text).lists == policy.lists
    with pytest.raises(PolicyError, match="its path begins at the policy's folder"):
        policy_of_file(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: write an id a line"),
        (b"P1\nP\x00\n", 'not "P\\u0000" in line 2'),
        (b"P1\n" + b"x" * 257, "at most 256 characters"),
        (b"# ours\n\n", "is empty: write an id a line"),
        (b"# ours\nP1\nP2  # theirs\n", "has 'P2  # theirs' in line 3: put a comment on a line"),
        (b"P1 P2\n", "has 'P1 P2' in line 1"),
        (b"P1\tP2\n", "in line 1: put a comment on a line of its own"),
        (b'"P1\n', "in line 1: put a comment on a line of its own"),
        (b'"P1" # ours\n', "in line 1: put a comment on a line of its own"),
        (b'"\n', "in line 1: put a comment on a line of its own"),
        (b'" P1"\n', "must have an id a line"),
        (b'""\n', "must have an id a line"),
        (b"\xff", "must be UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(content: bytes, said: str) -> None:
    with pytest.raises(ListFileError) as error:
        with_files(POLICY + OF_A_FILE, lambda _: content)
    assert said in str(error.value)


def test_a_comment_is_no_id_and_quotes_are_no_part_of_one() -> None:
    content = b'# "P9"\nP1\n  # P8\n"P2"\n"Anna M"\n"#17"\n""P3""\nP#4\n'
    policy = policy_of(with_files(POLICY + OF_A_FILE, lambda _: content))
    listed = policy.lists["pep"].counterparties
    assert listed is not None
    assert listed.names == {"P1", "P2", "Anna M", "#17", '"P3"', "P#4"}


def test_a_file_has_a_line_of_its_own() -> None:
    text = POLICY + '[lists]\npep = { counterparties_file = "pep.txt" }\n'
    with pytest.raises(ListFileError, match="on a line of its own"):
        with_files(text, lambda _: b"P1")


def test_a_policy_of_a_machine_with_other_line_ends_has_the_same_names(tmp_path: Path) -> None:
    (tmp_path / "pep.txt").write_bytes(b"P1\r\nP2")
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (POLICY + OF_A_FILE).replace("\n", "\r\n").encode())
    assert policy_of_file(path).lists == policy_of(POLICY + LISTED).lists


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ("lists = 5\n# accounts_file\n", "lists is not a table: write [lists.pep] (line 3)"),
        ("[lists.a]\naccounts_file = 3\n[lists.b]\naccounts_file = 'x'\n", "a line of its own"),
    ],
)
def test_what_is_no_file_of_a_list_is_a_problem_and_no_traceback(
    lists: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(b"P1")
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.replace("version = 1\n", f"version = 1\n{lists}"), encoding="utf-8")
    with pytest.raises(PolicyError) as error:
        policy_of_file(path)
    assert said in str(error.value)


def test_a_problem_names_a_line_of_the_policys_own_file(tmp_path: Path) -> None:
    (tmp_path / "pep.txt").write_bytes(b"P1\nP2\nP3\n")
    path = tmp_path / "policy.toml"
    text = POLICY + OF_A_FILE.replace("above = 1", "above = true")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError) as error:
        policy_of_file(path)
    line = 1 + text.splitlines().index("above = true")
    assert f"a count is a whole number, e.g. 10 (line {line})" in str(error.value)


def test_names_that_somebody_has_changed_are_refused() -> None:
    text = with_files(POLICY + OF_A_FILE, lambda _: b"P1\nP2")
    assert "0P1\n12" in text
    with pytest.raises(PolicyError, match="its sha256 differs: change the list's file"):
        policy_of(text.replace("0P1\n12", "0P1\n13"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('counterparties = ["P1", "P2"]', "", "lists.pep is empty: state accounts or"),
        ('["P1", "P2"]', '["P1", ""]', "lists.pep.counterparties has '': write a list of ids"),
        ('["P1", "P2"]', "[]", "counterparties has []: write a list of ids"),
        ('["P1", "P2"]', '["P1 "]', "counterparties has 'P1 ': write a list of ids"),
        ("counterparties =", "members =", "lists.pep.members is not known: use one of accounts"),
        ('counterparties = ["P1", "P2"]', 'counterparties_file = "x"', "read by weir policy set"),
        ("counterparties =", "accounts =", "counterparty_in is 'pep': state [lists.NAME] with"),
        ("[lists.pep]", "[lists.vip]", "counterparty_in is 'pep': one of vip"),
        ('"pep" }', "1 }", "counterparty_in is 1: one of pep"),
        ("[lists.pep]", '[lists."a b"]', "list 'a b' has no such name"),
        (
            "[[limit]]", 'counterparties_file = "y"\n[[limit]]',
            "counterparties and counterparties_file are both stated",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_to_do(old: str, new: str, said: str) -> None:
    with pytest.raises(PolicyError) as error:
        policy_of(POLICY + LISTED.replace(old, new, 1))
    assert said in str(error.value)
    assert "(line " in str(error.value)


def test_a_hundred_thousand_names_are_checked_at_once_and_fit_a_record() -> None:
    ids = "\n".join(f"{n * 6_700_417 % 10**10:010d}" for n in range(100_000)).encode()
    text = with_files(POLICY + OF_A_FILE, lambda _: ids)
    policy = policy_of(text)
    assert len(policy.lists["pep"].counterparties.names) == 100_000  # type: ignore[union-attr]
    assert len(policy.text.encode()) < 880_000
    assert calls_of(lambda: policy_of(text)) < 2_000_000


OF_ACCOUNTS = """
[lists.pep]
accounts = ["A1", "A2"]
[[limit]]
id = "of-pep"
measure = "count"
scope = { in_list = "pep" }
above = 1
"""


def test_a_limit_for_a_list_is_for_its_accounts_and_no_others() -> None:
    engine = plain_engine(0, book(POLICY + OF_ACCOUNTS), 1)
    rows = [
        transaction(f"{who}-{n}", amount="1.00", account_id=who)
        for who in ("A1", "A2", "A3")
        for n in range(2)
    ]
    alerts = observed(engine, *rows).alerts
    told = [(alert.account_id, alert.threshold.threshold_id) for alert in alerts]
    assert told == [("A1", "of-pep"), ("A2", "of-pep")]


OWN = """
[[limit]]
id = "own"
measure = "count"
scope = { account = "A2" }
above = 1
[[limit]]
id = "of-segment"
measure = "count"
scope = { segment = "s" }
above = 0
"""


def test_a_list_goes_before_a_segment_and_an_account_before_a_list() -> None:
    engine = plain_engine(0, book(POLICY + OF_ACCOUNTS + OWN), 1)
    rows = [
        transaction(f"{who}-{n}", amount="1.00", account_id=who, segment="s")
        for who in ("A1", "A2", "A3")
        for n in range(2)
    ]
    alerts = observed(engine, *rows).alerts
    told = [(alert.account_id, alert.threshold.threshold_id) for alert in alerts]
    assert told == [("A1", "of-pep"), ("A2", "own"), ("A3", "of-segment")]


@law(60)
@given(st.integers(0, 10**6))
def test_a_limit_for_a_list_tells_what_limits_for_each_of_its_accounts_tell(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - made data
    accounts = rng.sample(["A0", "A1", "A2", "A3", "A9"], rng.randint(1, 4))
    measured = [
        f'measure = "count"\nabove = {rng.randint(0, 3)}\n',
        f'measure = "amount"\ncurrency = "EUR"\nperiod = "week"\nabove = {rng.randint(1, 60)}\n',
        'measure = "count"\nwindow = "24h"\nabove = 1\n',
    ]
    listed = f"[lists.pep]\naccounts = {json.dumps(accounts)}\n" + "".join(
        f'[[limit]]\nid = "x{n}"\nscope = {{ in_list = "pep" }}\n{its}'
        for n, its in enumerate(measured)
    )
    each = "".join(
        f'[[limit]]\nid = "{who}-{n}"\nscope = {{ account = "{who}" }}\n{its}'
        for n, its in enumerate(measured)
        for who in accounts
    )
    items = any_items(rng, 60)
    first, second = (
        observed(plain_engine(0, book(POLICY + text), 1), *items).alerts for text in (listed, each)
    )
    assert [_without_limit(alert) for alert in first] == [_without_limit(alert) for alert in second]


def _without_limit(alert: Alert) -> tuple[object, ...]:
    return (
        alert.account_id, alert.kind, alert.status, alert.revision, alert.business_day,
        alert.value, alert.value_before, alert.threshold.above, alert.cause.offset,
    )  # fmt: skip


def test_two_lists_with_an_account_in_common_are_refused_where_they_compete() -> None:
    other = OF_ACCOUNTS.replace("pep", "vip").replace('"A1"', '"A3"')
    with pytest.raises(PolicyError, match="limits of-pep and of-vip are for lists that both have"):
        policy_of(POLICY + OF_ACCOUNTS + other)
    assert policy_of(POLICY + OF_ACCOUNTS + other.replace('"A2"', '"A4"'))
    assert policy_of(POLICY + OF_ACCOUNTS + other.replace("above", 'direction = "debit"\nabove'))
    reviews = "".join(f'[[review]]\nscope = {{ in_list = "{name}" }}\n' for name in ("pep", "vip"))
    text = POLICY + OF_ACCOUNTS + other.replace("above", 'direction = "debit"\nabove')
    with pytest.raises(PolicyError, match="reviews 1 and 2 are for lists that both have"):
        policy_of(text + reviews)


def test_a_scope_names_a_list_of_accounts() -> None:
    with pytest.raises(PolicyError, match="in_list is 'pep': state"):
        policy_of(POLICY + OF_ACCOUNTS.replace("accounts =", "counterparties ="))
