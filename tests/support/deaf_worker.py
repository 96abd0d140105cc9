"""`weir worker`, planted: it goes on saying that it lives, and fetches nothing any more.

The last argument is how many runs it still takes.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from streams.cli.main import main
from streams.worker.transport import RunConsumer, RunMessage

_getmany = RunConsumer.getmany
_runs_left = int(sys.argv.pop())


async def getmany(self: RunConsumer, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109 - Faust's own signature
    global _runs_left  # noqa: PLW0603 - one process, one consumer
    async for tp, message in _getmany(self, timeout):
        if isinstance(message, RunMessage):
            if not _runs_left:
                await asyncio.Event().wait()
            _runs_left -= 1
        yield tp, message


RunConsumer.getmany = getmany  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
