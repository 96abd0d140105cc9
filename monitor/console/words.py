"""Words for a person: kinds, states, verdicts, money as text, and sentences that say why.

Everything here takes records as they are, of others: a field that is missing or odd is left out or
shown as it stands, and nothing is computed from money but its thousands separators.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from monitor.core.alert import Kind
from monitor.core.business_day import MICROSECONDS
from monitor.store.standing import Does, State
from monitor.store.work.tasks import TaskKind

Record = Mapping[str, Any]

KINDS: Final = {
    Kind.DAILY_AMOUNT.value: "Over a daily amount",
    Kind.DAILY_COUNT.value: "Over a daily count",
    Kind.OUTLIER.value: "Strange day",
    Kind.REVIEW.value: "Over limits repeatedly",
    Kind.SYSTEMIC.value: "Many accounts at once",
}
STATES: Final = {
    State.OPEN.value: "open",
    State.WAITING.value: "waits for a second person",
    State.SNOOZED.value: "snoozed",
    State.CLOSED.value: "closed",
    State.WITHDRAWN.value: "withdrawn",
}
TABS: Final = {
    "open": "Open",
    "mine": "Mine",
    "back": "Back",
    "waiting": "Waiting",
    "snoozed": "Snoozed",
    "closed": "Closed",
    "withdrawn": "Withdrawn",
}
VERDICTS: Final = {
    "limit-mis-set": "The limit is set wrongly",
    "external-cause": "Something outside",
    "population-shift": "The whole population has moved",
    "data-fault": "The data is at fault",
    "undecided": "Many at once, undecided why",
}
READINGS: Final = {
    "suspicion": "suspicion",
    "service-need": "the customer needs more",
    "unclear": "unclear",
}
ACTIONS: Final = {
    Does.DISPOSE.value: "closed it",
    Does.PROPOSE.value: "proposed to close it",
    Does.DECLINE.value: "declined the proposal",
    Does.REOPEN.value: "reopened it",
    Does.ASSIGN.value: "assigned it",
    Does.RELEASE.value: "released it",
    Does.SNOOZE.value: "snoozed it",
    Does.WAKE.value: "ended the snooze",
    Does.COMMENT.value: "commented",
}
TASKS: Final = {
    TaskKind.ANTICIPATE.value: "Anticipate: tell the client what will happen",
    TaskKind.ACKNOWLEDGE.value: "Acknowledge: say that we bothered them",
    TaskKind.APOLOGISE.value: "Apologise",
    TaskKind.AMEND.value: "Amend: put right what it cost them",
    TaskKind.OFFER.value: "Offer: another product or limit",
}
DECIDED_BY: Final = {
    "records_times_usual": "times the usual number of records",
    "values_times_usual": "times the usual values",
    "counterfactual_probability": (
        "probability of so many account-days over the limit that history would set"
    ),
    "concentration_probability": "probability of such a share by chance",
    "hot_payers_probability": "probability of so many strange payers by chance",
    "history_breaches": "account-days over the limit in its history, too few to decide",
    "share_statistic": "statistic of the share (an alarm is above 7)",
}
_DIRECTIONS: Final = {"debit": "went out", "credit": "came in", "both": "moved"}
_NUMBER: Final = re.compile(r"(-?)([0-9]+)((?:\.[0-9]+)?)")
_THOUSANDS: Final = re.compile(r"(?<=[0-9])(?=(?:[0-9]{3})+$)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONG: Final = 200
"""Characters of a text of others that a sentence repeats."""


def grouped(value: object) -> str:
    """Return a number's text with thousands separators; any other text as it is.

    >>> grouped("-1234567.80"), grouped(999), grouped("abc")
    ('-1,234,567.80', '999', 'abc')
    """
    text = "" if value is None else str(value)
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    sign, whole, rest = found.groups()
    return sign + _THOUSANDS.sub(",", whole) + rest


def moment(at: int | None) -> str:
    """Return microseconds since 1970 as text to the second, in UTC.

    >>> moment(1_700_000_000_000_000)
    '2023-11-14 22:13:20 UTC'
    """
    if at is None:
        return ""
    return f"{datetime.fromtimestamp(at // MICROSECONDS, UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(at: int, now: int) -> str:
    """Return how long ago a moment was, in its greatest unit.

    >>> ago(0, 7_300 * 1_000_000)
    '2 h ago'
    """
    seconds = max(0, (now - at) // MICROSECONDS)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def amount(record: Record, name: str = "value") -> str:
    """Return a value or a limit with its unit: money, transactions, one in N, or days."""
    value = record.get(name)
    if value is None:
        return ""
    text = grouped(value)
    match record.get("kind"):
        case Kind.OUTLIER.value:
            return f"1 day in {text}"
        case Kind.REVIEW.value:
            return f"{text} days"
        case Kind.DAILY_COUNT.value:
            return f"{text} transactions"
        case _:
            return f"{text} {record.get('currency') or ''}".strip()


def times(record: Record) -> str:
    """Return how many times its limit a value is, as the record says; else nothing."""
    found = evidence(record).get("times_limit")
    return "" if found is None else f"{grouped(found)}x"


def reading(record: Record) -> str:
    """Return how a review reads, or the verdict on many accounts at once, in words."""
    if record.get("kind") == Kind.SYSTEMIC.value:
        return word(VERDICTS, record.get("verdict"))
    return word(READINGS, evidence(record).get("reading"))


def word(words: Mapping[str, str], name: object) -> str:
    """Return the words for a name; a name that has none stands for itself."""
    text = "" if name is None else str(name)
    return words.get(text, text)


def evidence(record: Record) -> Record:
    """Return a record's evidence; empty if it has no object."""
    found = record.get("evidence")
    return found if isinstance(found, Mapping) else {}


def listed(value: object) -> list[Any]:
    """Return a list of a record; empty if it is something else."""
    return value if isinstance(value, list) else []


def rows_of(value: object) -> list[Record]:
    """Return the objects in a list of a record; others in it are left out."""
    return [item for item in listed(value) if isinstance(item, Mapping)]


def why(record: Record) -> list[str]:
    """Return sentences that say why an alert was raised, with its values filled in."""
    kind = record.get("kind")
    if kind == Kind.SYSTEMIC.value:
        return [text for text in _why_systemic(record) if text]
    if kind == Kind.OUTLIER.value:
        found = [_why_outlier(record)]
        found += _reasons(record, "It stands out because")
    elif kind == Kind.REVIEW.value:
        found = _why_review(record)
    else:
        found = _why_limit(record)
    if record.get("value_before") is not None:
        found.append(f"The report before this one said {amount(record, 'value_before')}.")
    if record.get("status") == "withdrawn":
        found.append("This no longer holds: the alert was withdrawn.")
    return found


def _why_outlier(record: Record) -> str:
    return (
        f"About 1 business day in {grouped(record.get('value'))} is as strange as the days of"
        f" account {record.get('account_id')} from {record.get('business_day')} on; the budget of"
        f" alerts now begins at 1 in {grouped(record.get('limit'))}."
    )


def _why_limit(record: Record) -> list[str]:
    account, day = record.get("account_id"), record.get("business_day")
    did = word(_DIRECTIONS, record.get("direction"))
    said = evidence(record)
    is_count = record.get("kind") == Kind.DAILY_COUNT.value
    first = f"On {day}, {amount(record)} {did if not is_count else 'were made'} on account"
    first += f" {account}; limit {record.get('threshold_id')} allows {amount(record, 'limit')}."
    found = [first]
    if said.get("over_by") is not None:
        unit = "" if is_count else f" {record.get('currency') or ''}".rstrip()
        over = f"That is {grouped(said['over_by'])}{unit} too much"
        ratio = said.get("times_limit")
        found.append(f"{over}, {grouped(ratio)} times the limit." if ratio else f"{over}.")
    origin = said.get("origin")
    if isinstance(origin, Mapping):
        found.append(_tipping(record, origin))
    return found


def _tipping(record: Record, origin: Record) -> str:
    """Return a sentence about the transaction that took a day over its limit."""
    parts = [f"Transaction {record.get('transaction_id')} took it over the limit"]
    if origin.get("counterparty"):
        parts.append(f"counterparty {origin['counterparty']}")
    parts += [
        f"{name} {origin[key]}"
        for key, name in (
            ("institution", "at institution"),
            ("channel", "channel"),
            ("branch", "branch"),
        )
        if origin.get(key)
    ]
    return ", ".join(parts) + "."


def _why_review(record: Record) -> list[str]:
    said = evidence(record)
    over, near = grouped(said.get("breach_days", 0)), grouped(said.get("near_days", 0))
    account, window = record.get("account_id"), grouped(said.get("window_days", "some"))
    least = grouped(record.get("limit"))
    found = [
        f"Account {account} was over its limits on {over} business days, and near them on {near}.",
        f"That counts as {amount(record)}; more than {least} within {window} make a review.",
    ]
    if said.get("reading"):
        found += _reasons(record, f"It reads as: {word(READINGS, said['reading'])}, because")
    left_out = listed(said.get("grouped_days"))
    if left_out:
        found.append(
            f"{len(left_out)} further days do not count, because an incident explains them."
        )
    if said.get("why"):
        found.append(f"It was withdrawn because {_short(said['why'])}.")
    return found


def _reasons(record: Record, opening: str) -> list[str]:
    reasons = [_short(reason) for reason in listed(evidence(record).get("reasons"))]
    return [f"{opening} {'; '.join(reasons)}."] if reasons else []


def _why_systemic(record: Record) -> Iterator[str]:
    where = record.get("segment")
    yield (
        f"{word(VERDICTS, record.get('verdict'))}, in"
        f" {'all segments' if where is None else f'segment {where}'}, up to"
        f" {record.get('business_day')}."
    )
    cause = record.get("cause")
    if isinstance(cause, Mapping):
        yield (
            f"The account-days have {cause.get('type')} {cause.get('value')} in common,"
            f" {grouped(cause.get('lift'))} times its usual share."
        )
    said = evidence(record)
    if said.get("breaches") is not None and said.get("expected") is not None:
        yield (
            f"{grouped(said['breaches'])} account-days were over the limit on the last day,"
            f" where {grouped(said['expected'])} were to be expected."
        )
    yield decided_by(record)
    if record.get("suggested_limit") is not None:
        yield f"History would set the limit to {grouped(record['suggested_limit'])}."
    yield f"It explains {grouped(record.get('grouped', 0))} alerts of accounts."


def decided_by(record: Record) -> str:
    """Return a sentence with the number that decided a verdict."""
    found = record.get("decided_by")
    if not isinstance(found, Mapping):
        return ""
    number = found.get("number")
    text = f"{number:.3g}" if isinstance(number, float) else grouped(number)
    name = str(found.get("name"))
    return f"The number that decided is {text}: {DECIDED_BY.get(name, name.replace('_', ' '))}."


def _short(text: object) -> str:
    said = str(text)
    return said if len(said) <= LONG else f"{said[:LONG]}..."


def figures(record: Record) -> list[tuple[str, str]]:
    """Return an alert's figures, each with its name: those that are there."""
    pairs = [
        ("Limit", str(record.get("threshold_id") or "")),
        ("Value", amount(record)),
        ("Allowed", amount(record, "limit")),
        ("Times the limit", times(record)),
        ("Severity", str(record.get("severity"))),
        ("Segment", str(record.get("segment") or "none")),
        ("Direction", str(record.get("direction") or "")),
        ("Transaction", str(record.get("transaction_id") or "")),
        ("Its time", str(record.get("event_time") or "")),
        ("Policy version", str(record.get("policy_version") or "")),
        ("Model", str(evidence(record).get("model") or "")),
    ]
    return [(name, value) for name, value in pairs if value]


def changes(before: Record, after: Record) -> list[str]:
    """Return what a revision says differently from the one before it."""
    fields = ("status", "severity", "value", "limit", "segment", "verdict", "grouped")
    found = [
        f"{name} {_shown(before, name)} -> {_shown(after, name)}"
        for name in fields
        if before.get(name) != after.get(name)
    ]
    then, now = evidence(before), evidence(after)
    names = sorted({*then, *now} - {"times_limit", "over_by", "model"}, key=str)
    found += [
        f"{str(name).replace('_', ' ')} {_brief(then.get(name))} -> {_brief(now.get(name))}"
        for name in names
        if then.get(name) != now.get(name)
    ]
    return found


def _shown(record: Record, name: str) -> str:
    if name in {"value", "limit"}:
        return amount(record, name) or "none"
    return _brief(record.get(name))


def _brief(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | Mapping):
        return quantity(len(value), "entry", "entries")
    return _short(grouped(value))


def quantity(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    >>> quantity(1, "alert"), quantity(1200, "alert")
    ('1 alert', '1,200 alerts')
    """
    return f"{grouped(number)} {noun if number == 1 else plural or noun + 's'}"


def joined(texts: Sequence[str]) -> str:
    """Return texts as a list in a sentence."""
    return ", ".join(texts)
