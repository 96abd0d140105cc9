"""Real purchases with made take-overs: some cards pay five times as much for two weeks.

Amounts of the Birmingham purchase cards, which nobody labelled: an injection is the only truth.
"""

import csv
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from monitor.core.transaction import FIELDS
from streams.feed.mapping import feed_map_of
from streams.feed.reader import files_of, read

FIRST, END = datetime(2016, 11, 25, tzinfo=UTC), datetime(2017, 12, 1, tzinfo=UTC)
"""A few rows have days far from the year of the files."""

CARDS: Final = 150
QUIET_DAYS: Final = 40
"""None is taken over before."""

TAKEN_OVER_DAYS: Final = 14
SHARE: Final = 0.33
"""Of a taken-over card's payments that are odd."""

FACTOR: Final = 5
LABEL: Final = "is_injected"


class Purchase(NamedTuple):
    time: datetime
    card: str
    merchant: str
    amount: Decimal


def purchases(folder: Path, map_file: Path) -> list[Purchase]:
    """Return the purchases (no refunds) by day; on each day they are a second apart."""
    feed_map = feed_map_of(map_file)
    found = []
    for batch in read(files_of([folder], feed_map), feed_map):
        for row in batch.rows:
            fields = {name: text or "" for name, text in zip(FIELDS, row, strict=True)}
            if fields["direction"] != "debit" or not fields["amount"] or not fields["booked_at"]:
                continue
            day = datetime.fromisoformat(fields["booked_at"][:10]).replace(tzinfo=UTC)
            amount = Decimal(fields["amount"])
            if amount > 0 and FIRST <= day < END:
                merchant = fields["counterparty_id"]
                found.append(Purchase(day, fields["account_id"], merchant, amount))
    found.sort(key=lambda purchase: purchase.time)
    second, day = 0, FIRST
    for place, purchase in enumerate(found):
        second, day = (second + 1 if purchase.time == day else 0), purchase.time
        found[place] = purchase._replace(time=day + timedelta(seconds=second))
    return found


def injected(found: list[Purchase], seed: int) -> set[int]:
    """Return the places of the purchases that a take-over made."""
    rng = np.random.default_rng(seed)
    begin = found[0].time + timedelta(days=QUIET_DAYS)
    places: dict[str, list[int]] = {}
    for place, purchase in enumerate(found):
        if purchase.time >= begin:
            places.setdefault(purchase.card, []).append(place)
    odd: set[int] = set()
    cards = rng.choice(np.array(list(places)), CARDS, replace=False)
    for card, share in zip(cards.tolist(), rng.uniform(0, 1, CARDS), strict=True):
        first = found[places[card][int(share * len(places[card]))]].time
        end = first + timedelta(days=TAKEN_OVER_DAYS)
        held = [place for place in places[card] if first <= found[place].time < end]
        draws = rng.random(len(held)) < SHARE
        odd |= {place for place, is_odd in zip(held, draws, strict=True) if is_odd}
    return odd


def write_injected(found: list[Purchase], seed: int, path: Path) -> int:
    """Write purchases with an injection as CSV, labelled; return how many rows are odd."""
    odd = injected(found, seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*FIELDS[:7], LABEL])
        writer.writeheader()
        for place, purchase in enumerate(found):
            is_odd = place in odd
            writer.writerow(
                {
                    "transaction_id": f"P{place:06d}",
                    "account_id": purchase.card,
                    "booked_at": purchase.time.isoformat().replace("+00:00", "Z"),
                    "amount": f"{purchase.amount * (FACTOR if is_odd else 1):.2f}",
                    "currency": "GBP",
                    "direction": "debit",
                    "counterparty_id": purchase.merchant,
                    LABEL: int(is_odd),
                }
            )
    return len(odd)


def main() -> None:
    """Write an injection: python -m tests.support.injected_cards FOLDER MAP SEED OUT.csv."""
    folder, map_file, seed, out = sys.argv[1:]
    odd = write_injected(purchases(Path(folder), Path(map_file)), int(seed), Path(out))
    sys.stdout.write(f"{odd} rows of {out} are odd\n")


if __name__ == "__main__":
    main()
