"""Views of the queue that a person saved: a name and the filters of the address.

A person's own convenience: in the store alone, and on no topic.
"""

from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, select

from monitor.store.schema import saved_views
from monitor.store.store import insert_into

VIEWS_MAX: Final = 30
"""Views that a person may have."""

NAME_LENGTH_MAX: Final = 64


class TooManyViewsError(Exception):
    """A person has as many views as they may have."""


class SavedView(NamedTuple):
    """A name, and the filters as the query of an address."""

    name: str
    query: str


def views_of(connection: Connection, owner: str) -> list[SavedView]:
    """Return a person's views, by name."""
    chosen = select(saved_views.c.name, saved_views.c.query).where(saved_views.c.owner == owner)
    return sorted(SavedView(*row) for row in connection.execute(chosen))


def save_view(connection: Connection, owner: str, view: SavedView, at: int) -> None:
    """Save a view; one of that name is replaced. Raises TooManyViewsError if they have too many."""
    values = {"owner": owner, "name": view.name, "query": view.query, "saved_at": at}
    statement = insert_into(connection, saved_views)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["owner", "name"],
            set_={name: statement.excluded[name] for name in ("query", "saved_at")},
        ),
        [values],
    )
    held = select(func.count()).where(saved_views.c.owner == owner)
    if connection.execute(held).scalar_one() > VIEWS_MAX:
        raise TooManyViewsError(f"{owner} has {VIEWS_MAX} views: remove one first")


def remove_view(connection: Connection, owner: str, name: str) -> bool:
    """Remove a person's view; return whether it was there."""
    chosen = (saved_views.c.owner == owner) & (saved_views.c.name == name)
    return bool(connection.execute(delete(saved_views).where(chosen)).rowcount)
