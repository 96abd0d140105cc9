"""Facts and further currencies of account-days in rows, and the columns of names for the models."""

from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple, Self

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import compiled
from monitor.core.account import Totals
from monitor.core.review import PAYEES_MAX, DayFacts
from monitor.ordinary.layout import (
    CHANNEL,
    COUNTERPARTY,
    CURRENCY_CODES,
    CURRENCY_NUMBER,
    FACTS_FREE,
    FACTS_USED,
    FIGURES,
    FREE_FACTS,
    INSTITUTION,
    NONE,
    TOTAL_MAX,
    Table,
)
from monitor.ordinary.tables import crc32, is_same, known_or_new, new_further

# -- accounts --------------------------------------------------------------------------------------


@compiled
def note_models(  # noqa: PLR0913, PLR0917 - the arrays, each by itself
    numbers: Ints,
    accounts: Table,
    index: Table,
    texts: Bytes,
    buckets: int,
    data: Bytes,
    ends: Ints,
    first: int,
) -> None:
    """Let accounts have their rows in the models: `first`, and those after it; there is room.

    Their ids stand in `data` one after the other, with their ends.
    """
    begin = 0
    for place in range(ends.size):
        length = int(ends[place]) - begin
        number = known_or_new(numbers, accounts, index, texts, buckets, data, begin, length)
        accounts[number]["model"] = first + place
        begin += length


# -- facts of account-days that came near a limit --------------------------------------------------


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


def put_further(numbers: Ints, more: Table, made: Mapping[str, Totals]) -> int:
    """Put totals in further currencies into a row; return its place. There is room for them."""
    place = new_further(numbers, more)
    row = more[place]
    row["currency"][: len(made)] = [CURRENCY_NUMBER[currency] for currency in made]
    row["totals"][: FIGURES * len(made)] = [*chain.from_iterable(made.values())]
    row["used"] = len(made)
    return place


def further_totals(held: Table) -> dict[str, Totals]:
    """Return the totals in further currencies that stand in a row."""
    totals, currencies, used, _ = held.item()
    return {
        CURRENCY_CODES[currency]: totals[FIGURES * place : FIGURES * (place + 1)].tolist()
        for place, currency in enumerate(currencies[:used].tolist())
    }


# -- columns for the models ------------------------------------------------------------------------


class Names(NamedTuple):
    """Names with their numbers; `numbers` has two more, of no name and of all that are not here.

    Such a number is -1 if nobody has given it yet.
    """

    texts: Bytes
    ends: Ints
    numbers: Ints

    @classmethod
    def of(cls, known: dict[str | None, int], others: int) -> Self:
        """Return names by their numbers; `others` is that of all that are not here."""
        names = [name for name in known if name is not None]
        texts = [name.encode() for name in names]
        return cls(
            np.frombuffer(b"".join(texts), np.uint8),
            np.cumsum([len(text) for text in texts], dtype=np.int64),
            np.array([*(known[name] for name in names), known.get(None, others), others], np.int64),
        )


class SeenTexts(NamedTuple):
    """Columns of records: the numbers of their channels, and the hashes of other names."""

    channel: Ints
    counterparty: Ints
    institution: Ints

    @classmethod
    def room(cls, count: int) -> Self:
        """Return room for so many records."""
        return cls(*(np.empty(count, np.int64) for _ in cls._fields))


@compiled
def see_texts(data: Bytes, rows: Table, places: Ints, channels: Names, seen: SeenTexts) -> None:
    """Fill the columns of the rows at some places; a hash of no name is 0."""
    count = channels.ends.size
    for number in range(places.size):
        row = rows[places[number]]
        base = int(row["value_at"])
        seen.counterparty[number] = seen.institution[number] = 0
        length = int(row["length"][COUNTERPARTY])
        if length > 0:
            seen.counterparty[number] = crc32(data, base + int(row["at"][COUNTERPARTY]), length)
        length = int(row["length"][INSTITUTION])
        if length > 0:
            hash_ = crc32(data, base + int(row["at"][INSTITUTION]), length)
            seen.institution[number] = max(hash_, 1)
        length, at = int(row["length"][CHANNEL]), base + int(row["at"][CHANNEL])
        if length < 0:
            seen.channel[number] = channels.numbers[count]
            continue
        seen.channel[number] = channels.numbers[count + 1]
        begin = 0
        for known in range(count):
            end = int(channels.ends[known])
            if end - begin == length and is_same(data, at, channels.texts, begin, length):
                seen.channel[number] = channels.numbers[known]
                break
            begin = end


def text_at(data: Bytes, row: Table, field: int) -> str | None:
    """Return a text of a row; None if it has none."""
    length, at = int(row["length"][field]), int(row["value_at"]) + int(row["at"][field])
    return None if length == NONE else data[at : at + length].tobytes().decode()
