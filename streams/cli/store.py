"""`weir store`: backup and restore of the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from monitor.store.keeping.backup import Manifest

store = typer.Typer(
    name="store",
    help="Keep the store of `weir archive` and `weir console`: back it up, and restore it.",
    no_args_is_help=True,
)


@store.command()
def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The backup, a tar.", show_default=False)
    ],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write a backup of the store into one file, while archive and console run.

    It is checked before it has its name: that the database is whole, and the chain of its audit.
    The manifest in it has the positions in the topics, the rows of each table, and the SHA-256 of
    each file. It holds personal data and the hashes of passwords: keep it as you keep the store.

    Examples:

        weir store backup weir-2026-01-05.tar --store sqlite:///weir.db
    """
    from streams.cli.options import ensure_store_there, store_of

    ensure_store_there(store)
    with store_of(store) as opened:
        from monitor.store.keeping.backup import backup as backed_up

        _show("backed up", backed_up(opened, file, _now()), as_json=as_json)


@store.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.", show_default=False)],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a store of a backup, where none is; nothing is ever written over.

    Archive and console go on from there: the archive reads from the backup's positions what the
    topics have had since. Everybody has to log in again.

    Examples:

        weir store restore weir-2026-01-05.tar --store sqlite:///weir.db
    """
    from streams.cli.options import require_store, store_url

    require_store()

    from monitor.store.keeping.backup import restore as restored

    _show("restored", restored(store_url(store), file, _now()), as_json=as_json)


def _now() -> int:
    import time

    return time.time_ns() // 1000


def _show(what: str, manifest: "Manifest", *, as_json: bool) -> None:
    from streams.cli.options import print_result

    if as_json:
        print_result(manifest._asdict(), as_json=True)
        return
    for name, count in manifest.counts.items():
        typer.echo(f"{name}: {count:,}")
    audit = manifest.audit
    typer.echo(f"{what}: the database is whole, and so is its audit")
    typer.echo(f"to note outside of the store: {audit['number']}:{audit['hash']}")
