"""Incidents: what happens to many accounts at once, on fixed days of a run."""

from typing import Final, NamedTuple

import numpy as np

from models.arrays import Ints
from monitor.population.behaviour import INSTITUTIONS_USUAL, Accounts
from monitor.population.movements import Movements, minor_amounts, seconds_of_day

KINDS: Final = ("external-cause", "data-fault", "population-shift")
LABEL_FIRST: Final = 11
"""Label 11 stands for KINDS[0], and so on."""

FUND_RAISING_DAYS: Final = range(24, 29)
FUND_RAISING_SHARE: Final = 0.01
FUND_RAISING_INSTITUTION: Final = INSTITUTIONS_USUAL
FUND_RAISING_COUNTERPARTY: Final = 9_000_000_000

DATA_FAULT_DAYS: Final = range(32, 33)
DATA_FAULT_BRANCH: Final = 7
DATA_FAULT_SECONDS: Final = (10 * 3600, 14 * 3600)
DATA_FAULT_FACTOR: Final = 100

SHIFT_DAY_FIRST: Final = 40
SHIFT_NUMERATOR, SHIFT_DENOMINATOR = 135, 100

_GIVING_TYPES: Final = (1, 2, 3, 4)
_WEB: Final = 2


class Incident(NamedTuple):
    """What is true of an incident: its days of the run, and what it is about."""

    kind: str
    days: range
    branch: int | None = None
    institution: int | None = None
    accounts: Ints | None = None


def incidents_of(rng: np.random.Generator, accounts: Accounts, days: int) -> list[Incident]:
    """Return the incidents that fall into a run of so many days.

    A fund-raising: some accounts pay one outside institution. A data fault: one branch delivers
    amounts a hundred times too great. A population shift: everybody's amounts grow by a third.
    """
    pool = np.flatnonzero(np.isin(accounts.type, _GIVING_TYPES))
    count = min(max(1, round(FUND_RAISING_SHARE * accounts.type.size)), pool.size)
    givers = np.sort(rng.choice(pool, count, replace=False))
    found = [
        Incident(
            "external-cause", FUND_RAISING_DAYS, institution=FUND_RAISING_INSTITUTION,
            accounts=givers,
        ),
        Incident("data-fault", DATA_FAULT_DAYS, branch=DATA_FAULT_BRANCH),
        Incident("population-shift", range(SHIFT_DAY_FIRST, max(days, SHIFT_DAY_FIRST))),
    ]  # fmt: skip
    ended = [
        incident._replace(days=range(incident.days.start, min(incident.days.stop, days)))
        for incident in found
    ]
    return [incident for incident in ended if incident.days]


def applied(
    rng: np.random.Generator, incident: Incident, accounts: Accounts, movements: Movements
) -> Movements:
    """Return a day's movements with what the incident makes of them."""
    label = LABEL_FIRST + KINDS.index(incident.kind)
    if incident.kind == "external-cause":
        return Movements.joined([movements, _gifts(rng, incident, accounts, label)])
    if incident.kind == "data-fault":
        first, last = DATA_FAULT_SECONDS
        is_hit = (
            (accounts.branch[movements.account] == DATA_FAULT_BRANCH)
            & (movements.second >= first)
            & (movements.second < last)
        )
        return movements._replace(
            amount=np.where(is_hit, movements.amount * DATA_FAULT_FACTOR, movements.amount),
            label=np.where(is_hit, label, movements.label),
        )
    return movements._replace(amount=movements.amount * SHIFT_NUMERATOR // SHIFT_DENOMINATOR + 1)


def _gifts(
    rng: np.random.Generator, incident: Incident, accounts: Accounts, label: int
) -> Movements:
    assert incident.accounts is not None
    gives = rng.random(incident.accounts.size) < 2 / len(FUND_RAISING_DAYS)  # twice, in the mean
    account = incident.accounts[gives]
    count = account.size
    above = accounts.amount_log_sd[account] * rng.uniform(1.5, 3.5, count)
    return Movements(
        account=account,
        second=seconds_of_day(rng.uniform(9, 18, count)),
        amount=minor_amounts(np.exp(accounts.amount_log_mean[account] + above)),
        is_credit=np.zeros(count, dtype=np.int64),
        channel=np.full(count, _WEB),
        institution=np.full(count, FUND_RAISING_INSTITUTION),
        counterparty=np.full(count, FUND_RAISING_COUNTERPARTY),
        label=np.full(count, label),
    )
