"""`weir demo`: everything on this machine, through a broker, Faust and durable state."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.commands.account_files import AccountsMap
from streams.commands.options import AsItStands, AsJson, MapFile, PolicyFile
from streams.commands.partial_file import check_outputs

if TYPE_CHECKING:
    from streams.feed import Batch


NOTHING_BEGUN: Final = "ended by Ctrl-C: nothing had begun"


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
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keep broker, worker and topics until Ctrl-C, for other commands to use.",
        ),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            help="With --keep: where the broker listens on 127.0.0.1 (9092).", min=1, max=65_535
        ),
    ] = None,
    as_it_stands: AsItStands = False,
    as_json: AsJson = False,
) -> None:
    """Show account-days that exceed their limits, live: broker, worker and state on this machine.

    The broker is embedded (in memory, on loopback) and gone when the demo ends. With --keep it
    stays until Ctrl-C, its policy is on the policy topic, and the other commands work with it:
    export WEIR_BROKER=127.0.0.1:9092

    Examples:

        weir demo

        weir demo --keep

        weir demo --input transactions.csv --policy policy.toml --until-end

        weir demo --input trans.asc --map examples/berka.map.toml

        weir demo --input transactions.csv --accounts accounts.csv
    """
    import signal
    from contextlib import ExitStack

    from streams.commands.interrupt import ended_as_by_ctrl_c, ended_at_once, said_if_interrupted
    from streams.worker_process import LoadedWorker

    if keep and until_end:
        raise typer.BadParameter("--keep ends at Ctrl-C: leave out --until-end")
    if port is not None and not keep:
        raise typer.BadParameter("--port is of --keep: the broker is for nobody else without it")
    count, of_accounts = _count_or_files(accounts, files or [], accounts_map)
    inputs = [*(files or ()), *of_accounts, policy, map_file, accounts_map]
    check_outputs((alerts, rejections), inputs, as_json=as_json)
    with said_if_interrupted(NOTHING_BEGUN), ExitStack() as stack:
        loaded = stack.enter_context(LoadedWorker())  # it loads while we do
        with ended_at_once(loaded.close, NOTHING_BEGUN), _beginning():
            from streams.commands.account_files import UnusableRows, accounts_of_files
            from streams.commands.demo_run import DemoRun
            from streams.demo import KEPT_PORT

        stack.enter_context(ended_as_by_ctrl_c())
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # All of them now: what is said of rows that are none would spoil the view.
        known = [*accounts_of_files(of_accounts, accounts_map, UnusableRows(), progress=False)]
        run = DemoRun(
            loaded, policy, known, alerts=alerts, rejections=rejections, as_json=as_json,
            transport=transport, port=(port or KEPT_PORT) if keep else None,
        )  # fmt: skip
        if files:
            from streams.commands.options import feed_of

            batches = feed_of(files, map_file, progress=False, as_it_stands=as_it_stands)
        else:
            batches, rate = _made(count, days, seed), rate or 5000
        run.run(batches, is_made=not files, until_end=until_end, rate=rate)


@contextmanager
def _beginning() -> Iterator[None]:
    """Say at once that something goes on; the view takes the line's place."""
    import sys

    is_screen = sys.stderr.isatty()
    sys.stderr.write("Weir: starting" + ("" if is_screen else "\n"))
    sys.stderr.flush()
    yield
    if is_screen:
        sys.stderr.write("\r\x1b[K")


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
