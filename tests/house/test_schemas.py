"""The JSON Schemas say of records what the code says: what fits is what the code makes or takes."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.core.account import ClosedDay
from monitor.core.alert import Alert, Kind, Status
from monitor.core.attributes import ACCOUNT_FIELDS, AccountRecord, Attributes
from monitor.core.money import EXPONENT, EXPONENT_MAX, minor_units
from monitor.core.transaction import FIELDS, Reason, Rejection, Transaction, transaction_of
from monitor.dispositions.disposition import Disposed, Disposition, DispositionError, disposed_of
from monitor.engine.engine import Engine, Step
from monitor.policy.document import policy_of
from monitor.population import Population, rows_of
from monitor.store.figures.completeness import completeness_of
from monitor.store.proposals import ProposalStep, StepKind, step_of
from monitor.store.standing import Action, ActionError, Does, action_of
from monitor.store.work.tasks import TaskDoes, TaskKind, TaskStep, task_step_of
from streams.reference.schemas import record_schemas
from streams.wire import codec
from streams.wire.accounts import account_record_bytes, decode_account
from streams.wire.columns import read_run
from streams.worker.completeness import Completeness
from tests.support.laws import law
from tests.support.records import record as sent
from tests.support.systemic_samples import a_segment_record, a_systemic_alert
from tests.support.transactions import book, observed, row, transaction

SCHEMAS = record_schemas()
EVERY_LIMIT = """
version = 1
[[limit]]
id = "eur"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "100.00"
[[limit]]
id = "yen"
measure = "amount"
direction = "both"
currency = "JPY"
above = 0
severity = "critical"
[[limit]]
id = "count"
measure = "count"
above = 0
[[limit]]
id = "credits"
measure = "count"
direction = "credit"
currency = "JPY"
above = 1
"""


def faults(sort: str, record: bytes) -> list[str]:
    """Return what a schema has against a record, with the formats looked at too."""
    validator = jsonschema.Draft202012Validator(
        SCHEMAS[sort], format_checker=jsonschema.FormatChecker()
    )
    return [error.message for error in validator.iter_errors(json.loads(record))]


def steps() -> Iterator[Step]:
    """Yield what an engine tells: raised, restated, withdrawn by a reversal and by a policy."""
    policies = book(EVERY_LIMIT)
    engine = Engine(3, policies)
    yield observed(
        engine,
        transaction("t1", amount="100.01", segment="retail"),
        transaction("t2", amount="7", currency="JPY", direction="credit"),
        transaction("t3", amount="1e1", currency="JPY", direction="credit", account_id="ä" * 256),
    )
    yield observed(engine, transaction("t4", hours=24))
    yield observed(engine, transaction("t5", amount="0.01"))  # late: the Monday is restated
    yield observed(engine, transaction("t6", hours=25, reverses="t1"))
    changed = EVERY_LIMIT.replace("version = 1", "version = 2").replace('id = "count"', 'id = "n"')
    policies.add(policy_of(changed))
    engine.policies_changed()
    yield engine.take_step()
    yield observed(  # every day before is closed, as two accounts are so far on
        engine, transaction("t7", hours=24 * 9), transaction("t8", hours=24 * 9, account_id="B")
    )


def told() -> tuple[list[Alert], list[ClosedDay]]:
    taken = list(steps())
    return [a for step in taken for a in step.alerts], [
        d for step in taken for d in step.account_days
    ]


@pytest.mark.parametrize("sort", SCHEMAS)
def test_a_schema_is_one_of_its_dialect(sort: str) -> None:
    assert SCHEMAS[sort]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[sort])
    jsonschema.Draft7Validator.check_schema(SCHEMAS[sort])  # as asyncapi.yml reads it


def test_every_alert_fits() -> None:
    alerts, _ = told()
    assert {alert.status for alert in alerts} == set(Status)
    assert any(alert.cause.transaction_id is None for alert in alerts)
    assert any("why" in alert.evidence for alert in alerts)
    for alert in alerts:
        assert faults("alert", codec.alert_bytes(alert)) == []


def test_an_alert_of_the_models_fits() -> None:
    engine = Engine(0, book(EVERY_LIMIT + "[budget]\nalerts_per_day = 50\nwarm_up_days = 5\n"))
    rows = [made_row for _, made in rows_of(Population(400, 12, 7)) for made_row in made]
    step = observed(engine, *map(transaction_of, rows))
    outliers = [alert for alert in step.alerts if alert.kind is Kind.OUTLIER]
    assert {alert.status for alert in outliers} >= {Status.RAISED, Status.RESTATED}
    for alert in outliers:
        assert faults("alert", codec.alert_bytes(alert)) == []
    assert any(day.score is not None for day in step.account_days)
    for day in step.account_days:
        assert faults("account-day", codec.closed_day_bytes(day)) == []


def test_every_closed_account_day_fits() -> None:
    _, days = told()
    assert any(len(day.account_day.totals) > 1 for day in days)
    for day in days:
        assert faults("account-day", codec.closed_day_bytes(day)) == []


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("original", [None, b"", "ä".encode(), b"\xff\x00"])
@pytest.mark.parametrize(
    "where",
    [{"topic": "weir.transactions.v1", "partition": 0, "offset": 7}, {"file": "f.csv", "row": 1}],
    ids=["on a topic", "in a file"],
)
def test_every_rejection_fits(
    reason: Reason, original: bytes | None, where: dict[str, object]
) -> None:
    written = codec.rejection_bytes(Rejection(reason, "why"), where, original, original)
    assert faults("rejection", written) == []


def test_made_transactions_fit() -> None:
    made = [
        made_row
        for _, rows in rows_of(Population(40, 3, 7, with_incidents=True))
        for made_row in rows
    ]
    assert len(made) > 100
    for fields in made:
        assert faults("transaction", codec.transaction_bytes(fields)) == []


texts = st.none() | st.text(alphabet="aé\ud800", max_size=300)
opened = texts | st.dates().map(str) | st.just("2019-04-30T12:00:00")


@given(st.tuples(texts, texts, texts, texts, opened), st.dictionaries(texts, texts, max_size=3))
def test_what_is_taken_for_an_account_fits_and_what_does_not_fit_is_not_taken(
    fields: tuple[str | None, ...], further: dict[str | None, str | None]
) -> None:
    stated = dict(zip(ACCOUNT_FIELDS, fields, strict=True))
    named = {name: text for name, text in further.items() if name is not None}
    value = json.dumps({**stated, "attributes": named}).encode()
    account = decode_account(value)
    if isinstance(account, AccountRecord):
        assert faults("account", value) == []
        assert faults("account", account_record_bytes(account)) == []
        assert decode_account(account_record_bytes(account)) == account
    elif b"\\ud800" not in value and account.reason is not Reason.BAD_TIME:
        assert faults("account", value)


@pytest.mark.parametrize("sort", SCHEMAS)
def test_a_record_that_lacks_a_needed_field_does_not_fit(sort: str) -> None:
    alerts, days = told()
    whole = {
        "transaction": codec.transaction_bytes(row("t1")),
        "account": account_record_bytes(AccountRecord("A1", Attributes(), None, {})),
        "alert": codec.alert_bytes(alerts[0]),
        "account-day": codec.closed_day_bytes(days[0]),
        "rejection": codec.rejection_bytes(
            Rejection(Reason.DUPLICATE, "why"), {"file": "f", "row": 1}, b"k", b"r"
        ),
        "segment-day": codec.segment_record_bytes(a_segment_record()),
        "systemic-alert": codec.alert_bytes(a_systemic_alert()),
        "counted-hour": completeness_records()[0],
        "not-monitored": completeness_records()[1],
        "disposition": codec.disposition_bytes(Disposed("a", Disposition.SUSPICIOUS, "A", 0)),
        "case-action": json.dumps(AN_ACTION.fields()).encode(),
        "limit-proposal": json.dumps(A_PROPOSAL.fields()).encode(),
        "client-task": json.dumps(A_TASK.fields()).encode(),
    }[sort]
    assert SCHEMAS[sort]["required"]
    for name in SCHEMAS[sort]["required"]:
        fields = json.loads(whole)
        del fields[name]
        assert faults(sort, json.dumps(fields).encode()), name


def test_a_segment_day_and_a_systemic_alert_fit_and_have_no_field_that_is_not_described() -> None:
    for sort, record in (
        ("segment-day", codec.segment_record_bytes(a_segment_record())),
        ("systemic-alert", codec.alert_bytes(a_systemic_alert())),
        ("systemic-alert", codec.alert_bytes(a_systemic_alert(cause=None, segment=None))),
    ):
        assert faults(sort, record) == []
        assert json.loads(record).keys() == SCHEMAS[sort]["properties"].keys() - {"left_out"}


def completeness_records() -> tuple[bytes, bytes]:
    """Return what a partition tells of one late record: the counts of its hour, and the notice."""
    counted = Completeness(0, b"00000001-w", {}, 60.0, lambda: 2e9)
    step = Step()
    step.transactions = 1
    counted.count(read_run([[sent(0, "T1")]]), step, -1)
    counted.hurry()
    hour, notice = (outgoing.value or b"" for outgoing in counted.take_records())
    return hour, notice


def test_what_is_told_of_completeness_fits_and_has_no_field_that_is_not_described() -> None:
    for sort, told_record in zip(
        ("counted-hour", "not-monitored"), completeness_records(), strict=True
    ):
        assert faults(sort, told_record) == []
        assert json.loads(told_record).keys() == SCHEMAS[sort]["properties"].keys()
        assert completeness_of(json.loads(told_record))["partition"] == 0


def test_money_is_text_and_a_count_is_a_number() -> None:
    alerts, _ = told()
    for alert in alerts:
        fields = json.loads(codec.alert_bytes(alert))
        fields["value"] = 7 if isinstance(fields["value"], str) else "7.00"
        assert faults("alert", json.dumps(fields).encode()), fields["kind"]


TEXTS: tuple[object, ...] = (
    "", "x", "ä", "x" * 256, "x" * 257, "x y", " x", "x\u00a0", "x\n", "x\x00y", "x\u200by",
)  # fmt: skip
CELLS: dict[str, tuple[object, ...]] = {
    "transaction_id": TEXTS,
    "account_id": TEXTS,
    "booked_at": (
        "2026-01-05T09:00:00Z", "2026-01-05t09:00:00.5+01:00", "2026-01-05 09:00:00-00:00",
        "2026-01-05T09:00:00", "2026-01-05T09:00:00.Z", "2026-01-05T09:00:00+05:99",
        "2026-01-05T09:00:00+24:00", "2026-01-05T24:00:00Z", "2026-13-05T09:00:00Z",
        "2026-01-05T09:00:00." + "1" * 19 + "Z", "2026-01-05T09:00:00." + "1" * 20 + "Z",
        "2026-01-05", "2026-1-5T09:00:00Z", "x", "",
    ),
    "amount": (
        "0", "1", "1.50", "+1", "1e2", "100E-2", "-1", "1.", ".5", "1,5", " 1", "1 ", "0x1", "NaN",
        "\u00a01.00", ".", "1.000", "0e-9", "0" * 40, "0" * 41, " " * 41 + "1", "", " ",
        0, 1, 1.5, -1, 1e2,
    ),
    "currency": ("EUR", "JPY", "BHD", "eur", "XXX", ""),
    "direction": ("debit", "credit", "Debit", ""),
    "not_ours": TEXTS,
}  # fmt: skip
ODD: tuple[object, ...] = (None, 7, 7.5, True, [], {}, "x")


@st.composite
def changed_fields(draw: st.DrawFn) -> dict[str, Any]:
    """Return a good transaction's fields with one or two of them changed or left out."""
    fields: dict[str, Any] = json.loads(codec.transaction_bytes(row("t1", amount="7")))
    for name in draw(st.sets(st.sampled_from([*FIELDS, "not_ours"]), min_size=1, max_size=2)):
        value = draw(st.sampled_from((*CELLS.get(name, TEXTS), *ODD, "left out")))
        fields.pop(name, None)
        if value != "left out":
            fields[name] = value
    return fields


@law(1000)
@given(changed_fields())
def test_a_record_fits_exactly_where_it_becomes_a_transaction(fields: dict[str, Any]) -> None:
    record = json.dumps(fields).encode()
    # What no schema can say: an amount has at most the decimals of its currency.
    amount, exponent = str(fields.get("amount")), EXPONENT.get(str(fields.get("currency")), 0)
    assume(minor_units(amount, EXPONENT_MAX) is None or minor_units(amount, exponent) is not None)
    becomes = isinstance(codec.decode(record), Transaction)
    assert becomes == (faults("transaction", record) == [])


OF_DISPOSITION: dict[str, tuple[object, ...]] = {
    "alert_id": (*TEXTS, " "),
    "disposition": (*Disposition, "sus", ""),
    "by": (*TEXTS, " "),
    "at": CELLS["booked_at"],
    "note": (*TEXTS, " ", "x" * 4000, "x" * 4001),
    "revision": (1, 2, 0, -1, "1", None),
    "not_ours": TEXTS,
}


@law(500)
@given(st.data())
def test_a_disposition_fits_exactly_where_it_can_be_used(data: st.DataObject) -> None:
    whole = Disposed("a", Disposition.SUSPICIOUS, "A", 0, "why")
    fields = json.loads(codec.disposition_bytes(whole))
    for name in data.draw(st.sets(st.sampled_from(sorted(OF_DISPOSITION)), min_size=1, max_size=2)):
        value = data.draw(st.sampled_from((*OF_DISPOSITION[name], *ODD, "left out")))
        fields.pop(name, None)
        if value != "left out":
            fields[name] = value
    try:
        disposed_of(fields)
        is_used = True
    except DispositionError:
        is_used = False
    assert is_used == (faults("disposition", json.dumps(fields).encode()) == [])


AN_ACTION = Action("a", Does.COMMENT, "A", 0, 1, {"note": "why"})
OF_ACTION: dict[str, tuple[object, ...]] = {
    **OF_DISPOSITION,
    "action": (*Does, "shout", ""),
    "assignee": (*TEXTS, " "),
    "until": CELLS["booked_at"],
}


@law(500)
@given(st.data())
def test_an_action_fits_exactly_where_it_can_be_used(data: st.DataObject) -> None:
    fields = AN_ACTION.fields() | {"action": data.draw(st.sampled_from(Does))}
    fields |= {"disposition": "suspicious", "assignee": "B", "until": "2026-01-05T09:00:00Z"}
    for name in data.draw(st.sets(st.sampled_from(sorted(OF_ACTION)), min_size=1, max_size=2)):
        value = data.draw(st.sampled_from((*OF_ACTION[name], *ODD, "left out")))
        fields.pop(name, None)
        if value != "left out":
            fields[name] = value
    try:
        action_of(fields)
        is_used = True
    except ActionError:
        is_used = False
    assert is_used == (faults("case-action", json.dumps(fields).encode()) == [])


A_PROPOSAL = ProposalStep(
    "p",
    StepKind.PROPOSE,
    "A",
    0,
    {
        "threshold_id": "daily-amount",
        "above": "2500.00",
        "effective_from": "2026-01-05",
        "policy_sha256": "ab",
        "base_version": 1,
        "version": 2,
        "note": "why",
    },
)
VERSIONS = (1, 7, 0, "1", True, None)
OF_PROPOSAL: dict[str, tuple[object, ...]] = {
    "proposal_id": TEXTS,
    "action": (*StepKind, "shout", ""),
    "by": TEXTS,
    "at": CELLS["booked_at"],
    "threshold_id": TEXTS,
    "above": TEXTS,
    "effective_from": TEXTS,
    "policy_sha256": TEXTS,
    "base_version": VERSIONS,
    "version": VERSIONS,
    "note": (*TEXTS, None),
}


@law(300)
@given(st.data())
def test_a_proposal_fits_exactly_where_it_can_be_used(data: st.DataObject) -> None:
    fields = A_PROPOSAL.fields() | {"action": data.draw(st.sampled_from(StepKind))}
    for name in data.draw(st.sets(st.sampled_from(sorted(OF_PROPOSAL)), min_size=1, max_size=2)):
        value = data.draw(st.sampled_from((*OF_PROPOSAL[name], *ODD, "left out")))
        fields.pop(name, None)
        if value != "left out":
            fields[name] = value
    try:
        step_of(fields)
        is_used = True
    except ActionError:
        is_used = False
    assert is_used == (faults("limit-proposal", json.dumps(fields).encode()) == []), fields


A_TASK = TaskStep(
    "t",
    TaskDoes.OPEN,
    "A",
    0,
    {
        "task": "amend",
        "account_id": "A1",
        "due": "2026-01-05",
        "alert_id": "a",
        "assignee": None,
        "tier": "gold",
        "adviser": "B",
        "note": "why",
    },
)
OF_TASK: dict[str, tuple[object, ...]] = {
    "task_id": TEXTS,
    "action": (*TaskDoes, "shout", ""),
    "by": TEXTS,
    "at": CELLS["booked_at"],
    "task": (*TaskKind, "sue", ""),
    "account_id": TEXTS,
    "due": ("2026-02-28", "2026-13-01", "soon", "2026-1-1", ""),
    "alert_id": (*TEXTS, None),
    "assignee": (*TEXTS, None),
    "tier": (*TEXTS, None),
    "adviser": (*TEXTS, None),
    "note": (*TEXTS, None),
}


@law(300)
@given(st.data())
def test_a_task_fits_exactly_where_it_can_be_used(data: st.DataObject) -> None:
    fields = A_TASK.fields() | {"action": data.draw(st.sampled_from(TaskDoes))}
    for name in data.draw(st.sets(st.sampled_from(sorted(OF_TASK)), min_size=1, max_size=2)):
        value = data.draw(st.sampled_from((*OF_TASK[name], *ODD, "left out")))
        fields.pop(name, None)
        if value != "left out":
            fields[name] = value
    try:
        task_step_of(fields)
        is_used = True
    except ActionError:
        is_used = False
    assert is_used == (faults("client-task", json.dumps(fields).encode()) == []), fields
