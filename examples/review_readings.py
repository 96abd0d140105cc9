"""Count how reviews of made populations read, by the kind of anomaly that their days hold.

    weir generate --accounts 5000 --days 45 --incidents --needs --out 1.csv --labels 1.labels.jsonl
    weir replay 1.csv --policy examples/full.policy.toml --alerts 1.alerts.jsonl
    python examples/review_readings.py 1.alerts.jsonl 1.labels.jsonl [2.alerts.jsonl ...]

A review is counted as it was reported last, and only if it stands. It counts for each kind that one
of its listed days is labelled with, and for `none` if no listed day is labelled.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

READINGS = ("suspicion", "unclear", "service-need")
NONE = "none"


def main(paths: Sequence[Path]) -> int:
    """Print the table of pairs of files (alerts, labels); return the exit status."""
    if not paths or len(paths) % 2:
        sys.stderr.write(__doc__ or "")
        return 2
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for alerts, labels in zip(paths[::2], paths[1::2], strict=True):
        for kind, reading in readings_of(lines_of(alerts), lines_of(labels)):
            table[kind][reading] += 1
    sys.stdout.write(f"| kind | reviews | {' | '.join(READINGS)} |" + "\n")
    sys.stdout.write(f"| --- |{' ---: |' * (1 + len(READINGS))}" + "\n")
    for kind in sorted(table, key=lambda name: (name == NONE, name)):
        counts = table[kind]
        cells = [counts.total(), *(counts[reading] for reading in READINGS)]
        sys.stdout.write(f"| {kind} | {' | '.join(map(str, cells))} |" + "\n")
    return 0


def readings_of(
    alerts: Iterator[Mapping[str, Any]], labels: Iterator[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield a kind and a reading for each standing review and each kind that its days hold."""
    kinds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for label in labels:
        if label["level"] == "account-day":
            kinds[label["account_id"], label["business_day"]].add(label["kind"])
    last = {alert["alert_id"]: alert for alert in alerts if alert["kind"] == "review"}
    for alert in last.values():
        if alert["status"] == "withdrawn":
            continue
        days = [(alert["account_id"], day["business_day"]) for day in alert["evidence"]["days"]]
        for kind in set().union(*(kinds[day] for day in days if day in kinds)) or {NONE}:
            yield kind, alert["evidence"]["reading"]


def lines_of(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a file of JSON Lines."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
