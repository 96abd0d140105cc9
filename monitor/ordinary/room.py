"""Makes arrays longer before they are full."""

from typing import Any

import numpy as np

from monitor.ordinary import layout, tables
from monitor.ordinary.layout import Arrays, Table


def with_room(arrays: Arrays) -> Arrays:
    """Return arrays with room for at least as many records again as a short run has."""
    numbers = arrays.numbers
    more: dict[str, Any] = {}
    used = int(numbers[layout.ACCOUNTS_USED])
    if used + layout.SPARE > arrays.accounts.size:
        accounts = more["accounts"] = longer(arrays.accounts, used + layout.SPARE)
        index = more["index"] = np.zeros(1 << (2 * accounts.size - 1).bit_length(), np.int32)
        tables.reindex(index, accounts, used)
    if numbers[layout.TEXTS_USED] + layout.SPARE_TEXTS > arrays.texts.size:
        needed = int(numbers[layout.TEXTS_USED]) + layout.SPARE_TEXTS
        more["texts"] = longer(arrays.texts, needed)
    days = int(numbers[layout.DAYS_USED] - numbers[layout.FREE_DAYS])
    if days + layout.SPARE > arrays.days.size:
        more["days"] = longer(arrays.days, days + layout.SPARE)
    if numbers[layout.ENTRIES_USED] + layout.SPARE > arrays.entries.size:
        more["entries"] = longer(arrays.entries, int(numbers[layout.ENTRIES_USED]) + layout.SPARE)
    texts = int(numbers[layout.ENTRY_TEXTS_USED]) + layout.ID_KEPT_MAX * layout.SPARE
    if texts > arrays.entry_texts.size:
        more["entry_texts"] = longer(arrays.entry_texts, texts)
    if numbers[layout.IDS_USED] + layout.SPARE > arrays.ids.size * 3 // 5:
        more["ids"] = ids_moved(arrays, 0)
    return arrays._replace(**more) if more else arrays


def ids_moved(arrays: Arrays, least: int) -> Table:
    """Return the ids of open days in a table with room for as many again, or for some."""
    numbers = arrays.numbers
    first_day = int(arrays.opens[0]["day"]) if numbers[layout.OPENS_USED] else 1 << 31
    held = int(np.count_nonzero(arrays.ids["day"] >= max(first_day, 1)))
    table = np.zeros(1 << (max(2 * (held + layout.SPARE), least) * 5 // 3).bit_length(), layout.IDS)
    numbers[layout.IDS_USED] = tables.move_ids(arrays.ids, table, first_day)
    return table


def longer(array: Table, least: int) -> Table:
    """Return an array with twice the room, or what is needed."""
    made = np.zeros(max(2 * array.size, least), array.dtype)
    made[: array.size] = array
    return made


def taller(array: Table, filled: int) -> Table:
    """Return an array with twice the rows, filled with a number."""
    made = np.full((2 * array.shape[0], array.shape[1]), filled, array.dtype)
    made[: array.shape[0]] = array
    return made
