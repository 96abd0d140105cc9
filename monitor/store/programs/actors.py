"""Names of tokens in the audit and on topics, and the users who are accountable for them."""

import re
from typing import Final

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""How a token may be named."""

_ACTOR: Final = re.compile(rf"\(token {NAME.pattern} for (.+)\)", re.DOTALL)


def actor_of(name: str, owner: str) -> str:
    """Return how the audit and the topics name a token."""
    return f"(token {name} for {owner})"


def accountable(by: str) -> str:
    """Return the user behind somebody who did something: the owner, if it was done by a token.

    >>> accountable("(token nightly for Ann)"), accountable("Ann")
    ('Ann', 'Ann')
    """
    found = _ACTOR.fullmatch(by)
    return by if found is None else found[1]
