"""`weir reconcile`: whether what was monitored is what the ledger has."""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import AsJson, StoreUrl

SHOWN = 20


def reconcile(
    totals: Annotated[
        Path, typer.Argument(help="The ledger's control totals: a CSV file.", show_default=False)
    ],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Hold a ledger's control totals against the account-days of a store, and name what differs.

    The file has a row a business day and currency, or with account_id one an account, too:
    business_day, currency, debit_count, debit_amount, credit_count, credit_amount. Of the days from
    its first to its last, every one is compared, exactly. A reversal takes its part out of the day
    of what it reverses. Account-days are there once their day has closed.

    Exit status 0: both say the same. 1: they differ.

    Examples:

        weir reconcile ledger-2026-01-05.csv --store sqlite:///weir.db

        weir reconcile january-by-account.csv --json
    """
    from monitor.store.figures.control_totals import differences, stored_totals
    from streams.cli.exit_status import EXIT_FAILED
    from streams.cli.options import ensure_store_there, print_result, store_of
    from streams.feed.control_file import control_totals_of

    ledger = control_totals_of(totals)
    ensure_store_there(store)
    days = [key.business_day for key in ledger]
    by_account = any(key.account_id for key in ledger)
    with store_of(store) as opened, opened.reading() as connection:
        told = stored_totals(connection, min(days), max(days), by_account=by_account)
    found = list(differences(ledger, told))
    counts = {
        "first_day": min(days),
        "last_day": max(days),
        "compared": len(ledger.keys() | told.keys()),
        "not_in_store": sum(difference.store is None for difference in found),
        "not_in_ledger": sum(difference.ledger is None for difference in found),
        "differing": sum(None not in (difference.ledger, difference.store) for difference in found),
    }
    if as_json:
        listed = [
            {
                **difference.key._asdict(),
                "ledger": None if difference.ledger is None else difference.ledger._asdict(),
                "store": None if difference.store is None else difference.store._asdict(),
            }
            for difference in found
        ]
        print_result({**counts, "differences": listed}, as_json=True)
    else:
        for difference in found[:SHOWN]:
            typer.echo(difference.text())
        if len(found) > SHOWN:
            typer.echo(f"... and {len(found) - SHOWN:,} more: --json has all")
        print_result(counts, as_json=False)
    raise typer.Exit(EXIT_FAILED if found else 0)
