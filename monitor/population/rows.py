"""Made days as rows of text: as tuples to work on, or as the bytes of a CSV file.

Both say the same; bytes are made by the column, some twenty times as fast.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ints
from monitor.core.transaction import CREDIT, DEBIT, FIELDS
from monitor.population.behaviour import BRANCHES, CHANNELS, INSTITUTIONS, SEGMENTS
from monitor.population.faults import SOUND, broken
from monitor.population.labels import account_id, transaction_id
from monitor.population.movements import MadeDay
from monitor.population.population import Population

COLUMNS: Final = FIELDS
CHUNK_ROWS: Final = 1 << 16

Row = tuple[str, ...]
Bytes = NDArray[np.uint8]
"""Texts of a column, one a line; 0 stands for no character."""

_INSTITUTION_TEXTS: Final = [f"BANK{i:02d}" for i in range(INSTITUTIONS)]
_BRANCH_TEXTS: Final = [f"B{b:02d}" for b in range(BRANCHES)]
_DAY_SECONDS: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()


def rows_of(population: Population) -> Iterator[tuple[MadeDay, list[Row]]]:
    """Yield each day and its rows, in the order of the feed, a text for each of `COLUMNS`."""
    for made in population.made_days():
        yield made, _rows(population, made)


def csv_header() -> bytes:
    """Return the first line of a file."""
    return (",".join(COLUMNS) + "\n").encode()


def csv_of(population: Population, made: MadeDay) -> Iterator[bytes]:
    """Yield the lines of a day's rows, `CHUNK_ROWS` at a time.

    No text of a made row has a comma or a quote, so that joining is all there is to CSV.
    """
    for first in range(0, made.numbers.size, CHUNK_ROWS):
        part = slice(first, first + CHUNK_ROWS)
        yield _with_broken(_lines(population, made, part), made.faults[part])


# -- as tuples -----------------------------------------------------------------------------------


def _rows(population: Population, made: MadeDay) -> list[Row]:
    movements, accounts = made.movements, population.drawn
    ids = list(map(transaction_id, made.numbers.tolist()))
    days, seconds = np.divmod(made.moments, _DAY_SECONDS)
    texts = _times()
    dates = {day: date.fromordinal(_EPOCH + day).isoformat() for day in np.unique(days).tolist()}
    rows = list(
        zip(
            ids,
            map(account_id, movements.account.tolist()),
            [
                f"{dates[d]}T{texts[s]}Z"
                for d, s in zip(days.tolist(), seconds.tolist(), strict=True)
            ],
            [f"{a // 100}.{a % 100:02d}" for a in movements.amount.tolist()],
            [population.currency] * len(ids),
            [CREDIT if is_credit else DEBIT for is_credit in movements.is_credit.tolist()],
            [f"C{c:010d}" for c in movements.counterparty.tolist()],
            [_INSTITUTION_TEXTS[i] for i in movements.institution.tolist()],
            [CHANNELS[c] for c in movements.channel.tolist()],
            [SEGMENTS[t] for t in accounts.type[movements.account].tolist()],
            [_BRANCH_TEXTS[b] for b in accounts.branch[movements.account].tolist()],
            [ids[place] if place >= 0 else "" for place in made.reverses.tolist()],
            strict=True,
        )
    )
    for place in np.flatnonzero(made.faults != SOUND).tolist():
        rows[place] = broken(rows[place], int(made.faults[place]))
    return rows


@cache
def _times() -> list[str]:
    return [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(_DAY_SECONDS)]


# -- as bytes ------------------------------------------------------------------------------------


def _lines(population: Population, made: MadeDay, part: slice) -> bytes:
    movements, accounts = made.movements, population.drawn
    account, amount = movements.account[part], movements.amount[part]
    days, seconds = np.divmod(made.moments[part], _DAY_SECONDS)
    day_first = int(days.min())
    dates = [date.fromordinal(_EPOCH + d).isoformat() for d in range(day_first, days.max() + 1)]
    reverses = made.reverses[part]
    reversed_ids = _numbered(b"T", made.numbers[np.maximum(reverses, 0)], 10)
    reversed_ids[reverses < 0] = 0
    columns = (
        _numbered(b"T", made.numbers[part], 10),
        _numbered(b"A", account, 7),
        np.hstack([
            _chosen([f"{text}T" for text in dates], days - day_first),
            _time_bytes()[seconds],
        ]),
        np.hstack([_digits(amount // 100, 1), _numbered(b".", amount % 100, 2)]),
        _chosen([population.currency], np.zeros_like(account)),
        _chosen([DEBIT, CREDIT], movements.is_credit[part]),
        _numbered(b"C", movements.counterparty[part], 10),
        _chosen(_INSTITUTION_TEXTS, movements.institution[part]),
        _chosen(CHANNELS, movements.channel[part]),
        _chosen(SEGMENTS, accounts.type[account]),
        _chosen(_BRANCH_TEXTS, accounts.branch[account]),
        reversed_ids,
    )  # fmt: skip
    comma = np.full((account.size, 1), ord(","), dtype=np.uint8)
    newline = np.full((account.size, 1), ord("\n"), dtype=np.uint8)
    parts = [piece for column in columns for piece in (column, comma)]
    table: Bytes = np.hstack([*parts[:-1], newline])
    text: bytes = table[table != 0].tobytes()
    return text


def _with_broken(lines: bytes, faults: Ints) -> bytes:
    places = np.flatnonzero(faults != SOUND).tolist()
    if not places:
        return lines
    split = lines.split(b"\n")
    for place in places:
        cells = tuple(split[place].decode().split(","))
        split[place] = ",".join(broken(cells, int(faults[place]))).encode()
    return b"\n".join(split)


def _digits(values: Ints, width_min: int) -> Bytes:
    """Return numbers in decimal digits, `width_min` of them at least."""
    width = max(width_min, len(str(int(values.max()))))
    digits = np.empty((values.size, width), dtype=np.uint8)
    rest = values
    for place in range(width - 1, -1, -1):
        more = rest // 10
        digits[:, place] = rest - more * 10 + ord("0")
        rest = more
    for place in range(width - width_min):
        digits[values < 10 ** (width - 1 - place), place] = 0
    return digits


def _numbered(prefix: bytes, values: Ints, width_min: int) -> Bytes:
    digits = _digits(values, width_min)
    return np.hstack([np.full((values.size, 1), prefix[0], dtype=np.uint8), digits])


def _chosen(texts: Sequence[str], which: Ints) -> Bytes:
    return _byte_table(tuple(texts))[which]


@cache
def _time_bytes() -> Bytes:
    return _byte_table(tuple(f"{text}Z" for text in _times()))


@cache
def _byte_table(texts: tuple[str, ...]) -> Bytes:
    width = max(map(len, texts))
    padded = b"".join(text.encode().ljust(width, b"\0") for text in texts)
    return np.frombuffer(padded, dtype=np.uint8).reshape(len(texts), width)
