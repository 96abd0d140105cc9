"""The program `weir`: a Ctrl-C while it still loads ends it in one line, too."""

import os
import signal
import sys
from contextlib import suppress

from streams.cli.exit_status import EXIT_INTERRUPTED, NOTHING_BEGUN, say_at_once


def main() -> None:
    """Load the command line, and run it."""
    signal.signal(signal.SIGINT, _ended)
    from streams.cli.main import main as run

    if not _is_demo():  # which takes the signal over by itself, once it has loaded
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    except SystemExit as ended:
        if _is_demo() and not isinstance(ended.code, str):
            _exit(ended.code or 0)
        raise


def _exit(status: int) -> None:
    """End now, with all that was written: the demo has cleaned up after itself.

    Python remembers a Ctrl-C that came inside of text which it executes, as a module that loads
    does, and would end by that signal though it was caught long ago.
    """
    with suppress(BrokenPipeError):  # whoever read it is gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _is_demo() -> bool:
    return sys.argv[1:2] == ["demo"]


def _ended(*_: object) -> None:
    say_at_once(NOTHING_BEGUN)
    os._exit(0 if _is_demo() else EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
