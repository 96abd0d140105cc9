"""Delivers events to webhooks: signed, again after a failure, and nowhere but where they may go."""

import asyncio
import hashlib
import hmac
import http.client
import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from monitor.store.programs.webhooks import (
    DELIVERED,
    Deliveries,
    Delivery,
    Webhook,
    delivery_counts,
    due,
    is_loopback,
    note_delivered,
    note_failed,
    secret_of,
)
from monitor.store.store import Store, StoreAwayError

_log = logging.getLogger(__name__)

SIGNATURE: Final = "Weir-Signature"
"""`t=SECONDS,v1=HEX`: HMAC-SHA-256 by the secret over SECONDS, a point and the body."""

TIMEOUT_SECONDS: Final = 10.0
POLL_SECONDS: Final = 1.0
_OK: Final = range(200, 300)


class DeliveryError(Exception):
    """A delivery that has failed: the message says why."""


def signature(secret: bytes, seconds: int, body: bytes) -> str:
    """Return the value of the header `Weir-Signature`."""
    digest = hmac.new(secret, f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def address_of(webhook: Webhook) -> str:
    """Return the IP address that an event may go to: it is connected to, so no name can change.

    Raises DeliveryError if the name is unknown, or any of its addresses is not allowed.
    """
    parts = urlsplit(webhook.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # a name may be none that can be asked for
        raise DeliveryError(f"{host} cannot be looked up: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not _may_go(address, host, webhook):
            raise DeliveryError(f"{host} leads to {address}, which is no public address")
    return addresses[0]


def _may_go(address: str, host: str, webhook: Webhook) -> bool:
    known = ipaddress.ip_address(address.partition("%")[0])
    mapped = known.ipv4_mapped if isinstance(known, ipaddress.IPv6Address) else None
    place = known if mapped is None else mapped
    if is_loopback(host):
        return place.is_loopback
    if place.is_multicast or place.is_unspecified or place.is_loopback or place.is_link_local:
        return False
    return webhook.allows_private or place.is_global


class _PinnedConnection(http.client.HTTPConnection):
    """A connection to an address that was checked; TLS is for the name of the URL."""

    def __init__(self, host: str, port: int, address: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._address = address
        self._tls = tls

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def send(delivery: Delivery, seconds: int) -> None:
    """Send an event once. Raises DeliveryError unless the answer is a 2xx; no redirect counts."""
    webhook, body = delivery.webhook, delivery.body.encode()
    parts = urlsplit(webhook.url)
    try:
        secret = secret_of(webhook.secret_file)
    except (OSError, ValueError) as error:
        raise DeliveryError(f"the secret cannot be used: {error}") from error
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    connection = _PinnedConnection(parts.hostname or "", port, address_of(webhook), tls)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "User-Agent": "weir",
        SIGNATURE: signature(secret, seconds, body),
    }
    try:
        connection.request("POST", path, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryError(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if status not in _OK:
        raise DeliveryError(f"the answer must be 2xx, not {status}")


class WebhookSender:
    """Delivers what waits in a store, at least once each, until cancelled.

    After each delivery `on_outcome` is given its outcome; after each turn `on_turn` the counts.
    `clock` gives microseconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
        on_outcome: Callable[[str], None] = lambda _: None,
        on_turn: Callable[[Deliveries], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_outcome = on_outcome
        self._on_turn = on_turn

    async def run(self) -> None:
        """Deliver until cancelled. A store that does not answer is asked again."""
        while True:
            try:
                tried = await asyncio.to_thread(self.turn)
            except StoreAwayError as error:
                _log.warning("webhooks wait: %s", error)
                tried = 0
            if not tried:
                await asyncio.sleep(POLL_SECONDS)

    def turn(self) -> int:
        """Try what is due, and return how many deliveries that were."""
        taken = due(self._store, self._clock())
        for delivery in taken:
            self._on_outcome(self._deliver(delivery))
        with self._store.reading() as connection:
            self._on_turn(delivery_counts(connection))
        return len(taken)

    def _deliver(self, delivery: Delivery) -> str:
        try:
            send(delivery, self._clock() // 1_000_000)
        except DeliveryError as error:
            _log.warning("webhook %d: %s", delivery.webhook.number, error)
            return note_failed(self._store, delivery, str(error), self._clock())
        note_delivered(self._store, delivery, self._clock())
        return DELIVERED
