"""What is seen of account-days that came near a limit, for reviews."""

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import compiled
from monitor.core.review import PAYEES_MAX, DayFacts
from monitor.ordinary.layout import (
    COUNTERPARTY,
    FACTS_FREE,
    FACTS_USED,
    FREE_FACTS,
    NONE,
    TOTAL_MAX,
    Table,
)
from monitor.ordinary.tables import crc32


@compiled
def new_facts(numbers: Ints, facts: Table) -> int:
    """Return the place of facts that begin; there is room for them."""
    place = int(numbers[FACTS_FREE])
    if place == NONE:
        place = int(numbers[FACTS_USED])
        numbers[FACTS_USED] += 1
    else:
        numbers[FACTS_FREE] = facts[place]["next"]
        numbers[FREE_FACTS] -= 1
    taken = facts[place]
    taken["others"] = taken["unnamed"] = taken["amounts"] = taken["round"] = taken["used"] = 0
    return place


@compiled
def take_facts(taken: Table, round_minor: int, data: Bytes, row: Table) -> None:
    """Take a transaction into the facts of its account-day; payees are those of debits."""
    amount = int(row["amount"])
    taken["amounts"] += 1
    if amount % round_minor == 0:
        taken["round"] += 1
    if row["is_credit"]:
        return
    length = int(row["length"][COUNTERPARTY])
    if length <= 0:
        taken["unnamed"] += amount
        return
    payee = crc32(data, int(row["value_at"]) + int(row["at"][COUNTERPARTY]), length)
    used = int(taken["used"])
    for place in range(used):
        if taken["payees"][place] == payee:
            taken["paid"][place] += amount
            return
    if used == taken["payees"].size:
        taken["others"] += amount
        return
    taken["payees"][used] = payee
    taken["paid"][used] = amount
    taken["used"] = used + 1


def facts_at(facts: Table, place: int) -> DayFacts:
    """Return the facts that stand at a place."""
    paid, others, unnamed, amounts, rounds, payees, used, _ = facts[place].item()
    made = DayFacts()
    made.payees = dict(zip(payees[:used].tolist(), paid[:used].tolist(), strict=True))
    made.others, made.unnamed, made.amounts, made.round = others, unnamed, amounts, rounds
    return made


def is_within(facts: DayFacts) -> bool:
    """Return whether facts can stand in a row."""
    most = max((facts.others, facts.unnamed, *facts.payees.values()))
    return most < TOTAL_MAX and len(facts.payees) <= PAYEES_MAX


def put_facts(numbers: Ints, facts: Table, made: DayFacts) -> int:
    """Put facts into a row; return their place. There is room for them."""
    place = new_facts(numbers, facts)
    row, used = facts[place], len(made.payees)
    row["payees"][:used] = np.fromiter(made.payees, np.uint32, used)
    row["paid"][:used] = np.fromiter(made.payees.values(), np.int64, used)
    row["others"], row["unnamed"] = made.others, made.unnamed
    row["amounts"], row["round"], row["used"] = made.amounts, made.round, used
    return place
