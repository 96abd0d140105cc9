"""Measured costs of a worker, published or of a machine's own benchmarks."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

GROWTH_FROM_ACCOUNTS: Final = 10_000
"""Accounts of a partition in `weir bench`, nearly; costs that grow are counted from here on."""

PARTITION_ACCOUNTS: Final = 300_000
"""Accounts of the greatest partition for which the costs hold; beyond, they grow faster."""

EMBEDDED_JOIN_SECONDS: Final = 3.0
"""So long the embedded broker lets a group wait for its first join: half of the benchmark's session
timeout."""

FILE_BYTES_MAX: Final = 1 << 20


class CapacityError(ValueError):
    """A target that cannot be met, or figures that cannot be used."""


class Costs(NamedTuple):
    """Costs of a worker with one policy; `SOURCES` says which command measures each."""

    transaction_us: float
    growth_us: float
    account_bytes: float
    transaction_bytes: float
    process_bytes: float
    state_account_bytes: float
    state_transaction_bytes: float
    flush_ns_a_byte: float
    rebuild_account_us: float
    rebuild_transaction_us: float
    read_ns_a_byte: float
    start_seconds: float
    join_seconds: float

    def decided_us(self, accounts: float) -> float:
        """Return processor time a transaction, in a partition of so many accounts, in us.

        transaction_us + growth_us * log10(accounts / 10,000), and no less than transaction_us.
        """
        return self.transaction_us + self.growth_us * max(
            math.log10(max(accounts, 1) / GROWTH_FROM_ACCOUNTS), 0.0
        )


class CostSource(NamedTuple):
    """How a cost is measured: its unit, the command, and how the figure follows from it."""

    unit: str
    command: str
    rule: str


_CURVE: Final = "weir bench --curve"
_RECOVERY: Final = "weir bench --recovery-accounts N"

SOURCES: Final = {
    "transaction_us": CostSource("us", "weir bench", "processor time of a worker a transaction"),
    "growth_us": CostSource(
        "us", _CURVE, "decisions of the largest partition less the smallest, for each factor of ten"
    ),
    "account_bytes": CostSource(
        "bytes", _CURVE, "memory of the largest partition an account, less transaction_bytes"
    ),
    "transaction_bytes": CostSource(
        "bytes", _CURVE, "memory that more open transactions of as many accounts add"
    ),
    "process_bytes": CostSource("bytes", "weir soak", "memory of a worker with 5,000 accounts"),
    "state_account_bytes": CostSource(
        "bytes", _CURVE, "state of the largest partition, less state_transaction_bytes"
    ),
    "state_transaction_bytes": CostSource(
        "bytes", _CURVE, "state that more open transactions of as many accounts add"
    ),
    "flush_ns_a_byte": CostSource(
        "ns", _CURVE, "processor time of a flush a byte, of the size where it takes most"
    ),
    "rebuild_account_us": CostSource(
        "us", _CURVE, "rebuilding the largest partition an account, less rebuild_transaction_us"
    ),
    "rebuild_transaction_us": CostSource(
        "us", _CURVE, "rebuilding that more open transactions of as many accounts add"
    ),
    "read_ns_a_byte": CostSource(
        "ns", _RECOVERY, "processor time that reading more accounts adds, a byte read: two runs"
    ),
    "start_seconds": CostSource(
        "s", _RECOVERY, "read_seconds with few accounts, less 3 s that the embedded broker waits"
    ),
    "join_seconds": CostSource(
        "s", "weir worker", "WEIR_LOG_LEVEL=debug: from *Joined group* to *Worker ready*, no state"
    ),
}
"""Each field of `Costs`. The largest partition of a curve is that of 300,000 accounts here."""


POLICY_FIGURE: Final = "policy"
"""The figure of each benchmark that says by which policy it was measured."""

LIMITS_WORD: Final = "limits"
FULL_WORD: Final = "full"

_OPTION: Final = {LIMITS_WORD: "without --full", FULL_WORD: "with --full"}


class _Run(NamedTuple):
    """The figures of one run, and where they stand."""

    place: str
    figures: Mapping[str, Any]
    policy: str | None  # None if the run does not say


def _runs_of(path: Path) -> Iterator[_Run]:
    """Yield each run in a file: what --json prints, or a line of a series of --append.

    Raises CapacityError if the file has none, and OSError.
    """
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise CapacityError(f"{path} must have at most {FILE_BYTES_MAX:,} bytes")
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number},"
        try:
            run = json.loads(line)
        except (ValueError, RecursionError):
            run = None
        if not isinstance(run, dict):
            raise CapacityError(
                f"{place} must be an object that weir bench --json printed, or a line of --append"
            )
        figures = run.get("figures", run)
        if isinstance(figures, dict):
            yield _Run(place, figures, _policy_of(figures, run.get("options")))


def _policy_of(figures: Mapping[str, Any], options: object) -> str | None:
    """Return the word that a run has for its policy; a series has always had --full among options.

    None if neither says.
    """
    word = figures.get(POLICY_FIGURE)
    if isinstance(word, str) and word in _OPTION:
        return str(word)
    is_full = options.get("full") if isinstance(options, dict) else None
    if isinstance(is_full, bool):
        return FULL_WORD if is_full else LIMITS_WORD
    return None


def measured_in(path: Path, costs: Costs, policy: str) -> tuple[Costs, list[str]]:
    """Return costs with the figures of a file of benchmarks, and the names of those it has.

    Of several runs the last one counts. `policy` is the word of the policy that is asked about.
    Raises CapacityError if the file has no figure that can be used, or one of another or of an
    unknown policy; and OSError.
    """
    found: dict[str, float] = {}
    recoveries: dict[float, Mapping[str, float]] = {}
    for run in _runs_of(path):
        try:
            of_run = _of_run(run.figures)
            if "recovery" in run.figures:
                recovery = _numbers_of(run.figures["recovery"], "the recovery", RECOVERY_FIGURES)
                recoveries[recovery["accounts"]] = recovery
                of_run |= _of_recoveries(recoveries)
            if of_run or "recovery" in run.figures:
                _check_policy(run.policy, policy)
        except CapacityError as error:
            raise CapacityError(f"{run.place} cannot be used: {error}") from None
        found |= of_run
    if not found:
        raise CapacityError(
            f"{path} must have a run of weir bench, of weir bench --curve, or two of"
            " weir bench --recovery-accounts with different numbers, as --json prints them"
        )
    return costs._replace(**found), sorted(found)


def _check_policy(measured: str | None, asked: str) -> None:
    if measured is None:
        raise CapacityError(
            f"it does not say by which policy it was measured. Measure again {_OPTION[asked]}, or,"
            f' if it was measured so, add "{POLICY_FIGURE}": "{asked}" to the line'
        )
    if measured != asked:
        change = "add --full" if measured == FULL_WORD else "leave --full out"
        raise CapacityError(
            f"it was measured {_OPTION[measured]}. Measure again {_OPTION[asked]}, or {change}"
        )


def _of_run(figures: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    whole = figures.get("cpu_us_per_transaction")
    if whole is not None and not isinstance(whole, dict):  # of --stages: it has no transport
        name = "cpu_us_per_transaction"
        found["transaction_us"] = _number(whole, name, is_positive=True)
    if "curve" in figures:
        found |= costs_of_curve(figures["curve"])
    return found


CURVE_FIGURES: Final = {
    "accounts": True,
    "open_transactions": True,
    "memory_bytes": True,
    "state_bytes": True,
    "decide_us": False,
    "flush_bytes_many": True,
    "flush_us_many": False,
    "rebuild_seconds": False,
}
"""The figures of a size of a curve that costs follow from, and whether each must be above 0."""

RECOVERY_FIGURES: Final = {
    "accounts": True,
    "read_seconds": False,
    "read_cpu_seconds": False,
    "changelog_bytes": True,
}


def _number(value: object, name: str, *, is_positive: bool) -> float:
    """Return a figure. Raises CapacityError unless it is a finite number, not below 0."""
    least = "greater than 0" if is_positive else "of at least 0"
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < NUMBER_MAX else math.inf
        if math.isfinite(number) and (number > 0 or (number == 0 and not is_positive)):
            return number
    shown = json.dumps(value)
    if len(shown) > SHOWN_MAX:
        shown = f"{shown[:SHOWN_MAX]}..."
    raise CapacityError(f"{name} must be a number {least}, not {shown}")


NUMBER_MAX: Final = 1e18
SHOWN_MAX: Final = 40


def _numbers_of(value: object, name: str, wanted: Mapping[str, bool]) -> dict[str, float]:
    """Return the figures of an object. Raises CapacityError if it lacks one, or one cannot be."""
    if not isinstance(value, Mapping):
        raise CapacityError(f"{name} must be an object with {', '.join(wanted)}")
    if missing := [figure for figure in wanted if figure not in value]:
        raise CapacityError(f"{name} must have {', '.join(missing)}")
    return {
        figure: _number(value[figure], f"{figure} of {name}", is_positive=is_positive)
        for figure, is_positive in wanted.items()
    }


def costs_of_curve(curve: object) -> dict[str, float]:
    """Return what the sizes of a curve say; see `SOURCES` for each rule.

    Raises CapacityError if it is no array of sizes from which costs follow.
    """
    if not isinstance(curve, list | tuple):
        raise CapacityError("curve must be an array, as weir bench --curve --json prints it")
    points = [
        _numbers_of(each, f"size {number} of the curve", CURVE_FIGURES)
        for number, each in enumerate(curve, 1)
    ]
    by_accounts: dict[float, list[Mapping[str, float]]] = {}
    for point in points:
        by_accounts.setdefault(point["accounts"], []).append(point)
    pairs = [
        sorted(same, key=lambda point: point["open_transactions"])
        for same in by_accounts.values()
        if len({point["open_transactions"] for point in same}) > 1
    ]
    if not pairs:
        raise CapacityError(
            "the curve must have two sizes with as many accounts, and different open_transactions"
        )
    few, more = pairs[0][0], pairs[0][-1]
    points = [point for point in points if point["accounts"] <= PARTITION_ACCOUNTS]
    if len({point["accounts"] for point in points}) < 2:  # noqa: PLR2004 - a slope needs two
        raise CapacityError(
            f"the curve must have two sizes with different accounts, up to {PARTITION_ACCOUNTS:,}"
        )
    small = min(points, key=lambda point: point["accounts"])
    large = max(points, key=lambda point: point["accounts"])
    transactions = more["open_transactions"] - few["open_transactions"]

    def of_transaction(name: str) -> float:
        return max((more[name] - few[name]) / transactions, 0.0)

    def of_account(name: str) -> float:
        held = large["open_transactions"] * of_transaction(name)
        return max((large[name] - held) / large["accounts"], 0.0)

    tens = math.log10(large["accounts"] / small["accounts"])
    return {
        "growth_us": max((large["decide_us"] - small["decide_us"]) / tens, 0.0),
        "account_bytes": of_account("memory_bytes"),
        "transaction_bytes": of_transaction("memory_bytes"),
        "state_account_bytes": of_account("state_bytes"),
        "state_transaction_bytes": of_transaction("state_bytes"),
        "flush_ns_a_byte": max(
            1e3 * MANY_RECORDS * point["flush_us_many"] / point["flush_bytes_many"]
            for point in points
        ),
        "rebuild_account_us": 1e6 * of_account("rebuild_seconds"),
        "rebuild_transaction_us": 1e6 * of_transaction("rebuild_seconds"),
    }


MANY_RECORDS: Final = 15_000
"""As many records as come before the larger flush of a curve."""


def _of_recoveries(runs: Mapping[float, Mapping[str, float]]) -> dict[str, float]:
    """Return what two recoveries say, with few accounts and with many; see `SOURCES`."""
    if len(runs) < 2:  # noqa: PLR2004 - a difference needs two
        return {}
    few, many = runs[min(runs)], runs[max(runs)]
    spent = many["read_cpu_seconds"] - few["read_cpu_seconds"]
    read = many["changelog_bytes"] - few["changelog_bytes"]
    if read <= 0:
        raise CapacityError(
            "the recovery of more accounts must have read more changelog_bytes than the one of"
            f" {few['accounts']:,.0f}"
        )
    return {
        "read_ns_a_byte": max(1e9 * spent / read, 0.0),
        "start_seconds": max(few["read_seconds"] - EMBEDDED_JOIN_SECONDS, 0.0),
    }


LIMITS: Final = Costs(
    transaction_us=8.3,
    growth_us=0.79,
    account_bytes=298,
    transaction_bytes=105,
    process_bytes=286e6,
    state_account_bytes=52.1,
    state_transaction_bytes=33.0,
    flush_ns_a_byte=10.9,
    rebuild_account_us=1.36,
    rebuild_transaction_us=0.36,
    read_ns_a_byte=25.5,
    start_seconds=11.0,
    join_seconds=0.1,
)
"""Published costs of the default limits: docs/capacity.md has each run, and the machine."""

FULL: Final = Costs(
    transaction_us=21.3,
    growth_us=0.68,
    account_bytes=1270,
    transaction_bytes=102,
    process_bytes=478e6,
    state_account_bytes=424,
    state_transaction_bytes=33.0,
    flush_ns_a_byte=9.4,
    rebuild_account_us=15.1,
    rebuild_transaction_us=0.59,
    read_ns_a_byte=12.4,
    start_seconds=21.8,
    join_seconds=0.1,
)
"""Published costs of a policy with everything on."""
