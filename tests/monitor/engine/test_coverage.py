"""A currency that no limit watches is counted, and so is a limit whose currency never comes."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.coverage import WithoutRate, coverage_lines, currencies_seen, undecided_lines
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.feed.reader import Batch
from streams.replay.replay import Replay
from tests.support.command_line import Weir, weir_of
from tests.support.laws import law

LIMIT = '[[limit]]\nid = "{}"\nmeasure = "{}"\nabove = 5\n'
CURRENCIES = ("EUR", "CZK", "JPY", "USD")


@pytest.fixture
def weir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Weir:
    monkeypatch.chdir(tmp_path)
    return weir_of(monkeypatch, capsys)


def policy(*limits: tuple[str, str | None], version: int = 1, since: str = "") -> str:
    lines = [f"version = {version}\n", f"effective_from = {since}\n" if since else ""]
    for number, (measure, currency) in enumerate(limits):
        lines.append(LIMIT.format(f"l{number}", measure))
        lines.append(
            f'currency = "{currency}"\nscope = {{ segment = "s{number}" }}\n' * bool(currency)
        )
    return "".join(lines)


def batch(rows: list[tuple[str, int]]) -> Batch:
    """Return transactions of (currency, day of January), each of another account."""
    fields = [
        (
            f"t{n}", f"a{n % 7}", f"2026-01-{day:02d}T10:00:00Z", "1", currency, "debit",
            None, None, None, None, None, None,
        )
        for n, (currency, day) in enumerate(rows)
    ]  # fmt: skip
    return Batch(Path("rows"), fields, range(1, len(fields) + 1), [], 1.0)


@pytest.mark.parametrize(
    ("limit", "unwatched"),
    [
        ('measure = "amount"\ncurrency = "EUR"\nperiod = "week"\nabove = "5.00"', ["CZK"]),
        ('measure = "count"\nperiod = "week"\nabove = 5', []),
        ('measure = "count"\ncurrency = "CZK"\nwindow = "1h"\nabove = 5', ["EUR"]),
    ],
)
def test_a_limit_on_a_period_watches_its_currency(limit: str, unwatched: list[str]) -> None:
    text = f'version = 1\n[[limit]]\nid = "g"\n{limit}\n'
    replay = Replay(PolicyBook([policy_of(text)]), 1)
    replay.observe(batch([("EUR", 5), ("CZK", 5), ("CZK", 6)]))
    assert sorted(replay.totals.unwatched) == unwatched


CONVERTING = """
[rates]
base = "EUR"
at_most_old = "0d"
csv = "Date,USD\\n2026-01-05,1.1"
[[limit]]
id = "g"
measure = "amount"
currency = "*"
base = "EUR"
above = "5.00"
direction = "{}"
"""


def test_a_limit_on_all_currencies_watches_all_and_says_what_has_no_rate() -> None:
    came = batch([("EUR", 5), ("USD", 5), ("USD", 6), ("JPY", 6), ("JPY", 6), ("EUR", 7)])
    replay = Replay(PolicyBook([policy_of("version = 1\n" + CONVERTING.format("debit"))]), 1)
    replay.observe(came)
    assert not replay.totals.unwatched
    jpy, usd = (WithoutRate(currency, 739622) for currency in ("JPY", "USD"))
    assert replay.totals.undecided == {jpy: 2, usd: 1}
    assert undecided_lines(replay.totals.undecided) == [
        "no rate of JPY on 2026-01-06, limits on all currencies are undecided: 2 transactions",
        "no rate of USD on 2026-01-06, limits on all currencies are undecided: 1 transactions",
    ]
    fields = replay.totals.fields(1.0)
    assert fields["without_rate"] == {"JPY 2026-01-06": 2, "USD 2026-01-06": 1}
    credit = Replay(PolicyBook([policy_of("version = 1\n" + CONVERTING.format("credit"))]), 1)
    credit.observe(came)
    assert not credit.totals.undecided


rows = st.lists(st.tuples(st.sampled_from(CURRENCIES), st.sampled_from([5, 6])), max_size=30)
limits = st.lists(
    st.sampled_from([(m, c) for m in ("amount", "count") for c in CURRENCIES] + [("count", None)]),
    min_size=1, max_size=4,
)  # fmt: skip


@law(50)
@given(rows, limits, limits)
def test_what_no_limit_watches_is_what_a_plain_count_finds(
    rows: list[tuple[str, int]],
    first: list[tuple[str, str | None]],
    second: list[tuple[str, str | None]],
) -> None:
    book = PolicyBook([
        policy_of(policy(*dict.fromkeys(first))),
        policy_of(policy(*dict.fromkeys(second), version=2, since="2026-01-06")),
    ])  # fmt: skip
    replay = Replay(book, 2)
    for at in range(0, len(rows), 7):
        replay.observe(batch(rows)._replace(
            rows=batch(rows).rows[at : at + 7], numbers=range(at + 1, at + 8)
        ))  # fmt: skip
    expected: Counter[str] = Counter()
    for currency, day in rows:
        stated = first if day < 6 else second
        amounts = {code for measure, code in stated if measure == "amount"}
        watched = amounts or {code for _, code in stated}
        if currency not in watched and (amounts or None not in watched):
            expected[currency] += 1
    assert replay.totals.transactions == len(rows)
    assert replay.totals.unwatched == expected
    named = {currency for _, currency in [*first, *second] if currency}
    came = {currency for currency, _ in rows}
    assert currencies_seen(book) == {code: code in came for code in sorted(named)}


def test_it_is_said_in_words() -> None:
    assert coverage_lines({"CZK": 12_345}, ["EUR"]) == [
        "no limit watches CZK: 12,345 transactions",
        "limits in EUR watched no transaction: none came",
    ]
    assert coverage_lines({}, ()) == []


def test_a_replay_says_it(weir: Weir, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(policy(("amount", "EUR"), ("count", None)), encoding="utf-8")
    head = "transaction_id,account_id,booked_at,amount,currency,direction\n"
    lines = [f"t{n},a,2026-01-05T10:00:00Z,1,CZK,debit\n" for n in range(3)]
    (tmp_path / "t.csv").write_text(head + "".join(lines), encoding="utf-8")
    said = weir("replay", "t.csv", "--policy", "p.toml")
    assert said.status == 0
    assert "no limit watches CZK: 3 transactions\n" in said.out
    assert "limits in EUR watched no transaction: none came\n" in said.out
    found = json.loads(weir("replay", "t.csv", "--policy", "p.toml", "--json").out)
    assert (found["unwatched"], found["unseen_currencies"]) == ({"CZK": 3}, ["EUR"])
