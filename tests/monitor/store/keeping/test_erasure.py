"""Erasure: nothing of the account is left or comes back, and all else is as it was."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from monitor.store.audit import append, take_away, verify
from monitor.store.desk import act
from monitor.store.intake import Intake, Read, RecordSort
from monitor.store.keeping.erased import replaced
from monitor.store.keeping.erasure import ErasureError, erase
from monitor.store.schema import (
    actions,
    alerts,
    audit,
    audit_redactions,
    erased_accounts,
    rejections,
    revisions,
    saved_views,
    users,
)
from monitor.store.standing import Action, Does
from monitor.store.store import Store
from monitor.store.work.tasks import TaskDoes, TaskStep
from tests.support.laws import law
from tests.support.stored import NOW, contents, made_records, read_action, sqlite_store

LATER: Final = NOW + 10**12
WHY: Final = "request 12"
NAMES: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), max_size=6).map(
    lambda text: f"{text}Zq7"
)
"""Ids that nothing else of a record has in it, with quotes, blanks and letters of any script."""


@pytest.fixture
def store(either_store: Store) -> Store:
    with_admin(either_store)
    return either_store


def with_admin(store: Store) -> None:
    row = {"name": "Ann", "password_hash": "x", "role": "admin", "is_active": True}
    with store.begin() as connection:
        connection.execute(insert(users).values(**row, created_at=NOW))


def named(seed: int, name: str) -> list[Read]:
    """Return made records: account A1 has this id, is a counterparty, and stands in lists."""
    ids: dict[str, str] = {}

    def of_id(alert_id: str) -> str:
        return ids.setdefault(alert_id, alert_id.replace("/A1/", "/its/"))

    read: list[Read] = []
    for place, item in enumerate(made_records(seed, 80)):
        value = item.value
        if isinstance(value, Action):
            value = value._replace(alert_id=of_id(value.alert_id))
            if place % 5 == 0 and value.does is Does.COMMENT:
                value = value._replace(detail={"note": name})
        else:
            value = {**value, "alert_id": of_id(value["alert_id"])}
            if value["account_id"] == "A1":
                value["account_id"] = name
            elif place % 3 == 0:
                evidence = {**value["evidence"], "accounts": ["A2", name, f"{name}0"]}
                value["evidence"] = evidence
        read.append(item._replace(value=value))
    for offset, account in enumerate((name, "A2", f"{name}0")):
        day = {"account_id": account, "business_day": "2026-01-05", "payees": [name, "A3"]}
        read.append(Read(RecordSort.ACCOUNT_DAY, "t.days", 0, offset, NOW, day))
    for offset, text in enumerate((json.dumps({"account_id": name}), "{}")):
        record = {"reason": "no-amount", "detail": "none", "record": text}
        read.append(Read(RecordSort.REJECTION, "t.rejected", 0, offset, NOW, record))
    return read


def forms(name: str) -> set[bytes]:
    """Return the bytes of an id as a column may have it, between quotes or alone in one."""
    return {json.dumps(name)[1:-1].encode(), json.dumps(name, ensure_ascii=False)[1:-1].encode()}


def of_others(held: dict[str, list[Any]], name: str, pseudonym: str) -> dict[str, list[Any]]:
    """Return contents without the account, with the pseudonym where others name it."""
    left: dict[str, list[Any]] = {}
    for table, rows in held.items():
        left[table] = []
        for row in rows:
            is_its = "/its/" in str(row[0]) or row[0] == name
            is_its |= table == "actions" and "/its/" in row[1]
            is_its |= table == "rejections" and "account_id" in str(row[-1])
            if not is_its:
                left[table].append(tuple(as_erased(value, name, pseudonym) for value in row))
    names = [column.name for column in alerts.c if column.name != "change"]
    stand = [dict(zip(names, row, strict=True)) for row in left["alerts"]]
    counted = Counter((its["state"], its["assignee"] or "", its["is_back"]) for its in stand)
    left["standing_counts"] = [(*its, number) for its, number in sorted(counted.items())]
    return left


def as_erased(value: Any, name: str, pseudonym: str) -> Any:  # noqa: ANN401 - of a column
    if not isinstance(value, str) or value[:1] != "{":
        return value
    for form in (json.dumps(name), json.dumps(name, ensure_ascii=False)):
        value = value.replace(form, json.dumps(pseudonym))
    return value


@law(25)
@given(seed=st.integers(0, 10**6), name=NAMES)
@example(seed=1, name='é"\\Zq7')
def test_nothing_is_left_or_comes_back_and_all_else_is_equal(
    tmp_path_factory: pytest.TempPathFactory, seed: int, name: str
) -> None:
    store = sqlite_store(tmp_path_factory.mktemp("store"))
    with_admin(store)
    records = named(seed, name)
    Intake(store).take(records)
    before = contents(store)
    dry = erase(store, name, LATER, by="Ann", reason=WHY, is_dry_run=True)
    assert contents(store) == before
    done = erase(store, name, LATER, by="Ann", reason=WHY)
    assert (done.taken_away, done.changed, done.mentions) == dry[1:4]
    assert done.is_overwritten
    expected = of_others(before, name, done.pseudonym)
    assert contents(store) == expected
    intake = Intake(store)
    intake.forget()
    for begin in range(0, len(records), 7):
        intake.take(records[begin : begin + 7])
    assert contents(store) == expected
    with store.reading() as connection:
        passed = connection.execute(select(erased_accounts.c.passed_over)).scalar_one()
        assert verify(connection).broken is None
    assert passed == sum(
        isinstance(item.value, dict) and item.value.get("account_id") == name for item in records
    )
    store.close()


def test_no_byte_of_the_id_is_in_the_files(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    with_admin(store)
    name = 'é"Zq7'
    records = [item for item in named(4, name) if f"{name}0" not in str(item.value)]
    Intake(store).take(records)
    with store.begin() as connection:
        append(connection, at=1, actor="Ann", action="read", subject=f"account {name}")
        append(connection, at=2, actor="Ann", action="x", subject="y", after={"account": name})

    def held() -> set[bytes]:
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        return {form for form in {*forms(name), name.encode()} if form in content}

    assert held()
    assert erase(store, name, LATER, by="Ann", reason=WHY).is_overwritten
    assert not held()
    intake = Intake(store)
    intake.forget()
    intake.take(records)
    assert not held()
    store.close()
    assert not held()


def audited(store: Store) -> None:
    with store.begin() as connection:
        for subject in ("account A1", "account A10", "daily-amount/A1/1", "Bob"):
            after = {"params": ["A1", "A10"], "note": "x"} if subject == "Bob" else None
            append(connection, at=5, actor="Bob", action="read", subject=subject, after=after)


def test_the_audit_is_redacted_and_still_a_chain(store: Store) -> None:
    Intake(store).take(made_records(5, 120))
    audited(store)
    done = erase(store, "A1", LATER, by="Ann", reason=WHY)
    with store.reading() as connection:
        rows = connection.execute(select(audit).order_by(audit.c.number)).all()
        assert verify(connection).entries == len(rows) == 5
        assert {row.account_id for row in connection.execute(select(alerts))} >= {"A0", "A2"}
        for table in (alerts, revisions):
            assert '"A1"' not in str(connection.execute(select(table)).all())
    assert [row.subject for row in rows[:2]] == [f"account {done.pseudonym}", "account A10"]
    assert json.loads(rows[3].after) == {"params": [done.pseudonym, "A10"], "note": "x"}
    assert (rows[4].action, rows[4].subject) == ("erase", done.pseudonym)
    again = erase(store, "A10", LATER, by="Ann", reason=WHY)
    with store.reading() as connection:
        fourth = connection.execute(select(audit.c.after).where(audit.c.number == 4)).scalar_one()
        assert json.loads(fourth)["params"] == [done.pseudonym, again.pseudonym]
        assert verify(connection).broken is None


CHANGES: Final = {
    "another content": update(audit).where(audit.c.number == 1).values(subject="account A9"),
    "of another entry": update(audit).where(audit.c.number == 2).values(subject="account A9"),
    "no hash of it": delete(audit_redactions).where(audit_redactions.c.number == 1),
    "another hash": update(audit_redactions)
    .where(audit_redactions.c.number == 1)
    .values(hash="0" * 64),
    "another erasure": update(audit_redactions).values(erasure=4),
    "the entry says nothing": update(audit).where(audit.c.number == 5).values(after="{}"),
    "the entry is none": update(audit).where(audit.c.number == 5).values(action="read"),
    "the entry is gone": delete(audit).where(audit.c.number == 5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_change_of_the_audit_is_found(store: Store, change: str) -> None:
    audited(store)
    erase(store, "A1", LATER, by="Ann", reason=WHY)
    with store.begin() as connection:
        connection.execute(CHANGES[change])
        assert verify(connection).broken == (2 if change == "of another entry" else 1)


@pytest.mark.parametrize("number", [1, 2])
def test_a_redaction_that_no_entry_tells_is_found(store: Store, number: int) -> None:
    """Another content with the hash of that content: of an entry that was redacted, or was not."""
    audited(store)
    erase(store, "A1", LATER, by="Ann", reason=WHY)
    with store.begin() as connection:
        connection.execute(delete(audit_redactions).where(audit_redactions.c.number == number))
        its = audit.c.number == number
        connection.execute(update(audit).where(its).values(subject="account A9"))
        row = connection.execute(select(audit).where(its)).one()._asdict()
        content = {name: value for name, value in row.items() if name != "hash"}
        said = json.dumps(content, sort_keys=True, separators=(",", ":"))
        forged = {"number": number, "erasure": 5, "hash": sha256(said.encode()).hexdigest()}
        connection.execute(insert(audit_redactions).values(**forged))
        assert verify(connection).broken == 1


def test_a_pruned_audit_that_was_redacted_is_whole(store: Store) -> None:
    audited(store)
    erase(store, "A1", LATER, by="Ann", reason=WHY)
    for number in (1, 5):
        with store.begin() as connection:
            anchor = take_away(connection, number)
            after = {"audit": anchor._asdict()}
            append(connection, at=9, actor="Ann", action="prune", subject="s", after=after)
            assert verify(connection).broken is None
    with store.reading() as connection:
        assert not connection.execute(select(audit_redactions)).all()


def test_what_was_done_with_an_erased_alert_does_not_come_back(store: Store) -> None:
    """In whichever order the topics are read: the alert first, or what was done with it."""
    records = [item for item in made_records(5, 120) if item.sort is RecordSort.ALERT]
    its = next(item for item in records if item.value["account_id"] == "A1")
    Intake(store).take(
        [item for item in records if item.value["alert_id"] != its.value["alert_id"]]
    )
    note = Action(its.value["alert_id"], Does.COMMENT, "Ann", NOW, None, {"note": "rich"})
    erase(store, "A1", LATER, by="Ann", reason=WHY)
    Intake(store).take([read_action(0, note)])
    with store.reading() as connection:  # whose alert it is cannot be known yet
        assert len(connection.execute(select(actions)).all()) == 1
    Intake(store).take([its._replace(offset=1000)])
    Intake(store).take([read_action(1, note._replace(at=NOW + 1))])
    with store.reading() as connection:
        assert not connection.execute(select(actions)).all()


def test_a_decision_goes_from_the_outbox(store: Store) -> None:
    records = made_records(5, 120)
    Intake(store).take(records)
    with store.reading() as connection:
        chosen = select(alerts.c.alert_id).where(alerts.c.account_id == "A1")
        its = connection.execute(chosen).scalars().first()
    assert its is not None
    with store.begin() as connection:
        act(connection, [Action(its, Does.COMMENT, "Ann", LATER, None, {"note": "rich"})])
    assert erase(store, "A1", LATER, by="Ann", reason=WHY).taken_away["outbox"] == 1


def tasks_with(account_id: str) -> list[TaskStep]:
    """Return the steps of a task with a client that was done."""
    detail = {
        "task": "apologise",
        "account_id": account_id,
        "due": "2026-02-01",
        "alert_id": None,
        "assignee": "Ann",
        "tier": None,
        "adviser": None,
        "note": "she was angry",
    }
    opened = TaskStep.opened("Ann", NOW, detail)
    return [opened, TaskStep(opened.task_id, TaskDoes.DO, "Ann", NOW + 1, {"note": "called her"})]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_tasks_with_its_client_go_and_do_not_come_back(
    store: Store, order: tuple[int, int]
) -> None:
    steps = [*tasks_with("A1"), *tasks_with("A2")]
    reads = [
        Read(RecordSort.TASK_STEP, "t.cases.v1", 0, offset, NOW, step)
        for offset, step in enumerate([steps[order[0]], steps[order[1]], *steps[2:]])
    ]
    Intake(store).take(reads)
    views = [("with", "tab=open&account_id=A1"), ("without", "tab=open&account_id=A10")]
    with store.begin() as connection:
        for name, query in views:
            view = {"owner": "Ann", "name": name, "query": query, "saved_at": NOW}
            connection.execute(insert(saved_views).values(**view))
    found = erase(store, "A1", LATER, by="Ann", reason=WHY)
    assert found.taken_away["task_steps"] == 2
    assert found.taken_away["saved_views"] == 1
    left = contents(store)["task_steps"]
    assert len(left) == 2
    for size in (1, 4):
        intake = Intake(store)
        intake.forget()
        for begin in range(0, len(reads), size):
            intake.take(reads[begin : begin + size])
        assert contents(store)["task_steps"] == left


def test_samples_that_name_it_go_and_are_still_counted(store: Store) -> None:
    texts = ["account A1 is odd", '{"account_id": "A1"', '{"account_id": "A10"}', "x"]
    read = [
        Read(RecordSort.REJECTION, "t", 0, offset, NOW, {"reason": "r", "detail": text})
        for offset, text in enumerate(texts)
    ]
    Intake(store).take(read)
    counted = contents(store)["rejection_counts"]
    assert erase(store, "A1", LATER, by="Ann", reason=WHY).taken_away["rejections"] == 2
    left = contents(store)["rejections"]
    assert [row[2] for row in left] == [2, 3]
    Intake(store).forget()
    Intake(store).take(read)
    assert contents(store)["rejections"] == left
    assert contents(store)["rejection_counts"] == counted


def test_what_only_looks_like_the_id_stays() -> None:
    said = {"segment": "5", "value": "5", "currency": "5", "account_id": "55", "5": 1}
    assert replaced(said, {"5": "gone"}.get) == said
    cause = {"type": "counterparty", "value": "5"}
    assert replaced({"cause": cause}, {"5": "gone"}.get) == {"cause": {**cause, "value": "gone"}}


def test_it_takes_an_administrator_and_a_reason(store: Store) -> None:
    with pytest.raises(ErasureError) as refused:
        erase(store, "A1", LATER, by="Bob", reason="it is A1")
    assert "administrator" in str(refused.value)
    assert "must not have the account's id" in str(refused.value)
    with store.reading() as connection:
        assert not connection.execute(select(erased_accounts)).all()
        assert not connection.execute(select(rejections)).all()
