"""`weir cluster`: customers that are alike, coarse groups first and fine ones inside them."""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import AsJson, Cuts, Ignore, TableFile


def cluster(
    file: TableFile,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns to make the groups of: A,B,...; default: all.", show_default=False
        ),
    ] = None,
    coarse: Annotated[int, typer.Option(help="Coarse groups, at most.", min=1, max=20)] = 3,
    fine: Annotated[
        int, typer.Option(help="Fine groups inside each coarse one, at most.", min=1, max=20)
    ] = 3,
    cut: Cuts = None,
    ignore: Ignore = None,
    seed: Annotated[int, typer.Option(help="Seed of the first centres.", min=0)] = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="Write each row with its groups here, as CSV; - is stdout."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Group rows that are alike (k-means), and say what sets each group apart from the rest.

    Groups are described by all columns, whichever made them. See docs/insight.md.

    Examples:

        weir cluster customers.csv

        weir cluster customers.csv --columns age,average_balance --coarse 4

        weir cluster customers.csv --ignore loan --out grouped.csv --json
    """
    from monitor.insight.cluster import cluster as groups_of
    from streams.cli.files import check_outputs, written_whole
    from streams.cli.options import cuts_of, print_result
    from streams.cli.views.cluster import group_fields, grouped_csv, show_groups
    from streams.feed.table import read_table

    check_outputs((out,), (file,), as_json=as_json)
    chosen = [name.strip() for name in columns.split(",")] if columns else []
    table = read_table(file, tuple(ignore or ()))
    groups = groups_of(table, chosen, (coarse, fine), cuts_of(cut), seed)
    if out is not None:
        with written_whole(out) as written:
            written.write(grouped_csv(table, groups))
    if as_json:
        print_result(group_fields(groups, table.rows), as_json=True)
    elif str(out) != "-":
        show_groups(groups, table.rows)
