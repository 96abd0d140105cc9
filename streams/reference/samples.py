"""Records as the engine and the codec really make them: the schemas' fields are read off these."""

import json
from typing import Any, Final, NamedTuple

from monitor.core.account import ClosedDay
from monitor.core.alert import Alert
from monitor.core.transaction import DEBIT, Reason, Rejection, transaction_of
from monitor.engine.engine import Engine
from monitor.policy.document import DEFAULT_POLICY, policy_of
from monitor.policy.policy import PolicyBook
from streams.wire import codec

_SUPPRESSION: Final = """
[[suppression]]
account = "A1"
until = "2026-12-31"
reason = "a sample"
"""


class Samples(NamedTuple):
    """Records as they are really made, to read the fields off."""

    alert: Alert
    closed_day: ClosedDay
    rejections: list[dict[str, Any]]


def samples() -> Samples:
    """Return an alert and a closed account-day that an engine told, and rejections as written."""
    policy = policy_of(DEFAULT_POLICY + _SUPPRESSION)
    engine = Engine(0, PolicyBook([policy]))
    items = [
        transaction_of([day, "A1", f"{day}T12:00:00Z", "2000.01", "EUR", DEBIT, *[None] * 6])
        for day in ("2026-01-05", "2026-01-08")  # the second one closes the first
    ]
    engine.observe(range(len(items)), items)
    step = engine.take_step()
    rejection = Rejection(Reason.MALFORMED, "why")
    on_topic = {"topic": "weir.transactions.v1", "partition": 0, "offset": 0}
    in_file = {"file": "f.csv", "row": 1}
    written = [
        codec.rejection_bytes(rejection, where, original, original)
        for where in (on_topic, in_file)
        for original in (None, b"text", b"\xff")
    ]
    return Samples(step.alerts[0], step.account_days[0], [json.loads(record) for record in written])
