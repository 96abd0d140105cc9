"""Requests that are sent again: keys by which they are done once, and tags of what is known."""

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.replies import (
    AnswerError,
    Body,
    now_of,
    person_of,
    posted,
    refused,
    store_of,
)
from monitor.store.programs.answers import (
    KEY_LENGTH_MAX,
    KeptAnswer,
    KeyUsedError,
    begin_answer,
    end_answer,
    fingerprint_of,
)

KEY: Final = "idempotency-key"
REPLAYED: Final = "Idempotency-Replayed"
"""The header of an answer that was given before."""

View = Callable[[Request], Any]


def posted_once(
    view: Callable[[Request, Body], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Let a view of the API do a request once, if it has a key: then its answer is given again.

    The view must write by `writing`, so that its work and its answer are one transaction. If it
    refuses, its work is undone and the refusal is the answer.
    """

    def once(request: Request, body: Body) -> Response:
        keys = request.headers.getlist(KEY)
        if not keys:
            return view(request, body)
        key = _checked(keys)
        sent: bytes = request._body  # noqa: SLF001 - read by `posted`
        fingerprint = fingerprint_of(request.method, request.url.path, sent)
        actor = person_of(request).name
        try:
            with store_of(request).begin() as connection:
                known = begin_answer(connection, actor, key, fingerprint, now_of(request))
                if known is not None:
                    return _response(known, is_replayed=True)
                request.state.transaction = connection
                try:
                    with connection.begin_nested():
                        response = view(request, body)
                except AnswerError as error:
                    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                        raise
                    response = refused(request, error)
                answer = _answer(response)
                end_answer(connection, actor, key, answer)
        except KeyUsedError as error:
            raise AnswerError(422, str(error)) from error
        return _response(answer, is_replayed=False)

    once.__name__ = view.__name__
    return posted(once)


def _checked(keys: list[str]) -> str:
    key = keys[0]
    is_good = 1 <= len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable()
    if len(keys) != 1 or not is_good:
        raise AnswerError(
            400,
            f"Idempotency-Key must be there once, with 1 to {KEY_LENGTH_MAX} printable ASCII"
            " characters",
        )
    return key


def _answer(response: Response) -> KeptAnswer:
    kind = response.headers["content-type"]
    return KeptAnswer(
        response.status_code, kind, response.headers.get("etag"), bytes(response.body).decode()
    )


def _response(answer: KeptAnswer, *, is_replayed: bool) -> Response:
    headers = {"Cache-Control": "no-store", "Content-Type": answer.media_type}
    if answer.etag is not None:
        headers["ETag"] = answer.etag
    if is_replayed:
        headers[REPLAYED] = "true"
    return Response(answer.body.encode(), answer.status, headers)


def tagged(view: View) -> Callable[[Request], Awaitable[Response]]:
    """Give what a view answers an ETag, and 304 without a body if the caller has just that.

    A view may set an ETag of its own; else it is a hash of the body.
    """

    async def endpoint(request: Request) -> Response:
        if inspect.iscoroutinefunction(view):
            response: Response = await view(request)
        else:
            response = await run_in_threadpool(view, request)
        if response.status_code != HTTPStatus.OK:
            return response
        tag = response.headers.setdefault("ETag", hash_tag(bytes(response.body)))
        known = tags_of(request.headers, "if-none-match")
        if "*" in known or tag in {name.removeprefix("W/") for name in known}:
            headers = {"ETag": tag, "Cache-Control": response.headers["Cache-Control"]}
            return Response(status_code=304, headers=headers)
        return response

    endpoint.__name__ = view.__name__
    return endpoint


def hash_tag(body: bytes) -> str:
    """Return the entity tag of a body."""
    return f'"{hashlib.sha256(body).hexdigest()[:24]}"'


def tags_of(headers: Mapping[str, str], name: str) -> list[str]:
    """Return the entity tags that a header names, `*` among them; none without the header.

    >>> tags_of({"if-match": '"a", W/"b"'}, "if-match")
    ['"a"', 'W/"b"']
    """
    return [tag.strip() for tag in headers.get(name, "").split(",") if tag.strip()]
