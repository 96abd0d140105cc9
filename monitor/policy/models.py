"""Settings of the outlier models, as a policy states them in [budget] and [models].

Without a [budget] no outlier alerts are told; and without [systemic] too, which needs to know what
is usual for an account, there are no models at all.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from monitor.core.threshold import Severity
from monitor.policy.limits import refuse_unknown

BUDGET_KEYS: Final = ("alerts_per_day", "one_in_at_least", "warm_up_days", "severity")
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
    less rare than one in `one_in_at_least` is never reported.
    """

    alerts_per_day: int
    warm_up_days: int
    severity: Severity
    models: ModelSettings
    is_told: bool = True
    one_in_at_least: int = ONE_IN_AT_LEAST


QUIET: Final = OutlierSettings(20, 30, Severity.MEDIUM, ModelSettings(), is_told=False)
"""Where nobody is told: such a budget keeps strange days from being learned all the same."""


def outlier_settings(document: Mapping[str, object], problems: list[str]) -> OutlierSettings | None:
    """Return what [budget] and [models] of a policy state; None if it needs no models."""
    models = _models(document.get("models", {}), problems)
    is_needed = "systemic" in document
    if "models" in document and "budget" not in document and not is_needed:
        problems.append(
            "[models] is of use with a [budget] or [systemic] only: state alerts_per_day in a"
            " [budget]"
        )
    table = document.get("budget")
    if table is None:
        return QUIET._replace(models=models) if is_needed else None
    if not isinstance(table, dict):
        problems.append("[budget] is not a table")
        return None
    refuse_unknown(table, BUDGET_KEYS, "budget.", problems)
    alerts = _whole(table, "budget", "alerts_per_day", None, (1, ALERTS_MAX), problems)
    days = _whole(table, "budget", "warm_up_days", 30, (5, WARM_UP_DAYS_MAX), problems)
    one_in = _whole(table, "budget", "one_in_at_least", ONE_IN_AT_LEAST, (1, ONE_IN_MAX), problems)
    severity = table.get("severity", Severity.MEDIUM.value)
    if severity not in list(Severity):
        problems.append(f"budget.severity is {severity!r}: one of {', '.join(Severity)}")
        severity = Severity.MEDIUM.value
    return OutlierSettings(alerts, days, Severity(severity), models, one_in_at_least=one_in)


def _models(table: object, problems: list[str]) -> ModelSettings:
    if not isinstance(table, dict):
        problems.append("[models] is not a table")
        return ModelSettings()
    refuse_unknown(table, MODELS_KEYS, "models.", problems)
    detector = table.get("detector", DETECTORS[0])
    if detector not in DETECTORS:
        problems.append(f"models.detector is {detector!r}: one of {', '.join(DETECTORS)}")
    has_term = table.get("population_amount", False)
    if not isinstance(has_term, bool):
        problems.append(f"models.population_amount is {has_term!r}: write true or false")
    seed = _whole(table, "models", "seed", 1, (0, SEED_MAX), problems)
    return ModelSettings(str(detector), bool(has_term), seed)


def _whole(
    table: Mapping[str, object],
    where: str,
    key: str,
    default: int | None,
    limits: tuple[int, int],
    problems: list[str],
) -> int:
    value = table.get(key, default)
    low, high = limits
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    said = "missing" if value is None else repr(value)
    problems.append(f"{where}.{key} is {said}: a whole number from {low} to {high:,}")
    return low
