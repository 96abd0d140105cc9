"""What an operator did wrong, or what is not there, as one message and an exit status."""

import sys
from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOT_READY: Final = 3


def exit_status(error: Exception) -> int | None:
    """Say what is wrong on stderr and return the exit status; None for a bug of ours."""
    from monitor.disposition import DispositionError
    from monitor.insight.table import InsightError
    from monitor.policy import PolicyError
    from monitor.population import PopulationError
    from monitor.settings import SettingsError
    from monitor.whatif import WhatIfError
    from streams.alert_file import AlertFileError
    from streams.alert_list import AlertListError
    from streams.broker_error import BrokerError
    from streams.commands.partial_file import OutputError
    from streams.feed_map import FeedError

    of_usage = (
        PolicyError, SettingsError, FeedError, PopulationError, WhatIfError, OutputError,
        InsightError, DispositionError,
        AlertFileError, AlertListError,
    )  # fmt: skip
    if isinstance(error, of_usage):
        status = EXIT_USAGE
    elif isinstance(error, BrokerError):
        status = EXIT_NOT_READY
    elif isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
        status = EXIT_USAGE
        if error.filename is not None:  # a library's own error has a message alone
            error = OSError(f"{error.filename}: {error.strerror}")
    else:
        return None
    sys.stderr.write(f"weir: {error}\n")
    return status
