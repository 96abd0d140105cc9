"""The cost of deciding on a record where some are odd, by kernels and in Python alone.

Odd are escapes in a text, a further currency, a reversal, a rejection, a change of segment. Both
engines take the same runs of one partition by turns, and must tell as many alerts; no broker is
part of it.
"""

import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from statistics import median
from typing import Any, Final, NamedTuple

from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.outliers.scorer import Scorer
from monitor.policy.policy import Policy, PolicyBook
from streams.feed.reader import Batch
from streams.feed.rows import records_of
from streams.interpreter import configure_interpreter
from streams.lab.stages import (
    RUN_RECORDS,
    RUNS_A_FLUSH,
    WRITTEN_AT,
    MadeRecord,
    load_kernels,
    record_batches,
)
from streams.wire.columns import read_run
from streams.wire.records import RecordBatch

KINDS: Final = ("escape", "currency", "reversal", "rejection", "segment")
"""What a record is that is odd; each as often as another."""

ROUNDS: Final = 3
_NOT_AN_AMOUNT: Final = "1.234"

_Fields = dict[str, Any]
_Runs = list[list[RecordBatch]]


class EngineCost(NamedTuple):
    """What an engine took: microseconds of processor a record, and the share decided in Python."""

    cpu_us: float
    in_python: float
    alerts: int


class OddCosts(NamedTuple):
    """The costs of both engines, of the stream as it was made and with odd records in it."""

    ordinary_arrays: EngineCost
    ordinary_plain: EngineCost
    odd_arrays: EngineCost
    odd_plain: EngineCost

    @property
    def gain_kept(self) -> float:
        """What the arrays save a record of the odd stream, as a share of what they save else."""
        gain = self.ordinary_plain.cpu_us - self.ordinary_arrays.cpu_us
        return (self.odd_plain.cpu_us - self.odd_arrays.cpu_us) / gain

    def fields(self) -> dict[str, object]:
        """Return the figures, as `--json` prints them."""
        figures: dict[str, object] = {}
        for name, arrays, plain in (
            ("ordinary", self.ordinary_arrays, self.ordinary_plain),
            ("odd", self.odd_arrays, self.odd_plain),
        ):
            figures |= {
                f"{name}_arrays_us": round(arrays.cpu_us, 2),
                f"{name}_plain_us": round(plain.cpu_us, 2),
                f"{name}_ratio": round(arrays.cpu_us / plain.cpu_us, 2),
                f"{name}_in_python": round(arrays.in_python, 4),
                f"{name}_alerts": arrays.alerts,
            }
        return figures | {"gain_kept": round(self.gain_kept, 2)}


def odd_costs(
    policy: Policy, batches: Iterable[Batch], transactions: int, share: float
) -> OddCosts:
    """Return what so many transactions cost if a share of them is odd (0 to 1), and if none is."""
    made = list(islice(_made(batches), transactions))
    streams = [_runs(made), _runs(list(_with_odd(made, share)))]
    load_kernels(policy)
    configure_interpreter()
    found: list[EngineCost] = []
    for runs in streams:
        rounds = [
            (_cost(OrdinaryEngine, policy, runs), _cost(Engine, policy, runs))
            for _ in range(ROUNDS)
        ]
        arrays, plain = (_median(costs) for costs in zip(*rounds, strict=True))
        assert arrays.alerts == plain.alerts, "both engines tell the same"
        found += (arrays, plain)
    return OddCosts(*found)


def _median(costs: Sequence[EngineCost]) -> EngineCost:
    return costs[0]._replace(cpu_us=median(cost.cpu_us for cost in costs))


def _made(batches: Iterable[Batch]) -> Iterator[_Fields]:
    for batch in batches:
        for _, value, _ in records_of(batch):
            yield json.loads(value)


def _with_odd(made: Iterable[_Fields], share: float) -> Iterator[_Fields]:
    """Yield the fields of records of which a share is odd, at random with a fixed seed."""
    rng = random.Random(1)  # noqa: S311 - seeded, and no secret
    latest: dict[str, _Fields] = {}  # what may be reversed, by account
    for ordinary in made:
        fields, account_id = dict(ordinary), ordinary["account_id"]
        kind = rng.choice(KINDS) if rng.random() < share else None
        if kind == "escape":
            fields["counterparty_id"] = f"Müller {fields.get('counterparty_id', '')}"
        elif kind == "currency":
            fields["currency"] = rng.choice(("USD", "GBP", "CHF"))
        elif kind == "segment":
            fields["segment"] = rng.choice(("one", "two", "three"))
        elif kind == "rejection":
            fields["amount"] = _NOT_AN_AMOUNT
        elif kind == "reversal" and account_id in latest:
            original = latest.pop(account_id)
            fields |= {
                "reverses": original["transaction_id"],
                "amount": original["amount"],
                "currency": original["currency"],
            }
        if "reverses" not in fields and fields["amount"] != _NOT_AN_AMOUNT:
            latest[account_id] = fields
        yield fields


def _runs(stream: Sequence[_Fields]) -> _Runs:
    records = [
        MadeRecord(
            offset,
            WRITTEN_AT,
            fields["account_id"].encode(),
            json.dumps(fields, separators=(",", ":")).encode(),
        )
        for offset, fields in enumerate(stream)
    ]
    return [
        record_batches(records[first : first + RUN_RECORDS])
        for first in range(0, len(records), RUN_RECORDS)
    ]


def _cost(kind: type[Engine], policy: Policy, runs: _Runs) -> EngineCost:
    engine = kind(0, PolicyBook([policy]), partitions=1)
    if policy.outliers is not None:
        engine.outliers.scorer = Scorer(policy.outliers, 0, 1, engine.ledger.calendar)
    seconds, records, in_python, alerts = 0.0, 0, 0, 0
    for number, batches in enumerate(runs):
        run = read_run(batches)
        started = time.process_time()
        engine.observe_run(run)
        step = engine.take_step()
        seconds += time.process_time() - started
        records += len(run.offsets)
        in_python += sum(step.in_python.values())
        alerts += len(step.alerts)
        if number % RUNS_A_FLUSH == RUNS_A_FLUSH - 1:
            engine.ledger.take_dirty()
    return EngineCost(1e6 * seconds / records, in_python / records, alerts)
