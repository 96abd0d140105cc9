"""`weir whatif`: what would alert if one limit were another."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import (
    AccountFiles,
    AccountsMap,
    AsItStands,
    AsJson,
    AsOfMoment,
    DayTime,
    FileFormat,
    MapFile,
    PolicyFile,
    SheetName,
    ToldOfFiles,
    reading_of,
)

if TYPE_CHECKING:
    from monitor.policy.policy import Policy

CHARTS = (".png", ".svg")


def whatif(
    limit: Annotated[str, typer.Option(help="The id of the limit.", show_default=False)],
    above: Annotated[
        str,
        typer.Option(
            help="The limit to try, as the policy writes it: 1500.00, or 12.", show_default=False
        ),
    ],
    files: Annotated[
        list[Path],
        typer.Option(
            "--file",
            help="A file as weir replay reads it, or a folder; may be given again.",
            show_default=False,
        ),
    ],
    map_file: MapFile = None,
    policy: PolicyFile = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Alerts a day to find a limit for; else alerts_per_day of the policy's [budget].",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Draw the alerts over limits and days here: .png or .svg.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Write the alerts over limits here, as CSV; - is stdout.")
    ] = None,
    partitions: Annotated[
        int, typer.Option(help="Partitions to deal accounts to, as the topic has.", min=1)
    ] = 4,
    accounts: AccountFiles = None,
    accounts_map: AccountsMap = None,
    as_of: AsOfMoment = None,
    file_format: FileFormat = None,
    sheet: SheetName = None,
    day_time: DayTime = None,
    as_it_stands: AsItStands = False,
    as_json: AsJson = False,
) -> None:
    """Say what would alert if one limit were another: how many, which accounts, at which limit.

    The files are replayed as `weir replay` does; the answer is exact, from the totals of the
    account-days. The limit concerns only the accounts that it decides for. See docs/whatif.md.

    Examples:

        weir whatif --limit daily-amount --above 1500.00 --file transactions.csv

        weir whatif --limit daily-count --above 12 --file t.csv --policy p.toml

        weir whatif --limit daily-amount --above 2500 --file t.csv --out a.png
    """
    import time

    from monitor.whatif import above_of, limit_of
    from streams.cli.exit_status import EXIT_FAILED
    from streams.cli.files import written_whole
    from streams.cli.options import as_of_of, attributes_of_files, book_of, feed_of, print_result
    from streams.cli.views.whatif import csv_of, lines_of
    from streams.interpreter import configure_interpreter
    from streams.replay.whatif import fields_of
    from streams.replay.whatif import whatif as answer_of

    book = book_of(policy)
    (stated,) = book.policies
    threshold = limit_of(stated, limit)
    tried = above_of(above, threshold)
    alerts_per_day = _budget(budget, stated)
    _check_files(
        out, table, [*files, *(accounts or ()), policy, map_file, accounts_map], as_json=as_json
    )
    reading = reading_of(file_format, sheet, day_time)
    batches = feed_of(
        files, map_file, as_it_stands=as_it_stands, reading=reading, told=ToldOfFiles()
    )
    attributes, _ = attributes_of_files(accounts, accounts_map)
    configure_interpreter()
    started = time.perf_counter()
    answer = answer_of(
        stated, threshold, tried, batches, partitions, alerts_per_day, attributes=attributes,
        as_of=as_of_of(as_of, book),
    )  # fmt: skip
    seconds = time.perf_counter() - started
    if table is not None:
        with written_whole(table) as file:
            file.write(csv_of(answer))
    if out is not None and answer.account_days:
        from streams.cli.views.whatif import draw

        with written_whole(out) as file:
            draw(answer, file, out.suffix[1:].lower())
    rejected = sum(answer.totals.rejections.values())
    if rejected:
        typer.echo(f"rejected rows: {rejected:,} (weir replay tells which, and why)", err=True)
    if as_json:
        print_result(fields_of(answer, seconds), as_json=True)
    elif str(table) != "-":
        typer.echo("\n".join(lines_of(answer)))
    if out is not None and not answer.account_days:
        typer.echo(f"weir: {out} is not drawn: there is no account-day to draw", err=True)
        raise typer.Exit(EXIT_FAILED)


def _budget(given: float | None, policy: "Policy") -> Fraction | None:
    import math

    from monitor.whatif import WhatIfError

    if given is not None:
        if not (math.isfinite(given) and given >= 0):
            raise WhatIfError(f"--budget is {given}: alerts a day, a number from 0 on")
        return Fraction(str(given))
    if policy.outliers is None or not policy.outliers.is_told:
        return None
    return Fraction(policy.outliers.alerts_per_day)


def _check_files(
    out: Path | None, table: Path | None, inputs: list[Path | None], *, as_json: bool
) -> None:
    """Refuse what cannot be written before all is read. Raises OutputError, WhatIfError."""
    from monitor.whatif import WhatIfError
    from streams.cli.files import check_outputs
    from streams.cli.options import require_matplotlib

    check_outputs((out, table), inputs, as_json=as_json)
    if out is not None and out.suffix.lower() not in CHARTS:
        raise WhatIfError(f"{out} is no chart: its name ends in {' or '.join(CHARTS)}")
    if out is not None:
        require_matplotlib()
