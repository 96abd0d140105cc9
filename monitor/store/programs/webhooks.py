"""Webhooks: addresses that are told of alerts, and what is still to be delivered to them.

A report of an alert and its deliveries are one transaction. A delivery stays in the table after its
end, so that a store which is made again from the topics delivers nothing again.
"""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from monitor.core.alert import Kind
from monitor.core.business_day import event_time_text
from monitor.core.table_reader import ProblemsError
from monitor.store.audit import append
from monitor.store.people import COMMAND_LINE, HOUR, MINUTE, SECOND
from monitor.store.schema import deliveries, webhooks
from monitor.store.store import Store, insert_new, take_turns

DELIVERED: Final = "delivered"
GIVEN_UP: Final = "given-up"
FAILED: Final = "failed"

TRIED_FOR: Final = 3 * 24 * HOUR
"""How long a delivery is tried, in microseconds; then it is given up."""

WAIT_MIN: Final = 10 * SECOND
WAIT_MAX: Final = 6 * HOUR
"""Between tries: twice as long each time."""

LEASE: Final = 10 * MINUTE
"""A delivery that a process has taken, and not ended, is tried again after this."""

BATCH: Final = 20
SECRET_BYTES_MIN: Final = 16
URL_LENGTH_MAX: Final = 2000
ERROR_LENGTH_MAX: Final = 200
_LOCK: Final = 7353718


class WebhookError(ProblemsError):
    """A webhook that cannot be made or removed so."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("webhooks cannot be changed so", problems)


class Webhook(NamedTuple):
    """An address that is told of alerts; without `kinds`, of those of every kind.

    `secret_file` is read at each delivery. `allows_private`: it may be in a private network.
    """

    number: int
    url: str
    kinds: tuple[str, ...]
    secret_file: str
    allows_private: bool
    created_at: int


class Delivery(NamedTuple):
    """An event that is to be delivered: `body` is a CloudEvent as JSON."""

    number: int
    webhook: Webhook
    event_id: str
    body: str
    first_try_at: int | None  # of its first try
    attempts: int


class ToldAlert(NamedTuple):
    """A report of an alert: when it was told, and the record of the topic."""

    told_at: int
    record: Mapping[str, Any]


def is_loopback(host: str) -> bool:
    """Return whether a host of a URL is this machine by its name or its address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def problems_of_url(url: str) -> list[str]:
    """Return what is wrong with the address of a webhook."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return [f"the URL must be one of a server, not {url[:80]!r}"]
    problems = []
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= URL_LENGTH_MAX
    if not is_plain or not host or "@" in parts.netloc or parts.fragment:
        problems.append(
            f"the URL must have a host, and no user, no fragment and no blanks: not {url[:80]!r}"
        )
    elif parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        problems.append(f"the URL must be https, or http on this machine, not {url[:80]!r}")
    return problems


def add_webhook(  # noqa: PLR0913 - a webhook has these
    store: Store,
    url: str,
    kinds: Sequence[str],
    secret_file: Path,
    at: int,
    *,
    allows_private: bool = False,
    by: str = COMMAND_LINE,
) -> Webhook:
    """Let an address be told of alerts that are reported from now on.

    Raises WebhookError with all that is wrong: the URL, a kind, or the file of the secret.
    """
    problems = problems_of_url(url)
    unknown = sorted(set(kinds) - set(Kind))
    if unknown:
        problems.append(f"a kind must be one of {', '.join(Kind)}, not {unknown[0]!r}")
    try:
        secret_of(str(secret_file))
    except OSError as error:
        problems.append(f"the secret's file {secret_file} must be readable: {error.strerror}")
    except ValueError as error:
        problems.append(str(error))
    if problems:
        raise WebhookError(problems)
    row = {
        "url": url,
        "kinds": " ".join(sorted(set(kinds))),
        "secret_file": str(secret_file.resolve()),
        "allows_private": allows_private,
    }
    with store.begin() as connection:
        making = insert(webhooks).values(**row, created_at=at).returning(webhooks.c.number)
        number = connection.execute(making).scalar_one()
        subject = f"webhook {number}"
        append(connection, at=at, actor=by, action="webhook-added", subject=subject, after=row)
        return _webhooks(connection)[number]


def remove_webhook(store: Store, number: int, at: int, *, by: str = COMMAND_LINE) -> int:
    """Remove a webhook, and return how many events were not delivered to it.

    Raises WebhookError if no webhook has this number.
    """
    with store.begin() as connection:
        found = _webhooks(connection).get(number)
        if found is None:
            raise WebhookError([f"there is no webhook {number}"])
        its = deliveries.c.webhook == number
        left = and_(its, deliveries.c.outcome.is_(None))
        waiting = connection.execute(select(func.count()).where(left)).scalar_one()
        connection.execute(delete(deliveries).where(its))
        connection.execute(delete(webhooks).where(webhooks.c.number == number))
        append(
            connection,
            at=at,
            actor=by,
            action="webhook-removed",
            subject=f"webhook {number}",
            before={"url": found.url},
            after={"not_delivered": waiting},
        )
        return int(waiting)


def all_webhooks(store: Store) -> list[Webhook]:
    """Return the webhooks, by number."""
    with store.reading() as connection:
        return [found for _, found in sorted(_webhooks(connection).items())]


def _webhooks(connection: Connection) -> dict[int, Webhook]:
    return {
        row.number: Webhook(
            row.number,
            row.url,
            tuple(row.kinds.split()),
            row.secret_file,
            row.allows_private,
            row.created_at,
        )
        for row in connection.execute(select(webhooks))
    }


def secret_of(secret_file: str) -> bytes:
    """Return the secret of a file, without the blanks around it.

    Raises OSError if it cannot be read, ValueError if it is too short.
    """
    secret = Path(secret_file).read_bytes().strip()
    if len(secret) < SECRET_BYTES_MIN:
        raise ValueError(f"a secret must have at least {SECRET_BYTES_MIN} bytes, not {len(secret)}")
    return secret


def enqueue(connection: Connection, told: Sequence[ToldAlert]) -> None:
    """Note reports of alerts for the webhooks that were there when they were told, once each."""
    for webhook in _webhooks(connection).values():
        rows = [
            {
                "webhook": webhook.number,
                "event_id": f"{report.record['alert_id']}:{report.record['revision']}",
                "body": event_of(report),
                "attempts": 0,
                "next_at": 0,
            }
            for report in told
            if report.told_at >= webhook.created_at
            and (not webhook.kinds or report.record["kind"] in webhook.kinds)
        ]
        insert_new(connection, deliveries, rows)


def event_of(report: ToldAlert) -> str:
    """Return a report of an alert as a CloudEvent 1.0 in structured JSON."""
    record = report.record
    event = {
        "specversion": "1.0",
        "id": f"{record['alert_id']}:{record['revision']}",
        "source": "/weir/alerts",
        "type": f"weir.alert.{record['status']}",
        "subject": record["alert_id"],
        "time": event_time_text(report.told_at),
        "datacontenttype": "application/json",
        "data": record,
    }
    return json.dumps(event, separators=(",", ":"))


def due(store: Store, now: int) -> list[Delivery]:
    """Take deliveries that are due: no other process gets them within `LEASE`."""
    waiting = and_(deliveries.c.outcome.is_(None), deliveries.c.next_at <= now)
    with store.reading() as connection:  # most often nothing is due: then nothing is locked
        if connection.execute(select(deliveries.c.number).where(waiting).limit(1)).scalar() is None:
            return []
    with store.begin() as connection:
        take_turns(connection, _LOCK)
        known = _webhooks(connection)
        chosen = (
            select(deliveries).where(waiting).order_by(deliveries.c.next_at, deliveries.c.number)
        )
        rows = connection.execute(chosen.limit(BATCH)).all()
        taken = deliveries.c.number.in_([row.number for row in rows])
        connection.execute(update(deliveries).where(taken).values(next_at=now + LEASE))
    return [
        Delivery(
            row.number, known[row.webhook], row.event_id, row.body, row.first_try_at, row.attempts
        )
        for row in rows
    ]


def note_delivered(store: Store, delivery: Delivery, now: int) -> None:
    """Note that an address has taken an event; its body is kept no longer."""
    values = {"outcome": DELIVERED, "body": "", "ended_at": now, "error": None}
    _note(store, delivery, values | {"attempts": delivery.attempts + 1})


def note_failed(store: Store, delivery: Delivery, error: str, now: int) -> str:
    """Note that a try has failed; return FAILED, or GIVEN_UP if it is not tried any more."""
    first = now if delivery.first_try_at is None else delivery.first_try_at
    attempts = delivery.attempts + 1
    values = {"attempts": attempts, "first_try_at": first, "error": error[:ERROR_LENGTH_MAX]}
    if now - first >= TRIED_FOR:
        _note(store, delivery, {**values, "outcome": GIVEN_UP, "body": "", "ended_at": now})
        return GIVEN_UP
    _note(store, delivery, {**values, "next_at": now + wait_after(attempts)})
    return FAILED


def wait_after(attempts: int) -> int:
    """Return how long to wait after so many tries, in microseconds.

    >>> [wait_after(attempts) // SECOND for attempts in (1, 2, 3, 30)]
    [10, 20, 40, 21600]
    """
    return int(min(WAIT_MAX, WAIT_MIN * 2 ** min(attempts - 1, 30)))


def _note(store: Store, delivery: Delivery, values: Mapping[str, Any]) -> None:
    with store.begin() as connection:
        its = deliveries.c.number == delivery.number
        connection.execute(update(deliveries).where(its).values(**values))


class Deliveries(NamedTuple):
    """How many events wait for an address, and how many were delivered and given up."""

    waiting: int
    delivered: int
    given_up: int
    failing: int  # of those that wait: tried in vain before


def delivery_counts(connection: Connection) -> Deliveries:
    """Return how the deliveries of all webhooks stand."""
    by_outcome = select(deliveries.c.outcome, func.count()).group_by(deliveries.c.outcome)
    found = {row[0]: row[1] for row in connection.execute(by_outcome)}
    tried = and_(deliveries.c.outcome.is_(None), deliveries.c.attempts > 0)
    failing = connection.execute(select(func.count()).where(tried)).scalar_one()
    return Deliveries(found.get(None, 0), found.get(DELIVERED, 0), found.get(GIVEN_UP, 0), failing)
