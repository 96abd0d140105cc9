"""Explanations as text: figures side by side, the transactions, and the answer."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from monitor.core.alert import Kind
from monitor.core.money import EXPONENT, amount_text
from monitor.explain.comparison import AMOUNT_KINDS, SUMS, Figure, Part
from monitor.insight.rule_counts import rule_line
from streams.cli.views.alerts import over_what, systemic_text, whose
from streams.cli.views.alerts import told as told_text
from streams.cli.views.text import plain
from streams.replay.explained import ExplainError, Explanation, Told

SAME: Final = "the same"
MEMBERS_SHOWN: Final = 20
"""Members of a systemic alert that are listed; `weir alerts --incident` lists all."""

Answered = Sequence[tuple[Told, Explanation | ExplainError]]
"""Alerts, each with its explanation, or why there is none."""


def text_of(explained: Explanation) -> str:
    """Return what a person reads."""
    return "".join(f"{line}\n" for line in _lines(explained))


def _lines(explained: Explanation) -> Iterator[str]:
    told = explained.told
    whose_it_is = "of account " if told["account_id"] is not None else "of "
    yield (
        f"alert {told['alert_id']}, revision {told['revision']}:"
        f" {told['kind']} {whose_it_is}{plain(whose(told))} on {told['business_day']}"
    )
    yield ""
    yield from _figures(explained.figures)
    yield ""
    if told["kind"] == Kind.SYSTEMIC.value:
        yield from _members(explained)
    else:
        yield from _parts(explained)
    yield ""
    yield from _taught(told["evidence"].get("taught"))
    if explained.incidents:
        yield "days that it leaves out, each with the incident that explains it:"
        for day, incident in explained.incidents:
            text = plain(systemic_text(incident))
            yield f"  {day}  {incident['alert_id']}  {plain(whose(incident))}: {text}"
        yield ""
    if explained.rules:
        yield "rules from dispositions that it meets:"
        yield from (f"  {rule_line(rule)}" for rule in explained.rules)
        yield ""
    yield from explained.notes
    yield from explained.differs or [SAME]


def _taught(taught: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what analysts taught of an outlier's score, part by part; nothing where nothing was."""
    if not taught or taught["weights"] is None:
        return
    weights, values = taught["weights"], {"score": taught["score"], **taught["terms"]}
    yield (
        f"weights that dispositions taught, version {taught['version']}; before them one"
        f" account-day in {taught['one_in_before']:,} was as strange:"
    )
    for name, value in values.items():
        added = weights[name] * value
        yield f"  {name:<16}  {value:>8.2f}  weight {weights[name]:>+7.3f}  adds {added:>+7.3f}"
    yield ""


def lines_of_many(answered: Answered) -> Iterator[str]:
    """Yield a line for each alert, with what differs below it, and counts by kind at the end."""
    counts: Counter[tuple[str, str]] = Counter()
    for alert, answer in answered:
        is_same = isinstance(answer, Explanation) and answer.is_same
        counts[alert["kind"], SAME if is_same else "different"] += 1
        yield (
            f"{SAME if is_same else 'DIFFERS':<8}  {alert['alert_id']}  {alert['revision']:>3}"
            f"  {alert['kind']:<12}  {alert['business_day']}  {plain(whose(alert))}"
        )
        if isinstance(answer, ExplainError):
            yield f"          {answer}"
        else:
            yield from (f"          {said}" for said in (*answer.notes, *answer.differs))
    yield ""
    for kind in Kind:
        same, different = counts[kind.value, SAME], counts[kind.value, "different"]
        if same or different:
            yield f"{kind.value:<12}  {same:>6,} {SAME}, {different:,} different"


def answer_fields(alert: Told, answer: Explanation | ExplainError) -> dict[str, Any]:
    """Return an answer as `--json` prints it: where there is no explanation, `error` says why."""
    if isinstance(answer, Explanation):
        return answer.fields()
    return {
        "alert_id": alert["alert_id"],
        "revision": alert["revision"],
        "same": False,
        "error": str(answer),
    }


def _members(explained: Explanation) -> Iterator[str]:
    members = explained.members
    if not members:
        yield "no account alert belongs to it"
        return
    yield f"{_counted(len(members), 'account alert')} {_verb(len(members), 'belong')} to it:"
    for alert in members[:MEMBERS_SHOWN]:
        yield (
            f"  {alert['alert_id']}  {alert['business_day']}  {plain(alert['account_id']):<12}"
            f"  {plain(over_what(alert)):<22}  {told_text(alert, 'value'):>18} over"
            f" {told_text(alert, 'limit')}"
        )
    if len(members) > MEMBERS_SHOWN:
        yield f"  and {len(members) - MEMBERS_SHOWN:,} more: weir alerts --incident lists all"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _verb(number: int, verb: str) -> str:
    """Return a verb as it stands after a number of things."""
    return f"{verb}s" if number == 1 else verb


def _figures(figures: list[Figure]) -> Iterator[str]:
    rows = [
        (plain(figure.name), _figure_text(figure.told), _figure_text(figure.now))
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    yield f"  {'figure':<{widths[0]}}  {'told':<{widths[1]}}  now"
    for figure, (name, told, now) in zip(figures, rows, strict=True):
        mark = " " if figure.is_same else "*"
        yield f"{mark} {name:<{widths[0]}}  {told:<{widths[1]}}  {now}"


def _figure_text(value: object) -> str:
    """Return a figure for a person: `-` is what an alert states as having none."""
    return "-" if value is None else plain(str(value))


def _parts(explained: Explanation) -> Iterator[str]:
    is_review = explained.told["kind"] == Kind.REVIEW.value
    number = len(explained.parts)
    is_gauge = explained.told["kind"] == Kind.LIMIT.value
    others = "of the days that it lists" if is_review else "of its business day"
    others = "what was measured" if is_gauge else others
    what = f"{'is' if number == 1 else 'are'} {others}"
    if explained.total is not None:
        what = f"{_verb(number, 'make')} up the value"
    yield f"{_counted(number, 'transaction')} {what}:"
    for part in explained.parts:
        fields = part.fields()
        yield (
            f"  {fields['offset']:>10}  {fields['event_time']}  {fields['direction']:<6}"
            f"  {fields['amount']:>16} {fields['currency']}  {_total(explained, part):>16}"
            f"  {plain(str(fields['transaction_id']))}"
        )
    if explained.total is not None:
        yield f"  added up: {explained.total}"


def _total(explained: Explanation, part: Part) -> str:
    told = explained.told
    measured = told["evidence"].get("measured", {}) if told["kind"] == Kind.LIMIT.value else {}
    if told["kind"] in AMOUNT_KINDS or measured.get("measure") in SUMS:
        return amount_text(part.total, EXPONENT[told["currency"]])
    return str(part.total)
