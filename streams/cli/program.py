"""The program `weir`: a Ctrl-C while it still loads ends it in one line, too."""

import atexit
import os
import signal
import sys
import threading
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
        if not isinstance(ended.code, str) and (_is_demo() or _is_at_work()):
            _exit(ended.code or 0)
        raise


def _exit(status: int) -> None:
    """End now, with all that was written and all that is to be done at an exit.

    Python remembers a Ctrl-C that came inside of text which it executes, as a module that loads
    does, and the demo would end by that signal though it was caught long ago. And a thread that
    still compiles kernels would go on while the interpreter is taken down under it.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public name, and os._exit skips them
    with suppress(BrokenPipeError):  # whoever read it is gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _is_demo() -> bool:
    return sys.argv[1:2] == ["demo"]


def _is_at_work() -> bool:
    """Return whether a thread is left that nobody waits for."""
    return any(thread.daemon for thread in threading.enumerate())


def _ended(*_: object) -> None:
    say_at_once(NOTHING_BEGUN)
    os._exit(0 if _is_demo() else EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
