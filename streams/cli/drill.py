"""`weir drill`: lets failures happen under load, and counts by other means what they cost."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.lab.drills.figures import Figures

SECONDS_A_FAILURE = 20.0
"""Rows are sent so slowly that most outlast the failures; what is left then goes at once."""


def drill(
    kind: Annotated[
        str, typer.Option(help="What happens to the workers, or to what they rely on; see --list.")
    ] = "worker-killed",
    times: Annotated[
        int, typer.Option("--times", "--kills", help="How often, at random moments.", min=0)
    ] = 5,
    transactions: Annotated[
        int,
        typer.Option(
            help="Transactions to send: so many, and more if the failures take longer.", min=1000
        ),
    ] = 200_000,
    workers: Annotated[int, typer.Option(help="Workers that share the stream.", min=1)] = 1,
    broker: Annotated[
        str | None,
        typer.Option(help="A Kafka to drill on, host:port; by default an embedded broker."),
    ] = None,
    replication: Annotated[
        int, typer.Option(help="Copies of each topic there; 3 where brokers are to fail.", min=1)
    ] = 1,
    full: Annotated[
        bool,
        typer.Option("--full", help="With reviews, outlier models and systemic alerts, too."),
    ] = False,
    limits: Annotated[
        bool,
        typer.Option("--limits", help="With limits on weeks, months, windows and more, too."),
    ] = False,
    static: Annotated[
        bool,
        typer.Option(
            "--static", help="Each worker with a name of its own in the group (WEIR_INSTANCE)."
        ),
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
    late_after: Annotated[
        float, typer.Option(help="Seconds after its record from which an alert is late.", min=0.0)
    ] = 5.0,
    accept_state_loss: Annotated[
        bool,
        typer.Option(
            "--accept-state-loss",
            help="With changelog-lost: go on without the lost state, and count what that costs.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of transactions and moments.")] = 1,
    listed: Annotated[bool, typer.Option("--list", help="List the kinds, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a failure happen under load; count lost, doubled and wrong records by a recount.

    By default workers are killed (SIGKILL). The recount is SQL over the rows that were sent. Exit
    status 1 if any count is not 0. Late alerts and seconds are measured, and fail nothing. On your
    own Kafka it creates its own topics and group, and deletes the topics afterwards. Account-days
    and alerts of daily limits are recounted. Those of other limits (--limits) are compared with
    an engine's that nobody kills; of all others it is looked whether two differ.

    Examples:

        weir drill

        weir drill --list

        weir drill --kind zombie-worker --times 3

        weir drill --times 10 --transactions 500000 --json

        weir drill --limits --times 3

        weir drill --full --broker localhost:9092 --workers 2
    """
    import asyncio
    import sys
    import tempfile
    import time
    from functools import partial
    from pathlib import Path

    from monitor.policy.document import DEFAULT_LIMITS, FULL_POLICY, policy_of
    from streams.lab.drills.drill import Drill
    from streams.lab.drills.kinds import KINDS
    from streams.lab.drills.limits import with_gauge_limits
    from streams.lab.rig import place_of

    if listed:
        _print_kinds(as_json=as_json)
        return
    _ensure_fit(kind, accept_state_loss=accept_state_loss)
    session_timeout = session_timeout or (3.0 if broker is None else 6.0)
    given = {
        "WEIR_TRANSPORT": transport,
        "WEIR_SESSION_TIMEOUT_SECONDS": f"{session_timeout:g}",
        "WEIR_HEARTBEAT_SECONDS": f"{min(session_timeout / 4, 3):g}",
        "WEIR_REPLICATION": str(replication),
        "WEIR_ACCEPT_STATE_LOSS": "yes" if accept_state_loss else "no",
    }

    def say(text: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - started:6.1f} s  {text}\n")

    started = time.perf_counter()
    text = FULL_POLICY if full else DEFAULT_LIMITS
    text = with_gauge_limits(text) if limits else text
    with tempfile.TemporaryDirectory(prefix="weir-drill-") as folder:
        policy = Path(folder) / "policy.toml"
        policy.write_text(text, encoding="utf-8")
        with place_of(broker, policy, given, "weir-drill") as settings:
            say(f"{kind}, {times} times; {transactions:,} transactions, workers: {workers}")
            run = Drill(settings, transactions, seed, workers, say)
            run.late_after, run.is_static = late_after, static
            rate = transactions / (SECONDS_A_FAILURE * times) if times else 1e9
            asyncio.run(run.run_through([partial(KINDS[kind].happen, run)] * times, rate))
            say("all is decided; reading what was told, and recounting")
            figures = asyncio.run(run.figures(policy_of(text)))
    result = {
        "kind": kind,
        "times": times,
        "transactions": len(run.rows),
        "workers": workers,
        "static": static,
        **figures.fields(),
        "late_after_seconds": late_after,
        "session_timeout_seconds": session_timeout,
        "seconds": round(time.perf_counter() - started, 1),
    }
    _print_figures(result, figures, as_json=as_json)
    raise typer.Exit(0 if figures.is_clean else 1)


def _ensure_fit(kind: str, *, accept_state_loss: bool) -> None:
    """Refuse a kind that is unknown, and an option that it would ignore."""
    from streams.lab.drills.kinds import KINDS

    if kind not in KINDS:
        raise typer.BadParameter(f"--kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if accept_state_loss and kind != "changelog-lost":
        raise typer.BadParameter("--accept-state-loss must come with --kind changelog-lost")


def _print_kinds(*, as_json: bool) -> None:
    """Print what kinds there are."""
    import sys

    from streams.cli.options import print_result
    from streams.lab.drills.kinds import KINDS

    if as_json:
        print_result({name: kind.about for name, kind in KINDS.items()}, as_json=True)
        return
    width = max(map(len, KINDS))
    for name, kind in KINDS.items():
        sys.stdout.write(f"{name:{width}}  {kind.about}\n")


def _print_figures(result: "Mapping[str, Any]", figures: "Figures", *, as_json: bool) -> None:
    import sys

    from streams.cli.options import print_result

    if as_json:
        print_result(result, as_json=True)
    else:
        sys.stdout.write(_summary(result, figures))


def _summary(result: "Mapping[str, Any]", figures: "Figures") -> str:
    """Return what a drill found, for a person to read."""
    text = (
        f"lost {result['lost']:,}, doubled {result['doubled']:,}, wrong {result['wrong']:,}\n"
        f"of {result['transactions']:,} transactions, {result['account_days']:,} account-days and"
        f" {result['alerts']:,} alerts, by a recount\n"
    )
    if result["repeated"]:
        text += f"{result['repeated']:,} alerts were told again, with the same id: harmless\n"
    text += (
        f"late {result['late']:,}: alerts of {figures.lateness.told:,} that were told more than"
        f" {result['late_after_seconds']:g} s after their record, the latest after"
        f" {result['alert_seconds_max']:.1f} s\n"
    )
    if figures.recovery_seconds:
        text += (
            f"from a failure to the next decision {result['recovery_seconds']:.1f} s,"
            f" {result['recovery_seconds_max']:.1f} s at most\n"
            f"partitions stood still for {result['standstill_seconds_max']:.1f} s at most, and for"
            f" {result['standstill_seconds_total']:.1f} s in all; the session timeout is"
            f" {result['session_timeout_seconds']:g} s\n"
        )
    return text
