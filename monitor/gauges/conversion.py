"""Amounts of all currencies as one sum in a base, by the rates of each business day."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from monitor.core.account import AMOUNT_CREDIT, AMOUNT_DEBIT
from monitor.core.business_day import Calendar, day_text
from monitor.core.gauged import Cell
from monitor.core.money import EXPONENT, amount_text
from monitor.gauges.gauge import Gauge
from monitor.gauges.rates import Rate, Rates, converted, scale_of, scaled

_SCALES_MAX: Final = 1 << 16


class ConvertedPart(NamedTuple):
    """What a business day has in one currency, in minor units, and its rate if there is one."""

    currency: str
    day: int
    minor: int
    rate: Rate | None


class ConvertedSum(NamedTuple):
    """A sum in minor units of a base, and its parts, in the order of currencies and days.

    Each part is rounded half up by itself. One without a rate is not in the sum. `versions` are
    those of the policy whose rates were asked for.
    """

    base: str
    value: int
    parts: tuple[ConvertedPart, ...]
    versions: tuple[int, ...]

    def fields(self) -> dict[str, object]:
        """Return it as an alert has it: amounts by currency, by day with their rates."""
        exponent = EXPONENT[self.base]
        amounts: dict[str, list[ConvertedPart]] = {}
        for part in self.parts:
            amounts.setdefault(part.currency, []).append(part)
        fields: dict[str, object] = {
            "base": self.base,
            "sum": amount_text(self.value, exponent),
            "amounts": [
                {
                    "currency": currency,
                    "amount": amount_text(sum(part.minor for part in parts), EXPONENT[currency]),
                    "days": [_part_fields(part, self.base) for part in parts],
                }
                for currency, parts in amounts.items()
            ],
            "policy_versions": list(self.versions),
        }
        without = [f"{part.currency} {day_text(part.day)}" for part in self.parts if not part.rate]
        return fields | ({"without_rate": without} if without else {})


def _part_fields(part: ConvertedPart, base: str) -> dict[str, object]:
    """Return a part with its rate, and that rate's day; both are None without one."""
    currency, day, minor, rate = part
    in_base = None if rate is None else converted(minor, rate, currency, base)
    return {
        "business_day": day_text(day),
        "amount": amount_text(minor, EXPONENT[currency]),
        "rate": None if rate is None else rate.text,
        "rate_of": None if rate is None else day_text(rate.day),
        "converted": None if in_base is None else amount_text(in_base, EXPONENT[base]),
    }


class Conversion:
    """Converts what cells of a gauge with a base have; their `what` is the currency.

    `rates_for` gives the rates of a business day and a base, or None.
    """

    def __init__(self, rates_for: Callable[[int, str], Rates | None], calendar: Calendar) -> None:
        self._rates_for = rates_for
        self._calendar = calendar
        self._scales: dict[tuple[str, str, int], tuple[int, int] | None] = {}

    def begin(self) -> None:
        """Ask for the rates of each day again: others may hold now."""
        self._scales.clear()

    def value_of(self, gauge: Gauge, cells: Sequence[Cell]) -> int:
        """Return what some cells amount to, in minor units of the gauge's base or as a count."""
        base = gauge.base
        if base is None:
            return gauge.value_of(cells)
        total = 0
        for (currency, day), minor in self._amounts(gauge, cells).items():
            try:
                scale = self._scales[base, currency, day]
            except KeyError:
                scale = self._scale_of(base, currency, day)
            if scale is not None:
                total += scaled(minor, scale)
        return total

    def sum_of(self, gauge: Gauge, cells: Sequence[Cell]) -> ConvertedSum | None:
        """Return the sum of some cells and its parts; None of a gauge without a base."""
        base = gauge.base
        if base is None:
            return None
        total, parts, versions = 0, [], set()
        for (currency, day), minor in sorted(self._amounts(gauge, cells).items()):
            rates, rate = self._rate_of(base, currency, day)
            if rates is not None:
                versions.add(rates.version)
            total += 0 if rate is None else converted(minor, rate, currency, base)
            parts.append(ConvertedPart(currency, day, minor, rate))
        return ConvertedSum(base, total, tuple(parts), tuple(sorted(versions)))

    def _amounts(self, gauge: Gauge, cells: Sequence[Cell]) -> dict[tuple[str, int], int]:
        """Return the minor units in cells, which are in order, by currency and business day."""
        amounts: dict[tuple[str, int], int] = {}
        is_rolling, calendar = gauge.period.is_rolling, self._calendar
        day = end = 0
        for cell in cells:
            at = cell.at
            if not is_rolling:
                day = at
            elif at >= end or not day:
                day = calendar.day_of(at)
                end = calendar.end_of(day)
            key = str(cell.what), day
            minor = cell.totals[AMOUNT_DEBIT] + cell.totals[AMOUNT_CREDIT]
            amounts[key] = amounts.get(key, 0) + minor
        return amounts

    def _scale_of(self, base: str, currency: str, day: int) -> tuple[int, int] | None:
        _, rate = self._rate_of(base, currency, day)
        scale = None if rate is None else scale_of(rate.text, currency, base)
        if len(self._scales) >= _SCALES_MAX:
            self._scales.clear()
        self._scales[base, currency, day] = scale
        return scale

    def _rate_of(self, base: str, currency: str, day: int) -> tuple[Rates | None, Rate | None]:
        """Return the rates of a business day, and that of a currency; of the base it is 1."""
        rates = self._rates_for(day, base)
        if currency == base:
            return rates, Rate(day, "1")
        return rates, None if rates is None else rates.rate_of(currency, day)
