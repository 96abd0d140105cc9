"""What open days hold, where it is a dictionary."""

from monitor.ledger.ledger import OpenDay


def contents_of(open_day: OpenDay) -> dict[str, int]:
    """Return what an open day holds, by key, of a ledger without tables."""
    assert isinstance(open_day.contents, dict)
    return open_day.contents
