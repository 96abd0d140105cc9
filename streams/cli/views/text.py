"""Text of others on a terminal."""


def plain(text: str) -> str:
    """Return text as it is, unless it would move the cursor or worse."""
    return text if text.isprintable() else ascii(text)
