"""The guard: which requests reach the console, as whom, and what every response has."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from monitor.console.guard import (
    BODY_BYTES_MAX,
    Guard,
    clearing_cookie,
    session_cookie,
)
from monitor.store import people
from monitor.store.people import IDLE_MAX, Person, Role, add_user, login, person_of
from monitor.store.store import Store
from tests.support.laws import law
from tests.support.stored import NOW, sqlite_store

HOST: Final = "console.bank.example:8080"
GOOD: Final = "five plain words here"
NEEDS: Final = {f"/{role.value}": role for role in Role} | {
    f"/api/{role.value}": role for role in Role
}
FORM: Final = "application/x-www-form-urlencoded"
ORIGIN: Final = {"origin": f"http://{HOST}"}


class Answer(NamedTuple):
    """What came back; `seen` is what the app got, None if it was not asked."""

    status: int
    headers: dict[str, str]
    body: bytes
    seen: dict[str, Any] | None


class Echo:
    """An app that answers 200, and keeps what it got."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.seen = {**scope["state"], "body": body, "after": (await receive())["type"]}
        headers = [(b"cache-control", b"max-age=60"), (b"x-of-the-app", b"yes")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})


class House(NamedTuple):
    """A store with somebody of each role, who are logged in."""

    store: Store
    tokens: Mapping[Role, str]
    persons: Mapping[Role, Person]

    def call(  # noqa: PLR0913 - a request has these
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
        *,
        role: Role | None = None,
        is_https: bool = False,
        now: int = NOW,
        host: str | None = HOST,
    ) -> Answer:
        """Send a request to a guarded app; `role` is who is logged in."""
        echo = Echo()
        guard = Guard(
            echo, self.store, clock=lambda: now, hosts=frozenset({HOST, "Localhost"}),
            is_https=is_https, needs=lambda _, path: NEEDS.get(path),
        )  # fmt: skip
        sent = {} if host is None else {"host": host}
        if role is not None:
            name = "__Host-weir" if is_https else "weir"
            sent["cookie"] = f"a=b; {name}={self.tokens[role]}; c=d"
        sent |= headers or {}
        pieces = [body] if isinstance(body, bytes) else list(body)
        return asyncio.run(_call(guard, echo, method, path, sent, pieces))


async def _call(
    guard: Guard, echo: Echo, method: str, path: str, headers: Mapping[str, str],
    pieces: list[bytes],
) -> Answer:  # fmt: skip
    bare, _, query = path.partition("?")
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope: Scope = {
        "type": "http", "method": method, "path": unquote(bare), "query_string": query.encode(),
        "headers": pairs, "state": {"of_the_server": 1},
    }  # fmt: skip
    coming: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": number + 1 < len(pieces)}
        for number, piece in enumerate(pieces)
    ]
    came: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        came.append(message)

    await guard(scope, receive, send)
    start = {name.decode(): value.decode() for name, value in came[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in came[1:])
    return Answer(came[0]["status"], start, body, echo.seen)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    store = sqlite_store(tmp_path_factory.mktemp("guard"))
    with pytest.MonkeyPatch.context() as patch:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(people, "HASHER", cheap)
        tokens = {}
        for role in Role:
            add_user(store, f"The {role.value}", role, GOOD, NOW)
            tokens[role] = login(store, f"The {role.value}", GOOD, "192.0.2.1", NOW)
    persons = {role: person_of(store, token, NOW) for role, token in tokens.items()}
    yield House(store, tokens, {role: person for role, person in persons.items() if person})
    store.close()


# -- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_https", [False, True])
@pytest.mark.parametrize("needed", Role)
def test_a_page_is_for_a_role_or_a_higher_one(
    house: House, needed: Role, *, is_https: bool
) -> None:
    for role, prefix in product([None, *Role], ["", "/api"]):
        got = house.call("GET", f"{prefix}/{needed.value}", role=role, is_https=is_https)
        if role is None:
            assert got.status == (401 if prefix else 303)
        elif role.allows(needed):
            assert got.status == 200
            assert got.seen is not None
            assert got.seen["person"] == house.persons[role]
            assert got.seen["of_the_server"] == 1
        else:
            assert got.status == 403
        if got.status != 200:
            assert got.seen is None


def test_a_public_page_is_for_everybody_and_knows_who_looks(house: House) -> None:
    got = house.call("GET", "/login")
    assert got.seen is not None
    assert got.seen["person"] is None
    got = house.call("GET", "/login", role=Role.VIEWER)
    assert got.seen is not None
    assert got.seen["person"] == house.persons[Role.VIEWER]


def test_a_session_that_has_ended_is_none(house: House) -> None:
    assert house.call("GET", "/viewer", role=Role.ADMIN, now=NOW + IDLE_MAX).status == 303


@pytest.mark.parametrize("is_https", [False, True])
def test_a_cookie_of_the_other_scheme_is_no_session(house: House, *, is_https: bool) -> None:
    name = "weir" if is_https else "__Host-weir"
    cookie = {"cookie": f"{name}={house.tokens[Role.ADMIN]}"}
    assert house.call("GET", "/viewer", cookie, is_https=is_https).status == 303


@law(100)
@given(cookie=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=300))
def test_any_other_cookie_is_no_session(house: House, cookie: str) -> None:
    got = house.call("GET", "/api/viewer", {"cookie": f"weir={cookie}"})
    assert got.status == 401


def test_refusals_of_the_api_are_problems_and_of_pages_are_pages(house: House) -> None:
    for role, status in ((None, 401), (Role.VIEWER, 403)):
        got = house.call("GET", "/api/admin", role=role)
        assert got.headers["content-type"] == "application/problem+json"
        problem = json.loads(got.body)
        assert problem["status"] == got.status == status
        assert problem["title"]
        assert problem["detail"]
    got = house.call("GET", "/admin", role=Role.VIEWER)
    assert got.headers["content-type"].startswith("text/html")
    assert "the role must be admin or higher, not viewer" in got.body.decode()


@law(60)
@given(query=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_a_login_leads_back_to_the_page(house: House, query: dict[str, str]) -> None:
    path = f"/viewer?{urlencode(query)}" if query else "/viewer"
    got = house.call("GET", path)
    location = urlsplit(got.headers["location"])
    assert (got.status, location.path, location.netloc) == (303, "/login", "")
    assert parse_qs(location.query) == {"next": [path]}


def test_a_login_does_not_lead_back_to_a_change_or_elsewhere(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NEEDS, "//evil.example/x", Role.VIEWER)
    assert house.call("POST", "/viewer", ORIGIN).headers["location"] == "/login"
    assert house.call("GET", "//evil.example/x").headers["location"] == "/login"


@law(60)
@given(name=st.text(st.characters(codec="utf-8", exclude_characters="/?\0"), min_size=1))
def test_a_path_of_any_letters_comes_back(house: House, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NEEDS, f"/x/{name}", Role.VIEWER)
        location = house.call("GET", f"/x/{quote(name)}").headers["location"]
    following = parse_qs(urlsplit(location).query)["next"][0]
    assert unquote(following) == f"/x/{name}"


# -- where from -----------------------------------------------------------------------------------


@law(100)
@given(host=st.none() | st.text(st.characters(codec="latin-1"), max_size=40))
def test_another_host_is_refused(house: House, host: str | None) -> None:
    for path in ("/viewer", "/login", "/static/x.css", "/api/viewer"):
        got = house.call("GET", path, host=host, role=Role.ADMIN)
        assert (got.status, got.seen) == (421, None)


def test_a_host_is_known_in_capitals_and_needs_its_port(house: House) -> None:
    assert house.call("GET", "/login", host=HOST.upper()).status == 200
    assert house.call("GET", "/login", host="localhost").status == 200
    assert house.call("GET", "/login", host=HOST.removesuffix(":8080")).status == 421


def test_two_hosts_are_refused(house: House) -> None:
    assert house.call("GET", "/login", {"Host": "localhost"}).status == 421


OUR_FORM: Final = {"origin": "null", "sec-fetch-site": "same-origin"}
"""As a form of a page with the Referrer-Policy no-referrer is sent."""


@pytest.mark.parametrize("path", ["/viewer", "/login", "/api/viewer"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "ODD"])
@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({}, True),
        (ORIGIN, True),
        (OUR_FORM, True),
        ({"origin": f"HTTP://{HOST.upper()}"}, True),
        ({"origin": f"https://{HOST}"}, True),  # a proxy has the certificate
        ({"sec-fetch-site": "same-origin"}, True),
        (ORIGIN | {"sec-fetch-site": "same-origin"}, True),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://evil.example", "sec-fetch-site": "same-origin"}, False),
        ({"origin": f"http://{HOST}.evil.example"}, False),
        ({"origin": f"http://evil.example@{HOST}"}, False),
        ({"origin": "http://localhost"}, False),  # a name of ours, but not the one that is called
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
    ],
)
def test_a_change_must_come_from_our_own_pages(
    house: House, method: str, headers: dict[str, str], path: str, *, is_ours: bool
) -> None:
    sent = headers | {"x-csrf-token": house.persons[Role.ADMIN].csrf}
    got = house.call(method, path, sent, role=Role.ADMIN)
    assert got.status == (200 if is_ours else 403)
    assert (got.seen is not None) is is_ours


def test_over_https_a_page_without_is_of_another_origin(house: House) -> None:
    csrf = {"x-csrf-token": house.persons[Role.ADMIN].csrf}
    for scheme, status in (("https", 200), ("http", 403)):
        origin = {"origin": f"{scheme}://{HOST}"}
        got = house.call("POST", "/viewer", csrf | origin, role=Role.ADMIN, is_https=True)
        assert got.status == status


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_look_may_come_from_anywhere(house: House, method: str) -> None:
    headers = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    assert house.call(method, "/viewer", headers, role=Role.VIEWER).status == 200


# -- the token of a page --------------------------------------------------------------------------


def multipart(fields: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    parts = "".join(
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return {"content-type": "multipart/form-data; boundary=edge"}, f"{parts}--edge--\r\n".encode()


def urlencoded(fields: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    return {"content-type": f"{FORM}; charset=utf-8"}, urlencode(fields).encode()


@pytest.mark.parametrize("form", [multipart, urlencoded])
def test_a_form_has_the_token_in_a_field(house: House, form: Any) -> None:  # noqa: ANN401 - both
    csrf = house.persons[Role.ANALYST].csrf
    fields = {"note": "Zoë & Ann", "csrf": csrf}
    for sent, status in ((fields, 200), (fields | {"csrf": csrf[:-1]}, 403), ({"note": csrf}, 403)):
        headers, body = form(sent)
        got = house.call("POST", "/analyst", ORIGIN | headers, body, role=Role.ANALYST)
        assert got.status == status
        assert (got.seen or {"body": body})["body"] == body


@law(150)
@given(body=st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_the_app_reads_any_body_as_it_was_sent(house: House, body: list[bytes]) -> None:
    headers = {"x-csrf-token": house.persons[Role.ANALYST].csrf}
    got = house.call("POST", "/analyst", headers, body, role=Role.ANALYST)
    assert got.seen is not None
    assert got.seen["body"] == b"".join(body)
    assert got.seen["after"] == "http.disconnect"
    public = house.call("POST", "/login", {}, body)
    assert public.seen is not None
    assert public.seen["body"] == b"".join(body)


TOKENS: Final = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)


@law(100)
@given(token=TOKENS)
def test_any_other_token_is_refused(house: House, token: str) -> None:
    for path in ("/analyst", "/api/analyst"):
        got = house.call("POST", path, ORIGIN | {"x-csrf-token": token}, role=Role.ANALYST)
        assert (got.status, got.seen) == (403, None)
    headers, body = urlencoded({"csrf": token})
    assert house.call("POST", "/analyst", headers, body, role=Role.ANALYST).status == 403


@law(100)
@given(
    body=st.binary(max_size=80),
    kind=st.sampled_from([FORM, "multipart/form-data", "multipart/form-data; boundary=e", "odd"]),
)
def test_a_body_that_only_says_it_is_a_form_is_refused(
    house: House, body: bytes, kind: str
) -> None:
    start = b"--e\r\n" if "boundary" in kind else b""
    got = house.call("POST", "/analyst", {"content-type": kind}, start + body, role=Role.ANALYST)
    assert (got.status, got.seen) == (403, None)


def test_the_token_of_another_session_is_refused(house: House) -> None:
    headers = {"x-csrf-token": house.persons[Role.ADMIN].csrf}
    assert house.call("POST", "/analyst", headers, role=Role.ANALYST).status == 403


def test_a_token_in_a_form_of_a_wrong_kind_does_not_count(house: House) -> None:
    _, body = urlencoded({"csrf": house.persons[Role.ANALYST].csrf})
    headers = {"content-type": "text/plain"}  # as a form of another site can be sent
    assert house.call("POST", "/analyst", headers, body, role=Role.ANALYST).status == 403


def test_a_login_needs_no_token_even_if_somebody_is_logged_in(house: House) -> None:
    assert house.call("POST", "/login", ORIGIN).status == 200
    assert house.call("POST", "/login", ORIGIN, role=Role.VIEWER).status == 200


# -- how much -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/analyst", "/api/analyst", "/login"])
@pytest.mark.parametrize("says", [True, False])
def test_a_body_has_at_most_1_mib(house: House, path: str, *, says: bool) -> None:
    for length, status in ((BODY_BYTES_MAX, 200), (BODY_BYTES_MAX + 1, 413)):
        headers = {"x-csrf-token": house.persons[Role.ANALYST].csrf}
        if says:
            headers["content-length"] = str(length)
        body = [b"x" * (length - 1000), b"x" * 1000]
        got = house.call("POST", path, headers, body, role=Role.ANALYST)
        assert got.status == status
        assert (got.seen is None) is (status == 413)


@pytest.mark.parametrize("length", [str(BODY_BYTES_MAX + 1), "9" * 5000, "-1", "x", "\u00b2"])
def test_a_length_that_cannot_be_is_refused_before_it_is_read(house: House, length: str) -> None:
    assert house.call("POST", "/login", {"content-length": length}).status == 413


def test_a_body_that_breaks_off_does_not_reach_the_app(house: House) -> None:
    got = house.call("POST", "/login", {}, [])
    assert (got.status, got.seen) == (400, None)


# -- headers --------------------------------------------------------------------------------------


REQUESTS: Final = [
    ("GET", "/viewer", HOST, 200), ("GET", "/admin", HOST, 403), ("GET", "/api/admin", HOST, 403),
    ("GET", "/viewer", "evil.example", 421), ("POST", "/viewer", HOST, 403),
    ("GET", "/static/x.css", HOST, 200), ("GET", "/static/x.css", "evil.example", 421),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "host", "status"), REQUESTS)
def test_every_response_guards_its_page(
    house: House, method: str, path: str, host: str, status: int
) -> None:
    got = house.call(method, path, role=Role.VIEWER, host=host)
    assert got.status == status
    policy = dict(part.strip().split(" ", 1) for part in
                  got.headers["content-security-policy"].split(";"))  # fmt: skip
    nonce = policy.pop("script-src").removeprefix("'nonce-").removesuffix("'")
    assert len(nonce) >= 22  # 128 bits in base64
    assert policy == {
        "default-src": "'none'", "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": "'self' data:", "connect-src": "'self'", "font-src": "'self'",
        "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["referrer-policy"] == "no-referrer"
    assert got.headers["cross-origin-opener-policy"] == "same-origin"
    if path.startswith("/static/"):
        assert got.headers.get("cache-control") == ("max-age=60" if status == 200 else None)
    else:
        assert got.headers["cache-control"] == "no-store"
    if got.seen is not None:
        assert got.seen["nonce"] == nonce
        assert got.headers["x-of-the-app"] == "yes"


def test_each_response_has_a_nonce_of_its_own(house: House) -> None:
    policies = {house.call("GET", "/login").headers["content-security-policy"] for _ in range(5)}
    assert len(policies) == 5


def test_cookies_are_for_the_server_alone() -> None:
    https = session_cookie("T", True)  # noqa: FBT003 - as it is called
    assert https == "__Host-weir=T; Path=/; HttpOnly; SameSite=Lax; Secure"
    http = session_cookie("T", False)  # noqa: FBT003 - as it is called
    assert http == "weir=T; Path=/; HttpOnly; SameSite=Lax"
    cleared = clearing_cookie(True)  # noqa: FBT003 - as it is called
    assert cleared == "__Host-weir=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"


# -- other than requests --------------------------------------------------------------------------


def test_websockets_are_refused_and_the_lifespan_is_the_app_s_own(house: House) -> None:
    asked: list[str] = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        asked.append(scope["type"])
        await asyncio.sleep(0)

    async def receive() -> Message:
        return await asyncio.sleep(0, {"type": "websocket.connect"})

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    guard = Guard(
        app, house.store, clock=lambda: NOW, hosts=frozenset({HOST}), is_https=False,
        needs=lambda *_: None,
    )  # fmt: skip
    for kind in ("websocket", "lifespan"):
        asyncio.run(guard({"type": kind}, receive, send))
    assert asked == ["lifespan"]
    assert sent == [{"type": "websocket.close", "code": 1008}]
