"""Pruning of the store: by the settings, once a day as long as the archive runs."""

import asyncio
import logging
import time
from typing import Final

from monitor.store.keeping.retention import Retention, prune
from monitor.store.store import Store, StoreAwayError
from streams.log import SAYS
from streams.settings import Settings

_log = logging.getLogger(__name__)

DAY_SECONDS: Final = 86_400.0
RETRY_SECONDS: Final = 60.0


def retention_of(settings: Settings) -> Retention:
    """Return for how many days the settings say that each sort is kept."""
    return Retention(
        settings.keep_alerts,
        settings.keep_account_days,
        settings.keep_rejections,
        settings.keep_audit,
        settings.keep_sessions,
    )


def prune_now(settings: Settings, store: Store) -> dict[str, int]:
    """Take away what is older than the settings keep it; return the rows by table."""
    counts = prune(store, retention_of(settings), time.time_ns() // 1000, by="(archive)")
    if any(counts.values()):
        logging.getLogger(SAYS).info(
            "pruned: %s", ", ".join(f"{name} {count}" for name, count in counts.items())
        )
    return counts


async def prune_daily(settings: Settings, store: Store) -> None:
    """Prune now and once a day, until cancelled. A store that does not answer is asked again."""
    while retention_of(settings).is_any():
        try:
            await asyncio.to_thread(prune_now, settings, store)
        except StoreAwayError as error:
            _log.warning("the pruning waits: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await asyncio.sleep(DAY_SECONDS)
