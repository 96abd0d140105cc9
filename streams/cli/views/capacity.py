"""The answer to `weir capacity`: named fields for a program, plain tables for a person."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from streams.lab.capacity.costs import PARTITION_ACCOUNTS, SOURCES, Costs
from streams.lab.capacity.plan import Plan
from streams.lab.capacity.rebalance import RebalanceOutcome

PUBLISHED_WORD: Final = "published"
MEASURED_WORD: Final = "yours"


COMPARED: Final = (
    "killed, not replaced",
    "killed, replaced at once, static",
    "killed, not replaced, standbys",
)


def capacity_fields(plan: Plan, costs: Costs, measured: Iterable[str]) -> dict[str, Any]:
    """Return a plan as named fields; bytes, seconds, cores and microseconds."""
    sizing, own = plan.sizing._asdict(), set(measured)
    flush = sizing.pop("flush")._asdict()
    return {
        "target": plan.target._asdict(),
        "around": plan.around._asdict(),
        "sizing": {**sizing, "flush": flush},
        "losses": {
            name: None if outcome is None else outcome._asdict()
            for name, outcome in plan.losses.items()
        },
        "standbys": {"memory_bytes": plan.standby_bytes, "cores": plan.standby_cores},
        "costs": {
            name: {
                "value": value,
                "unit": SOURCES[name].unit,
                "from": MEASURED_WORD if name in own else PUBLISHED_WORD,
                "command": SOURCES[name].command,
            }
            for name, value in costs._asdict().items()
        },
        "notes": notes(plan),
    }


def capacity_text(plan: Plan) -> str:
    """Return a plan for a person to read."""
    sizing = plan.sizing
    a_partition = plan.target.accounts / sizing.partitions
    rows = [
        ("partitions", f"{sizing.partitions:,}", f"{a_partition:,.0f} accounts each"),
        ("workers", f"{sizing.workers:,}", f"decided by: {sizing.decided_by}"),
        ("cores busy", f"{sizing.cores_busy:,.1f}", f"{sizing.core_share_busy:.0%} of a core each"),
        (
            "memory",
            _bytes(sizing.memory_bytes),
            f"{_bytes(sizing.worker_memory_bytes)} each, without headroom",
        ),
        ("open transactions", f"{sizing.open_transactions:,.0f}", "held until their day closes"),
        ("state", _bytes(sizing.state_bytes), "live, one copy"),
        (
            "changelog on disk",
            _bytes(sizing.changelog_disk_bytes),
            f"at most, {plan.target.replicas} copies, before compaction",
        ),
        (
            "changelog written",
            f"{_bytes(sizing.changelog_bytes_per_second)}/s",
            f"one copy; {_bytes(sizing.flush.bytes)} each {sizing.flush.seconds:.1f} s a partition",
        ),
    ]
    text = _table(rows, "lrl")
    text += "\none worker is lost (model; greatest of 5, seconds):\n"
    head = ("", "deciding", "caught up", "alert delay", "others stand", "moved")
    losses = [
        (name, *(("never", "never", "", "", "") if outcome is None else _seconds(outcome)))
        for name, outcome in plan.losses.items()
    ]
    text += _table([head, *losses], "lrrrrr")
    text += (
        f"\nstandbys would cost {_bytes(plan.standby_bytes)} of memory and"
        f" {plan.standby_cores:,.1f} cores more\n"
    )
    return text + "".join(f"note: {note}\n" for note in notes(plan))


COLUMNS: Final = (
    "a second",
    "accounts",
    "partitions",
    "workers",
    "decided by",
    "cores busy",
    "memory",
    "state",
    "written",
    "killed",
    "static",
    "standbys",
)
"""Of several plans. The last three are seconds until a killed worker's partitions have caught up:
not replaced, replaced with static membership, and not replaced with standbys."""


def compared(plans: Sequence[Plan]) -> str:
    """Return several plans, one a line, for a person to read."""
    rows: list[Sequence[str]] = [COLUMNS]
    for plan in plans:
        sizing = plan.sizing
        rows.append(
            (
                _count(plan.target.per_second),
                _count(plan.target.accounts),
                f"{sizing.partitions:,}",
                f"{sizing.workers:,}",
                sizing.decided_by,
                f"{sizing.cores_busy:,.1f}",
                _bytes(sizing.memory_bytes),
                _bytes(sizing.state_bytes),
                f"{_bytes(sizing.changelog_bytes_per_second)}/s",
                *(
                    "never" if outcome is None else f"{outcome.caught_up_seconds:,.0f} s"
                    for outcome in (plan.losses[name] for name in COMPARED)
                ),
            )
        )
    return _table(rows, "rrrrlrrrrrrr")


def costs_text(costs: Costs, measured: Iterable[str]) -> str:
    """Return costs and their sources for a person to read."""
    own = set(measured)
    rows = [
        (
            name,
            f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}",  # noqa: PLR2004 - four digits
            source.unit,
            MEASURED_WORD if name in own else PUBLISHED_WORD,
            source.command,
        )
        for (name, value), source in zip(costs._asdict().items(), SOURCES.values(), strict=True)
    ]
    return _table(rows, "lrlll")


CURVE: Final = (
    "accounts",
    "transactions",
    "memory",
    "state",
    "buckets",
    "decide us",
    "flush few",
    "us",
    "flush many",
    "us",
    "rebuild s",
)
"""Of a curve: bytes of one partition, and processor time a transaction. Few are 2,000, and many are
15,000 records to a flush."""


def curve_text(points: Iterable[Mapping[str, float]]) -> str:
    """Return the sizes of a curve, one a line, for a person to read."""
    rows = [[f"{value:,}" for value in point.values()] for point in points]
    return _table([CURVE, *rows], "r" * len(CURVE)).rstrip("\n")


def notes(plan: Plan) -> list[str]:
    """Return what a reader must know of these figures."""
    found = []
    if plan.target.accounts / plan.sizing.partitions > PARTITION_ACCOUNTS:
        found.append(
            f"a partition has more than the {PARTITION_ACCOUNTS:,} accounts for which the costs"
            " hold: it needs more than this says"
        )
    if plan.target.transactions_a_day is None:
        found.append(
            "the greatest rate is taken for the whole day: give --transactions-a-day if it is not"
        )
    if None in plan.losses.values():
        found.append(
            "without one worker the others have not enough of a core, or of memory: it must be"
            " replaced, or give more --headroom"
        )
    if plan.sizing.decided_by == "memory":
        found.append("memory decides the number of workers: more --worker-memory needs fewer")
    return found


def _seconds(outcome: RebalanceOutcome) -> tuple[str, ...]:
    return (
        f"{outcome.deciding_seconds:,.0f}",
        f"{outcome.caught_up_seconds:,.0f}",
        f"{outcome.delay_seconds:,.0f}",
        f"{outcome.paused_seconds:,.0f}",
        f"{outcome.moved:,}",
    )


def _count(number: float) -> str:
    """Return a number with k, M or G after it, if that says the same."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit and f"{number / unit:.3g}" == f"{number / unit:.9g}":
            return f"{number / unit:g}{letter}"
    return f"{number:,.9g}"


def _bytes(count: float) -> str:
    """Return bytes in a unit of three digits, of powers of ten."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:  # noqa: PLR2004 - the next unit
            return f"{count:,.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} PB"


def _table(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Return rows as text; each column stands on the left (l) or on the right (r)."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(sides))]
    lines = [
        "  ".join(
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines) + "\n"
