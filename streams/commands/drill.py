"""`weir drill`: kills workers under load, and counts by other means what that cost."""

from typing import Annotated

import typer

from streams.commands.options import AsJson


def drill(
    kills: Annotated[int, typer.Option(help="Workers to kill, at random moments.", min=0)] = 5,
    transactions: Annotated[
        int, typer.Option(help="Transactions to send meanwhile.", min=1000)
    ] = 200_000,
    workers: Annotated[int, typer.Option(help="Workers that share the stream.", min=1)] = 1,
    broker: Annotated[
        str | None,
        typer.Option(help="A Kafka to drill on, host:port; by default an embedded broker."),
    ] = None,
    transport: Annotated[str, typer.Option(help="run, or plain (Faust's own).")] = "run",
    seed: Annotated[int, typer.Option(help="Seed of transactions and moments.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Kill workers (SIGKILL) under load; report what was lost, doubled and wrong, by a recount.

    The recount is SQL over the rows that were sent. Exit status 1 where anything is not 0.

    Examples:

        weir drill

        weir drill --kills 10 --transactions 500000 --json

        weir drill --broker localhost:9092 --workers 2
    """
    import asyncio
    import statistics
    import sys
    import tempfile
    import time
    from pathlib import Path
    from uuid import uuid4

    from monitor.policy_text import DEFAULT_POLICY, policy_of
    from streams.commands.options import print_result
    from streams.drill import Drill
    from streams.rig import embedded_rig, rig

    seconds_a_kill = 9.0
    rate = max(transactions / (seconds_a_kill * kills), 1000) if kills else 1e9
    with tempfile.TemporaryDirectory(prefix="weir-drill-") as folder:
        policy = Path(folder) / "policy.toml"
        policy.write_text(DEFAULT_POLICY, encoding="utf-8")
        given = {"WEIR_TRANSPORT": transport}
        if broker is None:
            place = embedded_rig(policy, given)
        else:
            name = f"weir-drill-{uuid4().hex[:8]}"
            given |= {"WEIR_GROUP": name, "WEIR_TOPIC_PREFIX": f"{name}."}
            place = rig(broker, policy, given)
        started = time.perf_counter()
        with place as settings:
            run = Drill(settings, transactions, seed, workers)
            sys.stderr.write(f"{transactions:,} transactions at {rate:,.0f}/s, {kills} kills\n")
            asyncio.run(run.run(kills, rate))
            found = asyncio.run(run.reckon(policy_of(DEFAULT_POLICY).thresholds))
    recovery = run.recovery_seconds
    result = {
        "kills": kills,
        "transactions": transactions,
        **found._asdict(),
        "recovery_seconds": statistics.median(recovery) if recovery else 0.0,
        "recovery_seconds_max": max(recovery, default=0.0),
        "seconds": round(time.perf_counter() - started, 1),
    }
    print_result(result, as_json=as_json)
    raise typer.Exit(1 if found.lost or found.doubled or found.wrong else 0)
