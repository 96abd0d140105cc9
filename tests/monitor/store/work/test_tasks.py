"""Tasks follow from their steps, in whatever order these come and however often."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.store.intake import Intake, Read, RecordSort
from monitor.store.schema import OF_TOPICS
from monitor.store.standing import ActionError
from monitor.store.store import Store
from monitor.store.work.tasklist import TaskFilter, task_page, tasks_of
from monitor.store.work.tasks import (
    Task,
    TaskDoes,
    TaskKind,
    TaskProgress,
    TaskStep,
    task_step_of,
    tasks_in,
)
from tests.support.laws import law
from tests.support.stored import contents, sqlite_store

OPENED: dict[str, Any] = {
    "task": "apologise", "account_id": "A1", "due": "2026-02-01", "alert_id": "a",
    "assignee": "Ann", "tier": None, "adviser": None, "note": "why",
}  # fmt: skip
STEPS = st.lists(
    st.builds(
        lambda task, does, by, at, due: TaskStep(
            task,
            does,
            by,
            at,
            {**OPENED, "due": due} if does is TaskDoes.OPEN else {"note": None},
        ),
        st.sampled_from(["t", "u"]),
        st.sampled_from(list(TaskDoes)),
        st.sampled_from(["Ann", "Bob"]),
        st.integers(1, 4),
        st.sampled_from(["2026-02-01", "2026-02-03"]),
    ),
    max_size=8,
)


@law(150)
@given(steps=STEPS, data=st.data())
def test_tasks_are_the_same_in_whatever_order_steps_come_and_however_often(
    steps: list[TaskStep], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(steps))) if steps else []
    found = tasks_in(data.draw(st.permutations([*steps, *again])))
    assert found == tasks_in(steps)
    for task in found:
        own = [step for step in steps if step.task_id == task.made.task_id]
        ends = [step for step in own if step.does is not TaskDoes.OPEN]
        assert (task.end is None) == (not ends)
        assert task.end is None or task.end.at == min(step.at for step in ends)
        assert task.made.at == min(step.at for step in own if step.does is TaskDoes.OPEN)


@law(60)
@given(steps=STEPS, data=st.data())
def test_a_store_says_of_tasks_what_their_steps_say(
    steps: list[TaskStep], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = sqlite_store(tmp_path_factory.mktemp("store"))
    order = data.draw(st.permutations(steps))
    Intake(store).take(
        [Read(RecordSort.TASK_STEP, "cases", 0, at, 1, step) for at, step in enumerate(order)]
    )
    with store.reading() as connection:
        every = tasks_in(steps)
        assert tasks_of(connection, TaskFilter()) == every
        wanted = [task for task in every if task.progress is TaskProgress.OPEN]
        assert tasks_of(connection, TaskFilter(TaskProgress.OPEN, "A1", "a", "Ann")) == wanted
        assert tasks_of(connection, TaskFilter(account_id="A2")) == []
    store.close()


@law(60)
@given(steps=STEPS)
def test_a_step_is_read_as_it_was_written(steps: list[TaskStep]) -> None:
    for step in steps:
        read = task_step_of(json.loads(json.dumps(step.fields())))
        assert (read, read.step_id) == (step, step.step_id)


@pytest.mark.parametrize(
    "change",
    [
        {"action": "end"}, {"by": ""}, {"at": "noon"}, {"due": "2026-02-31"}, {"due": "soon"},
        {"task": "sue"}, {"account_id": None}, {"note": 7}, {"task_id": 3}, {"tier": 1},
        {"alert_id": ""},
    ],
)  # fmt: skip
def test_a_record_that_is_no_step_is_refused(change: dict[str, Any]) -> None:
    fields = TaskStep.opened("Ann", 3_000_000, OPENED).fields()
    assert task_step_of(fields).by == "Ann"
    with pytest.raises(ActionError, match=next(iter(change))):
        task_step_of(fields | change)


def filled(folder: Path) -> tuple[Store, list[Read]]:
    steps = []
    for number in range(7):
        detail = {**OPENED, "due": f"2026-02-0{1 + number % 3}", "task": list(TaskKind)[number % 5]}
        made = TaskStep.opened("Ann", 10 + number, detail)
        steps.append(made)
        if number % 3 == 0:
            steps.append(TaskStep(made.task_id, TaskDoes.DO, "Bob", 50, {"note": None}))
    read = [
        Read(RecordSort.TASK_STEP, "cases", 0, offset, step.at, step)
        for offset, step in enumerate(steps)
    ]
    store = sqlite_store(folder)
    Intake(store).take(read)
    return store, read


def test_a_store_that_is_made_again_has_its_tasks(tmp_path: Path) -> None:
    store, read = filled(tmp_path)
    once = contents(store)
    assert len(once["task_steps"]) == len(read)
    Intake(store).forget()
    assert all(not rows for rows in contents(store).values())
    for item in [*read, *read]:
        Intake(store).take([item])
    assert contents(store) == once
    assert "task_steps" in {table.name for table in OF_TOPICS}
    store.close()


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_have_each_task_once(tmp_path: Path, limit: int) -> None:
    store, _ = filled(tmp_path)
    found: list[Task] = []
    after = None
    with store.reading() as connection:
        for _ in range(9):
            page = task_page(connection, TaskFilter(), limit, after)
            found += page.tasks
            after = page.next
            if after is None:
                break
        every = tasks_of(connection, TaskFilter())
    assert sorted(found) == sorted(every)
    days = [task.made.detail["due"] for task in found]
    assert (len(found), days) == (7, sorted(days))
    store.close()
