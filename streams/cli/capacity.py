"""`weir capacity`: what a deployment needs, from measured costs."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli.options import AsJson

if TYPE_CHECKING:
    from streams.lab.capacity.costs import Costs

UNITS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
NUMBER: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kMG]?)")
MEGABYTE: Final = 1_000_000


def capacity(
    transactions_per_second: Annotated[
        str,
        typer.Option(
            "--transactions-per-second",
            metavar="N",
            help="The greatest rate that must be kept up with, such as 25000, 10k or 2.5M; several"
            " with commas between are compared.",
        ),
    ],
    accounts: Annotated[
        str,
        typer.Option(
            metavar="N",
            help="Accounts that state holds: with --full all that ever had a transaction, else"
            " those with an open day. Several are compared.",
        ),
    ],
    transactions_a_day: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Transactions of a business day; by default as many as the greatest rate makes.",
            show_default=False,
        ),
    ] = None,
    peak_factor: Annotated[
        float | None,
        typer.Option(
            help="Instead of them: how many times the greatest rate is the mean of a day.",
            min=1,
            show_default=False,
        ),
    ] = None,
    open_days: Annotated[
        float, typer.Option(help="A business day and the policy's allowed_lateness, in days.")
    ] = 3.0,
    full: Annotated[
        bool,
        typer.Option("--full", help="With reviews, outlier models and systemic alerts, too."),
    ] = False,
    partitions: Annotated[
        str,
        typer.Option(metavar="auto|N", help="WEIR_PARTITIONS; auto chooses. Several are compared."),
    ] = "auto",
    worker_memory: Annotated[
        float, typer.Option(help="Memory that each worker may have, in GB (1,000,000,000 bytes).")
    ] = 16.0,
    core_share: Annotated[
        float, typer.Option(help="Share of a core that each worker has; it uses one at most.")
    ] = 1.0,
    headroom: Annotated[
        float, typer.Option(help="Share of core and memory that is left free, to catch up by.")
    ] = 0.4,
    replicas: Annotated[int, typer.Option(help="Copies of each topic (WEIR_REPLICATION).")] = 3,
    session_timeout: Annotated[float, typer.Option(help="WEIR_SESSION_TIMEOUT_SECONDS.")] = 10.0,
    heartbeat: Annotated[float, typer.Option(help="WEIR_HEARTBEAT_SECONDS.")] = 3.0,
    bandwidth: Annotated[
        float,
        typer.Option(help="What the brokers can send to all workers together, in MB a second."),
    ] = 1000.0,
    segment_mb: Annotated[
        float,
        typer.Option(
            help="segment.bytes of the changelog, in MB: so much of a partition is not compacted.",
        ),
    ] = 1074.0,
    from_bench: Annotated[
        list[Path] | None,
        typer.Option(
            "--from-bench",
            metavar="FILE",
            help="Figures of your machine: what weir bench printed with --json, or --append wrote;"
            " may be repeated.",
            show_default=False,
        ),
    ] = None,
    show_costs: Annotated[
        bool, typer.Option("--costs", help="Show each cost, and the command that measures it.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the heartbeats.", min=0)] = 1,
    as_json: AsJson = False,
) -> None:
    """Say how many partitions, workers, cores and bytes a deployment needs, and how it recovers.

    The figures follow by arithmetic from measured costs, and recovery from a model of rebalances.
    Nothing is connected to or measured. docs/capacity.md has the formulas, and how far the model is
    from measurements. Without --from-bench the costs are the published ones, of another machine.

    Examples:

        weir capacity --transactions-per-second 10k --accounts 10M

        weir capacity --transactions-per-second 100k --accounts 100M --json

        weir capacity --transactions-per-second 5k --peak-factor 9 --accounts 2M

        weir capacity --transactions-per-second 10k,100k --accounts 1M,100M

        weir capacity --transactions-per-second 10k --accounts 10M --full --costs

        weir capacity --transactions-per-second 9k --accounts 9M --from-bench b.json
    """
    import sys
    from itertools import product

    from streams.cli.options import print_result
    from streams.cli.views.capacity import capacity_fields, capacity_text, compared, costs_text
    from streams.lab.capacity.plan import Surroundings, plan_of
    from streams.lab.capacity.sizing import DAY_SECONDS, Target

    if transactions_a_day is not None and peak_factor is not None:
        raise typer.BadParameter(
            "--transactions-a-day and --peak-factor both say how many transactions a day has: leave"
            " one of them out"
        )
    stated = None
    if transactions_a_day is not None:
        stated = _number(transactions_a_day, "--transactions-a-day")
    common = Target(
        per_second=1,
        accounts=1,
        transactions_a_day=stated,
        open_days=open_days,
        replicas=replicas,
        headroom=headroom,
        worker_bytes=worker_memory * 1e9,
        core_share=core_share,
    )
    around = Surroundings(session_timeout, heartbeat, bandwidth * MEGABYTE, segment_mb * MEGABYTE)
    costs, measured = _costs(from_bench or [], full=full)
    plans = []
    for rate, count, several in product(
        _numbers(transactions_per_second, "--transactions-per-second"),
        _numbers(accounts, "--accounts"),
        [None] if partitions == "auto" else _wholes(partitions, "--partitions", "auto"),
    ):
        target = common._replace(
            per_second=rate,
            accounts=math.ceil(count),
            partitions=None if several is None else int(several),
        )
        if peak_factor is not None:
            target = target._replace(transactions_a_day=rate * DAY_SECONDS / peak_factor)
        plans.append(plan_of(costs, target, around, seed))
    if as_json:
        found = [capacity_fields(plan, costs, measured) for plan in plans]
        print_result(found[0] if len(found) == 1 else {"plans": found}, as_json=True)
        return
    sys.stdout.write(capacity_text(plans[0]) if len(plans) == 1 else compared(plans))
    if show_costs:
        sys.stdout.write("\ncosts:\n" + costs_text(costs, measured))


def _numbers(text: str, option: str, other: str = "") -> list[float]:
    return [_number(part, option, other) for part in text.split(",")]


def _wholes(text: str, option: str, other: str) -> list[float]:
    numbers = _numbers(text, option, other)
    if broken := [number for number in numbers if number % 1]:
        raise typer.BadParameter(
            f"must be a whole number, not {broken[0]:g}", param_hint=f"'{option}'"
        )
    return numbers


def _number(text: str, option: str, other: str = "") -> float:
    """Return a number with k, M or G after it. Raises typer.BadParameter unless it is above 0."""
    found = NUMBER.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        also = f" or {other}" if other else ""
        raise typer.BadParameter(
            f"must be a number greater than 0, such as 25000, 10k, 2.5M or 1G{also}, not {text!r}",
            param_hint=f"'{option}'",
        )
    return float(found[1]) * UNITS[found[2]]


def _costs(files: list[Path], *, full: bool) -> "tuple[Costs, list[str]]":
    """Return published costs, those of files in their place, and the names of the latter."""
    from streams.lab.capacity.costs import FULL, FULL_WORD, LIMITS, LIMITS_WORD, measured_in

    costs, measured = (FULL if full else LIMITS), set[str]()
    for file in files:
        costs, names = measured_in(file, costs, FULL_WORD if full else LIMITS_WORD)
        measured.update(names)
    return costs, sorted(measured)
