"""Words for a person: kinds, states, verdicts, money as text, and sentences that say why.

Everything here takes records as they are, of others: a field that is missing or odd is left out or
shown as it stands, and nothing is computed from money but its thousands separators. Texts are in
the language of the context; tables hold English, which `word` translates.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from monitor.console.language.catalogue import N_, ngettext, quoting
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.formats import grouped, written_minute
from monitor.core.alert import Kind
from monitor.core.business_day import MICROSECONDS
from monitor.core.threshold import Measure
from monitor.gauges.text import percent_text, times_text
from monitor.store.standing import Does, State
from monitor.store.work.tasks import TaskKind, TaskProgress

Record = Mapping[str, Any]

KINDS: Final = {
    Kind.DAILY_AMOUNT.value: N_("Over a daily amount"),
    Kind.DAILY_COUNT.value: N_("Over a daily count"),
    Kind.LIMIT.value: N_("Over another limit"),
    Kind.OUTLIER.value: N_("Strange day"),
    Kind.REVIEW.value: N_("Over limits repeatedly"),
    Kind.SYSTEMIC.value: N_("Many accounts at once"),
}
STATES: Final = {
    State.OPEN.value: N_("open"),
    State.WAITING.value: N_("waits for a second person"),
    State.SNOOZED.value: N_("snoozed"),
    State.SUPPRESSED.value: N_("suppressed"),
    State.CLOSED.value: N_("closed"),
    State.WITHDRAWN.value: N_("withdrawn"),
}
TABS: Final = {
    "open": N_("Open"),
    "mine": N_("Mine"),
    "back": N_("Back"),
    "waiting": N_("Waiting"),
    "snoozed": N_("Snoozed"),
    "suppressed": N_("Suppressed"),
    "closed": N_("Closed"),
    "withdrawn": N_("Withdrawn"),
}
VERDICTS: Final = {
    "limit-mis-set": N_("The limit is set wrongly"),
    "external-cause": N_("Something outside"),
    "population-shift": N_("The whole population has moved"),
    "data-fault": N_("The data is at fault"),
    "undecided": N_("Many at once, undecided why"),
}
READINGS: Final = {
    "suspicion": N_("suspicion"),
    "service-need": N_("the customer needs more"),
    "unclear": N_("unclear"),
}
ACTIONS: Final = {
    Does.DISPOSE.value: N_("closed it"),
    Does.PROPOSE.value: N_("proposed to close it"),
    Does.DECLINE.value: N_("declined the proposal"),
    Does.REOPEN.value: N_("reopened it"),
    Does.ASSIGN.value: N_("assigned it"),
    Does.RELEASE.value: N_("released it"),
    Does.SNOOZE.value: N_("snoozed it"),
    Does.WAKE.value: N_("ended the snooze"),
    Does.COMMENT.value: N_("commented"),
}
TASKS: Final = {
    TaskKind.ANTICIPATE.value: N_("Anticipate: tell the client what will happen"),
    TaskKind.ACKNOWLEDGE.value: N_("Acknowledge: say that we bothered them"),
    TaskKind.APOLOGISE.value: N_("Apologise"),
    TaskKind.AMEND.value: N_("Amend: put right what it cost them"),
    TaskKind.OFFER.value: N_("Offer: another product or limit"),
}
TASK_PROGRESS: Final = {
    TaskProgress.OPEN.value: N_("open"),
    TaskProgress.DONE.value: N_("done"),
    TaskProgress.DROPPED.value: N_("dropped"),
}
DECIDED_BY: Final = {
    "records_times_usual": N_("times the usual number of records"),
    "values_times_usual": N_("times the usual values"),
    "counterfactual_probability": N_(
        "probability of so many account-days over the limit that history would set"
    ),
    "budget_probability": N_(
        "probability of such a share by chance if the limit were right for the budget"
    ),
    "concentration_probability": N_("probability of such a share by chance"),
    "hot_payers_probability": N_("probability of so many strange payers by chance"),
    "history_breaches": N_("account-days over the limit in its history, too few to decide"),
    "share_statistic": N_("statistic of the share (an alarm is above 7)"),
}
SEVERITIES: Final = {
    "low": N_("low"),
    "medium": N_("medium"),
    "high": N_("high"),
    "critical": N_("critical"),
}
STATUSES: Final = {
    "raised": N_("raised"),
    "restated": N_("restated"),
    "withdrawn": N_("withdrawn"),
}
DISPOSITIONS: Final = {
    "suspicious": N_("suspicious"),
    "service-need": N_("service-need"),
    "false-alarm": N_("false-alarm"),
    "limit-wrong": N_("limit-wrong"),
    "data-fault": N_("data-fault"),
}
DIRECTIONS: Final = {"debit": N_("debit"), "credit": N_("credit"), "both": N_("both")}
ROLES: Final = {
    "viewer": N_("viewer"),
    "analyst": N_("analyst"),
    "approver": N_("approver"),
    "admin": N_("admin"),
}
PROGRESS: Final = {
    "open": N_("waits for a second person"),
    "approved": N_("approved"),
    "declined": N_("declined"),
}
ATTRIBUTES: Final = {
    "segment": N_("Segment"),
    "branch": N_("Branch"),
    "product": N_("Product"),
    "peer_group": N_("Peer group"),
}
FILTERS: Final = {
    "kind": N_("kind"),
    "severity": N_("severity"),
    "account_id": N_("account"),
    "incident_id": N_("incident"),
    "assignee": N_("assignee"),
    "business_day": N_("business day"),
    "q": N_("search"),
}
DAY_KINDS: Final = {"breach": N_("breach"), "near": N_("near")}
CAUSES: Final = {
    "institution": N_("institution"),
    "channel": N_("channel"),
    "branch": N_("branch"),
    "counterparty": N_("counterparty"),
}
FIELDS: Final = {
    "status": N_("status"),
    "severity": N_("severity"),
    "value": N_("value"),
    "limit": N_("limit"),
    "segment": N_("segment"),
    "verdict": N_("verdict"),
    "grouped": N_("alerts explained"),
    "account_days": N_("account-days"),
    "accounts": N_("accounts"),
    "breaches": N_("breaches"),
    "breach_days": N_("breach days"),
    "counterfactual": N_("counterfactual"),
    "days": N_("days"),
    "expected": N_("expected"),
    "grouped_days": N_("days that an incident explains"),
    "near_days": N_("near days"),
    "one_in": N_("one day in"),
    "origin": N_("origin"),
    "concentration": N_("concentration"),
    "hot_payers": N_("strange payers"),
    "records": N_("records"),
    "rejected": N_("rejected"),
    "over_dispersion": N_("over-dispersion"),
    "calendar_factor": N_("factor of the calendar"),
    "share_statistic": N_("statistic of the share"),
    "fault": N_("fault"),
    "probability": N_("probability"),
    "reading": N_("reading"),
    "reasons": N_("reasons"),
    "statistic": N_("statistic"),
    "totals": N_("totals"),
    "window_days": N_("days of the window"),
    "why": N_("why"),
}
REJECTED: Final = {
    "malformed": N_("malformed"),
    "missing-field": N_("missing-field"),
    "bad-amount": N_("bad-amount"),
    "bad-time": N_("bad-time"),
    "unknown-currency": N_("unknown-currency"),
    "wrong-key": N_("wrong-key"),
    "future": N_("future"),
    "too-late": N_("too-late"),
    "duplicate": N_("duplicate"),
    "nothing-to-reverse": N_("nothing-to-reverse"),
    "reversal-mismatch": N_("reversal-mismatch"),
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONG: Final = 200
"""Characters of a text of others that a sentence repeats."""


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
    if seconds >= 86_400:  # noqa: PLR2004 - a day
        return _("%(number)s d ago", number=seconds // 86_400)
    if seconds >= 3600:  # noqa: PLR2004 - an hour
        return _("%(number)s h ago", number=seconds // 3600)
    if seconds >= 60:  # noqa: PLR2004 - a minute
        return _("%(number)s min ago", number=seconds // 60)
    return _("%(number)s s ago", number=seconds)


def amount(record: Record, name: str = "value") -> str:
    """Return a value or a limit with its unit: money, transactions, one in N, or days."""
    value = record.get(name)
    if value is None:
        return ""
    text = grouped(value)
    match record.get("kind"):
        case Kind.OUTLIER.value:
            return _("1 day in %(number)s", number=text)
        case Kind.REVIEW.value:
            return ngettext("%(num)s day", "%(num)s days", number_of(value), num=text)
        case Kind.DAILY_COUNT.value:
            return _transactions(value)
        case Kind.LIMIT.value if isinstance(value, int):
            return _of_gauge(measured(record).get("measure"), value)
        case _:
            return money(value, record.get("currency"))


def _of_gauge(measure: object, value: int) -> str:
    """Return a value of a limit that is no money."""
    if measure == Measure.COUNT.value:
        return _transactions(value)
    if measure == Measure.SHARE.value:
        return _("%(number)s%%", number=grouped(percent_text(value)))
    if measure == Measure.RATIO.value:
        return _("%(number)s times the usual", number=times_text(value))
    if measure == Measure.NEAR.value:
        return ngettext("%(num)s day", "%(num)s days", number_of(value), num=grouped(value))
    return ngettext("%(num)s party", "%(num)s parties", number_of(value), num=grouped(value))


def _transactions(value: object) -> str:
    number = number_of(value)
    return ngettext("%(num)s transaction", "%(num)s transactions", number, num=grouped(value))


def money(value: object, currency: object) -> str:
    """Return money with its currency; without one, the number alone."""
    text = grouped(value)
    if not currency:
        return text
    return _("%(amount)s %(currency)s", amount=text, currency=currency)


def number_of(value: object) -> int:
    """Return a number for its grammar: 1, or any other one."""
    return 1 if str(value) == "1" else 2


def times(record: Record) -> str:
    """Return how many times its limit a value is, as the record says; else nothing."""
    found = evidence(record).get("times_limit")
    return "" if found is None else _("%(number)sx", number=grouped(found))


def reading(record: Record) -> str:
    """Return how a review reads, or the verdict on many accounts at once, in words."""
    if record.get("kind") == Kind.SYSTEMIC.value:
        return word(VERDICTS, record.get("verdict"))
    return word(READINGS, evidence(record).get("reading"))


def word(words: Mapping[str, str], name: object) -> str:
    """Return the words for a name, in the reader's language; a name without stands for itself."""
    text = "" if name is None else str(name)
    found = words.get(text)
    return text if found is None else _(found)


def evidence(record: Record) -> Record:
    """Return a record's evidence; empty if it has no object."""
    found = record.get("evidence")
    return found if isinstance(found, Mapping) else {}


def listed(value: object) -> list[Any]:
    """Return a list of a record; empty if it is something else."""
    return value if isinstance(value, list) else []


def measured(record: Record) -> Record:
    """Return what the alert of a limit on a gauge measured; empty of any other."""
    found = evidence(record).get("measured")
    return found if isinstance(found, Mapping) else {}


def rows_of(value: object) -> list[Record]:
    """Return the objects in a list of a record; others in it are left out."""
    return [item for item in listed(value) if isinstance(item, Mapping)]


def decided_by(record: Record) -> str:
    """Return a sentence with the number that decided a verdict."""
    found = record.get("decided_by")
    if not isinstance(found, Mapping):
        return ""
    number = found.get("number")
    text = f"{number:.3g}" if isinstance(number, float) else grouped(number)
    name = str(found.get("name"))
    meaning = word(DECIDED_BY, name) if name in DECIDED_BY else name.replace("_", " ")
    return _("The number that decided is %(number)s: %(meaning)s.", number=text, meaning=meaning)


def short(text: object) -> str:
    """Return a text of others, cut if it is long."""
    said = str(text)
    return said if len(said) <= LONG else f"{said[:LONG]}..."


def figures(record: Record) -> list[tuple[str, str]]:
    """Return an alert's figures, each with its name: those that are there."""
    pairs = [
        (_("Limit"), str(record.get("threshold_id") or "")),
        (_("Value"), amount(record)),
        (_("Allowed"), amount(record, "limit")),
        (_("Times the limit"), times(record)),
        (_("Severity"), word(SEVERITIES, record.get("severity"))),
        (_("Segment"), str(record.get("segment") or _("none"))),
        (_("Direction"), word(DIRECTIONS, record.get("direction") or "")),
        (_("Transaction"), str(record.get("transaction_id") or "")),
        (_("Its time"), written_minute(str(record.get("event_time") or ""))),
        (_("Policy version"), str(record.get("policy_version") or "")),
        (_("Model"), str(evidence(record).get("model") or "")),
    ]
    return [(name, value) for name, value in pairs if value]


def changes(before: Record, after: Record) -> list[str]:
    """Return what a revision says differently from the one before it."""
    fields = ("status", "severity", "value", "limit", "segment", "verdict", "grouped")
    found = [
        _change(name, _shown(before, name), _shown(after, name))
        for name in fields
        if before.get(name) != after.get(name)
    ]
    then, now = evidence(before), evidence(after)
    names = sorted({*then, *now} - {"times_limit", "over_by", "model"}, key=str)
    for name in names:
        if then.get(name) != now.get(name):
            found += _evidence_changes(name, then.get(name), now.get(name))
    return found


def _evidence_changes(name: str, then: object, now: object) -> list[str]:
    """Return what has changed of a part of the evidence: of texts, those that came and went."""
    before, after = _brief(name, then), _brief(name, now)
    if _are_texts(then) and _are_texts(now):
        came = joined([short(text) for text in listed(now) if text not in listed(then)])
        went = joined([short(text) for text in listed(then) if text not in listed(now)])
        found = [
            quoting(message, texts, name=field(name))
            for message, texts in (
                (N_("%(name)s, new: %(english)s"), came),
                (N_("%(name)s, no longer: %(english)s"), went),
            )
            if texts
        ]
        return found or [_("%(name)s in another order", name=field(name))]
    if before == after:
        return [_("%(name)s changed", name=field(name))]
    return [_change(name, before, after)]


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _change(name: object, before: str, after: str) -> str:
    return _("%(name)s %(before)s -> %(after)s", name=field(name), before=before, after=after)


def field(name: object) -> str:
    """Return the words for a field of a record; those that have none stand for themselves."""
    return word(FIELDS, name) if str(name) in FIELDS else str(name).replace("_", " ")


def _shown(record: Record, name: str) -> str:
    if name in {"value", "limit"}:
        return amount(record, name) or _("none")
    return _brief(name, record.get(name))


_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "status": STATUSES,
    "severity": SEVERITIES,
    "verdict": VERDICTS,
    "reading": READINGS,
}


def _brief(name: object, value: object) -> str:
    if value is None:
        return _("none")
    if isinstance(value, list | Mapping):
        number = len(value)
        return ngettext("%(num)s entry", "%(num)s entries", number, num=grouped(number))
    words = _VALUES.get(str(name), {})
    return short(grouped(value)) if str(value) not in words else word(words, value)


def joined(texts: Sequence[str]) -> str:
    """Return texts as a list in a sentence."""
    return _(", ").join(texts)
