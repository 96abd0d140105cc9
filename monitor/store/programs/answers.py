"""Answers that are kept for a day, so that a request which is sent again is not done again."""

import hashlib
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from monitor.store.people import HOUR
from monitor.store.schema import answers
from monitor.store.store import insert_into

KEPT: Final = 24 * HOUR
"""How long an answer is kept, in microseconds."""

KEY_LENGTH_MAX: Final = 255


class KeptAnswer(NamedTuple):
    """What a request was answered: the status, the ETag if there was one, the body."""

    status: int
    media_type: str
    etag: str | None
    body: str


class KeyUsedError(Exception):
    """A key that was sent before with another request."""

    def __init__(self) -> None:
        super().__init__("the key was sent before with another request: take a new one")


def fingerprint_of(method: str, path: str, body: bytes) -> str:
    """Return what tells a request from others: a hash of its method, its path and its body."""
    head = f"{method} {path}\n".encode("utf-8", "surrogatepass")
    return hashlib.sha256(head + body).hexdigest()


def begin_answer(
    connection: Connection, actor: str, key: str, fingerprint: str, now: int
) -> KeptAnswer | None:
    """Return what a request with this key was answered; None if it is new: then it is noted.

    `end_answer` must follow in the same transaction, with all that the request does: so it is done
    and answered, or neither. Another transaction with the same key waits here for the end of it.
    Raises KeyUsedError if the key was sent with another request within `KEPT`.
    """
    connection.execute(delete(answers).where(answers.c.at <= now - KEPT))
    row = {"actor": actor, "key": key, "fingerprint": fingerprint, "at": now}
    empty = {"status": 0, "media_type": "", "body": ""}
    noting = insert_into(connection, answers).values(**row, **empty).on_conflict_do_nothing()
    if connection.execute(noting.returning(answers.c.key)).scalar() is not None:
        return None  # PostgreSQL's driver does not count the rows of such a statement
    held = connection.execute(select(answers).where(_its(actor, key))).one()
    if held.fingerprint != fingerprint:
        raise KeyUsedError
    return KeptAnswer(held.status, held.media_type, held.etag, held.body)


def end_answer(connection: Connection, actor: str, key: str, answer: KeptAnswer) -> None:
    """Keep what a request was answered."""
    connection.execute(update(answers).where(_its(actor, key)).values(**answer._asdict()))


def _its(actor: str, key: str) -> ColumnElement[bool]:
    return and_(answers.c.actor == actor, answers.c.key == key)
