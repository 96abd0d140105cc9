"""Parts of the API's operations: their answers and refusals, what they take, their parameters."""

from collections.abc import Sequence
from typing import Any, Final

from monitor.console.filters import CHOICES, OF_API
from monitor.console.openapi.schemas import (
    NUMBER,
    TEXT,
    Schema,
    list_of,
    object_of,
    or_null,
    ref,
)
from monitor.store.queries import LIMIT_DEFAULT, LIMIT_MAX

_ABOUT: Final = {
    "status": "How the alert stands with people.",
    "kind": "The kind of alert.",
    "account_id": "The account, whole.",
    "severity": "The severity, as the policy has it.",
    "incident_id": "The systemic alert that explains it.",
    "assignee": "The person who works it.",
    "business_day": "The business day that it is filed under.",
    "q": "The beginning of an account's id, or an alert_id: as given, in upper or in lower case.",
    "limit": "Items of a page.",
    "cursor": "`next` of the page before.",
    "format": "How the file is written; csv if it is not given.",
    "is_back": "true: those alone that were closed and came back.",
}
_ERRORS: Final = {
    "400": "The request cannot be read: the detail says why.",
    "401": "Nobody is logged in, or the token cannot be used.",
    "403": "The role is not enough, or a second person must decide.",
    "404": "It is not there.",
    "409": "Its state does not allow this, or somebody else acted first.",
    "412": "If-Match names another version.",
    "422": "The Idempotency-Key was sent before with another request.",
    "429": "Too many tokens from this address were refused: wait as Retry-After says.",
    "503": "The broker does not answer, or account-days that it needs cannot be read.",
    "415": "The body must be application/json.",
}

WRITE: Final = ("404", "415")
"""Refusals of what writes, besides those of every answer."""


def page_of(name: str) -> dict[str, Any]:
    """Return the schema of a page of what a schema of the document describes, with `next`."""
    return object_of({"items": list_of(ref(name)), "next": or_null(TEXT)}, ["items", "next"])


def answers(
    schema: Schema, status: str = "200", *errors: str, preview: Schema | None = None
) -> dict[str, Any]:
    """Return an operation's answers: one of a status, and refusals; `preview` has status 200."""
    found: dict[str, Any] = {
        status: {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    }
    if preview is not None:
        shown = {"application/json": {"schema": preview}}
        found["200"] = {"description": "What would be done.", "content": shown}
    return {"responses": found | problems(("400", "401", "403", "429", *errors))}


def problems(errors: Sequence[str]) -> dict[str, Any]:
    """Return refusals by their statuses."""
    problem = {"application/problem+json": {"schema": ref("Problem")}}
    return {error: {"description": _ERRORS[error], "content": problem} for error in errors}


def takes(schema: Schema) -> dict[str, Any]:
    """Return the body that an operation must be sent."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def query_of(names: Sequence[str] = OF_API) -> list[dict[str, Any]]:
    """Return the parameters of a query, each with what it chooses."""
    found = []
    for name in names:
        schema: dict[str, Any] = {**TEXT}
        if name in CHOICES:
            schema["enum"] = list(CHOICES[name])
        if name == "limit":
            schema = {**NUMBER, "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}
        about = _ABOUT[name]
        found.append({"name": name, "in": "query", "description": about, "schema": schema})
    return found


def in_path(name: str) -> list[dict[str, Any]]:
    """Return the parameter that stands in a path."""
    return [{"name": name, "in": "path", "required": True, "schema": TEXT}]


IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "schema": TEXT,
    "description": "The ETag of the alert as it was seen; another one is refused with 412.",
}
CSRF: Final = {
    "name": "X-CSRF-Token",
    "in": "header",
    "schema": TEXT,
    "description": "The token of the session, as every page has it; not needed with a bearer.",
}
