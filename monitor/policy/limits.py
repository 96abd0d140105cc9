"""Limits read from a policy's [[limit]] tables; every problem is noted, none ends the reading."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeGuard, TypeVar

from monitor.core.money import EXPONENT, minor_units
from monitor.core.threshold import LIMIT_MEASURES, Direction, Measure, Severity, Threshold
from monitor.core.transaction import ID_LENGTH_MAX

LIMIT_KEYS: Final = (
    "id", "measure", "direction", "currency", "above", "scope", "severity",
)  # fmt: skip
SCOPE_KEYS: Final = ("account", "peer_group", "segment", "product")

_WHOLE_MAX: Final = 10**18  # state and alerts hold 64 bits
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PEER_GROUP: Final = re.compile(r"[A-H][1-9]?")
_MISSING: Final = object()
_Member = TypeVar("_Member", bound=StrEnum)


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number that state can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _WHOLE_MAX


def refuse_unknown(
    table: Mapping[str, object], known: tuple[str, ...], where: str, problems: list[str]
) -> None:
    """Note the keys of a table that nobody knows."""
    problems.extend(
        f"{where}{key} is not known: use one of {', '.join(known)}"
        for key in table
        if key not in known
    )


def thresholds_of(tables: object, problems: list[str]) -> tuple[Threshold, ...]:
    """Return the limits that [[limit]] tables state, as far as they can be read."""
    if not isinstance(tables, list) or not tables:
        problems.append("no [[limit]] is stated: a policy watches at least one")
        return ()
    thresholds = []
    for number, table in enumerate(tables, 1):
        if not isinstance(table, dict):
            problems.append(f"limit {number} is not a table: write [[limit]]")
            continue
        threshold = _threshold(table, number, problems)
        if threshold is not None:
            thresholds.append(threshold)
    _refuse_twins(thresholds, lambda t: t.threshold_id, "have the same id", problems)
    _refuse_twins(
        thresholds,
        lambda t: (t.subject, t.account_id, t.peer_group, t.segment, t.product),
        "have the same measure, direction, currency and scope: which one decides?",
        problems,
    )
    return tuple(thresholds)


def _refuse_twins(
    thresholds: list[Threshold],
    key: Callable[[Threshold], object],
    why: str,
    problems: list[str],
) -> None:
    seen: dict[object, Threshold] = {}
    for threshold in thresholds:
        twin = seen.setdefault(key(threshold), threshold)
        if twin is not threshold:
            problems.append(f"limits {twin.threshold_id} and {threshold.threshold_id} {why}")


def _threshold(table: dict[str, object], number: int, problems: list[str]) -> Threshold | None:
    found = len(problems)
    threshold_id = table.get("id")
    if not isinstance(threshold_id, str) or not _SLUG.fullmatch(threshold_id):
        problems.append(
            f"limit {number}: id is {threshold_id!r}: write letters, digits, . _ - (at most 64)"
        )
        threshold_id = ""
    where = f"limit {threshold_id or number}: "
    refuse_unknown(table, LIMIT_KEYS, where, problems)
    measure = _member(table, "measure", LIMIT_MEASURES, _MISSING, where, problems)
    direction = _member(table, "direction", tuple(Direction), Direction.BOTH, where, problems)
    severity = _member(table, "severity", tuple(Severity), Severity.MEDIUM, where, problems)
    currency = table.get("currency")
    if currency is not None and not (isinstance(currency, str) and currency in EXPONENT):
        problems.append(f"{where}currency is {currency!r}: not a code of ISO 4217")
    elif currency is None and measure is Measure.AMOUNT:
        problems.append(f"{where}currency is missing: amounts of two currencies are never added")
    scope = scope_stated(table.get("scope", {}), where, problems)
    if len(problems) > found:
        return None
    assert measure is not None
    assert direction is not None
    assert severity is not None
    assert currency is None or isinstance(currency, str)
    above = _above(table.get("above", _MISSING), measure, currency, where, problems)
    if above is None:
        return None
    return Threshold(
        threshold_id, measure, direction, currency, above, severity, scope.get("account"),
        scope.get("segment"), scope.get("peer_group"), scope.get("product"),
    )  # fmt: skip


def _member(
    table: dict[str, object],
    key: str,
    choices: Sequence[_Member],
    default: object,
    where: str,
    problems: list[str],
) -> _Member | None:
    value = table.get(key, default)
    for choice in choices:
        if value == choice.value:
            return choice
    said = "missing" if value is _MISSING else repr(value)
    problems.append(f"{where}{key} is {said}: one of {', '.join(choices)}")
    return None


def scope_stated(scope: object, where: str, problems: list[str]) -> dict[str, str]:
    """Return the scope that a table states: one of `SCOPE_KEYS`, or none for everyone."""
    if (
        isinstance(scope, dict)
        and len(scope) <= 1
        and set(scope) <= set(SCOPE_KEYS)
        and all(isinstance(v, str) and 0 < len(v) <= ID_LENGTH_MAX for v in scope.values())
        and _PEER_GROUP.fullmatch(scope.get("peer_group", "A"))
    ):
        return scope
    problems.append(
        f'{where}scope is {scope!r}: write {{ segment = "business" }}, {{ product = "savings" }},'
        ' { peer_group = "B2" } (or "B", with all in it) or { account = "A7" }'
    )
    return {}


def _above(
    value: object, measure: Measure, currency: str | None, where: str, problems: list[str]
) -> int | None:
    if measure is Measure.COUNT:
        if is_whole(value) and value >= 0:
            return value
        said = "missing" if value is _MISSING else repr(value)
        problems.append(f"{where}above is {said}: a count is a whole number, e.g. 10")
        return None
    assert currency is not None
    text = str(value) if is_whole(value) else value
    minor = minor_units(text, EXPONENT[currency]) if isinstance(text, str) else None
    if minor is None:
        said = "missing" if value is _MISSING else repr(value)
        problems.append(
            f"{where}above is {said}: write the amount as text with at most"
            f' {EXPONENT[currency]} decimals, e.g. "500{".00" if EXPONENT[currency] else ""}"'
        )
    return minor
