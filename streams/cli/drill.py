"""`weir drill`: kills workers under load, and counts by other means what that cost."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from streams.settings import Settings

SECONDS_A_KILL = 20.0
"""Rows are sent so slowly that most outlast the kills; what is left then goes at once."""


def drill(
    kills: Annotated[int, typer.Option(help="Workers to kill, at random moments.", min=0)] = 5,
    transactions: Annotated[
        int,
        typer.Option(
            help="Transactions to send: so many, and more if the kills take longer.", min=1000
        ),
    ] = 200_000,
    workers: Annotated[int, typer.Option(help="Workers that share the stream.", min=1)] = 1,
    broker: Annotated[
        str | None,
        typer.Option(help="A Kafka to drill on, host:port; by default an embedded broker."),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="With reviews, outlier models and systemic alerts, too."),
    ] = False,
    limits: Annotated[
        bool,
        typer.Option("--limits", help="With limits on weeks, months, windows and more, too."),
    ] = False,
    transport: Annotated[str, typer.Option(help="run, records, or plain (Faust's own).")] = "run",
    session_timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds until the group gives a killed worker's partitions away; by default"
            " 3 on the embedded broker and 6 on Kafka, which takes no fewer.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of transactions and moments.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Kill workers (SIGKILL) under load; count lost, doubled and wrong records by a recount.

    The recount is SQL over the rows that were sent. Exit status 1 if any count is not 0. On your
    own Kafka it creates its own topics and group, and deletes the topics afterwards. Account-days
    and alerts of daily limits are recounted. Those of other limits (--limits) are compared with
    an engine's that nobody kills; of all others it is looked whether two differ.

    Examples:

        weir drill

        weir drill --kills 10 --transactions 500000 --json

        weir drill --limits --kills 3

        weir drill --full --broker localhost:9092 --workers 2
    """
    import asyncio
    import statistics
    import sys
    import tempfile
    import time
    from pathlib import Path

    from monitor.policy.document import DEFAULT_LIMITS, FULL_POLICY, policy_of
    from streams.cli.options import print_result
    from streams.lab.drill import Drill, with_gauge_limits

    session_timeout = session_timeout or (3.0 if broker is None else 6.0)
    given = {
        "WEIR_TRANSPORT": transport,
        "WEIR_SESSION_TIMEOUT_SECONDS": f"{session_timeout:g}",
        "WEIR_HEARTBEAT_SECONDS": f"{min(session_timeout / 4, 3):g}",
    }

    def say(text: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - started:6.1f} s  {text}\n")

    started = time.perf_counter()
    text = FULL_POLICY if full else DEFAULT_LIMITS
    text = with_gauge_limits(text) if limits else text
    with tempfile.TemporaryDirectory(prefix="weir-drill-") as folder:
        policy = Path(folder) / "policy.toml"
        policy.write_text(text, encoding="utf-8")
        with _place(broker, policy, given) as settings:
            say(f"{transactions:,} transactions, workers: {workers}, kills: {kills}")
            run = Drill(settings, transactions, seed, workers, say)
            rate = transactions / (SECONDS_A_KILL * kills) if kills else 1e9
            asyncio.run(run.run(kills, rate))
            say("all is decided; reading what was told, and recounting")
            found = asyncio.run(run.reckon(policy_of(text)))
    recovery = run.recovery_seconds
    result = {
        "kills": kills,
        "transactions": len(run.rows),
        "workers": workers,
        **found._asdict(),
        "recovery_seconds": statistics.median(recovery) if recovery else 0.0,
        "recovery_seconds_max": max(recovery, default=0.0),
        "session_timeout_seconds": session_timeout,
        "seconds": round(time.perf_counter() - started, 1),
    }
    if as_json:
        print_result(result, as_json=True)
    else:
        sys.stdout.write(_summary(result))
    raise typer.Exit(1 if found.lost or found.doubled or found.wrong else 0)


def _place(
    broker: "str | None", policy: "Path", given: "Mapping[str, str]"
) -> "AbstractContextManager[Settings]":
    """Return the broker to drill on: an embedded one, or topics of our own on the one given."""
    from uuid import uuid4

    from streams.lab.rig import embedded_rig, passing_rig

    if broker is None:
        return embedded_rig(policy, given)
    name = f"weir-drill-{uuid4().hex[:8]}"
    own = {"WEIR_GROUP": name, "WEIR_TOPIC_PREFIX": f"{name}."}
    return passing_rig(broker, policy, {**given, **own})


def _summary(result: "Mapping[str, Any]") -> str:
    """Return what a drill found, for a person to read."""
    text = (
        f"lost {result['lost']:,}, doubled {result['doubled']:,}, wrong {result['wrong']:,}\n"
        f"of {result['transactions']:,} transactions, {result['account_days']:,} account-days and"
        f" {result['alerts']:,} alerts, by a recount\n"
    )
    if result["repeated"]:
        text += f"{result['repeated']:,} alerts were told again, with the same id: harmless\n"
    if result["kills"]:
        text += (
            f"after a kill the next worker decided within {result['recovery_seconds']:.1f} s,"
            f" {result['recovery_seconds_max']:.1f} s at most;\n"
            f"up to {result['session_timeout_seconds']:g} s of it are the session timeout\n"
        )
    return text
