"""`weir associate`: which values come together in the rows of a table."""

from typing import Annotated

import typer

from streams.cli.options import AsJson, Cuts, Ignore, TableFile


def associate(
    file: TableFile,
    min_support: Annotated[
        float, typer.Option(help="Least share of all rows that meet a whole rule.")
    ] = 0.05,
    min_confidence: Annotated[
        float, typer.Option(help="Least share of right rows, of those that meet its IF.")
    ] = 0.6,
    target: Annotated[
        str | None,
        typer.Option(
            help="Only rules that end in COL=VALUE; --min-support is then a share of its rows.",
            show_default=False,
        ),
    ] = None,
    cut: Cuts = None,
    ignore: Ignore = None,
    max_items: Annotated[int, typer.Option(help="Values in a rule, at most.", min=2)] = 4,
    every: Annotated[
        bool,
        typer.Option("--all", help="Give also rules that are no surer than a shorter one."),
    ] = False,
    missing: Annotated[
        bool, typer.Option("--missing", help="Take a missing value, (none), for a value, too.")
    ] = False,
    top: Annotated[int, typer.Option(help="Rules to show; --json has all.", min=1)] = 30,
    as_json: AsJson = False,
) -> None:
    """Find which values come together: IF values THEN a value, and how strong the rule is.

    Support is the share of all rows that have all values; confidence how often the rule is right;
    lift how much oftener than without it. Columns of numbers become intervals, by --cut, learned
    against the target, or of equal frequency. See docs/insight.md.

    Examples:

        weir associate customers.csv --ignore district --min-support 0.1

        weir associate customers.csv --target card=gold --cut age=30,55

        weir associate alerts.parquet --target disposition=suspicious --json
    """
    from monitor.insight.associate import Wanted, associations_of, associations_with
    from monitor.insight.cut import attributes_of
    from streams.cli.options import cuts_of, print_result, require_mlxtend
    from streams.cli.views.associate import fields_of, lines_of
    from streams.feed.table import read_table

    require_mlxtend()
    wanted = Wanted(min_support, min_confidence, max_items, every, missing)
    wanted.check()
    table = read_table(file, tuple(ignore or ()))
    cuts = cuts_of(cut)
    asked_of = (target or "").partition("=")[0]
    table = table.without(set(table.keys()) - {asked_of, *cuts})
    if target is None:
        found = associations_of(attributes_of(table, cuts), wanted)
    else:
        found = associations_with(table, target, wanted, cuts)
    if as_json:
        print_result(fields_of(found, wanted, table, target), as_json=True)
    else:
        typer.echo("\n".join(lines_of(found, wanted, table, target, top)))
