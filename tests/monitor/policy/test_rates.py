"""Rates of a policy: read from what the ECB publishes, kept in the policy, and refused in words."""

from pathlib import Path
from typing import Any

import pytest

from monitor.core.business_day import day_of_text, event_time_of
from monitor.gauges.rates import Rate
from monitor.policy.document import policy_of
from monitor.policy.policy import Policy, PolicyBook, PolicyError
from monitor.policy.rates import RatesFileError, with_rates
from streams.cli.views.policy import notes_of, summary
from streams.topics.policy_file import policy_of_file

LIMIT = """
[[limit]]
id = "all"
measure = "amount"
currency = "*"
base = "EUR"
above = "500.00"
"""
CSV = """Date,USD,JPY,XQZ,
2026-03-04,1.1,N/A,N/A,
2026-03-02,1.25,160.5,N/A,

2026-02-27,1.2,161,0.58,
"""
OF_A_FILE = '[rates]\nbase = "EUR"\nfile = "rates.csv"  # of the ECB\n'


def of_csv(csv: str, more: str = "", limit: str = LIMIT, version: int = 1) -> Policy:
    rates = f'[rates]\nbase = "EUR"\n{more}\ncsv = """\n{csv}"""\n'
    return policy_of(f"version = {version}\n{rates}{limit}")


@pytest.mark.parametrize(
    ("currency", "day", "text", "published"),
    [
        ("USD", "2026-03-04", "1.1", "2026-03-04"),
        ("USD", "2026-03-03", "1.25", "2026-03-02"),
        ("USD", "2026-03-01", "1.2", "2026-02-27"),  # a Sunday has Friday's
        ("JPY", "2026-03-04", "160.5", "2026-03-02"),  # N/A on that day
        ("USD", "2026-03-09", "1.1", "2026-03-04"),  # five days after
    ],
)
def test_a_day_has_the_last_rate_up_to_it(
    currency: str, day: str, text: str, published: str
) -> None:
    rates = of_csv(CSV).rates
    assert rates is not None
    assert rates.rate_of(currency, day_of_text(day)) == Rate(day_of_text(published), text)


@pytest.mark.parametrize(
    ("currency", "day"),
    [("USD", "2026-03-10"), ("USD", "2026-02-26"), ("GBP", "2026-03-04"), ("XQZ", "2026-02-27")],
)
def test_what_is_too_old_or_not_there_has_none(currency: str, day: str) -> None:
    rates = of_csv(CSV).rates
    assert rates is not None
    assert rates.rate_of(currency, day_of_text(day)) is None


def test_the_file_of_a_day_is_read_as_the_history_is() -> None:
    of_day = of_csv("Date, USD, JPY, \n02 March 2026, 1.25, 160.5, \n").rates
    history = of_csv("Date,USD,JPY,\n2026-03-02,1.25,160.5,\n").rates
    assert of_day == history


def test_since_leaves_earlier_days_out() -> None:
    rates = of_csv(CSV, "since = 2026-03-01").rates
    assert rates is not None
    assert rates.days == (day_of_text("2026-03-02"), day_of_text("2026-03-04"))


@pytest.mark.parametrize(
    ("csv", "said"),
    [
        ("", "csv must begin with Date,USD,JPY,... not with ''"),
        ("Day,USD\n", "must begin with Date"),
        ("Date\n", "must begin with Date"),
        ("Date,usd\n", "must begin with Date"),
        ("Date,USD,USD\n2026-03-02,1,1\n", "each currency once"),
        ("Date,EUR\n2026-03-02,1\n", "not the base EUR"),
        ("Date,USD\n", "csv has no rates"),
        ("Date,USD\n2026-03-02,N/A\n", "csv has no rates"),
        ("Date,USD\n2026-03-02,1\n2026-03-02,1\n", "line 3 must be a date that no other line has"),
        ("Date,USD\n2026-02-30,1\n", "line 2 must be a date"),
        ("Date,USD\n2026-03-02,1,2\n", "a rate for each currency"),
        ("Date,USD,JPY\n2026-03-02,1\n", "a rate for each currency"),
        ("Date,USD\n2026-03-02,1e3\n", "line 2 has '1e3' for USD"),
        ("Date,USD\n2026-03-02,-1\n", "line 2 has '-1' for USD"),
        ("Date,USD\n2026-03-02,0.000\n", "greater than 0"),
    ],
)
def test_what_is_wrong_with_rates_is_said(csv: str, said: str) -> None:
    with pytest.raises(PolicyError) as error:
        of_csv(csv)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ("rates = 1", "rates is not a table"),
        ('[rates]\nbase = "EUR"', "file is missing: state one file"),
        ('[rates]\nbase = "EUR"\nfile = "x"\ncsv = "y"', "file and csv are both stated"),
        ('[rates]\nbase = "EUR"\nfile = "x"', "file is for the policy's own file"),
        ('[rates]\ncsv = "Date,USD\\n2026-03-02,1"', "base is missing"),
        ('[rates]\nbase = "EUR"\ncsv = 1', "csv must begin with Date"),
        ('[rates]\nbase = "EUR"\nfiles = "x"', "rates.files is not known"),
        ('[rates]\nbase = "EUR"\nat_most_old = "32d"', "at_most_old is '32d'"),
        ('[rates]\nbase = "EUR"\nsince = "March"', "since is 'March': write a date"),
        ('[rates]\nbase = "EUR"\ninlined = { csv = "Date,USD\\n2026-03-02,1" }', "its sha256"),
    ],
)
def test_what_is_wrong_with_the_table_is_said(rates: str, said: str) -> None:
    with pytest.raises(PolicyError) as error:
        policy_of(f"version = 1\n{rates}\n{LIMIT}")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (('base = "EUR"\nabove', "above"), 'base is missing: write "EUR", the base of [rates]'),
        (('base = "EUR"\nabove', 'base = "USD"\nabove'), "base is 'USD': write \"EUR\""),
        (('"amount"', '"largest"'), 'it goes with measure = "amount" alone; name one'),
        (('"amount"', '"count"'), "leave it out for all"),
        (('"*"', '"EUR"'), 'base is stated: it says in what currency = "*" is summed'),
        (('"500.00"', '"500.00"\nsilent = "9d"'), "silent is stated: it does not go with"),
        (
            ('"500.00"', '"500.00"\nwhere = { counterparty_new = "9d" }'),
            "where.counterparty_new is stated: it does not go with",
        ),
        (
            ('"500.00"', '"500.00"\nwhere = { amount = { from = "1.00" } }'),
            "amount is stated, and the limit has no currency",
        ),
        (('"500.00"', '"500.001"'), "at most 2 decimals"),
    ],
)
def test_a_limit_that_cannot_convert_is_refused(changed: tuple[str, str], said: str) -> None:
    assert changed[0] in LIMIT
    with pytest.raises(PolicyError) as error:
        of_csv(CSV, limit=LIMIT.replace(*changed))
    assert said in str(error.value)


def test_a_limit_on_all_needs_rates() -> None:
    with pytest.raises(PolicyError, match=r"state \[rates\], by which amounts are converted"):
        policy_of(f"version = 1\n{LIMIT}")


def test_a_file_becomes_a_part_of_the_policy_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"version = 1\n{OF_A_FILE}{LIMIT}", encoding="utf-8")
    (tmp_path / "rates.csv").write_bytes(b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode())
    policy, stated = policy_of_file(path), of_csv(CSV).rates
    assert policy.rates is not None
    assert policy.rates._replace(file=None) == stated
    assert policy.rates.file == "rates.csv"
    (tmp_path / "rates.csv").unlink()
    assert policy_of(policy.text) == policy
    with pytest.raises(PolicyError, match="its path begins at the policy's folder"):
        policy_of_file(path)
    with pytest.raises(PolicyError, match="inlined is not as it was written"):
        policy_of(policy.text.replace("1.25", "1.26"))


@pytest.mark.parametrize(
    ("text", "content", "said"),
    [
        ('[rates]\nbase = "EUR"\nfile = "r"\n', b"\xff", "must be UTF-8"),
        ('[rates]\nbase = "EUR"\nfile = "r"\n', b"Day", "the file of rates 'r' must begin with"),
        ('rates = { base = "EUR", file = "r" }\n', CSV.encode(), "on a line of its own"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(text: str, content: bytes, said: str) -> None:
    with pytest.raises(RatesFileError) as error:
        with_rates(text, lambda _: content)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["rates = 1", "[rates]\nfile = 3", "not TOML [", "version = 1"])
def test_a_text_without_a_file_of_rates_stays_as_it_is(text: str) -> None:
    assert with_rates(text, lambda _: b"") == text


def test_notes_say_what_has_run_out_and_what_nothing_asks_for() -> None:
    def notes(policy: Policy, today: str) -> list[str]:
        now = event_time_of(f"{today}T12:00:00Z")
        assert now is not None
        return notes_of(policy, now)

    policy = of_csv("Date,USD,JPY\n2026-03-09,1.1,160\n2026-03-02,1.1,160\n")
    assert notes(policy, "2026-03-14") == []
    (late,) = notes(policy, "2026-03-15")
    assert late.startswith("the last rates are of 2026-03-09, and hold for 5 days: limit all has")
    ends = of_csv("Date,USD,JPY\n2026-03-09,1.1,N/A\n2026-03-02,1.1,160\n")
    assert notes(ends, "2026-03-09") == ["rates end before the others: JPY on 2026-03-02"]
    plain = LIMIT.replace('"*"\nbase = "EUR"', '"EUR"')
    (unused,) = notes(of_csv(CSV, limit=plain), "2026-03-04")
    assert unused.startswith("rates are stated that nothing asks for")


def test_a_summary_says_which_rates_there_are() -> None:
    said: Any = summary(of_csv(CSV))
    assert said["rates"].startswith("2 currencies for 1 EUR on 3 days from 2026-02-27 to 2026-03-")
    assert said["limits"]["all"] == (
        "amount in all currencies of a day, for everyone: over 500.00 EUR medium"
    )


def test_each_day_has_the_rates_of_the_version_that_decides_for_it() -> None:
    first = of_csv("Date,USD\n2026-03-02,1.1\n")
    counts = '[[limit]]\nid = "n"\nmeasure = "count"\nabove = 3'
    plain = policy_of(f"version = 2\neffective_from = 2026-03-03\n{counts}")
    third = of_csv("Date,USD\n2026-03-04,1.3\n", "since = 2026-03-01", version=3)
    third = policy_of(third.text.replace("version = 3", "version = 3\neffective_from = 2026-03-04"))
    book = PolicyBook([first, plain, third])
    days = [day_of_text(f"2026-03-0{number}") for number in (1, 2, 3, 4)]
    found = [book.rates_for(day, "EUR") for day in days]
    # On the third no version has rates: those of the next one are asked for.
    assert [rates.version if rates else None for rates in found] == [1, 1, 3, 3]
    assert book.rates_for(days[0], "USD") is None
