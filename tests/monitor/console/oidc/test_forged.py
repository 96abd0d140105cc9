"""A provider that forges lets nobody in: every answer that must not hold is tried."""

import base64
import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from joserfc.jwk import OctKey

from monitor.console.oidc.registration import CALLBACK
from monitor.store.audit import verify
from monitor.store.logins.begun import LOGIN_MAX
from monitor.store.people import (
    FAILURES_OF_A_NAME,
    FAILURES_OF_AN_ADDRESS,
    LoginError,
    login,
    set_active,
)
from tests.monitor.console.made_console import PASSWORD, SECOND, MadeConsole
from tests.monitor.console.oidc.made_logins import (
    CLIENT,
    HOME,
    SECRET,
    MadeLogins,
    begun,
    finished,
    is_in,
)
from tests.support.openid.forged import (
    CURVE,
    FOREIGN,
    OWN,
    ForgedProvider,
    signed,
    signed_by_the_public_key,
    unsigned,
)

Claims = dict[str, Any]


def claims_for(logins: MadeLogins, forged: ForgedProvider, nonce: str) -> Claims:
    """Return what a token says that is as it must be."""
    now = logins.console.clock.now // SECOND
    return {
        "iss": forged.issuer, "aud": CLIENT, "sub": "7", "exp": now + 300, "iat": now,
        "nonce": nonce, "preferred_username": "ana",
    }  # fmt: skip


def tried(
    logins: MadeLogins,
    forged: ForgedProvider,
    changed: Mapping[str, Any] | None = None,
    sign: Callable[[Claims], str] = signed,
) -> tuple[int, bool]:
    """Log in by a token, and return the status and whether Ana is in after it."""
    with logins.browser() as browser:
        sent = begun(browser)
        claims = {**claims_for(logins, forged, sent["nonce"]), **(changed or {})}
        claims = {name: value for name, value in claims.items() if value is not None}
        forged.token = (
            200,
            {"access_token": "a", "token_type": "Bearer", "id_token": sign(claims)},
        )
        done = finished(browser, code="c", state=sent["state"])
        assert SECRET not in done.text
        return done.status_code, is_in(browser, "ana")


def entries(console: MadeConsole) -> list[tuple[str, str, str]]:
    """Return actor, action and detail of the audit's entries about logins."""
    with console.store.reading() as connection:
        assert verify(connection).broken is None
        rows = connection.exec_driver_sql("select actor, action, after from audit").all()
    return [(row[0], row[1], row[2] or "") for row in rows if "login" in row[1]]


def test_a_token_that_holds_lets_its_user_in(logins: MadeLogins, forged: ForgedProvider) -> None:
    assert tried(logins, forged) == (303, True)
    actor, action, after = entries(logins.console)[-1]
    assert (actor, action) == ("ana", "login")
    assert '"provider"' in after


GOOD: Final = [
    {"aud": [CLIENT]},
    {"aud": [CLIENT, "other"], "azp": CLIENT},
    {"azp": CLIENT},
    {"amr": ["pwd"], "auth_time": 1},
]
BAD: Final[Mapping[str, list[Mapping[str, Any]]]] = {
    "nonce": [{"nonce": "x"}, {"nonce": None}, {"nonce": ""}, {"nonce": []}],
    "issuer": [{"iss": "https://evil.example"}, {"iss": None}, {"iss": f"{HOME}/"}],
    "audience": [
        {"aud": "other"}, {"aud": None}, {"aud": []}, {"aud": ["other"]},
        {"aud": [CLIENT, "other"]}, {"aud": [CLIENT, "other"], "azp": "other"}, {"azp": "other"},
    ],
    "time": [
        {"exp": 1_000_000_000}, {"exp": None}, {"exp": "9999999999"}, {"iat": 9_999_999_999},
        {"nbf": 9_999_999_999}, {"exp": True},
    ],
    "hash": [{"at_hash": "x"}],
    "claim": [
        {"preferred_username": None}, {"preferred_username": ""}, {"preferred_username": ["ana"]},
        {"preferred_username": True}, {"sub": None},
    ],
    "name": [
        {"preferred_username": name}
        for name in ("nobody", "ANA", " ana", "ana\0", "a" * 5000, "(provider)", "(unknown)")
    ],
}  # fmt: skip


@pytest.mark.parametrize("changed", GOOD, ids=str)
def test_what_a_token_may_say_is_taken(
    logins: MadeLogins, forged: ForgedProvider, changed: Mapping[str, Any]
) -> None:
    assert tried(logins, forged, changed) == (303, True)


@pytest.mark.parametrize(
    "changed",
    [pytest.param(case, id=f"{part}{case}"[:60]) for part, cases in BAD.items() for case in cases],
)
def test_what_a_token_must_not_say_is_refused(
    logins: MadeLogins, forged: ForgedProvider, changed: Mapping[str, Any]
) -> None:
    assert tried(logins, forged, changed) == (403, False)
    actor, action, after = entries(logins.console)[-1]
    assert (actor, action) == ("(unknown)", "login-failed")
    assert '"provider"' in after


FORGERIES: Final[Mapping[str, Callable[[Claims], str]]] = {
    "foreign key": lambda claims: signed(claims, FOREIGN),
    "no algorithm": unsigned,
    "no algorithm, in capitals": lambda claims: unsigned(claims, "NONE"),
    "no signature": lambda claims: unsigned(claims, "RS256"),
    "shared secret": lambda claims: signed(claims, OctKey.import_key(SECRET * 4), "HS256"),
    "public key as a shared secret": signed_by_the_public_key,
    "key in the header": lambda claims: signed(claims, FOREIGN, jwk=FOREIGN.as_dict(private=False)),
    "key of another kind": lambda claims: signed(claims, CURVE, "ES256", kid="own"),
    "unknown key": lambda claims: signed(claims, FOREIGN, kid="other"),
    "changed after it": lambda claims: changed_after(signed(claims)),
    "no token": lambda _: "x",
    "empty": lambda _: "",
    "four parts": lambda claims: f"{signed(claims)}.x",
}


def changed_after(token: str) -> str:
    head, body, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    other = json.dumps({**said, "sub": "8"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(other).rstrip(b'=').decode()}.{signature}"


@pytest.mark.parametrize("sign", FORGERIES.values(), ids=FORGERIES)
def test_a_token_that_the_provider_s_key_has_not_signed_is_refused(
    logins: MadeLogins, forged: ForgedProvider, sign: Callable[[Claims], str]
) -> None:
    assert tried(logins, forged, sign=sign) == (403, False)


def test_shared_secrets_among_the_published_keys_sign_nothing(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    secret = OctKey.generate_key(256, {"kid": "shared"})
    forged.keys += [secret.as_dict(private=True)]
    assert tried(logins, forged, sign=lambda it: signed(it, secret, "HS256")) == (403, False)


def test_a_key_for_encryption_signs_nothing(logins: MadeLogins, forged: ForgedProvider) -> None:
    forged.keys = [{**OWN.as_dict(private=False), "use": "enc"}, CURVE.as_dict(private=False)]
    assert tried(logins, forged) == (403, False)


def test_a_new_key_of_the_provider_is_fetched(logins: MadeLogins, forged: ForgedProvider) -> None:
    assert tried(logins, forged) == (303, True)
    forged.keys = [CURVE.as_dict(private=False), {"kty": "of-the-future"}]
    assert tried(logins, forged, sign=lambda it: signed(it, CURVE, "ES256")) == (303, True)
    assert tried(logins, forged) == (403, False), "the old key is no more"


def test_a_new_key_under_the_old_name_is_fetched(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    """A provider with one key need not name it: then nothing but the signature tells."""
    assert tried(logins, forged) == (303, True)
    own = OWN.as_dict(private=False)
    forged.keys = [{**FOREIGN.as_dict(private=False), "kid": own["kid"]}]
    assert tried(logins, forged, sign=lambda it: signed(it, FOREIGN, kid=own["kid"])) == (303, True)
    assert tried(logins, forged) == (403, False), "the old key is no more"


def test_the_answer_comes_from_the_issuer(logins: MadeLogins, forged: ForgedProvider) -> None:
    def answered(**more: str) -> int:
        with logins.browser() as browser:
            sent = begun(browser)
            good = signed(claims_for(logins, forged, sent["nonce"]))
            forged.token = (200, {"access_token": "a", "id_token": good})
            done = finished(browser, code="c", state=sent["state"], **more)
            return int(done.status_code)

    assert answered(iss=forged.issuer) == 303
    assert answered(iss="https://evil.example") == 403
    assert answered(iss="") == 403
    logins.console.clock.now += 3600 * SECOND
    forged.metadata["authorization_response_iss_parameter_supported"] = True
    assert answered() == 403


def test_the_login_is_of_the_browser_that_began_it(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    with logins.browser() as mine, logins.browser() as other:
        sent, of_other = begun(mine), begun(other)
        good = signed(claims_for(logins, forged, sent["nonce"]))
        forged.token = (200, {"access_token": "a", "id_token": good})
        assert finished(other, code="c", state=sent["state"]).status_code == 400
        assert finished(mine, code="c", state=of_other["state"]).status_code == 400
        assert finished(mine, code="c").status_code == 400
        assert finished(mine, code="c", state="").status_code == 400
        assert mine.get(f"{CALLBACK}?code=c&state={sent['state']}&state=x").status_code == 400
        assert "/token" not in forged.asked
        assert finished(mine, code="c", state=sent["state"]).status_code == 303
        assert is_in(mine, "ana")
        assert not is_in(other, "ana")


def test_a_login_is_finished_once_and_soon(logins: MadeLogins, forged: ForgedProvider) -> None:
    with logins.browser() as browser:
        sent = begun(browser)
        cookie = browser.cookies["weir-login"]
        good = signed(claims_for(logins, forged, sent["nonce"]))
        forged.token = (200, {"access_token": "a", "id_token": good})
        assert finished(browser, code="c", state=sent["state"]).status_code == 303
        browser.cookies.clear()
        browser.cookies.set("weir-login", cookie)
        assert finished(browser, code="c", state=sent["state"]).status_code == 400
        assert forged.asked.count("/token") == 1
        late = begun(browser)
        logins.console.clock.now += LOGIN_MAX
        assert finished(browser, code="c", state=late["state"]).status_code == 400


def test_a_used_code_is_refused_by_the_provider(logins: MadeLogins, forged: ForgedProvider) -> None:
    with logins.browser() as browser:
        sent = begun(browser)
        forged.token = (400, {"error": "invalid_grant", "error_description": "used"})
        assert finished(browser, code="c", state=sent["state"]).status_code == 403


def test_what_is_sent_is_what_was_agreed(logins: MadeLogins, forged: ForgedProvider) -> None:
    with logins.browser() as browser:
        sent = begun(browser)
        finished(browser, code="c", state=sent["state"])
    assert sent["response_type"] == "code"
    assert sent["redirect_uri"] == f"{HOME}{CALLBACK}"
    assert sent["code_challenge_method"] == "S256"
    assert sent["scope"] == "openid profile"
    assert len({sent["state"], sent["nonce"], sent["code_challenge"]}) == 3
    form = forged.forms[-1]
    assert form["redirect_uri"] == sent["redirect_uri"]
    assert len(form["code_verifier"]) == 43
    assert "client_secret" not in form
    basic = base64.b64encode(f"{CLIENT}:s3cret%2Fof%2Ba%25test".encode()).decode()
    assert forged.authorizations[-1] == f"Basic {basic}"


def test_a_client_without_a_secret_sends_none(console: MadeConsole, forged: ForgedProvider) -> None:
    logins = MadeLogins(console, forged.issuer, secret=None)
    assert tried(logins, forged) == (303, True)
    assert forged.authorizations[-1] is None
    assert forged.forms[-1]["client_id"] == CLIENT


def test_a_provider_that_takes_secrets_in_the_body_gets_it_there(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    forged.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert tried(logins, forged) == (303, True)
    assert forged.forms[-1]["client_secret"] == SECRET


def test_an_address_of_e_mail_must_be_verified(
    console: MadeConsole, forged: ForgedProvider
) -> None:
    logins = MadeLogins(console, forged.issuer, claim="email")
    assert tried(logins, forged, {"email": "ana"}) == (403, False)
    assert tried(logins, forged, {"email": "ana", "email_verified": "true"}) == (403, False)
    assert tried(logins, forged, {"email": "ana", "email_verified": True}) == (303, True)


def test_a_disabled_user_is_refused_and_the_audit_says_who(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    set_active(logins.console.store, "ana", logins.clock(), is_active=False)
    assert tried(logins, forged) == (403, False)
    actor, action, _ = entries(logins.console)[-1]
    assert (actor, action) == ("ana", "login-failed")


def test_logins_that_fail_make_the_address_wait(logins: MadeLogins, forged: ForgedProvider) -> None:
    for _ in range(FAILURES_OF_AN_ADDRESS):
        assert tried(logins, forged, {"preferred_username": "nobody"}) == (403, False)
    assert tried(logins, forged) == (429, False)
    before = len(forged.forms)
    assert tried(logins, forged) == (429, False)
    assert len(forged.forms) == before, "the provider is not asked"


def test_wrong_passwords_of_others_keep_nobody_from_the_provider(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    for _ in range(FAILURES_OF_A_NAME):
        with pytest.raises(LoginError):
            login(logins.console.store, "ana", "wrong", "192.0.2.1", logins.clock())
    assert tried(logins, forged) == (303, True)


# -- the provider fails ---------------------------------------------------------------------------


def away(logins: MadeLogins) -> tuple[int, bool]:
    """Begin a login, and return its status and whether a password lets in after it."""
    with logins.browser() as browser:
        status = browser.get("/login/oidc").status_code
        assert "weir-login" not in browser.cookies
        browser.post("/login", data={"name": "ana", "password": PASSWORD})
        return status, is_in(browser, "ana")


WITHOUT: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri", "issuer")


@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.parametrize(
    "value", [None, "http://evil.example/x", "https://u@evil.example/x", 7, "x", "http://[x"]
)
def test_endpoints_that_cannot_be_are_refused(
    logins: MadeLogins, forged: ForgedProvider, name: str, value: object
) -> None:
    forged.metadata[name] = value
    assert away(logins) == (503, True)


@pytest.mark.parametrize("said", [[], {}, b"<html>", b"\xff", b'{"a":' + b" " * 2**20 + b"1}"])
def test_a_document_that_cannot_be_read_is_refused(
    logins: MadeLogins,
    forged: ForgedProvider,
    said: Any,  # noqa: ANN401 - JSON, or no JSON
) -> None:
    forged.metadata = said
    assert away(logins) == (503, True)


@pytest.mark.parametrize(
    "keys", [[], [None, 7], [{"kty": "RSA"}], [{"kty": "RSA", "n": 1, "e": 2}]]
)
def test_keys_that_cannot_be_read_are_refused(
    logins: MadeLogins, forged: ForgedProvider, keys: list[Any]
) -> None:
    forged.keys = keys
    assert away(logins) == (503, True)


def test_no_redirect_of_the_provider_is_followed(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    forged.redirects_to = f"{forged.issuer}/elsewhere"
    assert away(logins) == (503, True)
    assert forged.asked == ["/.well-known/openid-configuration"]


def test_nobody_asks_a_provider_that_is_away_again_at_once(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    forged.redirects_to = "x"
    with logins.browser() as browser:
        assert [browser.get("/login/oidc").status_code for _ in range(3)] == [503] * 3
    assert len(forged.asked) == 1
    forged.redirects_to = None
    logins.console.clock.now += 10 * SECOND
    assert tried(logins, forged) == (303, True)


@pytest.mark.parametrize("token", [(500, {}), (200, []), (200, b"<html>"), (502, b"")])
def test_a_provider_that_fails_in_between_counts_for_nobody(
    logins: MadeLogins, forged: ForgedProvider, token: tuple[int, object]
) -> None:
    with logins.browser() as browser:
        for _ in range(FAILURES_OF_AN_ADDRESS + 1):
            sent = begun(browser)
            forged.token = token
            assert finished(browser, code="c", state=sent["state"]).status_code == 503
    assert tried(logins, forged) == (303, True)


def test_too_many_that_wait_for_the_provider_leave_threads_to_others(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    del forged
    held = logins.provider._calls
    while held.acquire(blocking=False):
        pass
    assert away(logins) == (503, True)


# -- what is logged, what is shown ----------------------------------------------------------------


def test_no_token_code_or_secret_is_logged(
    logins: MadeLogins, forged: ForgedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for sign in (*FORGERIES.values(), signed):
        tried(logins, forged, sign=sign)
    assert SECRET not in caplog.text
    assert "s3cret" not in caplog.text
    assert not re.search(r"eyJ[\w-]{20}", caplog.text), "no part of a token"
    assert "must hold" in caplog.text
    assert SECRET not in repr(logins.provider.registration)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("access_denied", "access_denied"),
        ("<b>x</b>", "the login: error"),
        ("", "the login: error"),
    ],
)
def test_a_refusal_of_the_provider_is_said(logins: MadeLogins, error: str, shown: str) -> None:
    with logins.browser() as browser:
        sent = begun(browser)
        done = finished(browser, error=error, state=sent["state"])
    assert done.status_code == 403
    assert shown in done.text
    assert "<b>x" not in done.text


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/queue?kind=review", "/queue?kind=review"),
        ("/alerts/x%2Fy", "/alerts/x%2Fy"),
        ("https://evil.example/", "/queue"),
        ("//evil.example/", "/queue"),
        ("/\\evil.example/", "/queue"),
        ("/\t/evil.example/", "/queue"),
        ("//[x", "/queue"),
        ("/login/oidc", "/queue"),
        ("javascript:alert(1)", "/queue"),
    ],
)
def test_a_login_leads_to_pages_of_ours_alone(
    logins: MadeLogins, forged: ForgedProvider, asked: str, led: str
) -> None:
    with logins.browser() as browser:
        sent = begun(browser, asked)
        good = signed(claims_for(logins, forged, sent["nonce"]))
        forged.token = (200, {"access_token": "a", "id_token": good})
        done = finished(browser, code="c", state=sent["state"])
    assert done.headers["location"] == led


@pytest.mark.parametrize(
    ("home", "name", "secure"),
    [(HOME, "weir-login", ""), ("https://testserver", "__Host-weir-login", "; Secure")],
)
def test_the_cookie_of_a_login_is_for_the_server_alone(
    console: MadeConsole, forged: ForgedProvider, home: str, name: str, secure: str
) -> None:
    logins = MadeLogins(console, forged.issuer, home=home)
    with logins.browser() as browser:
        answer = browser.get("/login/oidc")
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(
        rf"{name}=[\w-]{{43}}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax{secure}", cookie
    )
    assert answer.headers["cache-control"] == "no-store"
    assert "form-action 'self'" in answer.headers["content-security-policy"]


def test_a_look_without_a_body_uses_no_login_up(logins: MadeLogins, forged: ForgedProvider) -> None:
    with logins.browser() as browser:
        sent = begun(browser)
        good = signed(claims_for(logins, forged, sent["nonce"]))
        forged.token = (200, {"access_token": "a", "id_token": good})
        browser.head(CALLBACK, params={"code": "c", "state": sent["state"]})
        assert "/token" not in forged.asked
        assert finished(browser, code="c", state=sent["state"]).status_code == 303


def test_whoever_logs_out_is_told_of_the_provider_s_session(
    logins: MadeLogins, forged: ForgedProvider
) -> None:
    with logins.browser() as browser:
        shown = browser.get("/login?next=/queue%3Fkind%3Dreview").text
        assert 'href="/login/oidc?next=%2Fqueue%3Fkind%3Dreview">Log in with 127.0.0.1<' in shown
        assert "still logged in there" not in shown
        browser.post("/login", data={"name": "ana", "password": PASSWORD})
        csrf = re.search(r'data-csrf="([^"]+)"', browser.get("/queue").text)
        assert csrf is not None
        assert browser.get("/login/oidc").headers["location"] == "/queue", "already in"
        left = browser.post("/logout", data={"csrf": csrf[1]}).headers["location"]
        assert "still logged in there" in browser.get(left).text
        assert browser.get("/login/oidc/logout").status_code == 404
        logins.console.clock.now += 3600 * SECOND
        forged.metadata["end_session_endpoint"] = f"{forged.issuer}/end?a=b"
        there = browser.get("/login/oidc/logout").headers["location"]
    assert there.startswith(f"{forged.issuer}/end?a=b&client_id={CLIENT}&post_logout_redirect_uri=")
