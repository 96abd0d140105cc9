"""`weir generate`: a made population of accounts as CSV, with what is special of it as labels."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson

if TYPE_CHECKING:
    from collections import Counter

    from monitor.population import Population


def generate(
    accounts: Annotated[int, typer.Option(help="How many accounts.", show_default=False)],
    days: Annotated[int, typer.Option(help="How many days.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="The CSV file to write; - is stdout.", show_default=False)
    ],
    seed: Annotated[int, typer.Option(help="Same arguments and seed, same bytes.")] = 1,
    labels: Annotated[
        Path | None,
        typer.Option(help="Write labels of all that is special here (JSON Lines)."),
    ] = None,
    start: Annotated[str, typer.Option(help="The first day, YYYY-MM-DD.")] = "2026-01-05",
    time_zone: Annotated[str, typer.Option(help="Business days begin at midnight here.")] = "UTC",
    currency: Annotated[str, typer.Option(help="ISO 4217; one of two decimals.")] = "EUR",
    anomalies: Annotated[
        float,
        typer.Option(
            help="Anomalies an account and day, in the mean; from 1 on: in the whole run."
        ),
    ] = 0.0012,
    incidents: Annotated[
        bool,
        typer.Option(
            "--incidents",
            help="A fund-raising on days 25 to 29, a data fault on day 33, and from day 41"
            " a shift of all amounts.",
        ),
    ] = False,
    faults: Annotated[
        bool,
        typer.Option("--faults", help="Rows that come late, twice or broken: 2 in a thousand."),
    ] = False,
    needs: Annotated[
        bool,
        typer.Option(
            "--needs",
            help="Changes that are no anomalies, and are labelled as such: shops that grow, seasons"
            " of trade, other salaries; 3 in 100 of the accounts that may have each.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a seeded population as CSV: eight types of accounts, the calendar, labelled anomalies.

    Examples:

        weir generate --accounts 2000 --days 30 --out transactions.csv

        weir generate --accounts 5000 --days 60 --incidents --out t.csv

        weir generate --accounts 100 --days 2 --faults --out - | head
    """
    import time
    from datetime import date

    from monitor.population import Population, PopulationError
    from streams.cli.options import print_result

    _check_files(out, labels, as_json=as_json)
    try:
        first = date.fromisoformat(start)
    except ValueError:
        raise PopulationError(f"start is {start!r}: a date, YYYY-MM-DD") from None
    population = Population(
        accounts, days, seed, first, currency,
        anomaly_share=anomalies / max(accounts * days, 1) if anomalies >= 1 else anomalies,
        with_incidents=incidents, with_faults=faults, time_zone=time_zone, with_needs=needs,
    )  # fmt: skip
    started = time.perf_counter()
    try:
        counts = _write(population, out, labels)
    except BrokenPipeError:
        _leave_pipe()
        return
    if str(out) == "-":
        return
    seconds = time.perf_counter() - started
    result = {
        "rows": counts["rows"],
        "accounts": accounts,
        "days": days,
        "anomalies": counts["account-day"],
        "account_days_of_needs": counts["day of a need"],
        "incidents": len(population.incidents),
        "faults": counts["fault"],
        "bytes": out.stat().st_size,
        "seconds": round(seconds, 3),
    }
    print_result(result, as_json=as_json)


def _check_files(out: Path, labels: Path | None, *, as_json: bool) -> None:
    from monitor.population import PopulationError

    problems = [
        f"{path} is a folder: name the file to write"
        for path in (out, labels)
        if path is not None and path.is_dir()
    ]
    problems += [
        f"{path} cannot be written: there is no folder {path.parent}"
        for path in (out, labels)
        if path is not None and not path.parent.is_dir()
    ]
    if labels is not None and out.resolve() == labels.resolve():
        problems.append("rows and labels are to go to two places: --out and --labels are the same")
    if "-" in (str(out), str(labels)) and as_json:
        problems.append("--json prints on stdout, where a file of - goes too: name a file")
    if problems:
        raise PopulationError("; ".join(problems))


def _write(population: "Population", out: Path, labels: Path | None) -> "Counter[str]":
    """Write the rows and the labels; return how many rows, and labels of each level."""
    import json
    from collections import Counter

    from monitor.population.labels import incident_labels_of, labels_of_day
    from monitor.population.needs import KINDS
    from monitor.population.rows import csv_header, csv_of
    from streams.cli.files import written_whole

    counts = Counter[str]()
    with ExitStack() as files:
        rows_file = files.enter_context(written_whole(out))
        labels_file: IO[bytes] | None = None
        if labels is not None:
            labels_file = files.enter_context(written_whole(labels))
        days_done = files.enter_context(_progress(population.days))
        rows_file.write(csv_header())
        for made in population.made_days():
            rows_file.writelines(csv_of(population, made))
            counts["rows"] += made.numbers.size
            for label in labels_of_day(made):
                is_of_need = label["level"] == "account-day" and label["kind"] in KINDS
                counts["day of a need" if is_of_need else label["level"]] += 1
                if labels_file:
                    labels_file.write(json.dumps(label).encode() + b"\n")
            days_done(counts["rows"])
        if labels_file:
            for label in incident_labels_of(population):
                labels_file.write(json.dumps(label).encode() + b"\n")
    return counts


@contextmanager
def _progress(days: int) -> Iterator[Callable[[int], None]]:
    """Show a bar where a person looks on; call what this gives after each day, with the rows."""
    import sys

    if not sys.stderr.isatty():
        yield lambda rows: None  # noqa: ARG005 - nobody looks on
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("day {task.completed:.0f} of {task.total:.0f}"), BarColumn(),
        TextColumn("{task.fields[rows]:,} rows"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=days, rows=0)
        yield lambda rows: progress.update(task, advance=1, rows=rows)


def _leave_pipe() -> None:
    """Forget stdout: its reader (`head`) has what it wanted, and what is left has nowhere to go."""
    import os
    import sys

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
