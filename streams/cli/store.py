"""`weir store`: backup, restore and pruning of the store, and erasure of an account."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from monitor.store.keeping.backup import Manifest

store = typer.Typer(
    name="store",
    help="Keep the store of `weir archive` and `weir console`: back it up, restore it, prune it,"
    " erase an account.",
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
    each file. The files of sealed account-days that the database names are in it; one that is not
    there, or was changed, ends the backup. It holds personal data and the hashes of passwords: keep
    it as you keep the store.

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
    topics have had since. Everybody has to log in again. Files of sealed account-days go into the
    folder that WEIR_STORE_DAYS names, which must be empty; else into FILE.days beside SQLite's.

    Examples:

        weir store restore weir-2026-01-05.tar --store sqlite:///weir.db
    """
    from streams.cli.options import days_folder, require_store, store_url

    require_store()

    from monitor.store.keeping.backup import restore as restored

    done = restored(store_url(store), file, _now(), days_folder())
    _show("restored", done, as_json=as_json)


@store.command()
def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would go, and change nothing.")
    ] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Take away what is older than the settings of retention say; the archive does so once a day.

    Alerts go only if they are closed or withdrawn, with their revisions and what was done with
    them, and account-days wherever they stand, in the table or in files of sealed days. What the
    topics still hold comes back by `weir archive --rebuild`, and goes again.

    Examples:

        WEIR_KEEP_ALERTS=730 weir store prune --dry-run

        weir store prune --store sqlite:///weir.db --json
    """
    import os

    from streams.cli.options import ensure_store_there, print_result, store_of, store_url
    from streams.settings import settings_of

    ensure_store_there(store)
    # No broker is asked, so none has to be named.
    settings = settings_of({"WEIR_BROKER": "127.0.0.1:9092", **os.environ}, store=store_url(store))
    with store_of(settings.store) as opened:
        from monitor.store.keeping.retention import prune as pruned
        from streams.archive.pruning import retention_of

        retention = retention_of(settings)
        counts = pruned(opened, retention, _now(), is_dry_run=dry_run)
    if as_json:
        result = {"pruned": counts, "days": retention._asdict(), "is_dry_run": dry_run}
        print_result(result, as_json=True)
        return
    for name, count in counts.items():
        typer.echo(f"{name}: {count:,} {'would go' if dry_run else 'taken away'}")
    if not retention.is_any():
        typer.echo("everything is kept: WEIR_KEEP_ALERTS and the others say for how many days")


@store.command()
def erase(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The account's id.", show_default=False)
    ],
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="An administrator.", show_default=False)
    ],
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="Why: the audit has it.", show_default=False),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would go, and change nothing.")
    ] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Erase what the store has of one account, and let it not come back.

    Its alerts go, with all that was done with them, its days, and samples of rejections that name
    it. Files of sealed account-days that name it are written again without it. Where others'
    records or the audit name it, a pseudonym stands instead; counts stay. The topics still hold
    it: the archive passes that over.

    Examples:

        weir store erase A1 --by Ann --reason "request 12" --dry-run

        weir store erase A1 --by Ann --reason "request 12" --store sqlite:///weir.db
    """
    from streams.cli.options import ensure_store_there, print_result, store_of

    ensure_store_there(store)
    with store_of(store) as opened:
        from monitor.store.keeping.erasure import STILL_HELD
        from monitor.store.keeping.erasure import erase as erased

        done = erased(opened, account, _now(), by=by, reason=reason, is_dry_run=dry_run)
    if as_json:
        print_result({**done._asdict(), "still_held": STILL_HELD}, as_json=True)
        return
    if not any((*done.taken_away.values(), *done.changed.values(), *done.mentions.values())):
        typer.echo(f"weir: the store has nothing of the account {account!r}", err=True)
    for name, count in done.taken_away.items():
        typer.echo(f"{name}: {count:,} {'would go' if dry_run else 'taken away'}")
    for name, count in done.changed.items():
        typer.echo(f"{name}: {count:,} {'would be changed' if dry_run else 'changed'}")
    for name, count in done.mentions.items():
        if count:
            typer.echo(f"{name}: {count:,} stay with its id within a longer text: read them")
    if not dry_run:
        typer.echo(f"where others name it, there is now {done.pseudonym}")
        if not done.is_overwritten:
            typer.echo(
                "the old log is still being read: run this again once archive and console rest"
            )
    typer.echo(STILL_HELD)


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
