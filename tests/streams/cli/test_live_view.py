"""The demo's view: what fits a screen, what share is decided, and what each stage is called."""

from typing import Any

import pytest
from rich.cells import cell_len

from streams.cli.views.live import ColumnWidths, alert_line, summary
from streams.lab.demo import COMPILES, STARTS, DemoState
from streams.settings import settings_of

WIDTHS = [80, 97, 98, 100, 110, 200, 400]


def alert(**changes: object) -> dict[str, Any]:
    made = {
        "alert_id": "x", "kind": "daily-amount", "status": "raised", "account_id": "A0000580",
        "business_day": "2026-01-20", "threshold_id": "daily-amount-business", "currency": "EUR",
        "value": "335641718.09", "limit": "50000.00", "evidence": {"times_limit": "6712.83"},
        "segment": None,
    }  # fmt: skip
    return made | changes


SYSTEMIC = alert(
    kind="systemic", verdict="external-cause", account_id=None, status="restated",
    cause={"type": "institution", "value": "BANK37", "lift": 46.65}, limit_ratio=0.5,
    suggested_limit="2000.00", grouped=33,
)  # fmt: skip
REVIEW = alert(
    kind="review", threshold_id="review", value=5, limit=2, evidence={"reading": "service-need"}
)
LONG = alert(account_id="DE" + "9" * 60, threshold_id="x" * 64)
WIDE_LETTERS = alert(account_id="\u53e3\u5ea7" * 20)
EVIL = alert(account_id="A\x1b[2J\r\nB")


def state_of(**values: object) -> DemoState:
    state = DemoState(settings_of({"WEIR_BROKER": "127.0.0.1:1"}))
    for name, value in values.items():
        setattr(state, name, value)
    return state


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shown", [alert(), SYSTEMIC, REVIEW, LONG, WIDE_LETTERS, EVIL])
def test_a_row_fits_the_screen_and_its_columns_stand_below_their_heads(
    shown: dict[str, Any], width: int
) -> None:
    columns = ColumnWidths.of(width)
    row, head = columns.row(shown).plain, columns.head()
    assert cell_len(row.rstrip()) <= width - 1
    assert cell_len(head) <= width
    assert not any(ord(character) < 32 for character in row)
    status = shown["status"]
    assert row.endswith(status)
    start = head.index("account")
    assert cell_len(row[: row.index(status)]) == cell_len(columns.row(alert()).plain) - len(
        "raised"
    )
    assert row[start - 1] == " "


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_reader_needs_is_not_cut(width: int) -> None:
    row = ColumnWidths.of(width).row(alert()).plain
    assert "335,641,718.09 EUR" in row
    assert "6,712.83" in row
    assert "daily-amount-business" in row
    assert "review: service-need" in ColumnWidths.of(width).row(REVIEW).plain


def test_a_wide_screen_stretches_no_column() -> None:
    assert ColumnWidths.of(400) == ColumnWidths.of(200)
    assert max(ColumnWidths.of(400)[:7]) <= 36


def test_the_share_is_of_what_is_decided_not_of_what_is_sent() -> None:
    state = state_of(sent=1000, share_read=0.5, decided=400)
    assert state.share_decided == pytest.approx(0.2)
    state = state_of(sent=2000, share_read=1.0, is_all_sent=True, decided=1500)
    assert state.share_decided == pytest.approx(0.75)
    assert state_of(sent=10, is_all_sent=True, decided=99).share_decided == 1
    assert state_of().share_decided == 0


def test_a_stage_is_called_what_it_is() -> None:
    assert state_of().stage == STARTS
    assert state_of(samples={("weir_models_compiling", ()): 1.0}).stage == COMPILES
    joined = {("weir_partitions_assigned", ()): 4.0}
    assert state_of(samples=joined).stage == "running"
    assert state_of(samples=joined, ended_at=1.0, sent=3, decided=3).stage == "all is decided"
    assert state_of(samples=joined, ended_at=1.0, sent=9, decided=3).stage == "running"
    shared = {("weir_partitions_assigned", ()): 2.0}
    assert state_of(samples=shared).stage == "running, with another worker: 2 of 4 partitions"


def test_what_no_limit_watches_is_taken_from_the_worker() -> None:
    state = state_of()
    samples = {
        ("weir_unwatched_transactions_total", ("CZK",)): 7.0,
        ("weir_limit_currency_seen", ("EUR",)): 0.0,
        ("weir_limit_currency_seen", ("USD",)): 1.0,
        ("weir_transactions_total", ()): 7.0,
    }
    for _ in range(2):  # a counter is what it is, not what it grew by
        state.take(samples)
    assert (state.totals.unwatched, state.totals.unseen) == ({"CZK": 7}, ["EUR"])
    state.sent, state.ended_at = 7, 1.0
    assert "no limit watches CZK: 7 transactions\n" in summary(state)
    assert "limits in EUR watched no transaction: none came\n" in summary(state)


def test_the_summary_breaks_between_words() -> None:
    state = state_of()
    state.tell(alert())
    assert all(len(line) < 80 for line in summary(state).splitlines())
    assert "times its limit" in summary(state).replace("\n ", "")


def test_an_alert_is_a_line() -> None:
    line = alert_line(alert())
    assert line.split() == [
        "2026-01-20", "A0000580", "daily-amount-business", "335,641,718.09", "EUR",
        "50,000.00", "EUR", "6,712.83", "raised",
    ]  # fmt: skip
