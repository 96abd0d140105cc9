"""The causes and faults of a day, each as one incident: what shows twice is told once."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from monitor.systemic.concentration import Concentrated, Concentration, Hot, HotPayers
from monitor.systemic.faults import AMOUNTS, Fault, Rejected, Values, amounts_fault
from monitor.systemic.incidents import Key
from monitor.systemic.segment_day import BRANCH, CHANNEL, COUNTERPARTY, INSTITUTION, WholeDay
from monitor.systemic.verdict import Decision, of_concentrated, of_fault, of_hot, rank_of

FAULT: Final = "data-fault"
CAUSE: Final = "external-cause"
_FACETS: Final = (COUNTERPARTY, CHANNEL)
"""What an incident at an institution shows by, too."""


ValuesOf = Callable[[str], Iterable[Values]]
"""Gives the values that a limit measured, before and on the day, in each segment."""


class DayFindings(NamedTuple):
    """What a day's tests found, before it becomes verdicts."""

    faults: list[Fault]
    hot: list[Hot]
    concentrated: list[Concentrated]


class Causes:
    """All tests of what a day's accounts have in common, and of the feeds they come by."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self._rejected = Rejected(state.get("rejected"))
        self._hot_payers = HotPayers(state.get("hot_payers"))
        self._concentration = Concentration(state.get("concentration"))

    def dump(self) -> dict[str, Any]:
        """Return its state, as JSON has it."""
        return {
            "rejected": self._rejected.dump(),
            "hot_payers": self._hot_payers.dump(),
            "concentration": self._concentration.dump(),
        }

    def look(self, day: WholeDay, values_of: ValuesOf) -> DayFindings:
        """Return what stands out today, and change nothing."""
        concentrated = self._concentration.look(day.breaching)
        faults = {
            fault.branch: fault
            for value in concentrated
            if value.type == BRANCH
            and (fault := amounts_fault(value, values_of(value.threshold_id))) is not None
        }
        return DayFindings(
            [*self._rejected.look(day.rejections), *faults.values()],
            self._hot_payers.look(day.hot_payers),
            concentrated,
        )

    def learn(self, day: WholeDay, found: DayFindings, usual: Iterable[Key]) -> None:
        """Take in a day without what stood out, but what has lasted so long that it is usual."""
        lasting = {key.about for key in usual}
        self._rejected.learn(day.rejections, found.faults)
        self._hot_payers.learn(
            day.hot_payers,
            [payer for payer in found.hot if _about(payer.type, payer.value) not in lasting],
        )
        self._concentration.learn(
            day.breaching,
            [
                value
                for value in found.concentrated
                if _about(value.type, value.value) not in lasting
            ],
        )


def decisions_of(found: DayFindings) -> dict[Key, Decision]:
    """Return the incidents that a day's findings are, faults first, each with its verdict."""
    faults = {
        Key(FAULT, None, _about(fault.kind, fault.branch)): of_fault(fault)
        for fault in found.faults
    }
    if any(fault.kind == AMOUNTS for fault in found.faults):
        return faults  # whoever paid whom, the amounts are wrong
    faulty = {fault.branch for fault in found.faults}
    causes: dict[Key, Decision] = {}
    for decision in [
        *(of_hot(payer) for payer in found.hot),
        *(
            of_concentrated(value)
            for value in sorted(found.concentrated, key=lambda value: value.probability)
        ),
    ]:
        assert decision.cause is not None
        if decision.cause.type != BRANCH or decision.cause.value not in faulty:
            causes.setdefault(Key(CAUSE, None, _about(*decision.cause[:2])), decision)
    return {**faults, **_with_facets(causes)}


def _with_facets(causes: dict[Key, Decision]) -> dict[Key, Decision]:
    """Return causes without those that only show another one a second time; that one names them."""
    ordered = sorted(causes.items(), key=lambda item: rank_of(item[1]))
    if not ordered or _type_of(ordered[0][1]) != INSTITUTION:
        return dict(ordered)
    facets = [item for item in ordered if _type_of(item[1]) in _FACETS]
    kept = [item for item in ordered if _type_of(item[1]) not in _FACETS]
    if facets:
        key, first = kept[0]
        also = [decision.cause._asdict() for _, decision in facets if decision.cause is not None]
        kept[0] = key, first._replace(evidence={**first.evidence, "also": also})
    return dict(kept)


def _type_of(decision: Decision) -> str:
    assert decision.cause is not None
    return decision.cause.type


def _about(type_: str, value: str) -> str:
    return f"{type_} {value}"
