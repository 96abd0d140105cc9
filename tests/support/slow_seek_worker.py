"""`weir worker`, planted: half a second passes between the seek that ends a recovery and the rest.

Stock Faust resumes fetching before that seek, and empties its queues after it.
"""

import asyncio

from streams.cli.program import main
from streams.worker.transport import RunConsumer

_perform_seek = RunConsumer.perform_seek


async def perform_seek(self: RunConsumer) -> None:
    await _perform_seek(self)
    await asyncio.sleep(0.5)


RunConsumer.perform_seek = perform_seek  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
