"""The API answers as its document says, whatever it is asked: by generated requests."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from monitor.console.app import OF_API
from monitor.console.openapi.document import document
from tests.monitor.console.made_console import LIMIT, MadeConsole, identity
from tests.support.laws import examples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    (path, method)
    for path, item in document()["paths"].items()
    for method in ("get", "post")
    if method in item
]
NAMES = {
    "account_id": "A1",
    "alert_id": identity("A1 2026-02-14"),
    "incident_id": identity("systemic 2026-02-14"),
    "threshold_id": LIMIT,
    "segment": "current",
    "theme": "breaches",
    "name": "mine",
}


def test_every_route_is_asked() -> None:
    assert len(OPERATIONS) == len(OF_API)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_one_that_the_document_has(
    console: MadeConsole, path: str, method: str
) -> None:
    names = NAMES | {
        "proposal_id": console.propose(),
        "task_id": console.open_task(),
        "account_id": "A1",
    }
    console.transactions.held = []
    api = schemathesis.openapi.from_asgi("/api/v1/openapi.json", console.app)
    operation = api[path][method.upper()]
    statuses = set()
    with console.client("paul") as client:
        headers = {
            "X-CSRF-Token": client.headers["X-CSRF-Token"],
            "Cookie": f"weir={client.cookies['weir']}",
            "Host": "testserver",
        }

        @settings(
            max_examples=examples(100),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), is_there=st.booleans())
        def ask(case: schemathesis.Case[Any], is_there: bool) -> None:  # noqa: FBT001 - drawn
            if is_there:
                case.path_parameters = {name: names[name] for name in case.path_parameters or {}}
                if path.endswith("/paper"):
                    case.query = {"alert": [NAMES["alert_id"]]}
            statuses.add(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

        ask()
    assert method == "post" or 200 in statuses, statuses  # a post may need what nobody draws
