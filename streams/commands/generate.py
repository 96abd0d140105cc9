"""`weir generate`: a made population of accounts as CSV, with what is special of it as labels."""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands.options import AsJson


def generate(
    accounts: Annotated[int, typer.Option(help="How many accounts.", show_default=False)],
    days: Annotated[int, typer.Option(help="How many days.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="The CSV file to write; - is stdout.", show_default=False)
    ],
    seed: Annotated[int, typer.Option(help="Same arguments and seed, same bytes.")] = 1,
    labels: Annotated[
        Path | None, typer.Option(help="Write what is special here, as JSON Lines.")
    ] = None,
    start: Annotated[str, typer.Option(help="The first day, YYYY-MM-DD.")] = "2026-01-05",
    currency: Annotated[str, typer.Option(help="ISO 4217; one of two decimals.")] = "EUR",
    anomalies: Annotated[
        float, typer.Option(help="Anomalies an account and day, in the mean.")
    ] = 0.0012,
    incidents: Annotated[
        bool,
        typer.Option(
            "--incidents",
            help="A fund-raising on days 10 to 14, a data fault on day 17, and from day 22"
            " a shift of all amounts.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a seeded population as CSV: eight types of accounts, the calendar, labelled anomalies.

    Examples:

        weir generate --accounts 2000 --days 30 --out transactions.csv

        weir generate --accounts 5000 --days 60 --seed 7 --incidents --out t.csv --labels l.jsonl
    """
    import sys
    import time
    from contextlib import ExitStack
    from datetime import date

    from monitor.population import Population, PopulationError
    from streams.commands.options import print_result
    from streams.commands.partial_file import written_whole
    from streams.made_feed import Made, write_population

    try:
        first = date.fromisoformat(start)
    except ValueError:
        raise PopulationError(f"start is {start!r}: a date, YYYY-MM-DD") from None
    population = Population(accounts, days, seed, first, currency, anomalies, incidents)
    started = time.perf_counter()
    made = Made(0, 0, 0)
    with ExitStack() as files:
        rows_file = files.enter_context(written_whole(out))
        labels_file = files.enter_context(written_whole(labels)) if labels else None
        for made in write_population(population, rows_file, labels_file):
            if sys.stderr.isatty():
                sys.stderr.write(f"\rday {made.days} of {days}, {made.rows:,} rows")
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
    if str(out) == "-":
        return
    result = {
        "rows": made.rows,
        "accounts": accounts,
        "days": days,
        "anomalies": made.anomalies,
        "incidents": len(population.incidents),
        "bytes": out.stat().st_size,
        "seconds": round(time.perf_counter() - started, 3),
    }
    print_result(result, as_json=as_json)
