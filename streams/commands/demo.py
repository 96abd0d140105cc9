"""`weir demo`: everything on this machine, through a broker, Faust and durable state."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands.account_files import AccountsMap
from streams.commands.options import AsJson, MapFile, PolicyFile
from streams.commands.partial_file import check_outputs

if TYPE_CHECKING:
    from streams.demo import DemoState
    from streams.feed import Batch


def demo(
    files: Annotated[
        list[Path] | None,
        typer.Option("--input", help="A file or folder to run; without it a population is made."),
    ] = None,
    policy: PolicyFile = None,
    map_file: MapFile = None,
    alerts: Annotated[
        Path | None, typer.Option(help="Write the alerts here, as JSON Lines.")
    ] = None,
    rejections: Annotated[
        Path | None, typer.Option(help="Write the rejections here, as JSON Lines.")
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End when all is decided, not at Ctrl-C.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(help="Records a second at most; made ones come at 5,000.", min=1),
    ] = None,
    accounts: Annotated[
        str,
        typer.Option(
            metavar="NUMBER|FILE",
            help="How many accounts the made population has; of --input, a file of attributes.",
        ),
    ] = "2000",
    accounts_map: AccountsMap = None,
    days: Annotated[int, typer.Option(help="Days of the made population.", min=1)] = 21,
    seed: Annotated[int, typer.Option(help="Seed of the made population.", min=0)] = 7,
    transport: Annotated[str, typer.Option(help="run, or plain (Faust's own, slower).")] = "run",
    as_json: AsJson = False,
) -> None:
    """Show account-days that exceed their limits, live: broker, worker and state on this machine.

    The broker is embedded (in memory, on loopback) and gone when the demo ends.

    Examples:

        weir demo

        weir demo --input transactions.csv --policy policy.toml --alerts alerts.jsonl --until-end

        weir demo --input trans.asc --map examples/berka.map.toml --rate 2000

        weir demo --input transactions.csv --accounts accounts.csv
    """
    import asyncio
    import sys
    import tempfile

    from monitor.outliers import DEFAULT_BUDGET
    from streams.commands.account_files import UnusableRows, accounts_of_files
    from streams.commands.interrupt import ended_as_by_ctrl_c
    from streams.commands.options import book_of, feed_of, lines_to, print_result
    from streams.demo import Demo
    from streams.live_view import LiveView, summary

    count, of_accounts = _count_or_files(accounts, files or [], accounts_map)
    check_outputs(
        (alerts, rejections),
        [*(files or ()), *of_accounts, policy, map_file, accounts_map],
        as_json=as_json,
    )
    # All of them now: what is said of rows that are none would spoil the view.
    known = [*accounts_of_files(of_accounts, accounts_map, UnusableRows(), progress=False)]
    with ended_as_by_ctrl_c(), tempfile.TemporaryDirectory(prefix="weir-") as folder:
        book = book_of(policy)  # all its problems now, not in the worker's log
        policy_name = str(policy.name) if policy else "the default one"
        if policy is None:
            policy = Path(folder) / "policy.toml"
            # What is made lasts long enough for the models to warm up, and to tell of it.
            budget = "" if files else DEFAULT_BUDGET
            policy.write_text(book.policies[0].text + budget, encoding="utf-8")
        if files:
            batches = feed_of(files, map_file, progress=False)
        else:
            batches, rate = _made(count, days, seed), rate or 5000
        with (
            lines_to(alerts, whole=until_end) as alert_lines,
            lines_to(rejections, whole=until_end) as rejection_lines,
        ):
            interrupted = False
            with LiveView(policy_name) as view:
                run = Demo(
                    batches, policy, alerts=alert_lines, rejections=rejection_lines,
                    accounts=known, transport=transport, on_change=view.show,
                )  # fmt: skip
                try:
                    asyncio.run(run.run(until_end=until_end, rate=rate))
                except KeyboardInterrupt:
                    interrupted = True
    if run.state is not None and as_json:
        print_result(run.state.totals.fields(run.state.seconds), as_json=True)
    elif run.state is not None and Path("-") not in (alerts, rejections):
        sys.stdout.write(summary(run.state))
    _warn(run.state)
    if not as_json:
        how = "ended by Ctrl-C: " if interrupted else ""
        sys.stderr.write(f"{how}the broker and the worker are gone, with all that they held\n")


def _warn(state: "DemoState | None") -> None:
    if state is not None and state.warning:
        typer.echo(f"weir: {state.warning}", err=True)


def _made(accounts: int, days: int, seed: int) -> "Iterator[Batch]":
    from monitor.population import Population
    from streams.made_feed import made_batches

    return made_batches(Population(accounts, days, seed))


def _count_or_files(
    accounts: str, files: list[Path], accounts_map: Path | None
) -> tuple[int, list[Path]]:
    """Return how many accounts are to be made, and the files of attributes, of which one counts."""
    hint = "'--accounts'"
    if accounts.isascii() and accounts.isdigit():
        if int(accounts) < 1:
            raise typer.BadParameter(
                f"{accounts} is no number of accounts: at least 1", param_hint=hint
            )
        if accounts_map:
            raise typer.BadParameter("--accounts-map is for a file of --accounts: there is none")
        return int(accounts), []
    if not files:
        raise typer.BadParameter(
            f"{accounts} is no number: a file of attributes needs --input, a made population a"
            " number of accounts",
            param_hint=hint,
        )
    return 0, [Path(accounts)]
