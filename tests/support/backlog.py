"""A stream that works off a backlog beside a replay of the same rows: what both end with.

`python -m tests.support.backlog FILE.csv...` prints what is found of each file, and ends with
status 1 where the two differ, or where a member of an incident has not its cause.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from monitor.policy.document import DEFAULT_POLICY, policy_of
from monitor.policy.models import DEFAULT_BUDGET, DEFAULT_SYSTEMIC
from monitor.policy.policy import PolicyBook
from monitor.review.membership import is_member
from streams.feed.reader import Batch, files_of, read
from streams.lab.bench import fill
from streams.lab.rig import WorkerProcess, embedded_rig, taken_in
from streams.replay.replay import Replay
from streams.settings import Settings
from streams.topics.alerts import read_alerts
from tests.support.forked import forked_worker

FULL: Final = DEFAULT_POLICY + DEFAULT_BUDGET + DEFAULT_SYSTEMIC
WAIT_SECONDS_MAX: Final = 1500.0
STILL_SECONDS: Final = 10.0
"""Nothing more is told for so long: all that comes of the records was told."""

PARTITIONS: Final = 4

Told = dict[str, dict[str, Any]]
"""The latest revision of each alert, by its id."""


class Ends(NamedTuple):
    """What a stream and a replay of the same rows end with."""

    stream: Told
    replay: Told


def ends_of(batches: Sequence[Batch], policy: str = FULL) -> Ends:
    """Put all rows on a topic, start a worker then, and replay the same rows beside it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "policy.toml"
        file.write_text(policy, encoding="utf-8")
        with embedded_rig(file, {"WEIR_PARTITIONS": str(PARTITIONS)}) as settings:
            sent = asyncio.run(fill(settings, batches))
            worker = forked_worker(settings)
            try:
                _wait(worker, sent)
                stream = asyncio.run(_latest(settings))
            finally:
                worker.close()
    replay = Replay(PolicyBook([policy_of(policy)]), PARTITIONS)
    told = (alert.fields() for batch in batches for alert in replay.observe(batch).alerts)
    return Ends(stream, {str(alert["alert_id"]): json.loads(json.dumps(alert)) for alert in told})


async def _latest(settings: Settings) -> Told:
    latest: Told = {}
    async for alert in read_alerts(settings, follow=False):
        known = latest.get(alert["alert_id"])
        if known is None or known["revision"] <= alert["revision"]:
            latest[alert["alert_id"]] = alert
    return latest


def _wait(worker: WorkerProcess, records: int) -> None:
    """Wait until all records are decided, and all closed days, and nothing more is told."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    before: Counter[str] = Counter()
    still_since = time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.5)
        worker.ensure_running()
        samples = worker.samples()
        totals = Counter({
            name: round(value)
            for name in ("weir_alerts_total", "weir_segment_records_told_total",
                         "weir_segment_records_joined_total")
            for value in [sum(v for (metric, _), v in samples.items() if metric == name)]
        })  # fmt: skip
        is_joined = (
            totals["weir_segment_records_told_total"] == totals["weir_segment_records_joined_total"]
        )
        if totals != before or not is_joined or taken_in(samples) < records:
            before, still_since = totals, time.monotonic()
        elif time.monotonic() - still_since > STILL_SECONDS:
            return
    raise TimeoutError(f"the worker was not through after {WAIT_SECONDS_MAX:g} s")


def reviews_of(told: Told) -> dict[str, tuple[object, ...]]:
    """Return each review: whether it stands, its value, its days as written, and those left out."""
    return {
        alert_id: (
            alert["status"] != "withdrawn",
            alert["value"],
            json.dumps(alert["evidence"]["days"]),
            alert["evidence"].get("grouped_days"),
        )
        for alert_id, alert in told.items()
        if alert["kind"] == "review"
    }


def differences(ends: Ends) -> list[str]:
    """Return what a stream says otherwise than a replay, of reviews and of all other alerts."""
    stream, replay = reviews_of(ends.stream), reviews_of(ends.replay)
    found = [f"only in the stream: {name}" for name in sorted(stream.keys() - replay.keys())]
    found += [f"only in the replay: {name}" for name in sorted(replay.keys() - stream.keys())]
    found += [
        f"{name}: {_apart(stream[name], replay[name])}"
        for name in sorted(stream.keys() & replay.keys())
        if stream[name] != replay[name]
    ]
    others = [
        {name: (alert["status"], alert["value"]) for name, alert in told.items()
         if alert["kind"] in {"daily-amount", "daily-count"}}
        for told in ends
    ]  # fmt: skip
    return found + [
        f"a limit: {name}" for name in sorted(dict(others[0].items() ^ others[1].items()))
    ]


def _apart(stream: tuple[object, ...], replay: tuple[object, ...]) -> str:
    """Return what two tell of a review, without the days that they tell alike."""
    said = [
        (fields[:2], set(json.loads(str(fields[2]), object_hook=str)), fields[3])
        for fields in (stream, replay)
    ]
    both = said[0][1] & said[1][1]
    return ", not ".join(f"{name} {sorted(days - both)} {left}" for name, days, left in said)


def wrong_members(told: Told, rows: Iterable[Sequence[str | None]]) -> list[str]:
    """Return what is wrong with the members of incidents: by the alerts, and by the rows."""
    paid = {(row[1], (row[2] or "")[:10], row[7]) for row in rows}
    limits = [alert for alert in told.values() if alert["kind"].startswith("daily-")]
    found = []
    explained: set[tuple[str, str, str]] = set()
    for incident in (alert for alert in told.values() if alert["kind"] == "systemic"):
        members = [alert for alert in limits if is_member(incident, alert)]
        ids = {alert["alert_id"] for alert in members}
        if len(members) != incident["grouped"] or not ids.issuperset(incident["members"]):
            found.append(f"{incident['alert_id']}: {len(members)} members, {incident['grouped']}")
        if len(incident["members"]) != min(len(members), 100):
            found.append(f"{incident['alert_id']}: names {len(incident['members'])} members")
        cause = incident["cause"]
        explained |= {(a["account_id"], a["business_day"], incident["alert_id"]) for a in members}
        if cause is not None and cause["type"] == "institution":
            found += [
                f"{alert['alert_id']} never paid {cause['value']}"
                for alert in members
                if (alert["account_id"], alert["business_day"], cause["value"]) not in paid
            ]
    found += [
        f"review {review['alert_id']} leaves out {day}"
        for review in told.values()
        if review["kind"] == "review"
        for day in review["evidence"].get("grouped_days", ())
        if not any(
            (review["account_id"], day, incident) in explained
            for incident in review["evidence"]["incident_ids"]
        )
    ]
    return found


def figures(ends: Ends) -> Mapping[str, int]:
    reviews = reviews_of(ends.stream)
    return {
        "reviews": len(reviews),
        "reviews that stand": sum(bool(review[0]) for review in reviews.values()),
        "reviews that leave out days": sum(bool(review[3]) for review in reviews.values()),
        "incidents": sum(alert["kind"] == "systemic" for alert in ends.stream.values()),
        "revisions that differ": sum(
            ends.replay[name]["revision"] != ends.stream[name]["revision"]
            for name in reviews
            if name in ends.replay
        ),
    }


def main(files: Sequence[str]) -> int:
    wrong = 0
    for file in files:
        batches = list(read(files_of([Path(file)])))
        ends = ends_of(batches)
        found = differences(ends)
        found += wrong_members(ends.stream, (row for batch in batches for row in batch.rows))
        said = [file, str(dict(figures(ends))), f"{len(found)} differences", *found[:20]]
        sys.stdout.write("\n  ".join(said) + "\n")
        wrong += len(found)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

__all__ = ["FULL", "differences", "ends_of", "figures", "wrong_members"]
