"""Limits read from a policy's [[limit]] tables; every problem is noted, none ends the reading."""

import re
from collections.abc import Callable
from typing import Final

from monitor.core.money import EXPONENT, minor_units
from monitor.core.table_reader import TableReader, is_whole, shown
from monitor.core.threshold import LIMIT_MEASURES, Direction, Measure, Severity, Threshold
from monitor.core.transaction import ID_LENGTH_MAX

LIMIT_KEYS: Final = (
    "id", "measure", "direction", "currency", "above", "scope", "severity",
)  # fmt: skip
SCOPE_KEYS: Final = ("account", "peer_group", "segment", "product")

_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PEER_GROUP: Final = re.compile(r"[A-H][1-9]?")


def thresholds_of(document: TableReader) -> tuple[Threshold, ...]:
    """Return the limits that the [[limit]] tables of a policy state, as far as they can be read."""
    tables = document.get("limit")
    if not isinstance(tables, list) or not tables:
        document.refuse("no [[limit]] is stated: a policy watches at least one")
        return ()
    thresholds = []
    for number, table in enumerate(tables, 1):
        if not isinstance(table, dict):
            document.refuse(f"limit {number} is not a table: write [[limit]]")
            continue
        threshold = _threshold(table, number, document)
        if threshold is not None:
            thresholds.append(threshold)
    _refuse_twins(thresholds, lambda t: t.threshold_id, "have the same id", document)
    _refuse_twins(
        thresholds,
        lambda t: (t.subject, t.account_id, t.peer_group, t.segment, t.product),
        "have the same measure, direction, currency and scope: which one decides?",
        document,
    )
    return tuple(thresholds)


def _refuse_twins(
    thresholds: list[Threshold],
    key: Callable[[Threshold], object],
    why: str,
    document: TableReader,
) -> None:
    seen: dict[object, Threshold] = {}
    for threshold in thresholds:
        twin = seen.setdefault(key(threshold), threshold)
        if twin is not threshold:
            document.refuse(f"limits {twin.threshold_id} and {threshold.threshold_id} {why}")


def _threshold(table: dict[str, object], number: int, document: TableReader) -> Threshold | None:
    threshold_id = table.get("id")
    is_named = isinstance(threshold_id, str) and _SLUG.fullmatch(threshold_id)
    if not is_named:
        document.refuse(
            f"limit {number}: id is {threshold_id!r}: write letters, digits, . _ - (at most 64)"
        )
    limit = document.reader(table, f"limit {threshold_id if is_named else number}: ")
    limit.refuse_unknown(LIMIT_KEYS)
    measure = limit.choice("measure", LIMIT_MEASURES)
    direction = limit.choice("direction", tuple(Direction), Direction.BOTH)
    severity = limit.choice("severity", tuple(Severity), Severity.MEDIUM)
    currency = limit.get("currency", None)
    if currency is not None and not (isinstance(currency, str) and currency in EXPONENT):
        limit.refuse(f"currency is {currency!r}: not a code of ISO 4217")
    elif currency is None and measure is Measure.AMOUNT:
        limit.refuse("currency is missing: amounts of two currencies are never added")
    scope = scope_stated(limit)
    if not (is_named and limit.is_good):
        return None
    assert measure is not None
    assert direction is not None
    assert severity is not None
    above = _above(limit, measure, currency)
    if above is None:
        return None
    return Threshold(
        str(threshold_id), measure, direction, currency, above, severity, scope.get("account"),
        scope.get("segment"), scope.get("peer_group"), scope.get("product"),
    )  # fmt: skip


def scope_stated(reader: TableReader) -> dict[str, str]:
    """Return the scope that a table states: one of `SCOPE_KEYS`, or none for everyone."""
    scope = reader.get("scope", {})
    if (
        isinstance(scope, dict)
        and len(scope) <= 1
        and set(scope) <= set(SCOPE_KEYS)
        and all(isinstance(v, str) and 0 < len(v) <= ID_LENGTH_MAX for v in scope.values())
        and _PEER_GROUP.fullmatch(scope.get("peer_group", "A"))
    ):
        return scope
    reader.refuse(
        f'scope is {scope!r}: write {{ segment = "business" }}, {{ product = "savings" }},'
        ' { peer_group = "B2" } (or "B", with all in it) or { account = "A7" }'
    )
    return {}


def _above(limit: TableReader, measure: Measure, currency: str | None) -> int | None:
    value = limit.get("above")
    if measure is Measure.COUNT:
        if is_whole(value) and value >= 0:
            return value
        limit.refuse(f"above is {shown(value)}: a count is a whole number, e.g. 10")
        return None
    assert currency is not None
    text = str(value) if is_whole(value) else value
    minor = minor_units(text, EXPONENT[currency]) if isinstance(text, str) else None
    if minor is None:
        limit.refuse(
            f"above is {shown(value)}: write the amount as text with at most"
            f' {EXPONENT[currency]} decimals, e.g. "500{".00" if EXPONENT[currency] else ""}"'
        )
    return minor
