"""A limit on a gauge in words: what it measures, of which transactions, and its tiers."""

from collections.abc import Mapping
from typing import Final

from monitor.core.alert import written
from monitor.core.threshold import Direction, Measure, Threshold
from monitor.gauges.gauge import HUNDREDTHS, WHOLE, Party
from monitor.gauges.limit import GaugeLimit
from monitor.gauges.telling import where_fields

_PLURALS: Final = {Party.COUNTERPARTY: "counterparties", Party.INSTITUTION: "institutions"}


def scope_text(threshold: Threshold) -> str:
    """Return whom a limit is for."""
    stated = {
        "account": threshold.account_id,
        "list": threshold.in_list and threshold.in_list.name,
        "peer group": threshold.peer_group,
        "segment": threshold.segment,
        "product": threshold.product,
    }
    parts = [f"{name} {value}" for name, value in stated.items() if value is not None]
    return " and ".join(parts) or "everyone"


def limit_text(limit: GaugeLimit) -> str:
    """Return what a limit on a gauge measures, of which transactions, and its tiers."""
    gauge, measured = limit.gauge, _measured(limit)
    period = gauge.period.text
    over = f"within {period}" if gauge.period.is_rolling else f"of a {period}"
    if gauge.near is not None and gauge.near.days:
        over = f"within {gauge.near.days} business days"
    if gauge.silence is not None:
        days, remembered = gauge.silence
        over = f"{over} after {days} days without any (remembered for {remembered} days)"
    if gauge.usual is not None:
        days, remembered = gauge.usual
        over = f"{over} to the mean of the {days} days with any before it (of {remembered} days)"
    filters = _filters(where_fields(gauge.where, gauge.currency))
    tiers = ", ".join(
        f"over {_figure(limit.at(tier))} {tier.severity.value}" for tier in limit.tiers
    )
    if limit.least_whole:
        whole = limit.threshold._replace(measure=Measure.AMOUNT)
        filters += f", of {_money(whole, limit.least_whole)} or more"
    return f"{measured} {over}{filters}, for {scope_text(limit.threshold)}: {tiers}"


def _measured(limit: GaugeLimit) -> str:
    """Return what a limit measures: `debit amount in all currencies with one counterparty`."""
    gauge = limit.gauge
    measured = gauge.measure.value
    if gauge.measure is Measure.SHARE:
        measured = f"{measured} of one {gauge.distinct}"
    elif gauge.distinct is not None:
        measured = (
            f"{measured} {'counterparties' if gauge.distinct == 'counterparty' else 'institutions'}"
        )
    if gauge.near is not None:
        money = limit.threshold._replace(measure=Measure.AMOUNT)
        low, high = _money(money, gauge.near.low), _money(money, gauge.near.high)
        measured = f"days {measured} a limit (with {low} to {high})"
    if gauge.direction is not Direction.BOTH:
        measured = f"{gauge.direction.value} {measured}"
    if gauge.base is not None:
        measured = f"{measured} in all currencies"
    if gauge.per is not None:
        measured = f"{measured} with one {gauge.per.value}"
    return measured


def _filters(where: Mapping[str, object]) -> str:
    """Return a filter in words: what is asked of each transaction."""
    parts = []
    for key, value in where.items():
        name = key.replace("_", " ")
        if key == "counterparty_in":
            parts.append(f"counterparty in list {value}")
        elif isinstance(value, list):
            parts.append(f"{name} {' or '.join(map(str, value))}")
        elif isinstance(value, Mapping):
            ends = [f"{end.replace('_', ' ')} {amount}" for end, amount in value.items()]
            parts.append(f"{name} {' '.join(ends)}")
        elif isinstance(value, bool):
            parts.append(f"on {'' if value else 'no '}{name}")
        else:
            parts.append(f"{name} {value}")
    return f" where {', '.join(parts)}" if parts else ""


def _figure(threshold: Threshold) -> str:
    if threshold.measure is Measure.SHARE:
        return f"{percent_text(threshold.above)} %"
    if threshold.measure is Measure.RATIO:
        return f"{times_text(threshold.above)} times"
    if threshold.measure is Measure.NEAR:
        return f"{threshold.above} day{'' if threshold.above == 1 else 's'}"
    return _money(threshold, threshold.above)


def percent_text(permille: int) -> str:
    """Return thousandths as per cent.

    >>> percent_text(800), percent_text(667)
    ('80', '66.7')
    """
    whole, tenths = divmod(permille, WHOLE // 100)
    return f"{whole}.{tenths}" if tenths else str(whole)


def times_text(hundredths: int) -> str:
    """Return hundredths as a number without zeros at its end.

    >>> times_text(300), times_text(250), times_text(1001)
    ('3', '2.5', '10.01')
    """
    whole, rest = divmod(hundredths, HUNDREDTHS)
    return f"{whole:,}.{rest:02d}".rstrip("0").rstrip(".")


def _money(threshold: Threshold, value: int) -> str:
    whole, point, rest = str(written(threshold, value)).partition(".")
    return f"{int(whole):,}{point}{rest} {threshold.currency or ''}".rstrip()
