"""Files of account attributes on the command line, and what is said of rows that are none."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from monitor.core.attributes import AccountRecord, AttributeBook
    from streams.accounts_feed import AccountRow

AccountFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--accounts",
        help="Account attributes: a CSV, JSON Lines or Parquet file, or a folder; may be repeated.",
    ),
]
AccountsMap = Annotated[
    Path | None,
    typer.Option("--accounts-map", help="Map of foreign columns of --accounts (docs/data.md)."),
]

SHOWN_MAX: Final = 5
"""Rows that are told one by one; the others are counted."""


class UnusableRows:
    """Tells of rows that are no account, on stderr, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def tell(self, row: "AccountRow") -> None:
        """Tell of a row, if it is among the first."""
        self.count += 1
        if self.count <= SHOWN_MAX:
            reason, detail = row.record[:2]
            typer.echo(f"weir: {row.file}, row {row.row}: {reason}: {detail}", err=True)
        elif self.count == SHOWN_MAX + 1:
            typer.echo("weir: and more rows that are no account", err=True)


def accounts_of_files(
    paths: list[Path], map_file: Path | None, unusable: UnusableRows, *, progress: bool = True
) -> Iterator["AccountRecord"]:
    """Return the accounts of files. Raises FeedError with all problems of all headers."""
    from streams.accounts_feed import accounts_of, usable
    from streams.commands.options import feed_of
    from streams.feed_form import ACCOUNTS

    batches = feed_of(paths, map_file, progress=progress, form=ACCOUNTS)
    return usable(accounts_of(batches), unusable.tell)


def attributes_of_files(
    paths: list[Path] | None, map_file: Path | None
) -> tuple["AttributeBook | None", UnusableRows]:
    """Return the attributes that files state, None without any, and what was told of bad rows."""
    from streams.accounts_feed import attributes_of

    unusable = UnusableRows()
    if not paths:
        if map_file:
            raise typer.BadParameter("--accounts-map is for --accounts, and there is none")
        return None, unusable
    return attributes_of(accounts_of_files(paths, map_file, unusable)), unusable
