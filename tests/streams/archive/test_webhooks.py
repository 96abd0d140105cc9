"""Webhooks against a real server: signed, again after failures, and only where they may go."""

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select

from monitor.core.business_day import event_time_text
from monitor.store.intake import Intake
from monitor.store.programs.webhooks import (
    TRIED_FOR,
    WAIT_MAX,
    Deliveries,
    Webhook,
    WebhookError,
    add_webhook,
    all_webhooks,
    delivery_counts,
    problems_of_url,
    remove_webhook,
    wait_after,
)
from monitor.store.schema import deliveries
from monitor.store.store import Store
from streams.archive.webhooks import SIGNATURE, DeliveryError, WebhookSender, address_of
from tests.support.stored import NOW, made_record, read_alert, sqlite_store

SECRET = b"a secret of the two of us"


class Receiver:
    """A server on loopback that answers with `statuses`, one after another, then with 204."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Endpoint(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, dict(self.headers), body))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                self.send_response(status)
                if status in {301, 307}:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Rig:
    """A store with one webhook, and what delivers to it at a time of the test's own."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.now = NOW
        self.store = sqlite_store(folder)
        self.secret = folder / "secret"
        self.secret.write_bytes(SECRET + b"\n")
        self.receiver = receiver
        self.outcomes: list[str] = []
        self.counts: list[Deliveries] = []
        add_webhook(self.store, f"{receiver.url}/weir?a=b", [], self.secret, NOW)
        self.sender = WebhookSender(
            self.store, lambda: self.now, self.outcomes.append, self.counts.append
        )

    def take(self, *ids: str, revision: int = 1, offset: int = 1) -> None:
        reads = [
            read_alert(offset + place, made_record(name, revision))
            for place, name in enumerate(ids)
        ]
        Intake(self.store).take(reads)

    def rows(self) -> list[Any]:
        with self.store.reading() as connection:
            return list(connection.execute(select(deliveries).order_by(deliveries.c.number)))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def rig(tmp_path: Path, receiver: Receiver) -> Iterator[Rig]:
    made = Rig(tmp_path, receiver)
    yield made
    made.store.close()


ALERT = "daily-amount/A1/20460"


def test_a_report_arrives_as_a_signed_cloud_event(rig: Rig) -> None:
    rig.take(ALERT)
    rig.now += 60_000_000
    assert rig.sender.turn() == 1
    path, headers, body = rig.receiver.got[0]
    assert path == "/weir?a=b"
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    event = json.loads(body)
    assert event.pop("data") == made_record(ALERT, 1)
    assert event == {
        "specversion": "1.0",
        "id": f"{ALERT}:1",
        "source": "/weir/alerts",
        "type": "weir.alert.raised",
        "subject": ALERT,
        "time": event_time_text(NOW + 1_000_000),
        "datacontenttype": "application/json",
    }
    stated = dict(part.split("=") for part in headers[SIGNATURE].split(","))
    assert int(stated["t"]) == rig.now // 1_000_000
    signed = hmac.new(SECRET, f"{stated['t']}.".encode() + body, hashlib.sha256)
    assert stated["v1"] == signed.hexdigest()
    assert (rig.outcomes, rig.counts[-1]) == (["delivered"], Deliveries(0, 1, 0, 0))
    assert rig.sender.turn() == 0


def test_a_server_that_fails_at_first_gets_each_event_again(rig: Rig) -> None:
    rig.receiver.statuses = [500, 301, 404]
    rig.take(ALERT)
    for number in range(4):
        assert rig.sender.turn() == 1
        assert rig.sender.turn() == 0  # it waits
        rig.now += wait_after(number + 1)
    assert rig.outcomes == ["failed", "failed", "failed", "delivered"]
    assert {json.loads(body)["id"] for _, _, body in rig.receiver.got} == {f"{ALERT}:1"}
    assert {path for path, _, _ in rig.receiver.got} == {"/weir?a=b"}  # no redirect is followed
    assert rig.rows()[0].attempts == 4


def test_a_server_that_never_answers_is_given_up_after_days_and_counted(rig: Rig) -> None:
    rig.receiver.close()
    rig.receiver = Receiver()  # so that the fixture has something to close
    rig.take(ALERT)
    rig.sender.turn()
    assert rig.counts[-1] == Deliveries(1, 0, 0, 1)
    tries = 1
    while rig.outcomes[-1] == "failed":
        rig.now += WAIT_MAX
        tries += rig.sender.turn()
    assert rig.outcomes[-1] == "given-up"
    assert tries == TRIED_FOR // WAIT_MAX + 1
    assert rig.counts[-1] == Deliveries(0, 0, 1, 0)
    assert "ConnectionRefused" in rig.rows()[0].error
    rig.receiver.close()


def test_each_revision_is_one_event_and_a_rebuild_sends_nothing_again(rig: Rig) -> None:
    rig.take(ALERT)
    rig.take(ALERT, revision=2, offset=2)
    rig.sender.turn()
    Intake(rig.store).forget()
    rig.take(ALERT)
    rig.take(ALERT, revision=2, offset=2)
    assert rig.sender.turn() == 0
    assert [json.loads(body)["id"] for _, _, body in rig.receiver.got] == [
        f"{ALERT}:1",
        f"{ALERT}:2",
    ]


def test_only_kinds_that_are_asked_for_and_nothing_from_before(rig: Rig) -> None:
    remove_webhook(rig.store, 1, NOW)
    add_webhook(rig.store, rig.receiver.url, ["systemic"], rig.secret, NOW + 2_000_000)
    rig.take("incident-1", ALERT, "incident-3", offset=1)  # told 1 s, 2 s and 3 s after NOW
    rig.sender.turn()
    assert [json.loads(body)["subject"] for _, _, body in rig.receiver.got] == ["incident-3"]


def test_what_a_process_took_and_did_not_end_is_delivered_by_another(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.take(ALERT)

    def die(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("streams.archive.webhooks.send", die)
        with pytest.raises(ZeroDivisionError):
            rig.sender.turn()
    assert rig.sender.turn() == 0
    rig.now += 3600 * 1_000_000
    assert rig.sender.turn() == 1
    assert rig.outcomes == ["delivered"]


def test_without_its_secret_nothing_is_sent(rig: Rig) -> None:
    rig.take(ALERT)
    rig.secret.unlink()
    rig.sender.turn()
    assert (rig.receiver.got, rig.outcomes) == ([], ["failed"])
    assert "secret" in rig.rows()[0].error


def resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def found(*_: object, **__: object) -> list[Any]:
        return [(0, 0, 0, "", (address, 443)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    ("addresses", "is_public", "is_private"),
    [
        (["93.184.216.34"], True, True),
        (["2606:2800:220:1::1"], True, True),
        (["10.0.0.1"], False, True),
        (["192.168.1.1"], False, True),
        (["fd00::1"], False, True),
        (["100.64.0.1"], False, True),
        (["::ffff:10.0.0.1"], False, True),
        (["93.184.216.34", "10.0.0.1"], False, True),
        (["127.0.0.1"], False, False),
        (["::1"], False, False),
        (["::ffff:127.0.0.1"], False, False),
        (["169.254.169.254"], False, False),
        (["fe80::1%eth0"], False, False),
        (["0.0.0.0"], False, False),  # noqa: S104 - must be refused
        (["224.0.0.1"], False, False),
    ],
)
def test_a_name_must_lead_to_public_addresses_unless_private_ones_are_allowed(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], *, is_public: bool, is_private: bool
) -> None:
    resolving_to(monkeypatch, *addresses)
    for allows, may in ((False, is_public), (True, is_private)):
        webhook = Webhook(1, "https://hooks.bank.example/x", (), "", allows, 0)
        if may:
            assert address_of(webhook) == addresses[0]
        else:
            with pytest.raises(DeliveryError, match="no public address"):
                address_of(webhook)


def test_loopback_by_name_is_loopback_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    webhook = Webhook(1, "http://localhost:9/x", (), "", False, 0)  # noqa: FBT003 - a tuple
    resolving_to(monkeypatch, "127.0.0.1")
    assert address_of(webhook) == "127.0.0.1"
    resolving_to(monkeypatch, "10.0.0.1")
    with pytest.raises(DeliveryError):
        address_of(webhook)


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://hooks.bank.example/x?y=1", True),
        ("https://10.0.0.1/", True),  # refused at the delivery, unless it is allowed
        ("http://127.0.0.1:8000/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:80/", True),
        ("http://hooks.bank.example/", False),
        ("http://localhost.evil.example/", False),
        ("http://127.0.0.1@evil.example/", False),
        ("ftp://127.0.0.1/", False),
        ("file:///etc/passwd", False),
        ("https:///x", False),
        ("https://a b/", False),
        ("https://x/\r\nHost: y", False),
        ("https://x/#y", False),
        ("https://x:99999/", False),
        ("", False),
        ("https://" + "x" * 2000, False),
    ],
)
def test_a_url_is_https_or_on_this_machine(url: str, *, is_good: bool) -> None:
    assert (problems_of_url(url) == []) is is_good


def test_what_cannot_be_a_webhook_is_refused(tmp_path: Path) -> None:
    store: Store = sqlite_store(tmp_path)
    short = tmp_path / "short"
    short.write_text("abc")
    with pytest.raises(WebhookError) as refused:
        add_webhook(store, "http://a.example", ["odd"], short, NOW)
    assert len(refused.value.problems) == 3
    with pytest.raises(WebhookError, match="must be readable"):
        add_webhook(store, "https://a.example", [], tmp_path / "none", NOW)
    with pytest.raises(WebhookError, match="no webhook 7"):
        remove_webhook(store, 7, NOW)
    assert all_webhooks(store) == []
    with store.reading() as connection:
        assert delivery_counts(connection) == Deliveries(0, 0, 0, 0)
    store.close()
