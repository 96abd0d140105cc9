"""What models see of the texts of a run's rows: numbers of channels, and hashes of other names."""

from typing import NamedTuple, Self

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import compiled
from monitor.ordinary.layout import CHANNEL, COUNTERPARTY, INSTITUTION, NONE, Table
from monitor.ordinary.tables import crc32, is_same


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
