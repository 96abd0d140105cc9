"""What `weir demo` runs once all is loaded: the demo, its view, and what is said at the end."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from monitor.core.attributes import AccountRecord
from monitor.policy_text import FULL_POLICY
from streams.commands.options import book_of, lines_to, print_result
from streams.demo import Demo, DemoState
from streams.feed import Batch
from streams.live_view import LiveView, summary
from streams.worker_process import LoadedWorker


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
    ) -> None:
        self._loaded = loaded
        self._policy = policy
        self._accounts = accounts
        self._alerts = alerts
        self._rejections = rejections
        self._as_json = as_json
        self._transport = transport
        self._port = port

    def run(
        self, batches: Iterator[Batch], *, is_made: bool, until_end: bool, rate: float | None
    ) -> None:
        """Run until all is decided, or Ctrl-C; then say what it came to."""
        is_listing = not self._as_json and Path("-") not in (self._alerts, self._rejections)
        state, how = None, ""
        with tempfile.TemporaryDirectory(prefix="weir-") as folder:
            policy = self._policy_file(Path(folder), is_made=is_made)
            name = str(self._policy.name) if self._policy else "the default one"
            with (
                lines_to(self._alerts, whole=until_end) as alert_lines,
                lines_to(self._rejections, whole=until_end) as rejection_lines,
                LiveView(name, is_listing=is_listing, port=self._port) as view,
            ):
                demo = Demo(
                    batches, policy, alerts=alert_lines, rejections=rejection_lines,
                    accounts=self._accounts, transport=self._transport, on_change=view.show,
                    on_alert=view.note, loaded=self._loaded, port=self._port,
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
