"""`weir map`: a first map of a file, and what a map makes of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import AsJson

if TYPE_CHECKING:
    from streams.feed.maps.check import Check


def map_file(
    file: Annotated[
        Path, typer.Argument(help="The file to look at.", metavar="FILE", show_default=False)
    ],
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="MAP", help="Read the file by this map, and tell what cannot be read."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Write the first map to this file, instead of stdout.", metavar="MAP"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a first map of a CSV or JSON Lines file, or check a map against its file.

    The first map says as comments what is sure, with the evidence, and what is UNSURE, and shows
    ten rows as transactions. Look at each UNSURE before you send anything. With --check, the whole
    file is read: lines that cannot be read are counted, with the first of each kind, and amounts
    are summed up by currency and direction.

    Exit status 0: all rows can be read. 1: some cannot, or there are none.

    Examples:

        weir map statement.csv

        weir map statement.csv --output bank.map.toml

        weir map statement.csv --check bank.map.toml

        weir map statement.csv --check bank.map.toml --json
    """
    from streams.cli.exit_status import EXIT_FAILED
    from streams.cli.files import OutputError, check_outputs, written_whole
    from streams.cli.options import print_result
    from streams.feed.mapping import feed_map_of, feed_map_of_text
    from streams.feed.maps.check import checked
    from streams.feed.maps.draft import draft_of
    from streams.feed.reader import files_of, read

    if check is not None and output is not None:
        raise OutputError("--check writes no map: leave --output out")
    check_outputs([output], [file, check], as_json=as_json)
    draft = draft_of(file) if check is None else None
    feed_map = feed_map_of(check) if check is not None else None
    if draft is not None:
        feed_map = feed_map_of_text(draft.text, f"the first map of {file}")
    assert feed_map is not None
    feed_map = feed_map._replace(tells_lines=True)
    found = checked(file, read(files_of([file], feed_map), feed_map), feed_map)
    if draft is not None and output is not None:
        with written_whole(output) as written:
            written.write(draft.text.encode())
    if as_json:
        told = {} if draft is None else draft._asdict()
        print_result({**told, **_fields(found)}, as_json=True)
    elif draft is not None and output is None:
        typer.echo(draft.text)
        typer.echo("\n".join(f"# {line}".rstrip() for line in _lines(file, found)))
    else:
        for note in draft.unsure if draft is not None else ():
            typer.echo(f"UNSURE: {note}")
        typer.echo("\n".join(_lines(file, found)))
        if output is not None:
            typer.echo(f"{output} is written: mend it, then weir map {file} --check {output}")
    raise typer.Exit(0 if found.is_good else EXIT_FAILED)


def _lines(file: Path, found: "Check") -> list[str]:
    """Return what came of a file, for a person to read."""
    from streams.cli.views.text import plain
    from streams.feed.maps.layout import passed_text

    lines = [" ".join(plain(text or "-") for text in row[:7]) for row in found.first_rows]
    if lines:
        lines = ["the first rows as transactions:", *(f"  {line}" for line in lines)]
    lines.append(f"{found.readable:,} rows can be read, {found.unreadable:,} cannot")
    if found.left_out:
        lines.append(f"{found.left_out:,} rows are left out by [[where]]")
    if said := passed_text(found.passed):
        lines.append(said)
    lines += [
        f"{total.currency} {total.direction}: {total.rows:,} rows, {total.amount}"
        for total in found.sums
    ]
    if found.repeated_ids:
        lines.append(f"{found.repeated_ids:,} rows have an id that their account had before")
    for fault in found.faults:
        where = f", column {' and '.join(fault.columns)}" if fault.columns else ""
        lines.append(
            f"{fault.rows:,} {fault.reason}: {file}, line {fault.line}{where}: {plain(fault.said)}"
        )
        lines.append(f"  {fault.advice}")
    return lines


def _fields(found: "Check") -> dict[str, Any]:
    from monitor.core.transaction import FIELDS

    return {
        "readable": found.readable,
        "unreadable": found.unreadable,
        "left_out": found.left_out,
        "passed": dict(found.passed),
        "sums": [total._asdict() for total in found.sums],
        "faults": [
            {**fault._asdict(), "reason": fault.reason.value, "advice": fault.advice}
            for fault in found.faults
        ],
        "repeated_ids": found.repeated_ids,
        "rows": [dict(zip(FIELDS, row, strict=True)) for row in found.first_rows],
    }
