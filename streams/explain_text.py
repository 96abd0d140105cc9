"""An explanation as text: figures side by side, the transactions, and the answer."""

from collections.abc import Iterator

from monitor.core.alert import Kind
from monitor.core.money import EXPONENT, amount_text
from monitor.explanation import AMOUNT_KINDS, Figure, Part
from streams.explain import Explanation
from streams.rule_text import rule_line

SAME = "the same"


def text_of(explained: Explanation) -> str:
    """Return what a person reads."""
    return "".join(f"{line}\n" for line in _lines(explained))


def _lines(explained: Explanation) -> Iterator[str]:
    told = explained.told
    yield (
        f"alert {told['alert_id']}, revision {told['revision']}:"
        f" {told['kind']} of account {told['account_id']} on {told['business_day']}"
    )
    yield ""
    yield from _figures(explained.figures)
    yield ""
    yield from _parts(explained)
    yield ""
    if explained.rules:
        yield "rules from dispositions that it meets:"
        yield from (f"  {rule_line(one)}" for one in explained.rules)
        yield ""
    yield from explained.notes
    yield from explained.differs or [SAME]


def _figures(figures: list[Figure]) -> Iterator[str]:
    rows = [(figure.name, str(figure.told), str(figure.now)) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    yield f"  {'figure':<{widths[0]}}  {'told':<{widths[1]}}  now"
    for figure, (name, told, now) in zip(figures, rows, strict=True):
        mark = " " if figure.is_same else "*"
        yield f"{mark} {name:<{widths[0]}}  {told:<{widths[1]}}  {now}"


def _parts(explained: Explanation) -> Iterator[str]:
    is_review = explained.told["kind"] == Kind.REVIEW.value
    others = "are of the days that it lists" if is_review else "are of its business day"
    what = "make up the value" if explained.total is not None else others
    yield f"{len(explained.parts)} transactions {what}:"
    for part in explained.parts:
        fields = part.fields()
        yield (
            f"  {fields['offset']:>10}  {fields['event_time']}  {fields['direction']:<6}"
            f"  {fields['amount']:>16} {fields['currency']}  {_total(explained, part):>16}"
            f"  {fields['transaction_id']}"
        )
    if explained.total is not None:
        yield f"  added up: {explained.total}"


def _total(explained: Explanation, part: Part) -> str:
    if explained.told["kind"] in AMOUNT_KINDS:
        return amount_text(part.total, EXPONENT[explained.told["currency"]])
    return str(part.total)
