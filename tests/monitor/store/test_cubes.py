"""Money that leaves: sums that a recount of the records in DuckDB gives, too, on both databases."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

import duckdb
import pytest

from monitor.core.money import amount_text
from monitor.store.cubes import (
    NO_ALERT,
    NOT_NAMED,
    NOT_SAID,
    ONE_PAYMENT,
    SEVERAL,
    SEVERAL_PAYMENTS,
    Cube,
    CubeQuestion,
    cube_of,
)
from monitor.store.intake import Intake
from monitor.store.sealing import seal_quiet_days
from monitor.store.store import Store
from tests.support.account_days import DAYS, take
from tests.support.stored import read_alert

INSTITUTIONS = ["BANK1", "BANK2", "=BANK3", None]
QUESTION = CubeQuestion("leaves", "institution", "known", None, None, {})


def account_day(account: str, day: str, debits: dict[str, tuple[int, str]]) -> dict[str, Any]:
    """Return a closed day with debits by currency, each a count and an amount."""
    totals = [
        {
            "currency": currency,
            "debit_count": count,
            "debit_amount": amount,
            "credit_count": 1,
            "credit_amount": "7",
        }
        for currency, (count, amount) in debits.items()
    ]
    return {
        "account_id": account,
        "business_day": day,
        "segment": f"S{account[-1]}",
        "branch": None,
        "product": "card",
        "peer_group": "C1",
        "totals": totals,
        "breaches": [],
        "policy_version": 1,
        "score": None,
    }


def amount_alert(  # noqa: PLR0913 - what a test sets of it
    account: str,
    day: str,
    institution: str | None,
    debit: tuple[int, str],
    *,
    limit: str = "L1",
    currency: str = "EUR",
    status: str = "raised",
    direction: str = "debit",
    kind: str = "daily-amount",
) -> dict[str, Any]:
    """Return an alert that names an institution, and the debits that stood when it was told."""
    origin = {"branch": "B1"} if institution is None else {"institution": institution}
    total = {
        "currency": currency,
        "debit_count": debit[0],
        "debit_amount": debit[1],
        "credit_count": 0,
        "credit_amount": "0",
    }
    return {
        "alert_id": f"{account} {day} {limit} {currency}",
        "revision": 1,
        "kind": kind,
        "status": status,
        "severity": "high",
        "account_id": account,
        "business_day": day,
        "segment": None,
        "threshold_id": limit,
        "direction": direction,
        "currency": currency,
        "value": debit[1],
        "limit": "1",
        "value_before": None,
        "score": None,
        "policy_version": 1,
        "evidence": {"totals": [total], "origin": origin},
        "transaction_id": "T1",
        "event_time": f"{day}T09:00:00Z",
        "partition": 0,
        "offset": 1,
    }


def take_alerts(store: Store, records: list[dict[str, Any]]) -> None:
    Intake(store).take([read_alert(offset, record) for offset, record in enumerate(records)])


def asked(store: Store, **other: Any) -> Cube:  # noqa: ANN401 - of a question
    with store.reading() as connection:
        return cube_of(connection, QUESTION._replace(**other))


def made(rng: random.Random) -> Iterator[tuple[dict[str, Any] | None, list[dict[str, Any]]]]:
    """Yield account-days (None: it is not closed), each with its alerts."""
    for number, day in product(range(20), DAYS):
        account = f"A{number}"
        count = rng.choice([0, 1, 1, 2, 5])
        amount = amount_text(rng.randrange(10 ** rng.choice([4, 9, 17])) if count else 0, 2)
        told = rng.choice([(1, amount), (1, amount), (1, "0.01"), (count, amount)])
        alerts = [
            amount_alert(
                account,
                day,
                rng.choice(INSTITUTIONS),
                told,
                limit=f"L{place}",
                status=rng.choice(["raised", "raised", "restated", "withdrawn"]),
                direction=rng.choice(["debit", "debit", "debit", "credit"]),
                currency=rng.choice(["EUR", "EUR", "EUR", "JPY"]),
                kind=rng.choice(["daily-amount", "daily-amount", "daily-count"]),
            )
            for place in range(rng.choice([0, 1, 1, 2, 3]))
        ]
        yen = {"JPY": (3, str(rng.randrange(9)))} if rng.random() < 0.3 else {}
        closed = account_day(account, day, {"EUR": (count, amount), **yen})
        yield (None if rng.random() < 0.05 else closed), alerts


RECOUNT = """
WITH d AS (
  SELECT r->>'account_id' AS account, r->>'business_day' AS day, r->>'segment' AS segment,
    (t->>'debit_count')::INT AS payments, t->>'debit_amount' AS amount
  FROM (SELECT r, unnest((r->'totals')::JSON[]) AS t FROM days)
  WHERE t->>'currency' = 'EUR' AND (t->>'debit_count')::INT > 0
), a AS (
  SELECT r->>'account_id' AS account, r->>'business_day' AS day,
    list(DISTINCT r->>'$.evidence.origin.institution')
      FILTER (r->>'$.evidence.origin.institution' IS NOT NULL) AS names,
    bool_and(r->>'status' = 'raised' AND r->>'$.evidence.totals[0].debit_count' = '1') AS is_one,
    list(DISTINCT r->>'$.evidence.totals[0].debit_amount') AS amounts
  FROM alerts
  WHERE r->>'kind' = 'daily-amount' AND r->>'direction' = 'debit' AND r->>'currency' = 'EUR'
    AND r->>'status' <> 'withdrawn' GROUP BY ALL
)
SELECT coalesce(
    CASE coalesce(len(names), 0) WHEN 0 THEN NULL WHEN 1 THEN names[1] ELSE '(several)' END,
    '(not said)'),
  CASE WHEN a.account IS NULL THEN 'no-alert' WHEN names IS NULL THEN 'not-named'
    WHEN len(names) = 1 AND is_one AND payments = 1 AND amounts = [amount] THEN 'one-payment'
    ELSE 'several-payments' END,
  segment, count(*), sum(replace(amount, '.', '')::HUGEINT)::HUGEINT
FROM d LEFT JOIN a USING (account, day) GROUP BY ALL
"""


def recount(days: list[dict[str, Any]], alerts: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    with duckdb.connect() as database:
        for name, records in (("days", days), ("alerts", alerts)):
            database.execute(f"CREATE TABLE {name} (r JSON)")
            texts = [[json.dumps(record)] for record in records]
            database.executemany(f"INSERT INTO {name} VALUES (?)", texts)  # noqa: S608 - ours
        return database.execute(RECOUNT).fetchall()


def summed(cells: Iterable[tuple[str, str, int]]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for row, column, number in cells:
        found[row, column] += number
    return found


def is_of_money(alert: dict[str, Any]) -> bool:
    """Return whether an alert says where euros went."""
    its = alert["kind"], alert["direction"], alert["currency"]
    return its == ("daily-amount", "debit", "EUR") and alert["status"] != "withdrawn"


@pytest.mark.parametrize("seed", [1, 2])
def test_money_that_leaves_is_that_of_a_recount(either_store: Store, seed: int) -> None:
    pairs = list(made(random.Random(seed)))  # noqa: S311 - made data
    days = [day for day, _ in pairs if day is not None]
    alerts = [alert for _, its in pairs for alert in its]
    take(either_store, 0, days)
    take_alerts(either_store, alerts)
    found = recount(days, alerts)
    by_institution = summed((its, how, minor) for its, how, _, _, minor in found)
    counts = summed((its, how, count) for its, how, _, count, _ in found)
    cube = asked(either_store)
    assert cube.figures == by_institution
    assert cube.counts == counts
    assert {known for _, known in counts} == {ONE_PAYMENT, SEVERAL_PAYMENTS, NOT_NAMED, NO_ALERT}
    assert {SEVERAL, NOT_SAID, "=BANK3"} < {institution for institution, _ in counts}
    assert cube.total == sum(
        int(total["debit_amount"].replace(".", ""))
        for day in days
        for total in day["totals"]
        if total["currency"] == "EUR"
    )
    turned = asked(either_store, rows="segment", columns="institution")
    assert turned.figures == summed((whose, its, minor) for its, _, whose, _, minor in found)
    asked_for = ("S3", SEVERAL_PAYMENTS)
    only = asked(either_store, filters=dict(zip(("segment", "known"), asked_for, strict=True)))
    assert only.total == sum(minor for _, how, its, _, minor in found if (its, how) == asked_for)
    assert cube.money is not None
    assert set(cube.money.known.items()) == {
        (how, sum(minor for _, its, _, _, minor in found if its == how))
        for how in (ONE_PAYMENT, SEVERAL_PAYMENTS, NOT_NAMED, NO_ALERT)
    }
    assert cube.money.not_closed == sum(
        day is None and any(map(is_of_money, its)) for day, its in pairs
    )
    if either_store.engine.dialect.name == "sqlite":  # it has a folder of files beside it
        assert seal_quiet_days(either_store, 1)
        assert asked(either_store) == cube, "sealed or not"


def test_another_currency_is_asked_for_by_its_name(either_store: Store) -> None:
    take(
        either_store,
        0,
        [
            account_day("A1", DAYS[0], {"EUR": (1, "10.00"), "JPY": (2, "12345678901234567890")}),
            account_day("A2", DAYS[0], {"EUR": (2, "0.01")}),
        ],
    )
    take_alerts(
        either_store,
        [
            amount_alert("A1", DAYS[0], "BANK1", (1, "10.00")),
            amount_alert("A1", DAYS[0], "BANK2", (1, "5"), currency="JPY"),
        ],
    )
    euro, yen = asked(either_store), asked(either_store, currency="JPY")
    assert euro.figures == {("BANK1", ONE_PAYMENT): 1000, (NOT_SAID, NO_ALERT): 1}
    assert yen.figures == {("BANK2", SEVERAL_PAYMENTS): 12345678901234567890}
    assert euro.money is not None
    assert (euro.money.currency, euro.money.account_days) == ("EUR", {"EUR": 2, "JPY": 1})
    assert [item.value for item in yen.listed] == ["12345678901234567890"]
    none = asked(either_store, currency="CHF")
    assert (none.number, none.total) == (0, 0)


def test_what_is_not_covered_is_counted(either_store: Store) -> None:
    unread = account_day("A1", DAYS[0], {"EUR": (1, "lots")})
    take(either_store, 0, [unread])
    take_alerts(either_store, [amount_alert("A2", DAYS[0], "BANK1", (1, "10.00"))])
    found = asked(either_store)
    assert found.money is not None
    assert found.money == (None, {}, {}, 1, 1)
    assert found.number == 0


def test_an_alert_with_an_odd_record_names_nobody(either_store: Store) -> None:
    take(either_store, 0, [account_day("A1", DAYS[0], {"EUR": (1, "10.00")})])
    odd = amount_alert("A1", DAYS[0], "BANK1", (1, "10.00"))
    odd["evidence"] = {"totals": 7, "origin": [3]}
    take_alerts(either_store, [odd])
    assert asked(either_store).figures == {(NOT_SAID, NOT_NAMED): 1000}


def test_a_restated_alert_does_not_say_that_its_payment_is_the_whole(either_store: Store) -> None:
    """The payment that it names may have been reversed since, and another one be left."""
    take(either_store, 0, [account_day("A1", DAYS[0], {"EUR": (1, "60.00")})])
    later = amount_alert("A1", DAYS[0], "BANK1", (1, "60.00"), status="restated")
    take_alerts(either_store, [later])
    assert asked(either_store).figures == {("BANK1", SEVERAL_PAYMENTS): 6000}


def test_accounts_that_fell_silent_are_listed_with_their_closed_days_since(
    either_store: Store,
) -> None:
    days = [account_day("A1", DAYS[0], {}), *(account_day("A2", day, {}) for day in DAYS)]
    take(either_store, 0, days)
    found = asked(either_store, theme="silent", rows="segment", columns="branch")
    assert [(its.account_id, its.value) for its in found.listed] == [("A1", str(len(DAYS) - 1))]


def test_one_payment_was_the_only_one_whenever_an_alert_was_raised(either_store: Store) -> None:
    """If two had been made, one of them was taken back, and it may be the one that is named."""
    take(either_store, 0, [account_day("A1", DAYS[0], {"EUR": (1, "60.00")})])
    alone = amount_alert("A1", DAYS[0], "BANK1", (1, "60.00"))
    not_alone = amount_alert("A1", DAYS[0], "BANK1", (2, "120.00"), limit="L2")
    take_alerts(either_store, [alone, not_alone])
    assert asked(either_store).figures == {("BANK1", SEVERAL_PAYMENTS): 6000}
