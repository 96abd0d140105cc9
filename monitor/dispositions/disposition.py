"""An analyst's decision about an alert; a later one on the same alert holds.

Dispositions are only ever added. Which one holds follows from what they say, not from the order in
which they arrive, so that a topic and any copy of it give the same.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from monitor.core.business_day import event_time_of, event_time_text
from monitor.core.table_reader import ProblemsError
from monitor.core.threshold import Severity

TEXT_LENGTH_MAX: Final = 256
NOTE_LENGTH_MAX: Final = 4000
"""Characters of a note."""

REVISION_MAX: Final = 2**31 - 1
"""The greatest number of a revision: a database has so much room for one."""

REVISION: Final = f"a whole number from 1 to {REVISION_MAX:,}"

DISPOSITION_FIELDS: Final = ("alert_id", "disposition", "by", "at", "note", "revision")


class Disposition(StrEnum):
    """What it was; the list is closed, because rules are learned for these."""

    SUSPICIOUS = "suspicious"
    SERVICE_NEED = "service-need"
    FALSE_ALARM = "false-alarm"
    LIMIT_WRONG = "limit-wrong"
    DATA_FAULT = "data-fault"


MEANINGS: Final = {
    Disposition.SUSPICIOUS: "It must be investigated or reported.",
    Disposition.SERVICE_NEED: "The customer needs another product or limit.",
    Disposition.FALSE_ALARM: "The day was as it should be for this customer.",
    Disposition.LIMIT_WRONG: "The limit is not right for such customers.",
    Disposition.DATA_FAULT: "The records were wrong: the day did not happen so.",
}


def needs_two(severity: str) -> bool:
    """Return whether a second person must agree before an alert of a severity is closed."""
    return severity == Severity.CRITICAL.value


class DispositionError(ProblemsError):
    """Dispositions that cannot be used."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("dispositions cannot be used", problems)


class Disposed(NamedTuple):
    """One disposition; `at` is in microseconds since 1970 (UTC).

    `revision` is that of the alert which the person saw; None if nobody said.
    """

    alert_id: str
    disposition: Disposition
    by: str
    at: int
    note: str | None = None
    revision: int | None = None

    def fields(self) -> dict[str, object]:
        """Return it as it is written."""
        return {
            "alert_id": self.alert_id,
            "disposition": self.disposition.value,
            "by": self.by,
            "at": event_time_text(self.at),
            "note": self.note,
            "revision": self.revision,
        }


def is_revision(value: object) -> bool:
    """Return whether a value of a record is the number of a revision.

    >>> is_revision(1), is_revision(True), is_revision(2**31)
    (True, False, False)
    """
    return type(value) is int and 1 <= value <= REVISION_MAX


def disposed_of(fields: object, where: str = "the disposition") -> Disposed:
    """Return the disposition that a record's fields state; others than these do not matter.

    Raises DispositionError with every problem, each with `where` it stands.
    """
    if not isinstance(fields, Mapping):
        raise DispositionError([f"{where}: no JSON object"])
    problems: list[str] = []
    alert_id = _text(fields, "alert_id", TEXT_LENGTH_MAX, problems)
    by = _text(fields, "by", TEXT_LENGTH_MAX, problems)
    note = None if fields.get("note") is None else _text(fields, "note", NOTE_LENGTH_MAX, problems)
    said = fields.get("disposition")
    if said not in list(Disposition):
        problems.append(f"disposition is {said!r}: one of {', '.join(Disposition)}")
    written = fields.get("at")
    at = event_time_of(written) if isinstance(written, str) else None
    if at is None:
        problems.append(f"at is {written!r}: RFC 3339 with an offset, e.g. 2026-01-05T09:00:00Z")
    revision = fields.get("revision")
    if revision is not None and not is_revision(revision):
        problems.append(f"revision must be {REVISION}, not {repr(revision)[:60]}")
    if problems or at is None:
        raise DispositionError([f"{where}: {problem}" for problem in problems])
    return Disposed(alert_id, Disposition(str(said)), by, at, note, revision)


def _text(fields: Mapping[Any, Any], name: str, length_max: int, problems: list[str]) -> str:
    text = fields.get(name)
    if isinstance(text, str) and text.strip() and len(text) <= length_max:
        return text
    said = "missing" if text is None else repr(text)[:60]
    problems.append(f"{name} is {said}: a text of at most {length_max} characters")
    return ""


def holding(dispositions: Iterable[Disposed]) -> dict[str, Disposed]:
    """Return the disposition that holds of each alert: the latest one, whatever came in between.

    Of two of the same instant the later by what they say holds: any order of arrival gives one.
    """
    held: dict[str, Disposed] = {}
    for disposed in dispositions:
        before = held.get(disposed.alert_id)
        if before is None or _rank(before) < _rank(disposed):
            held[disposed.alert_id] = disposed
    return held


def in_order(dispositions: Iterable[Disposed]) -> list[Disposed]:
    """Return all dispositions by their times, each once: the last one of an alert holds."""
    return sorted(set(dispositions), key=lambda disposed: (_rank(disposed), disposed.alert_id))


def _rank(disposed: Disposed) -> tuple[int, str, str, str]:
    return disposed.at, disposed.disposition.value, disposed.by, disposed.note or ""
