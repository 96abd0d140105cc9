"""The transactions behind an alert: counted once, exactly, and read only when somebody asks."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from monitor.console.transactions import SeenTransaction, lines_of, partners_of
from monitor.core.business_day import Calendar, event_time
from monitor.core.transaction import CREDIT, DEBIT, Transaction
from tests.monitor.console.made_console import MadeConsole, identity, limit_alert
from tests.support.laws import law

ALERT = identity("A1 2026-02-14")
NOON = datetime(2026, 2, 14, 12, tzinfo=UTC)


def seen(offset: int, **given: object) -> SeenTransaction:
    fields: dict[str, object] = {
        "transaction_id": f"T{offset}", "account_id": "A1", "event_time": event_time(NOON),
        "amount_minor": 1234567, "currency": "EUR", "direction": DEBIT, "counterparty_id": "C1",
        "counterparty_institution": "BANK07", "channel": "api", "segment": None, "branch": None,
        "reverses": None,
    }  # fmt: skip
    return SeenTransaction(offset, Transaction(**(fields | given)))  # type: ignore[arg-type]


_SEEN = st.lists(
    st.builds(
        seen,
        st.integers(0, 99),
        transaction_id=st.sampled_from(["T1", "T2", "T3", "T4"]),
        amount_minor=st.integers(0, 10**12),
        currency=st.sampled_from(["EUR", "JPY"]),
        direction=st.sampled_from([DEBIT, CREDIT]),
        counterparty_id=st.sampled_from(["C1", "C2", None]),
        reverses=st.sampled_from([None, None, "T1"]),
    ),
    max_size=12,
)


@law(100)
@given(_SEEN)
def test_money_of_partners_is_that_of_each_transaction_once(found: list[SeenTransaction]) -> None:
    once: dict[str, Transaction] = {}
    for of_topic in found:
        if not of_topic.transaction.reverses:
            once.setdefault(of_topic.transaction.transaction_id, of_topic.transaction)
    wanted: Counter[tuple[str, str]] = Counter()
    for transaction in once.values():
        wanted[transaction.currency, transaction.direction] += transaction.amount_minor
    partners = partners_of(found)
    got: Counter[tuple[str, str]] = Counter()
    for partner in partners:
        got[partner.currency, DEBIT] += int(partner.debit_amount.replace(".", ""))
        got[partner.currency, CREDIT] += int(partner.credit_amount.replace(".", ""))
    assert +got == +wanted
    assert sum(partner.transactions for partner in partners) == len(once)


def test_lines_say_which_day_which_cause_and_what_came_before() -> None:
    berlin = Calendar(ZoneInfo("Europe/Berlin"))
    late = event_time(NOON + timedelta(hours=11, minutes=30))  # after midnight in Berlin
    found = [seen(7), seen(8, event_time=late), seen(9, transaction_id="T7")]
    lines = lines_of(found, berlin, "2026-02-14", 7)
    assert [line["offset"] for line in lines] == [9, 8, 7]
    assert [line["business_day"] for line in lines] == ["2026-02-14", "2026-02-15", "2026-02-14"]
    assert [line["is_of_day"] for line in lines] == [True, False, True]
    assert [line["is_cause"] for line in lines] == [False, False, True]
    assert [line["is_again"] for line in lines] == [True, False, False]
    assert lines[0]["amount"] == "12345.67"


def test_a_page_shows_them_and_keeps_that_they_were_read(console: MadeConsole) -> None:
    console.transactions.held = [seen(7), seen(8, direction=CREDIT, counterparty_id="<b>C9")]
    with console.client("vera") as client:
        text = client.get(f"/alerts/{ALERT}/transactions").text
        found = client.get(f"/api/v1/alerts/{ALERT}/transactions").json()
    assert console.transactions.asked == [("A1", 0, 7), ("A1", 0, 7)]
    assert "12,345.67" in text
    assert "took it over the limit" in text
    assert "&lt;b&gt;C9" in text
    assert {partner["counterparty"] for partner in found["partners"]} == {"C1", "<b>C9"}
    with console.store.reading() as connection:
        read = connection.exec_driver_sql("select subject from audit where action = 'read'").all()
    assert len([row for row in read if ALERT in row[0]]) == 2


def test_a_broker_that_does_not_answer_is_said(console: MadeConsole) -> None:
    console.transactions.held = None
    with console.client("vera") as client:
        answer = client.get(f"/api/v1/alerts/{ALERT}/transactions")
        page = client.get(f"/alerts/{ALERT}/transactions")
        incident = client.get(f"/alerts/{identity('systemic 2026-02-14')}/transactions")
    assert (answer.status_code, page.status_code, incident.status_code) == (503, 503, 404)
    assert answer.json()["detail"].startswith("the broker does not answer")


def test_an_alert_without_a_place_has_none(console: MadeConsole) -> None:
    console.take(limit_alert("X1", offset=None))
    with console.client("vera") as client:
        assert client.get(f"/alerts/{identity('X1 2026-02-14')}/transactions").status_code == 404


def test_pages_have_every_transaction_once(console: MadeConsole) -> None:
    console.transactions.held = [seen(number) for number in range(1201)]
    address, found = f"/alerts/{ALERT}/transactions", []
    with console.client("vera") as client:
        text = client.get(address).text
        assert "The 1. to the 500. of 1,201 are shown." in text
        assert "Later ones" not in text
        assert client.get(f"{address}?page=4").text.count("Earlier ones") == 0, "the last one again"
        while True:
            found += re.findall(r'<td class="id">(T[0-9]+)', text)
            following = re.search(r'<a id="next" href="([^"]+)">Earlier ones', text)
            if following is None:
                break
            text = client.get(f"{address}{following[1]}").text
        for odd in ("0", "x", "-1", "\u00b2"):
            assert client.get(address, params={"page": odd}).status_code == 400
        assert client.get(f"/api/v1{address}?page=1").status_code == 400, "the API has all at once"
        console.transactions.held = [seen(number) for number in range(500)]
        assert "are shown" not in client.get(address).text
    assert found == [f"T{number}" for number in reversed(range(1201))]
