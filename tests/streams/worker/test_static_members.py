"""A static member that the group has no more ends, at whatever answer says so first."""

import asyncio
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.worker.transport import REPLACED, end_if_replaced
from tests.support.laws import law

NOT_MEMBER, FENCED, REBALANCING, NO_ERROR = 25, 82, 27, 0


class Coordinator:
    """As much of aiokafka's as is looked at."""

    def __init__(self, answers: list[Any]) -> None:
        self._answers = iter(answers)

    async def _send_req(self, _: object) -> object:
        return next(self._answers)


@law(100)
@given(st.lists(st.sampled_from([NO_ERROR, NOT_MEMBER, FENCED, REBALANCING, 16, 22, -1])))
def test_it_is_called_back_for_each_answer_that_says_so_and_every_answer_is_handed_on(
    codes: list[int],
) -> None:
    answers = [SimpleNamespace(error_code=code) for code in codes]
    coordinator, called = Coordinator(answers), list[int]()
    end_if_replaced(coordinator, lambda: called.append(1))

    async def ask() -> list[object]:
        return [await coordinator._send_req(number) for number in range(len(codes))]

    assert asyncio.run(ask()) == answers
    assert len(called) == sum(code in REPLACED for code in codes)
    assert {NOT_MEMBER, FENCED} == REPLACED


def test_an_answer_without_a_code_of_its_own_is_handed_on() -> None:
    answer = SimpleNamespace(topics=[])
    coordinator = Coordinator([answer])
    end_if_replaced(coordinator, lambda: None)
    assert asyncio.run(coordinator._send_req(0)) is answer
