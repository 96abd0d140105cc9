"""Who is answered in which language, and what stays as it is in each."""

import doctest
import re
from html import unescape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from monitor.console.language import catalogue, formats
from monitor.console.language.catalogue import (
    CHINESE,
    COOKIE,
    ENGLISH,
    accepted,
    gettext,
    quoting,
    speaking,
    spoken,
)
from tests.monitor.console.made_console import MadeConsole, identity, limit_alert

ZH = {"Accept-Language": "zh-CN,zh;q=0.9"}


def test_examples_hold() -> None:
    assert doctest.testmod(catalogue).failed == 0
    assert doctest.testmod(formats).failed == 0


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("", "en"),
        ("zh", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("ZH-hans-sg;q=0.2", "zh-Hans"),
        ("en-GB,zh;q=0.9", "en"),
        ("zh;q=0,en;q=0.1", "en"),
        ("de,fr", "en"),
        ("*", "en"),
        ("zh;q=x", "en"),
        (";;;,,=", "en"),
        ("zh;q=0.5,en;q=0.50001", "en"),
    ],
)
def test_a_browser_is_answered_in_what_it_likes_best(header: str, tag: str) -> None:
    assert accepted(header).tag == tag


@given(st.text(max_size=80))
def test_any_header_names_a_language(header: str) -> None:
    assert accepted(header) in {ENGLISH, CHINESE}


@given(
    whole=st.integers(0, 10**24),
    places=st.integers(0, 4),
    is_below=st.booleans(),
    language=st.sampled_from([ENGLISH, CHINESE]),
)
def test_no_digit_of_money_is_lost_in_any_language(
    whole: int,
    places: int,
    is_below: bool,  # noqa: FBT001 - drawn
    language: catalogue.Language,
) -> None:
    digits = str(whole).rjust(places + 1, "0")
    text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    text = f"-{text}" if is_below else text
    with speaking(language):
        assert formats.grouped(text).replace(",", "") == text


@given(st.integers(0, 40 * 86_400), st.integers(0, 10**6))
def test_a_length_of_time_has_the_same_numbers_in_any_language(seconds: int, parts: int) -> None:
    texts = []
    for language in (ENGLISH, CHINESE):
        with speaking(language):
            length = formats.duration(seconds * 10**6)
            share = formats.per_cent(f"{parts // 100}.{parts % 100:02d}")
            texts.append(re.findall(r"[0-9.,]+", f"{length} {share}"))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (93_784, "1 d 2 h", "1 天 2 小时"),
        (4_200, "1 h 10 min", "1 小时 10 分钟"),
        (59, "59 s", "59 秒"),
    ],
)
def test_a_length_of_time_has_the_units_of_the_language(
    seconds: int, english: str, chinese: str
) -> None:
    assert formats.duration(seconds * 10**6) == english
    with speaking(CHINESE):
        assert formats.duration(seconds * 10**6) == chinese
        assert formats.per_cent("12.50") == "12.50%"


def test_the_language_of_a_context_ends_with_it() -> None:
    with speaking(CHINESE):
        assert spoken() is CHINESE
        assert gettext("Queue") == "预警队列"
    assert gettext("Queue") == "Queue"


def test_english_of_a_record_is_marked_and_stays_text() -> None:
    with speaking(CHINESE):
        said = quoting("It stands out because %(english)s.", "<b>a & b</b>")
    assert said == "异常之处：<b>a & b</b>。"
    assert escape(said) == '异常之处：<span lang="en">&lt;b&gt;a &amp; b&lt;/b&gt;</span>。'


def test_pages_are_in_the_language_that_was_chosen_else_in_the_browser_s(
    console: MadeConsole,
) -> None:
    with console.client("ana") as client:
        assert '<html lang="en">' in client.get("/queue").text
        text = client.get("/queue", headers=ZH).text
        assert '<html lang="zh-Hans">' in text
        assert "单日金额超限" in text
        answer = client.post("/language", data={"language": "en", "next": "/limits?x=1"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/limits?x=1"
        assert "HttpOnly; SameSite=Lax" in answer.headers["set-cookie"]
        assert '<html lang="en">' in client.get("/queue", headers=ZH).text


@pytest.mark.parametrize(
    "next_address", ["//evil", "https://evil/", "/\\evil", "javascript:1", "", "/logout//"]
)
def test_a_choice_leads_to_no_other_place(console: MadeConsole, next_address: str) -> None:
    with console.client("ana") as client:
        sent = {"language": "zh-Hans", "next": next_address}
        answer = client.post("/language", data=sent)
        assert re.fullmatch(r"/[a-z/]*", answer.headers["location"])


def test_a_choice_must_come_from_the_page_and_name_a_language(console: MadeConsole) -> None:
    with console.client("ana") as client:
        assert client.post("/language", data={"language": "xx"}).status_code == 400
        del client.headers["X-CSRF-Token"]
        refused = client.post("/language", data={"language": "zh-Hans", "csrf": "no"})
        assert refused.status_code == 403
        assert COOKIE not in client.cookies
        headers = {"Origin": "https://other.example"}
        refused = client.post("/language", data={"language": "zh-Hans"}, headers=headers)
        assert refused.status_code == 403


def test_whoever_is_not_logged_in_chooses_too(console: MadeConsole) -> None:
    with console.client() as client:
        sent = {"language": "zh-Hans", "next": "/login?next=%2Flimits"}
        answer = client.post("/language", data=sent)
        assert answer.headers["location"] == "/login?next=%2Flimits"
        assert "<h1>登录</h1>" in client.get("/login").text
        wrong = client.post("/login", data={"name": "ana", "password": "no"})
        assert "姓名或密码有误" in wrong.text
        assert "首位管理员" in client.get("/setup").text


def test_the_api_stays_english(console: MadeConsole) -> None:
    alert = identity("A1 2026-02-14")
    with console.client("ana") as client:
        client.cookies.set(COOKIE, "zh-Hans")
        for path in (f"/api/v1/alerts/{alert}", "/api/v1/limits", "/api/v1/alerts/no"):
            assert client.get(path).text.isascii()
        for path in ("/api/v1/team", "/api/v1/groups", "/api/v1/groups/current"):
            assert client.get(path).text.isascii()
        assert client.get("/api/v1/groups/no").json()["detail"].startswith("of the last 35 days")
        refused = client.post(f"/api/v1/alerts/{alert}/actions", json={"action": "reopen"})
        assert refused.json()["detail"].endswith("is open: reopen is not possible")


def test_a_refusal_is_in_the_language_or_says_that_it_is_english(console: MadeConsole) -> None:
    with console.client("ana") as client:
        client.cookies.set(COOKIE, "zh-Hans")
        assert "没有预警 no" in client.get("/alerts/no").text
        assert '<p class="warning" lang="en">' in client.get("/queue?x=1").text
        assert "须以控制台的名称之一访问" in client.get("/queue", headers={"Host": "x"}).text


@pytest.mark.parametrize("account", ["A/1", "ä ?#%&", 'x"><b>', "借方"])
def test_a_page_of_any_name_comes_again_in_the_other_language(
    console: MadeConsole, account: str
) -> None:
    console.take(limit_alert(account))
    address = f"/accounts/{quote(account, safe='')}"
    with console.client("ana") as client:
        text = client.get(address).text
        found = re.search(r'name="next" value="([^"]*)"', text)
        assert found is not None
        answer = client.post("/language", data={"language": "zh-Hans", "next": unescape(found[1])})
        again = client.get(answer.headers["location"])
    assert again.status_code == 200
    assert f"<h1>账户 {escape(account)}</h1>" in again.text


def test_a_paper_is_in_the_readers_language_and_as_an_object_in_english(
    console: MadeConsole,
) -> None:
    with console.client("vera") as client:
        english = client.get("/api/v1/accounts/A1/paper").json()
        chinese = client.get("/api/v1/accounts/A1/paper", headers=ZH).json()
        page = client.get("/accounts/A1/paper", headers=ZH).text
    assert chinese == english
    assert re.search(r"由 vera 于 20\d\d年\d+月\d+日 \d\d:\d\d:\d\d UTC 查阅", page)
    assert "<dd>2026年2月1日至2026年2月14日</dd>" in page
    assert "数值：1,234,567.80 EUR" in page
    assert '<span lang="en">its greatest day is 5.9 times the limit</span>' in page
