"""Explore: cubes whose totals a plain recount gives, too, whether days are sealed or not."""

import csv
import datetime as dt
import io
import random
import re
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import pytest

from monitor.console.exports import safe_cell
from monitor.store.intake import RecordSort
from monitor.store.sealing import seal_quiet_days
from tests.monitor.console.made_console import MadeConsole, account_day, limit_alert, review

BREACHES = "/api/v1/explore/breaches"
SILENT = "/api/v1/explore/silent"
LEAVES = "/api/v1/explore/leaves"


def filled(console: MadeConsole) -> list[dict[str, Any]]:
    """Take alerts with their account-days; return of each what it is and whose."""
    rng = random.Random(3)  # noqa: S311 - made data
    made, days, told = [], [], []
    for number in range(60):
        day = f"2026-03-{rng.randrange(1, 29):02d}"
        branch, product = rng.choice(["B1", "=B2", None]), rng.choice(["card", "loan"])
        alert = limit_alert(f"E{number}", day, status=rng.choice(["raised", "withdrawn"]))
        made.append(alert)
        if number % 5:
            days.append({**account_day(f"E{number}", day), "branch": branch, "product": product})
        has_day = bool(number % 5)
        told.append(
            {
                "branch": (branch if has_day else None) or "(not said)",
                "product": product if has_day else "(not said)",
                "weekday": dt.date.fromisoformat(day).strftime("%u %A"),
                "status": alert["status"],
            }
        )
    console.take(*made)
    console.take(*days, sort=RecordSort.ACCOUNT_DAY)
    return [item for item in told if item["status"] == "raised"]


@pytest.mark.parametrize("turn", [("branch", "weekday"), ("product", "branch")])
def test_cells_and_totals_are_those_of_a_recount(
    console: MadeConsole, turn: tuple[str, str]
) -> None:
    told = filled(console)
    asked = {"rows": turn[0], "columns": turn[1], "first": "2026-03-01"}
    with console.client("vera") as client:
        found = client.get(BREACHES, params=asked).json()
        assert seal_quiet_days(console.store, 1)
        assert client.get(BREACHES, params=asked).json() == found, "sealed or not"
        only = client.get(BREACHES, params={**asked, "branch": "=B2"}).json()
    counted = Counter((item[turn[0]], item[turn[1]]) for item in told)
    assert {(cell["row"], cell["column"]): cell["count"] for cell in found["cells"]} == counted
    assert found["total"] == len(told)
    assert found["row_totals"] == Counter(item[turn[0]] for item in told)
    assert found["column_totals"] == Counter(item[turn[1]] for item in told)
    assert only["total"] == sum(item["branch"] == "=B2" for item in told) > 0


def test_a_cell_leads_to_the_alerts_behind_it(console: MadeConsole) -> None:
    told = filled(console)
    query = urlencode({"rows": "branch", "columns": "product", "branch": "=B2", "product": "card"})
    with console.client("vera") as client:
        text = client.get(f"/explore?{query}&first=2026-03-01").text
    wanted = sum((item["branch"], item["product"]) == ("=B2", "card") for item in told)
    assert text.count('href="/alerts/') == wanted > 0


def test_a_download_has_no_formulas(console: MadeConsole) -> None:
    told = filled(console)
    asked = {"rows": "branch", "columns": "product", "first": "2026-03-01", "format": "csv"}
    with console.client("vera") as client:
        answer = client.get("/explore", params=asked)
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert [row[0] for row in rows] == ["branch by product", "(not said)", "'=B2", "B1", "total"]
    assert rows[-1][-1] == str(len(told))
    assert sum(int(row[-1]) for row in rows[1:-1]) == len(told)


@pytest.mark.parametrize("theme", [BREACHES, SILENT])
def test_what_is_empty_is_not_said_and_a_filter_finds_it(console: MadeConsole, theme: str) -> None:
    empty = {"segment": "", "branch": "", "product": "", "peer_group": ""}
    console.take(limit_alert("E1", "2026-03-20", segment=""), limit_alert("E2", "2026-03-20"))
    console.take(
        {**account_day("E1", "2026-03-20"), **empty},
        account_day("E2", "2026-03-20"),
        *(account_day("E3", f"2026-03-{day}") for day in range(21, 29)),
        sort=RecordSort.ACCOUNT_DAY,
    )
    with console.client("vera") as client:
        for name in ("segment", "branch"):
            asked = {"rows": name, "columns": "weekday", "first": "2026-03-01"}
            totals = client.get(theme, params=asked).json()["row_totals"]
            assert len(totals) == 2
            assert totals["(not said)"] == 1
            asked[name] = "(not said)"
            assert client.get(theme, params=asked).json()["total"] == 1


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_every_beginning_of_a_formula_is_made_text(begin: str) -> None:
    assert safe_cell(f"{begin}1") == f"'{begin}1"
    assert safe_cell(f"1{begin}") == f"1{begin}"


def test_service_needs_are_reviews_that_read_so(console: MadeConsole) -> None:
    need = review("N1")
    need["evidence"] = {**need["evidence"], "reading": "service-need"}
    console.take(need, review("N2"))
    with console.client("vera") as client:
        found = client.get("/api/v1/explore/needs").json()
        text = client.get("/explore?theme=needs").text
    assert found["total"] == 1
    assert re.findall(r'href="/accounts/([^"]*)"', text) == ["N1"]


def test_accounts_that_fell_silent_are_those_of_a_recount(console: MadeConsole) -> None:
    rng = random.Random(4)  # noqa: S311 - made data
    dates = [f"2026-04-{day:02d}" for day in range(1, 21)]
    days = [
        {**account_day(f"S{number}", day), "branch": rng.choice(["B1", "=B2", None])}
        for number in range(40)
        for day in rng.sample(dates[: rng.randrange(3, 21)], 3)
    ]
    console.take(*days, sort=RecordSort.ACCOUNT_DAY)
    latest: dict[str, dict[str, Any]] = {}
    for day in sorted(days, key=lambda day: str(day["business_day"])):
        latest[day["account_id"]] = day
    since = sorted({day["business_day"] for day in days})[-4]
    told = {name: day for name, day in latest.items() if day["business_day"] < since}
    asked = {"rows": "branch", "columns": "weekday", "first": "2026-04-01", "silent": "4"}
    with console.client("vera") as client:
        found = client.get(SILENT, params=asked).json()
        assert seal_quiet_days(console.store, 1)
        assert client.get(SILENT, params=asked).json() == found, "sealed or not"
        query = urlencode({**asked, "theme": "silent", "branch": "=B2"})
        text = client.get(f"/explore?{query}").text
        sheet = client.get(f"/explore?{query}&format=csv").text
    assert found["row_totals"] == Counter(day["branch"] or "(not said)" for day in told.values())
    assert found["total"] == len(told)
    assert 0 < len(told) < len(latest)
    only = {name for name, day in told.items() if day["branch"] == "=B2"}
    assert only == set(re.findall(r'href="/accounts/(S[0-9]+)"', text))
    assert "'=B2" in sheet
    assert "&amp;silent=4&amp;" in text, "a cell keeps it"


def test_an_account_of_the_last_days_is_not_silent(console: MadeConsole) -> None:
    dates = [f"2026-04-{day:02d}" for day in (1, 2, 6)]
    made = [account_day("B1", day) for day in dates] + [account_day("B2", dates[0])]
    console.take(*made, sort=RecordSort.ACCOUNT_DAY)
    asked = {"first": dates[0], "last": dates[-1]}
    with console.client("vera") as client:
        totals = [
            client.get(SILENT, params={**asked, "silent": days}).json()["total"]
            for days in (1, 2, 3, 60)
        ]
    assert totals == [1, 1, 0, 0]


def paid(console: MadeConsole) -> None:
    """Take three account-days with money out; alerts say where that of two of them went."""
    one = {
        "currency": "EUR",
        "debit_count": 1,
        "debit_amount": "5000.00",
        "credit_count": 0,
        "credit_amount": "0.00",
    }
    told = limit_alert("M1", "2026-03-02")
    told["evidence"] = {**told["evidence"], "totals": [one], "origin": {"institution": "=BANK1"}}
    console.take(told, limit_alert("M2", "2026-03-02"), limit_alert("M9", "2026-03-02"))
    console.take(
        {**account_day("M1", "2026-03-02"), "totals": [one]},
        account_day("M2", "2026-03-02"),
        account_day("M3", "2026-03-03"),
        sort=RecordSort.ACCOUNT_DAY,
    )


def test_money_that_leaves_is_exact_text_by_currency(console: MadeConsole) -> None:
    paid(console)
    with console.client("vera") as client:
        found = client.get(LEAVES, params={"first": "2026-03-01"}).json()
    assert [(cell["row"], cell["column"], cell["amount"]) for cell in found["cells"]] == [
        ("(not said)", "no-alert", "1999.95"),
        ("=BANK1", "one-payment", "5000.00"),
        ("BANK07", "several-payments", "1999.95"),
    ]
    assert found["row_totals"] == {
        "(not said)": "1999.95",
        "=BANK1": "5000.00",
        "BANK07": "1999.95",
    }
    assert (found["total"], found["count"], found["currency"]) == ("8999.90", 3, "EUR")
    assert (found["account_days"], found["unread"], found["not_closed"]) == ({"EUR": 3}, 0, 1)


def test_the_page_of_money_says_what_is_not_known(console: MadeConsole) -> None:
    paid(console)
    with console.client("vera") as client:
        address = "/explore?theme=leaves&first=2026-03-01"
        text = client.get(address).text
        only = client.get(f"{address}&institution=BANK07").text
        rows = list(csv.reader(io.StringIO(client.get(f"{address}&format=csv").text)))
    known = dict(re.findall("<dt>([^<]*)</dt><dd>([^<]*)</dd>", text))
    assert known == {
        "all went to it, in one payment": "5,000.00 EUR",
        "one of several payments went to it": "1,999.95 EUR",
        "the payment over the limit names none": "0.00 EUR",
        "no alert of a daily amount": "1,999.95 EUR",
    }
    assert "Not in it: 1 account-day with an alert, of which no closed day is stored." in text
    assert re.findall('href="/accounts/(M[0-9])".*?<td class="number">([^<]*)<', text) == [
        ("M3", "1,999.95 EUR"),
        ("M1", "5,000.00 EUR"),
        ("M2", "1,999.95 EUR"),
    ]
    assert set(re.findall('href="/accounts/(M[0-9])"', only)) == {"M2"}
    assert rows[0][0] == "institution by known, EUR"
    assert [(row[0], row[-1]) for row in rows[1:]] == [
        ("(not said)", "1999.95"),
        ("'=BANK1", "5000.00"),
        ("BANK07", "1999.95"),
        ("total", "8999.90"),
    ]


def test_figures_stand_beside_what_is_behind_a_cube(console: MadeConsole) -> None:
    need = review("N1", value=3)
    need["evidence"] = {**need["evidence"], "reading": "service-need"}
    count = limit_alert("K2", kind="daily-count", currency=None, value=17)
    console.take(limit_alert("K1"), count, need)
    quiet = [account_day("K3", "2026-03-01"), account_day("K4", "2026-03-01")]
    later = [account_day("K4", f"2026-03-0{day}") for day in (2, 3)]
    console.take(*quiet, *later, sort=RecordSort.ACCOUNT_DAY)
    shown = {}
    with console.client("vera") as client:
        for theme in ("breaches", "needs", "silent&silent=1"):
            text = client.get(f"/explore?theme={theme}").text
            lines = re.findall('href="/accounts/([KN][0-9])".*?<td class="number">([^<]*)<', text)
            shown[theme.partition("&")[0]] = dict(lines)
    assert shown == {
        "breaches": {"K1": "1,234,567.80 EUR", "K2": "17 transactions"},
        "needs": {"N1": "3 days"},
        "silent": {"K3": "2 days"},
    }


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/v1/explore/nope", 404),
        (f"{BREACHES}?rows=tier", 400),
        (f"{BREACHES}?rows=branch&columns=branch", 400),
        (f"{BREACHES}?first=yesterday", 400),
        (f"{BREACHES}?first=20260105", 400),
        (f"{SILENT}?last=2026-W02-1", 400),
        (f"{SILENT}?last=0001-01-02", 200),
        (f"{BREACHES}?nope=1", 400),
        (f"{BREACHES}?silent=3", 400),
        (f"{SILENT}?silent=0", 400),
        (f"{SILENT}?silent=61", 400),
        (f"{SILENT}?silent=%C2%B2", 400),
        (f"{SILENT}?rows=severity", 400),
        (f"{SILENT}?currency=EUR", 400),
        (f"{LEAVES}?currency=euro", 400),
        (f"{LEAVES}?silent=3", 400),
        (f"{LEAVES}?rows=institution&columns=day&currency=EUR", 200),
        ("/explore?format=xls", 400),
        ("/explore?theme=nope", 404),
    ],
)
def test_what_cannot_be_asked_is_told(console: MadeConsole, address: str, status: int) -> None:
    with console.client("vera") as client:
        assert client.get(address).status_code == status
