"""The verdict of an alarm: reasons in their order, each with the number that decides.

A data fault comes first, since nothing else can be believed of such a day. Then the limit: where it
was lowered and the history's own limit is breached no more than before, nothing else has happened.
Then a cause outside that the breaching account-days have in common. What is left is the population.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from monitor.core.business_day import day_text
from monitor.systemic.alert import DecidedBy, SystemicCause, Verdict
from monitor.systemic.concentration import FALSE_DISCOVERIES as FALSE_CONCENTRATIONS
from monitor.systemic.concentration import HOT_FALSE_DISCOVERIES, Concentrated, Hot
from monitor.systemic.faults import AMOUNTS, Fault, likely_factor
from monitor.systemic.limits.budget import TOLERATED, OffBudget
from monitor.systemic.limits.counterfactual import Counterfactual
from monitor.systemic.segment_day import BRANCH, CAUSE_TYPES
from monitor.systemic.share import ShareReading

EXPLAINS_LEAST: Final = 0.3
"""A cause explains a segment's rise where so much of what is above the expected has it."""

CASES_LEAST: Final = 2
LASTS_DAYS: Final = 3
"""A rise of hot accounts that no limit sees is a shift of the population once it lasts so long."""


class Decision(NamedTuple):
    """A verdict and what it rests on."""

    verdict: Verdict
    decided_by: DecidedBy
    cause: SystemicCause | None = None
    limit_ratio: float | None = None
    suggested_limit: int | None = None
    evidence: Mapping[str, object] = {}


def of_fault(fault: Fault) -> Decision:
    """Return the verdict on a feed that does not tell the truth."""
    is_amounts = fault.kind == AMOUNTS
    name = "values_times_usual" if is_amounts else "records_times_usual"
    cause = SystemicCause(
        BRANCH, fault.branch, round(fault.lift, 2), round(fault.share, 4), fault.probability
    )
    return Decision(
        Verdict.DATA_FAULT,
        DecidedBy(name, round(fault.number, 2)),
        cause if fault.branch else None,
        evidence={
            "fault": fault.kind,
            "breaching_account_days" if is_amounts else "records": fault.records,
            "probability": fault.probability,
            **({"likely_factor": likely_factor(fault)} if is_amounts else {}),
        },
    )


def of_hot(hot: Hot) -> Decision:
    """Return the verdict on an institution that many pay strangely much, for the first time."""
    cause = SystemicCause(
        hot.type, hot.value, round(hot.lift, 2), round(hot.share, 4), HOT_FALSE_DISCOVERIES
    )
    evidence = {
        "hot_payers": hot.cases,
        "hot_payers_expected": round(hot.expected, 2),
        "probability": hot.probability,
    }
    decided = DecidedBy("hot_payers_probability", hot.probability)
    return Decision(Verdict.EXTERNAL_CAUSE, decided, cause, evidence=evidence)


def of_concentrated(concentrated: Concentrated) -> Decision:
    """Return the verdict on what too many breaching account-days have in common."""
    cause = SystemicCause(
        concentrated.type,
        concentrated.value,
        round(concentrated.lift, 2),
        round(concentrated.share, 4),
        FALSE_CONCENTRATIONS,
    )
    evidence = {
        "threshold_id": concentrated.threshold_id,
        "breaching_account_days": concentrated.cases,
        "probability": concentrated.probability,
    }
    decided = DecidedBy("concentration_probability", concentrated.probability)
    return Decision(Verdict.EXTERNAL_CAUSE, decided, cause, evidence=evidence)


def rank_of(decision: Decision) -> tuple[int, float]:
    """Return the order of causes that one incident shows by: institution, branch, channel, other.

    Money that goes to one institution goes by some channel to some counterparty, too.
    """
    assert decision.cause is not None
    return CAUSE_TYPES.index(decision.cause.type), -decision.cause.lift


def explains(cases: int, reading: ShareReading) -> bool:
    """Return whether so many account-days with a cause are what made a segment's day."""
    excess = reading.today.cases - reading.expected
    return cases >= CASES_LEAST and cases >= EXPLAINS_LEAST * excess


def of_limit(reading: ShareReading, counterfactual: Counterfactual | None) -> Decision:
    """Return the verdict on a segment's share over a limit that no fault and no cause explains."""
    evidence = share_evidence(reading)
    if counterfactual is None or not counterfactual.is_known:
        decided = DecidedBy(
            "history_breaches", counterfactual.history_breaches if counterfactual else 0
        )
        return Decision(Verdict.UNDECIDED, decided, evidence=evidence)
    evidence["counterfactual"] = counterfactual_evidence(counterfactual)
    decided = DecidedBy("counterfactual_probability", counterfactual.probability)
    if counterfactual.limit_was_lowered:
        verdict = Verdict.UNDECIDED if counterfactual.population_moved else Verdict.LIMIT_MIS_SET
        return Decision(
            verdict, decided, limit_ratio=round(counterfactual.ratio, 3), evidence=evidence
        )
    if counterfactual.population_moved:
        return Decision(Verdict.POPULATION_SHIFT, decided, evidence=evidence)
    return Decision(Verdict.UNDECIDED, decided, evidence=evidence)


def of_budget(found: OffBudget) -> Decision:
    """Return the verdict on a limit that lets through far more than its budget, or far less."""
    ratio = found.ratio
    return Decision(
        Verdict.LIMIT_MIS_SET,
        DecidedBy("budget_probability", found.probability),
        limit_ratio=None if ratio is None else round(ratio, 3),
        suggested_limit=found.suggested,
        evidence={
            "breach_budget": found.budget,
            "share": round(found.share, 6),
            "breaches_counted": found.breaches,
            "account_days": found.account_days,
            "days_counted": found.days,
            "began": day_text(found.began),
            "over_dispersion": round(found.phi, 2),
            "tolerated_ratio": float(TOLERATED),
            "probability": found.probability,
        },
    )


def of_hot_share(reading: ShareReading, days: int) -> Decision:
    """Return the verdict on hot accounts that no limit sees, after so many days of alarm."""
    verdict = Verdict.POPULATION_SHIFT if days >= LASTS_DAYS else Verdict.UNDECIDED
    return Decision(
        verdict,
        DecidedBy("share_statistic", round(reading.statistic, 2)),
        evidence=share_evidence(reading, "hot_accounts", "known_accounts"),
    )


def share_evidence(
    reading: ShareReading, cases: str = "breaches", among: str = "account_days"
) -> dict[str, object]:
    """Return what a reading of a segment's share rests on."""
    return {
        cases: reading.today.cases,
        among: reading.today.account_days,
        "expected": round(reading.expected, 2),
        "over_dispersion": round(reading.phi, 2),
        "calendar_factor": round(reading.factor, 3),
        "share_statistic": round(reading.statistic, 2),
        "began": day_text(reading.run[0].day),
    }


def counterfactual_evidence(counterfactual: Counterfactual) -> dict[str, object]:
    """Return what the history's own limit says."""
    return {
        "breaches": counterfactual.breaches,
        "expected": round(counterfactual.expected, 2),
        "probability": counterfactual.probability,
        "limit_ratio": round(counterfactual.ratio, 3),
    }
