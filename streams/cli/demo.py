"""`weir demo`: everything on this machine, through a broker, Faust and durable state."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.core.attributes import AccountRecord
from monitor.policy.document import FULL_POLICY
from streams.cli.files import check_outputs
from streams.cli.options import (
    AccountsMap,
    AsItStands,
    AsJson,
    DayTime,
    FileFormat,
    MapFile,
    PolicyFile,
    SheetName,
    book_of,
    lines_to,
    print_result,
    reading_of,
)
from streams.cli.views.live import LiveView, summary
from streams.feed.reader import Batch
from streams.lab.broker import free_port
from streams.lab.demo import Demo, DemoState
from streams.lab.rig import LoadedWorker


class DemoRun:
    """One run of the demo, as the command line asks for it.

    `policy` None is the default one. With a `port` the broker is kept, and is for others too.
    """

    def __init__(
        self,
        loaded: LoadedWorker,
        policy: Path | None,
        accounts: list[AccountRecord],
        *,
        alerts: Path | None,
        rejections: Path | None,
        as_json: bool,
        transport: str,
        port: int | None,
        console_port: int | None,
        opens_browser: bool,
    ) -> None:
        self._loaded = loaded
        self._policy = policy
        self._accounts = accounts
        self._alerts = alerts
        self._rejections = rejections
        self._as_json = as_json
        self._transport = transport
        self._port = port
        self._console_port = console_port
        self._opens_browser = opens_browser

    def run(
        self, batches: Iterator[Batch], *, is_made: bool, until_end: bool, rate: float | None
    ) -> None:
        """Run until all is decided, or Ctrl-C; then say what it came to."""
        is_listing = not self._as_json and Path("-") not in (self._alerts, self._rejections)
        state, how = None, ""
        with tempfile.TemporaryDirectory(prefix="weir-") as folder:
            policy = self._policy_file(Path(folder), is_made=is_made)
            name = str(self._policy.name) if self._policy else "the default one"
            beside = self._console_beside(Path(folder))
            with (
                lines_to(self._alerts, whole=until_end) as alert_lines,
                lines_to(self._rejections, whole=until_end) as rejection_lines,
                LiveView(name, is_listing=is_listing, port=self._port) as view,
            ):
                demo = Demo(
                    batches, policy, alerts=alert_lines, rejections=rejection_lines,
                    accounts=self._accounts, transport=self._transport, on_change=view.show,
                    on_alert=view.note, loaded=self._loaded, port=self._port, beside=beside,
                )  # fmt: skip
                try:
                    asyncio.run(demo.run(until_end=until_end, rate=rate))
                except KeyboardInterrupt:
                    how = "ended by Ctrl-C: "
                except BrokenPipeError:
                    how = "ended, as nobody reads the alerts any more: "
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                state = demo.state
        self._say(state, how, is_listing=is_listing)

    def _console_beside(self, folder: Path) -> list[list[str]]:
        """Print the link to a new console; return the commands that keep its store and serve it."""
        if self._console_port is None:
            return []
        from streams.cli.console import ensure_free, say_where
        from streams.cli.options import store_of

        port, url = self._console_port or free_port(), f"sqlite:///{folder / 'weir.db'}"
        ensure_free("127.0.0.1", port)
        with store_of(url) as store:
            say_where(store, f"http://127.0.0.1:{port}", opens_browser=self._opens_browser)
        sys.stderr.write(
            f"console: a second person: weir user add Ben --role approver --store {url}\n"
        )
        return [
            ["archive", "--store", url],
            ["console", "--store", url, "--port", str(port), "--no-browser"],
        ]

    def _policy_file(self, folder: Path, *, is_made: bool) -> Path:
        book = book_of(self._policy)  # all its problems now, not in the worker's log
        if self._policy is not None:
            return self._policy
        file = folder / "policy.toml"
        # What is made lasts long enough for the models to warm up, and to tell of it.
        file.write_text(FULL_POLICY if is_made else book.policies[0].text, encoding="utf-8")
        return file

    def _say(self, state: DemoState | None, how: str, *, is_listing: bool) -> None:
        if state is not None and state.warning:
            sys.stderr.write(f"weir: {state.warning}\n")
        if state is not None and self._as_json:
            print_result(state.totals.fields(state.seconds), as_json=True)
        elif state is not None and is_listing:
            sys.stdout.write(summary(state))
        if not self._as_json:
            sys.stderr.write(f"{how}the broker and the worker are gone, with all that they held\n")
            if self._port is None:
                sys.stderr.write("to keep both for the other commands: weir demo --keep\n")


if TYPE_CHECKING:
    from streams.feed.reader import Batch


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
        bool,
        typer.Option(
            "--until-end",
            help="End when all is decided, not at Ctrl-C (a console on a terminal stays).",
        ),
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
    transport: Annotated[
        str, typer.Option(help="run, records (slower), or plain (Faust's own, slowest).")
    ] = "run",
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
    console_port: Annotated[
        int | None,
        typer.Option(
            help="Serve the console there (0: a free port), on 127.0.0.1, with an archive.",
            min=0,
            max=65_535,
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the console in a browser.")
    ] = False,
    incidents: Annotated[
        bool,
        typer.Option("--incidents", help="Make incidents, too: many accounts at once."),
    ] = False,
    file_format: FileFormat = None,
    sheet: SheetName = None,
    day_time: DayTime = None,
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

        weir demo --console-port 8080 --incidents --accounts 1000 --days 45 --seed 2

        weir demo --input transactions.csv --policy policy.toml --until-end

        weir demo --input trans.asc --map examples/berka.map.toml

        weir demo --input transactions.csv --accounts accounts.csv
    """
    import signal
    from contextlib import ExitStack

    from streams.cli.exit_status import (
        NOTHING_BEGUN,
        ended_as_by_ctrl_c,
        ended_at_once,
        said_if_interrupted,
    )
    from streams.lab.rig import LoadedWorker

    if keep and until_end:
        raise typer.BadParameter(
            "--keep ends at Ctrl-C: leave out --until-end (make demo gives it: weir demo --keep)"
        )
    if port is not None and not keep:
        raise typer.BadParameter("--port is of --keep: the broker is for nobody else without it")
    count, of_accounts = _count_or_files(accounts, files or [], accounts_map)
    reading = reading_of(file_format, sheet, day_time)
    inputs = [*(files or ()), *of_accounts, policy, map_file, accounts_map]
    check_outputs((alerts, rejections), inputs, as_json=as_json)
    with said_if_interrupted(NOTHING_BEGUN), ExitStack() as stack:
        loaded = stack.enter_context(LoadedWorker())  # it loads while we do
        # From here on a Ctrl-C ends the worker, too: first by the stack, then (while modules
        # load) at once, then by the stack again.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stack.enter_context(ended_as_by_ctrl_c())
        with ended_at_once(loaded.close, NOTHING_BEGUN), _beginning():
            from streams.cli.options import UnusableRows, accounts_of_files
            from streams.lab.demo import KEPT_PORT

        # All of them now: what is said of rows that are none would spoil the view.
        known = [*accounts_of_files(of_accounts, accounts_map, UnusableRows(), progress=False)]
        run = DemoRun(
            loaded, policy, known, alerts=alerts, rejections=rejections, as_json=as_json,
            transport=transport, port=(port or KEPT_PORT) if keep else None,
            console_port=console_port, opens_browser=not no_browser,
        )  # fmt: skip
        if files:
            from streams.cli.options import feed_of

            batches = feed_of(
                files, map_file, progress=False, as_it_stands=as_it_stands, reading=reading
            )
        else:
            batches, rate = _made(count, days, seed, incidents=incidents), rate or 5000
        stays = console_port is not None and sys.stdout.isatty()  # somebody looks at the console
        run.run(batches, is_made=not files, until_end=until_end and not stays, rate=rate)


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


def _made(accounts: int, days: int, seed: int, *, incidents: bool) -> "Iterator[Batch]":
    from monitor.population import Population
    from streams.feed.population import made_batches

    return made_batches(Population(accounts, days, seed, with_incidents=incidents))


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
