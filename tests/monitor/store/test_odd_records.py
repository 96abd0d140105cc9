"""Records of topics as anybody may write them: each can be stored, or is passed over.

One that could not be stored would end the archive, and end it again at each start.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from monitor.store.intake import Intake, Read, RecordSort
from monitor.store.store import Store
from streams.archive.archive import decoded_alert, decoded_case, decoded_disposition
from tests.monitor.console.made_console import limit_alert

AT: Final = "2026-01-05T09:00:00Z"
DONE: Final = {"alert_id": "x", "by": "ann", "at": AT, "revision": 1, "note": "n"}
Decode = Callable[[bytes], tuple[RecordSort, Any]]
RECORDS: Final[Mapping[str, tuple[Decode, Mapping[str, Any]]]] = {
    "disposition": (decoded_disposition, {**DONE, "disposition": "false-alarm"}),
    "comment": (decoded_case, {**DONE, "action": "comment"}),
    "assign": (decoded_case, {**DONE, "action": "assign", "assignee": "ann"}),
    "alert": (decoded_alert, limit_alert("A1")),
}
ODD: Final[tuple[Mapping[str, Any], ...]] = (
    *({"revision": revision} for revision in (10**30, 2**63, 2**31, 2**31 - 1, 0, -1, True)),
    *({name: "a\0b"} for name in ("by", "alert_id", "note", "assignee", "account_id")),
    *({"severity": severity} for severity in ("urgent", "")),
    *({"evidence": {"times_limit": times}} for times in ("many", [1], "nan", "1e999", "-1", 0)),
    {"status": "told"},
)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_can_be_stored_or_is_passed_over(either_store: Store, name: str) -> None:
    decode, good = RECORDS[name]
    intake = Intake(either_store)
    taken = []
    for offset, changed in enumerate(({}, *ODD)):
        try:
            sort, value = decode(json.dumps({**good, **changed}).encode())
        except (ValueError, KeyError, TypeError):
            continue  # as the archive does
        intake.take([Read(sort, "t", 0, offset, offset, value)])
        taken.append(changed)
    assert {} in taken
    assert {"revision": 2**31 - 1} in taken
    for revision in (10**30, 2**31, 0, -1):
        assert {"revision": revision} not in taken
