"""`weir rules`: IF-THEN rules for a column of a table."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson, Broker, Cuts, Dispositions, Ignore


def show(
    dispositions: Path | None, alerts: Path | None, broker: str | None, top: int, *, as_json: bool
) -> None:
    """Print the rules of two files, or of the topics."""
    import asyncio
    import json
    import os

    from streams.cli.views.rules import lesson_lines
    from streams.settings import settings_of, variable
    from streams.topics.dispositions import lesson_of_files, lesson_of_topics

    if alerts is not None:
        if dispositions is None or broker is not None:
            raise typer.BadParameter("--alerts goes with --dispositions, and without --broker")
        lesson = lesson_of_files(dispositions, alerts)
    elif broker is None and variable("broker") not in os.environ:
        raise typer.BadParameter(
            "name a table and its --label, or --dispositions and --alerts, or a --broker"
        )
    else:
        settings = settings_of(os.environ, broker=broker)
        lesson = asyncio.run(lesson_of_topics(settings, dispositions))
    if as_json:
        sys.stdout.write(json.dumps(lesson.fields()) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lesson_lines(lesson, top)))


if TYPE_CHECKING:
    from monitor.insight.rules import Learned

PICTURES = (".png", ".svg")


def rules(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A table: CSV, Parquet, JSON Lines.", metavar="FILE", show_default=False
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The column that rules predict.", show_default=False)
    ] = None,
    then: Annotated[
        str | None,
        typer.Option(
            help="Print every leaf as a rule for this value of the label, however rare it is;"
            " else for the value of most of its rows.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            help="Values of the label to take as one, as NAME=VALUE,VALUE; may be given again.",
            show_default=False,
        ),
    ] = None,
    cut: Cuts = None,
    ignore: Ignore = None,
    max_depth: Annotated[
        int, typer.Option(help="Splits between the tree's root and a leaf, at most.", min=0)
    ] = 5,
    min_rows: Annotated[int, typer.Option(help="Rows in a leaf, at least.", min=1)] = 2,
    criterion: Annotated[
        str, typer.Option(help="What splits: the greatest gain (ID3), or ratio (C4.5).")
    ] = "gain",
    prune: Annotated[
        bool, typer.Option("--prune", help="Cut branches that do not pay (pessimistic errors).")
    ] = False,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Show the stream's tree, too: it sees each row once."),
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the tree here: .png or .svg.", show_default=False)
    ] = None,
    top: Annotated[int, typer.Option(help="Rules to show; --json has all.", min=1)] = 30,
    dispositions: Dispositions = None,
    alerts: Annotated[
        Path | None,
        typer.Option(help="The alerts of --dispositions (JSON Lines), instead of their topic."),
    ] = None,
    broker: Broker = None,
    as_json: AsJson = False,
) -> None:
    """Find IF-THEN rules for a column: what each other column says about it, and a decision tree.

    Columns are ranked by information gain. Numbers are split in two where that says most, or into
    the intervals that --cut gives. Rules are counted over all rows. See docs/insight.md.

    Without a table, the rules are those that dispositions of alerts teach (docs/operations.md): of
    files, or of a broker's topics.

    Examples:

        weir rules customers.csv --label loan --ignore district --prune

        weir rules customers.csv --label loan --class good=A,C --class bad=B,D

        weir rules customers.csv --label loan --max-depth 3 --picture tree.svg

        weir rules alerts.parquet --label disposition --stream --json

        weir rules --dispositions dispositions.jsonl --alerts alerts.jsonl

        weir rules --broker kafka:9092
    """
    is_of_dispositions = bool(dispositions or alerts or broker)
    if file is None and label is None:
        show(dispositions, alerts, broker, top, as_json=as_json)
        return
    if file is None or label is None or is_of_dispositions:
        raise typer.BadParameter(
            "a table needs its FILE and --label; rules of dispositions need neither of them"
        )
    from monitor.insight.rules import learned_of
    from monitor.insight.sample import class_of, sample_of
    from monitor.insight.tree import Growth
    from streams.cli.options import cuts_of, print_result
    from streams.cli.views.rules import fields_of, lines_of
    from streams.feed.table import read_table

    _check_picture(picture, file)
    growth = Growth(max_depth, min_rows, criterion)
    growth.check()
    stated = [class_of(text) for text in classes or ()]
    classes_of = {value: name for named in stated for value, name in named.items()}
    sample = sample_of(read_table(file, tuple(ignore or ())), label, cuts_of(cut), classes_of)
    learned = learned_of(sample, growth, prune=prune, then=then)
    streamed = None
    if stream:
        from monitor.insight.rules import streamed_of

        streamed = streamed_of(sample, then)
    if picture is not None:
        _draw(learned, picture)
    if as_json:
        print_result(fields_of(learned, streamed), as_json=True)
    else:
        typer.echo("\n".join(lines_of(learned, streamed, top)))


def _check_picture(picture: Path | None, file: Path) -> None:
    """Refuse what cannot be drawn before all is read. Raises OutputError, InsightError."""
    from monitor.insight.table import InsightError
    from streams.cli.files import check_outputs
    from streams.cli.options import require_matplotlib

    if picture is None:
        return
    check_outputs((picture,), (file,))
    if picture.suffix.lower() not in PICTURES:
        raise InsightError(f"{picture} is no picture: its name ends in {' or '.join(PICTURES)}")
    require_matplotlib()


def _draw(learned: "Learned", picture: Path) -> None:
    from streams.cli.files import written_whole
    from streams.cli.views.rules import check_drawable, draw

    check_drawable(learned.tree)
    with written_whole(picture) as file:
        draw(learned, file, picture.suffix[1:].lower())
