"""Settings of the outlier models, as a policy states them in [budget] and [models].

Without a [budget] no outlier alerts are told; and without [systemic] too, which needs to know what
is usual for an account, there are no models at all.
"""

from typing import Final, NamedTuple

from monitor.core.table_reader import TableReader, shown
from monitor.core.threshold import Severity

BUDGET_KEYS: Final = ("alerts_per_day", "one_in_at_least", "warm_up_days", "severity", "taught")
MODELS_KEYS: Final = ("detector", "population_amount", "seed")
DETECTORS: Final = ("half-space-trees", "loda", "one-class-svm", "gaussian")
ALERTS_MAX: Final = 100_000

DEFAULT_BUDGET: Final = """
# Outlier alerts: account-days that are strange for the account, so many a business day.
[budget]
alerts_per_day = 20
warm_up_days = 7
"""
"""What lets the models join in where nobody states a policy: a week's warm-up is short, to try."""

DEFAULT_SYSTEMIC: Final = """
# What many accounts at once mean.
[systemic]
"""
"""What a replay and a demo have, where nobody states a policy, to tell what many breaches mean."""

ONE_IN_AT_LEAST: Final = 50
"""An account that is active daily has one day of fifty by chance in two months, and the tails are
fitted from there on (models/evidence/tail.py): an account-day that is less rare is no news."""

WARM_UP_DAYS_MAX: Final = 365
ONE_IN_MAX: Final = 1_000_000
SEED_MAX: Final = 2**31 - 1


class ModelSettings(NamedTuple):
    """Which models a policy wants; they are kept in state, so all versions want the same.

    `detector` is the one of transactions, by the names of models/detectors/detector.py.
    """

    detector: str = DETECTORS[0]
    population_amount: bool = False
    seed: int = 1


class OutlierSettings(NamedTuple):
    """How many reports of outliers the team can work a business day, and by which models.

    Nothing is told of the first `warm_up_days` business days of a partition, and never anything
    where not `is_told`: the models only learn then, for others to ask them. An account-day that is
    less rare than one in `one_in_at_least` is never reported. `is_taught`: weights that are learned
    from dispositions are in the scores, and alerts carry what they are learned from.
    """

    alerts_per_day: int
    warm_up_days: int
    severity: Severity
    models: ModelSettings
    is_told: bool = True
    one_in_at_least: int = ONE_IN_AT_LEAST
    is_taught: bool = False


QUIET: Final = OutlierSettings(20, 30, Severity.MEDIUM, ModelSettings(), is_told=False)
"""Where nobody is told: such a budget keeps strange days from being learned all the same."""


def outlier_settings(document: TableReader) -> OutlierSettings | None:
    """Return what [budget] and [models] of a policy state; None if it needs no models."""
    models = _models(document)
    is_needed = "systemic" in document.table
    if "models" in document.table and "budget" not in document.table and not is_needed:
        document.refuse(
            "[models] is of use with a [budget] or [systemic] only: state alerts_per_day in a"
            " [budget]"
        )
    table = document.get("budget", None)
    if table is None:
        return QUIET._replace(models=models) if is_needed else None
    if not isinstance(table, dict):
        document.refuse("[budget] is not a table")
        return None
    budget = document.reader(table, "budget.", "budget")
    budget.refuse_unknown(BUDGET_KEYS)
    return OutlierSettings(
        budget.whole("alerts_per_day", 1, ALERTS_MAX),
        budget.whole("warm_up_days", 5, WARM_UP_DAYS_MAX, 30),
        budget.choice("severity", tuple(Severity), Severity.MEDIUM) or Severity.MEDIUM,
        models,
        one_in_at_least=budget.whole("one_in_at_least", 1, ONE_IN_MAX, ONE_IN_AT_LEAST),
        is_taught=_switch(budget, "taught"),
    )


def _models(document: TableReader) -> ModelSettings:
    table = document.get("models", {})
    if not isinstance(table, dict):
        document.refuse("[models] is not a table")
        return ModelSettings()
    models = document.reader(table, "models.", "models")
    models.refuse_unknown(MODELS_KEYS)
    detector = models.get("detector", DETECTORS[0])
    if detector not in DETECTORS:
        models.refuse(f"detector is {shown(detector)}: one of {', '.join(DETECTORS)}")
    has_term = _switch(models, "population_amount")
    return ModelSettings(str(detector), has_term, models.whole("seed", 0, SEED_MAX, 1))


def _switch(table: TableReader, key: str) -> bool:
    """Return whether a table switches something on that is off by default."""
    stated = table.get(key, False)
    if not isinstance(stated, bool):
        table.refuse(f"{key} is {shown(stated)}: write true or false")
    return bool(stated)
