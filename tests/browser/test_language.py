"""The console in Chinese, in a real browser: the language is changed there, and an alert worked."""

from typing import Any

import pytest

from tests.browser import test_triage
from tests.browser.test_triage import Served, log_in, press, states, until
from tests.monitor.console.made_console import identity, limit_alert

pytestmark = pytest.mark.slow

served = test_triage.served
browser = test_triage.browser
page = test_triage.page


def test_an_alert_is_worked_in_chinese(page: Any, served: Served) -> None:  # noqa: ANN401 - playwright's
    log_in(page, served, "ana")
    assert page.get_attribute("html", "lang") == "en"
    page.click("button[name=language]")
    until(page, ".tabs", "待处理")
    assert page.get_attribute("html", "lang") == "zh-Hans"
    assert page.url.endswith("/queue")
    press(page, "j", "x")
    assert page.text_content("#chosen-count") == "已选 1 条"
    served.take(limit_alert("N1", severity="high"))
    until(page, "#new", "1 条新预警：按 . 键显示")
    alert = identity("A2 2026-02-14")
    page.goto(f"{served.address}/alerts/{alert}")
    until(page, "#why + p", "已转出（借方）1,234,567.80 EUR")
    press(page, "r", "f", "Enter")
    until(page, ".headline .state-closed", "已关闭")
    until(page, ".entries", "关闭了预警：误报")
    assert states(served)[alert] == "closed nobody"
    page.click("button[name=language]")
    until(page, ".headline .state-closed", "closed")
    assert page.url.partition("?")[0].endswith(f"/alerts/{alert}"), "the page is the same"


def test_work_beside_alerts_is_done_in_chinese(page: Any, served: Served) -> None:  # noqa: ANN401 - playwright's
    served.open_task("ana")
    log_in(page, served, "ana")
    page.click("button[name=language]")
    until(page, ".tabs", "待处理")
    page.set_viewport_size({"width": 1024, "height": 900})
    lines = page.eval_on_selector_all(
        ".lines td.when time", "parts => parts.map((part) => part.getClientRects().length)"
    )
    assert set(lines) == {1}, "a time stands on one line"
    press(page, "g", "t")
    until(page, ".tasks", "推荐：其他产品或限额")
    page.fill(".tasks input[name=note]", "已致电客户")
    page.click(".tasks button[value=done]")
    until(page, ".empty", "此处没有任务。")
    page.goto(f"{served.address}/tasks?show=done")
    until(page, ".tasks", "已完成")
    assert page.text_content(".tasks td:last-child blockquote") == "已致电客户"
    served.app.state.transactions = None
    page.goto(f"{served.address}/accounts/A1/paper")
    until(page, ".paper", "本工作底稿未列交易：本控制台未连接消息代理，无法读取交易。")
    page.goto(f"{served.address}/queue?kind=daily-amount")
    page.click("#close summary")
    page.check("#close input[value=false-alarm]")
    page.click("button[formaction='/queue/close']")
    until(page, ".preview", "将以“误报”关闭 3 条预警，并将 1 条严重预警提交复核")
    page.click("main form button")
    until(page, ".done", "已关闭 3 条预警，1 条预警待复核")


def test_a_table_is_explored_in_chinese(page: Any, served: Served) -> None:  # noqa: ANN401 - playwright's
    log_in(page, served, "ana")
    page.click("button[name=language]")
    until(page, ".tabs", "待处理")
    page.goto(f"{served.address}/explore")
    until(page, "h1", "多维分析：限额超限")
    page.select_option("select[name=rows]", "weekday")
    page.select_option("select[name=columns]", "kind")
    page.click(".filters button")
    until(page, "thead", "单日金额超限")
    page.click("tbody tr:has-text('星期六') td a")
    until(page, "main p", "星期：星期六（移除）")
    assert page.text_content("tfoot td.number") == "3"
    assert page.text_content("section tbody td") == "2026年2月14日"


def test_the_team_and_a_group_are_read_in_chinese(page: Any, served: Served) -> None:  # noqa: ANN401 - playwright's
    log_in(page, served, "ana")
    page.click("button[name=language]")
    until(page, ".tabs", "待处理")
    press(page, "g", "e")
    until(page, "h1", "团队")
    until(page, "main", "严重 4 小时，高 1 天，中 3 天，低 7 天。")
    press(page, "g", "g")
    until(page, "h1", "客群")
    until(page, "main", "2026年2月9日至2026年2月15日")
    page.click("main tbody a")
    until(page, "h1", "客群 current")
    until(page, "main", "分布差异小于 0.0001：两者分布相同。")
    page.click("button[name=language]")
    until(page, "h1", "Group current")
    assert page.url.partition("?")[0].endswith("/groups/current"), "the page is the same"


@pytest.mark.parametrize("width", [1280, 320])
def test_chinese_pages_are_no_wider_than_the_window(
    browser: Any,  # noqa: ANN401 - playwright's
    served: Served,
    width: int,
) -> None:
    context = browser.new_context(locale="zh-CN", viewport={"width": width, "height": 900})
    page = context.new_page()
    log_in(page, served, "paul")
    proposal = served.propose()
    served.open_task("paul")
    for address in (
        "/queue",
        f"/alerts/{identity('A1 2026-02-14')}",
        f"/alerts/{identity('review A1')}",
        f"/incidents/{identity('systemic 2026-02-14')}",
        "/accounts/A1",
        "/accounts/A1/paper",
        "/tasks",
        "/limits",
        "/limits/daily-amount?above=1500",
        f"/proposals/{proposal}",
        "/team",
        "/groups",
        "/groups/current",
        "/explore",
        "/explore?theme=silent&silent=1",
        "/explore?theme=leaves",
        "/health",
    ):
        page.goto(f"{served.address}{address}")
        assert page.get_attribute("html", "lang") == "zh-Hans"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    context.close()
