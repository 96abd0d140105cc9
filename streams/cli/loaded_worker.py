"""A worker that has loaded all that it runs before it is told what to work on.

Loading takes most of a start; the demo has its broker, and itself, ready meanwhile. The settings
come as one JSON object on a line of stdin; an end without one ends it.
"""

import gc
import json
import os
import sys


def main() -> None:
    """Load everything, wait for the settings, and be `weir worker` with them."""
    gc.disable()  # what is loaded stays, so looking for what does not is in vain
    import models.learner.learner  # noqa: F401 - loaded here, on purpose
    import streams.worker.worker  # noqa: F401 - likewise
    from streams.cli.main import main as weir
    from streams.worker import engines

    engines.prepare_soon()
    gc.enable()
    line = sys.stdin.readline()
    if line:
        os.environ.update(json.loads(line))
        sys.argv = ["weir", "worker"]
        weir()


if __name__ == "__main__":
    main()
