"""`weir verify`: whether the audit of a store is whole and unchanged."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from monitor.store.audit import Known


def verify(
    store: StoreUrl = None,
    known: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER:HASH",
            help="An entry as it was noted outside of the store: it must be there, unchanged.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the audit of a store, and name the first entry that was changed, put in or lost.

    Each entry has the hash of the one before. That cannot show that the last ones were cut off, or
    that all of them were written again: note what this prints outside of the store from time to
    time, and give it as --known. A copy of an SQLite file can be verified anywhere.

    Exit status 0: the audit is whole. 1: an entry is broken.

    Examples:

        weir verify --store sqlite:///weir.db

        weir verify --store sqlite:///copy.db --json
    """
    from streams.cli.exit_status import EXIT_FAILED
    from streams.cli.options import ensure_store_there, print_result, store_of

    ensure_store_there(store)
    noted = _known_of(known)
    with store_of(store) as opened:
        from monitor.store.audit import verify as verified

        with opened.reading() as connection:
            found = verified(connection, noted)
    if as_json:
        print_result(found._asdict(), as_json=True)
    elif found.broken is None:
        typer.echo(f"{found.entries:,} entries, all as they were written")
        typer.echo(f"to note outside of the store: {found.entries}:{found.last}")
    else:
        typer.echo(f"entry {found.broken} is broken: {found.why}")
    raise typer.Exit(0 if found.broken is None else EXIT_FAILED)


def _known_of(text: str | None) -> "Known | None":
    if text is None:
        return None
    parts = re.fullmatch(r"([1-9][0-9]{0,17}):([0-9a-f]{64})", text)
    if parts is None:
        raise typer.BadParameter(
            f"must be a number and a hash, as weir verify prints them, not {text[:80]!r}",
            param_hint="'--known'",
        )

    from monitor.store.audit import Known

    return Known(int(parts[1]), parts[2])
