"""`weir describe`: what sets a class of customers apart."""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import AsJson, Cuts, Ignore, TableFile


def describe(
    file: TableFile,
    target: Annotated[
        list[str],
        typer.Option(
            help="The class to describe, as COL=VALUE; given again, either value.",
            show_default=False,
        ),
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="What to set it against, as COL=VALUE; default: all other rows.",
            show_default=False,
        ),
    ] = None,
    hierarchy: Annotated[
        Path | None, typer.Option(help="Hierarchies of values (TOML; see docs/insight.md).")
    ] = None,
    cut: Cuts = None,
    ignore: Ignore = None,
    crosstab: Annotated[
        str | None, typer.Option(help="Count by two columns, too: A,B.", show_default=False)
    ] = None,
    values_max: Annotated[
        int, typer.Option(help="Values a column may have; else it is generalised.", min=2)
    ] = 8,
    tuples_max: Annotated[
        int, typer.Option(help="Combinations of values that the description may have.", min=2)
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Say what sets a class of rows apart from others, by attribute-oriented induction.

    Columns are ranked by information gain. t-weight: how much of the class has the values;
    d-weight: how much of what has the values is of the class. See docs/insight.md.

    Examples:

        weir describe customers.csv --target loan=B --against loan=A

        weir describe customers.csv --target card=gold --cut age=30,55

        weir describe alerts.parquet --target kind=review --crosstab segment,reading
    """
    from monitor.insight.describe import Question
    from monitor.insight.describe import describe as description_of
    from streams.cli.options import cuts_of, hierarchies_of_file, print_result
    from streams.cli.views.describe import description_fields, show_description
    from streams.feed.table import read_table

    question = Question(
        target,
        against or (),
        hierarchies_of_file(hierarchy),
        cuts_of(cut),
        _pair(crosstab),
        values_max,
        tuples_max,
    )
    description = description_of(read_table(file, tuple(ignore or ())), question)
    if as_json:
        print_result(description_fields(description), as_json=True)
    else:
        show_description(description)


def _pair(stated: str | None) -> tuple[str, str] | None:
    from monitor.insight.table import InsightError

    if stated is None:
        return None
    names = [name.strip() for name in stated.split(",")]
    if len(names) != 2 or len({*names}) != 2:  # noqa: PLR2004 - a pair
        raise InsightError(f"--crosstab {stated[:80]!r} is none: write two columns, A,B")
    return names[0], names[1]
