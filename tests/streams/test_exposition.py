"""The port of metrics: which paths it answers, with which status, and what it says of readiness."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Counter

from streams.exposition import Condition, Readiness, broker_seen, serve_metrics
from streams.lab.broker import free_port
from streams.settings import SettingsError, settings_of

FINE = Readiness({"broker": Condition(is_ok=True, says="seen")}, {"kernels": "loading"})
AWAY = Readiness({**FINE.reasons, "policy": Condition(is_ok=False, says="not read yet")})

DAY_SECONDS = 86_400

Ask = Callable[..., tuple[int, str, str]]


def asker(readiness: Callable[[], Readiness], host: str = "127.0.0.1") -> Ask:
    """Serve a registry, and return what asks it: status, content type and body."""
    registry, port = CollectorRegistry(), free_port()
    Counter("weir_things_total", "Things.", registry=registry)
    settings = settings_of({}, broker="b:1", metrics_host=host, metrics_port=str(port))
    serve_metrics(settings, registry, readiness)
    shown = f"[{host}]" if ":" in host else host

    def ask(path: str, method: str = "GET") -> tuple[int, str, str]:
        request = urllib.request.Request(f"http://{shown}:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read().decode()

    return ask


def test_metrics_liveness_and_readiness_have_their_paths_and_no_other_path_is_answered() -> None:
    ask = asker(lambda: FINE)
    page = ask("/metrics")[2]
    assert "weir_things_total 0.0" in page
    started_at = float(page.partition("\nprocess_start_time_seconds ")[2].split()[0])
    assert abs(time.time() - started_at) < DAY_SECONDS
    assert ask("/livez")[::2] == ask("/healthz")[::2] == (200, "ok\n")
    for path in ("/", "/foo", "/ready", "/metrics/", "/livez/x", "/healthz2"):
        assert ask(path)[0] == 404, path
    assert ask("/livez", "POST")[0] == ask("/metrics", "DELETE")[0] == 405
    assert ask("/livez", "HEAD")[::2] == (200, "")


def test_whoever_is_ready_says_why_and_notes_do_not_count() -> None:
    status, content_type, body = asker(lambda: FINE)("/readyz?x=1")
    assert (status, content_type) == (200, "application/json")
    assert json.loads(body) == {
        "ready": True,
        "reasons": {"broker": {"ok": True, "says": "seen"}},
        "notes": {"kernels": "loading"},
    }


def test_one_reason_that_fails_is_enough_not_to_be_ready() -> None:
    status, _, body = asker(lambda: AWAY)("/readyz")
    said = json.loads(body)
    assert (status, said["ready"]) == (503, False)
    assert [name for name, reason in said["reasons"].items() if not reason["ok"]] == ["policy"]


def test_it_listens_on_an_address_of_ipv6() -> None:
    assert asker(lambda: FINE, "::1")("/livez")[0] == 200


def test_a_taken_port_is_an_error_of_the_settings() -> None:
    port = str(free_port())
    settings = settings_of({}, broker="b:1", metrics_port=port)
    serve_metrics(settings, CollectorRegistry(), lambda: FINE)
    with pytest.raises(SettingsError, match=f"free on 127.0.0.1 .* not {port}"):
        serve_metrics(settings, CollectorRegistry(), lambda: FINE)


def test_a_broker_must_have_answered_lately() -> None:
    now = time.monotonic()
    assert broker_seen(None) == Condition(is_ok=False, says="no broker has answered yet")
    assert broker_seen(now - 3) == Condition(is_ok=True, says="seen 3.0 s ago")
    assert not broker_seen(now - 21).is_ok
    assert not broker_seen(now - 3, seconds_max=2).is_ok
