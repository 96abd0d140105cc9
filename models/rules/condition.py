"""A condition of a rule on a row, and its words: IF conditions THEN label.

A row is a mapping of attributes to texts and numbers. None, NaN and an attribute that is not there
are all the same: missing. Trees of `models` and of `monitor.insight` give their rules as these.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

Value = str | float | None
Row = Mapping[str, Value]

MISSING: Final = "(none)"
"""How a missing value reads."""

NAMED_MAX: Final = 4
"""So many values of a condition are named in its text, and the others are counted."""


class Among(NamedTuple):
    """The attribute has one of these values; None among them stands for a missing one."""

    attribute: str
    values: tuple[str | None, ...]

    def holds(self, row: Row) -> bool:
        """Return whether a row meets it."""
        return category(row.get(self.attribute)) in self.values

    def text(self) -> str:
        """Return it for a person; an interval names its attribute itself."""
        if self.values and all(_is_interval(self.attribute, value) for value in self.values):
            return _listed(self.values)
        return f"{self.attribute} = {_listed(self.values)}"

    def fields(self) -> dict[str, Any]:
        """Return it for a program."""
        return {"attribute": self.attribute, "values": list(self.values)}


class NotAmong(NamedTuple):
    """The attribute has a value, and it is none of these."""

    attribute: str
    values: tuple[str | None, ...]

    def holds(self, row: Row) -> bool:
        """Return whether a row meets it: one whose value is missing does not."""
        value = category(row.get(self.attribute))
        return value is not None and value not in self.values

    def text(self) -> str:
        """Return it for a person."""
        return f"{self.attribute} is not {_listed(self.values)}"

    def fields(self) -> dict[str, Any]:
        """Return it for a program."""
        return {"attribute": self.attribute, "values_not": list(self.values)}


class Between(NamedTuple):
    """The attribute is a number greater than `above`, and at most `up_to`; None is no bound."""

    attribute: str
    above: float | None
    up_to: float | None
    or_missing: bool = False

    def holds(self, row: Row) -> bool:
        """Return whether a row meets it. Raises ValueError if the value is no number."""
        value = number(row.get(self.attribute))
        if value is None:
            return self.or_missing
        return (self.above is None or value > self.above) and (
            self.up_to is None or value <= self.up_to
        )

    def text(self) -> str:
        """Return it for a person, bounds to six digits."""
        low = "" if self.above is None else f"{shown(self.above)} < "
        high = "" if self.up_to is None else f" <= {shown(self.up_to)}"
        if low and not high:
            low, high = "", f" > {low.removesuffix(' < ')}"
        missing = f" or {MISSING}" if self.or_missing else ""
        return f"{low}{self.attribute}{high}{missing}"

    def fields(self) -> dict[str, Any]:
        """Return it for a program."""
        bounds = {"attribute": self.attribute, "above": self.above, "up_to": self.up_to}
        return {**bounds, "or_missing": self.or_missing}


Condition = Among | NotAmong | Between


class Rule(NamedTuple):
    """IF all the conditions hold THEN the label is this one."""

    conditions: tuple[Condition, ...]
    label: str

    def holds(self, row: Row) -> bool:
        """Return whether a row meets all the conditions; its label does not matter."""
        return all(condition.holds(row) for condition in self.conditions)

    def text(self) -> str:
        """Return it for a person."""
        conditions = " AND ".join(condition.text() for condition in self.conditions)
        return f"IF {conditions or 'anything'} THEN {self.label}"


def category(value: Value) -> str | None:
    """Return a value as the text that categories are compared by; None if it is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value)


def number(value: Value) -> float | None:
    """Return a value as a number; None if it is missing. Raises ValueError for a text."""
    if isinstance(value, str):
        raise ValueError(f"{value!r} stands where a number should")  # noqa: TRY004 - of data
    return None if value is None or math.isnan(value) else float(value)


def shown(value: float) -> str:
    """Return a bound to six digits, without an exponent where it is a usual number."""
    if value and not 1e-4 <= abs(value) < 1e12:  # noqa: PLR2004 - what reads well
        return f"{value:.6g}"
    digits = 6 if not value else max(0, 5 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def merged(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Return conditions that hold for the same rows, one for each attribute.

    Their order is that of the attributes' first conditions. Raises ValueError if an attribute
    is asked for as a number and as a category.
    """
    of_attribute: dict[str, Condition] = {}
    for condition in conditions:
        before = of_attribute.get(condition.attribute)
        both = condition if before is None else _both(before, condition)
        of_attribute[condition.attribute] = both
    return tuple(of_attribute.values())


def _both(first: Condition, second: Condition) -> Condition:
    match first, second:
        case Between(), Between():
            return Between(
                first.attribute,
                _bound(max, first.above, second.above),
                _bound(min, first.up_to, second.up_to),
                first.or_missing and second.or_missing,
            )
        case Among(), Among() | NotAmong():
            return first._replace(values=_met(first.values, second))
        case NotAmong(), Among():
            return second._replace(values=_met(second.values, first))
        case NotAmong(), NotAmong():
            more = (value for value in second.values if value not in first.values)
            return first._replace(values=(*first.values, *more))
        case _:
            raise ValueError(f"{first.attribute} is asked for as a number and as a category")


def _met(values: tuple[str | None, ...], condition: Among | NotAmong) -> tuple[str | None, ...]:
    return tuple(value for value in values if condition.holds({condition.attribute: value}))


def _bound(choose: Any, first: float | None, second: float | None) -> float | None:
    known = [bound for bound in (first, second) if bound is not None]
    return choose(known) if known else None


def _is_interval(attribute: str, value: str | None) -> bool:
    """Return whether a value is a number's interval, such as `30 < age <= 55`."""
    padded = f" {value} "
    return f" {attribute} " in padded and (" <= " in padded or " > " in padded)


def _listed(values: tuple[str | None, ...]) -> str:
    names = [MISSING if value is None else value for value in values[:NAMED_MAX]]
    if len(values) > NAMED_MAX:
        names.append(f"{len(values) - NAMED_MAX} more")
    return " or ".join(names) or "nothing"
