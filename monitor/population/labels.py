"""Labels of a made population: the truth that a monitor can be held to."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np

from monitor.population import anomalies, faults, incidents, needs
from monitor.population.incidents import Incident
from monitor.population.movements import USUAL, MadeDay
from monitor.population.population import Population


def transaction_id(number: int) -> str:
    """Return the id of the transaction of a number (from 0) in the run."""
    return f"T{number:010d}"


def account_id(number: int) -> str:
    """Return the id of an account by its number."""
    return f"A{number:07d}"


def labels_of_day(made: MadeDay) -> Iterator[dict[str, Any]]:
    """Yield what is special of a day: each transaction, each account-day, each fault."""
    account_days: dict[tuple[str, str], None] = {}
    for place in np.flatnonzero(made.movements.label != USUAL).tolist():
        kind = kind_of(int(made.movements.label[place]))
        account = account_id(int(made.movements.account[place]))
        yield {
            "level": "transaction", "transaction_id": transaction_id(int(made.numbers[place])),
            "account_id": account, "kind": kind,
        }  # fmt: skip
        account_days[account, kind] = None
    for account, kind in account_days:
        yield {
            "level": "account-day", "account_id": account, "business_day": made.day.isoformat(),
            "kind": kind,
        }  # fmt: skip
    for place in np.flatnonzero(made.faults != faults.SOUND).tolist():
        yield {
            "level": "fault", "transaction_id": transaction_id(int(made.numbers[place])),
            "account_id": account_id(int(made.movements.account[place])),
            "business_day": made.day.isoformat(), "kind": faults.KINDS[made.faults[place] - 1],
        }  # fmt: skip


def incident_labels_of(population: Population) -> Iterator[dict[str, Any]]:
    """Yield what is true of each incident."""
    for incident in population.incidents:
        yield _incident_label(incident, population.start)


def kind_of(label: int) -> str:
    """Return the kind that a label of a movement stands for."""
    assert label != USUAL
    if label >= needs.LABEL_FIRST:
        return needs.KINDS[label - needs.LABEL_FIRST]
    if label >= incidents.LABEL_FIRST:
        return incidents.KINDS[label - incidents.LABEL_FIRST]
    return anomalies.KINDS[label - 1]


def _incident_label(incident: Incident, start: date) -> dict[str, Any]:
    first = start.toordinal()
    return {
        "level": "incident",
        "kind": incident.kind,
        "days": [date.fromordinal(first + number).isoformat() for number in incident.days],
        "segment": None,  # none of the incidents keeps to one
        "branch": None if incident.branch is None else f"B{incident.branch:02d}",
        "institution": None if incident.institution is None else f"BANK{incident.institution:02d}",
        "accounts": []
        if incident.accounts is None
        else [account_id(a) for a in incident.accounts.tolist()],
    }
