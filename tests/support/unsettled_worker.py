"""A worker whose partitions never say that they may go on as they are after a rebalance."""

from streams.cli.program import main
from streams.worker.partition import Partition

Partition.is_settled = property(lambda _: False)  # type: ignore[method-assign, assignment]

if __name__ == "__main__":
    main()
