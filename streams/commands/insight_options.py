"""Options of the commands that read a table of customers, accounts or alerts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from monitor.insight.cut import Cut
    from monitor.insight.hierarchy import Hierarchy

TableFile = Annotated[
    Path,
    typer.Argument(help="A table: CSV, Parquet, JSON Lines.", metavar="FILE", show_default=False),
]
Cuts = Annotated[
    list[str] | None,
    typer.Option(
        "--cut",
        help="How to cut a column of numbers: COL=30,55 (points), or COL=equal:4 (intervals with"
        " as many rows each); may be given again.",
        show_default=False,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(help="A column to leave out; may be given again.", show_default=False),
]


def cuts_of(stated: list[str] | None) -> "dict[str, Cut]":
    """Return how columns are to be cut. Raises InsightError if one is stated wrongly."""
    from monitor.insight.cut import cut_of

    return dict(map(cut_of, stated or ()))


def hierarchies_of_file(path: Path | None) -> "dict[str, Hierarchy]":
    """Return the hierarchies of a TOML file. Raises InsightError if it states none; OSError."""
    from monitor.insight.hierarchy import hierarchies_of
    from monitor.insight.table import InsightError

    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InsightError(f"{path} is not UTF-8 text: {error}") from None
    return hierarchies_of(text, str(path))
