"""Weights that were learned from dispositions, in versions that hold from a business day on.

Whoever learns them publishes each version before its first day begins, so that every partition and
every replay takes it on the same day. Versions are only ever added.
"""

import sys
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from models.teaching.terms import TERMS
from monitor.core.business_day import day_of_text, day_text
from monitor.core.table_reader import ProblemsError, is_whole

WEIGHT_MAX: Final = 1_000.0
_DIGEST_LENGTH: Final = 64


class WeightsError(ProblemsError):
    """A version of weights that cannot be used."""

    def __init__(self, problems: list[str], said: str = "the weights cannot be used") -> None:
        super().__init__(said, problems)


class Weights(NamedTuple):
    """What is added to a score: a weight for itself, and for each of `TERMS` on its scale."""

    score: float
    terms: tuple[float, ...]

    def fields(self) -> dict[str, float]:
        """Return the weights by the names of what they weigh."""
        return {"score": self.score, **dict(zip(TERMS, self.terms, strict=True))}


class WeightsVersion(NamedTuple):
    """One version of weights; without `weights` the scores are as if nothing was taught.

    `labels` are the dispositions that it was learned from, `confirmed` those of them that were
    suspicions; `log_evidence` says how much more the terms have said of them than the score alone.
    `dispositions` is the SHA-256 of what was learned from.
    """

    version: int
    effective_from: int
    weights: Weights | None
    labels: int
    confirmed: int
    log_evidence: float
    dispositions: str

    def fields(self) -> dict[str, object]:
        """Return it as it is written."""
        return {
            "version": self.version,
            "effective_from": day_text(self.effective_from),
            "weights": None if self.weights is None else self.weights.fields(),
            "labels": self.labels,
            "confirmed": self.confirmed,
            "log_evidence": self.log_evidence,
            "dispositions": self.dispositions,
        }


class WeightsBook:
    """Every version of weights there is, and which one holds on a business day.

    That is the greatest version whose `effective_from` is not after the day.
    """

    def __init__(self, versions: list[WeightsVersion] | None = None) -> None:
        self._versions: list[WeightsVersion] = []
        for version in versions or []:
            self.add(version)

    def add(self, version: WeightsVersion) -> bool:
        """Add a version; return whether it is new: of one number, the first that came holds.

        Raises WeightsError if it would hold from an earlier day on than a version before it.
        """
        if any(known.version == version.version for known in self._versions):
            return False
        for known in self._versions:
            earlier, later = sorted((known, version), key=lambda each: each.version)
            if later.effective_from < earlier.effective_from:
                problem = (
                    f"version {version.version} is to hold from {day_text(version.effective_from)}"
                    f" on, version {known.version} from {day_text(known.effective_from)} on:"
                    " a later one cannot begin before it"
                )
                raise WeightsError([problem])
        self._versions.append(version)
        self._versions.sort()
        return True

    def for_day(self, day: int) -> WeightsVersion | None:
        """Return the version that holds on a business day; None if none does yet."""
        place = bisect_right(self._versions, day, key=lambda each: each.effective_from)
        return self._versions[place - 1] if place else None

    @property
    def latest(self) -> WeightsVersion | None:
        """The greatest version; None before the first."""
        return self._versions[-1] if self._versions else None

    @property
    def versions(self) -> tuple[WeightsVersion, ...]:
        """Every version, in order."""
        return tuple(self._versions)


def weights_version_of(fields: object, where: str = "the version") -> WeightsVersion:
    """Return the version that a record's fields state; others than these do not matter.

    Raises WeightsError with every problem, each with `where` it stands.
    """
    if not isinstance(fields, Mapping):
        raise WeightsError([f"{where}: no JSON object"])
    problems: list[str] = []
    version = _count(fields, "version", 1, problems)
    labels, confirmed = (_count(fields, name, 0, problems) for name in ("labels", "confirmed"))
    written, effective_from = fields.get("effective_from"), 0
    try:
        effective_from = day_of_text(str(written))
    except ValueError:
        problems.append(f"effective_from is {str(written)[:60]!r}: a date, e.g. 2026-03-01")
    evidence = fields.get("log_evidence")
    if not _is_number(evidence, sys.float_info.max):
        problems.append(f"log_evidence is {str(evidence)[:60]!r}: a number")
    digest = fields.get("dispositions")
    if not isinstance(digest, str) or len(digest) != _DIGEST_LENGTH:
        problems.append(f"dispositions is {str(digest)[:60]!r}: a SHA-256 in 64 hexadecimal digits")
    weights = _weights(fields.get("weights"), problems)
    if problems:
        raise WeightsError([f"{where}: {problem}" for problem in problems])
    return WeightsVersion(
        version, effective_from, weights, labels, confirmed, float(str(evidence)), str(digest)
    )


def _weights(stated: object, problems: list[str]) -> Weights | None:
    if stated is None:
        return None
    names = ("score", *TERMS)
    if (
        not isinstance(stated, Mapping)
        or set(stated) != set(names)
        or not all(_is_number(value, WEIGHT_MAX) for value in stated.values())
    ):
        problems.append(
            f"weights must be null, or numbers between -{WEIGHT_MAX:,.0f} and {WEIGHT_MAX:,.0f} for"
            f" {', '.join(names)}"
        )
        return None
    return Weights(float(stated["score"]), tuple(float(stated[name]) for name in TERMS))


def _count(fields: Mapping[Any, Any], name: str, least: int, problems: list[str]) -> int:
    value = fields.get(name)
    if is_whole(value) and value >= least:
        return value
    problems.append(f"{name} is {str(value)[:60]!r}: a whole number from {least} on")
    return least


def _is_number(value: object, limit: float) -> bool:
    # NaN is within nothing, and a whole number of any length compares exactly.
    return isinstance(value, int | float) and type(value) is not bool and abs(value) <= limit
