"""The filters of the queue and of the API, as a URL has them."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from monitor.console.replies import AnswerError
from monitor.console.words import KINDS, TABS
from monitor.core.alert import Kind
from monitor.core.threshold import Severity
from monitor.dispositions.disposition import TEXT_LENGTH_MAX
from monitor.store.queries import LIMIT_DEFAULT, LIMIT_MAX, AlertFilter
from monitor.store.standing import State

FILTERS: Final = ("kind", "severity", "account_id", "incident_id", "assignee", "business_day")
"""Filters that an alert's column must equal."""

ALL: Final = "all"
"""The tab of a search: alerts of every state."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "kind": tuple(Kind),
    "severity": tuple(Severity),
    "status": tuple(State),
    "tab": (*TABS, ALL),
    "format": ("csv", "jsonl", "parquet"),
    "is_back": ("true", "false"),
}
"""Parameters that have only these values."""

OF_QUEUE: Final = ("tab", *FILTERS, "q", "cursor", "done")
OF_API: Final = ("status", *FILTERS, "q", "limit", "cursor")
OF_EXPORT: Final = ("format", "status", *FILTERS, "q", "is_back")


class Chip(NamedTuple):
    """A filter that is set, and the address of the queue without it."""

    name: str
    value: str
    without: str


class Filter(NamedTuple):
    """What a queue shows: its tab, and the filters that are set."""

    tab: str
    values: Mapping[str, str]

    def wanted(self, person: str, now: int) -> AlertFilter:
        """Return the alerts that it asks for."""
        equal: dict[str, Any] = {name: self.values[name] for name in FILTERS if name in self.values}
        wanted = AlertFilter(**equal, text=self.values.get("q"), now=now)
        if self.tab == "mine":
            return wanted._replace(status=State.OPEN.value, assignee=person)
        if self.tab == "back":
            return wanted._replace(status=State.OPEN.value, is_back=True)
        return wanted if self.tab == ALL else wanted._replace(status=self.tab)

    @property
    def folds(self) -> bool:
        """Whether each group is one row: where nothing narrower is asked for than a queue."""
        is_narrow = any(name in self.values for name in ("account_id", "incident_id", "q"))
        return self.tab in {"open", "back"} and not is_narrow

    def query(self, **other: str | None) -> str:
        """Return it as the query of an address; `other` replaces values, None removes them."""
        values = {"tab": self.tab, **self.values, **other}
        return urlencode({name: value for name, value in values.items() if value})

    def chips(self) -> list[Chip]:
        """Return the filters that are set, each with the address without it."""
        return [
            Chip(
                {"q": "search"}.get(name, name.replace("_", " ")),
                KINDS.get(value, value) if name == "kind" else value,
                f"/queue?{self.query(**{name: None})}",
            )
            for name, value in self.values.items()
        ]


def filter_of(params: Mapping[str, str]) -> Filter:
    """Return the filter that a queue's parameters name. Raises AnswerError if one is odd."""
    found = {name: params[name].strip() for name in (*FILTERS, "q") if params.get(name, "").strip()}
    return Filter(params.get("tab") or "open", found)


def checked(params: QueryParams, names: Collection[str]) -> dict[str, str]:
    """Return a query's parameters. Raises AnswerError (400) if one is unknown, twice, or odd."""
    found: dict[str, str] = {}
    for name, value in params.multi_items():
        if name not in names:
            known = ", ".join(names) or "none"
            raise AnswerError(400, f"a query parameter must be one of {known}, not {name!r}")
        if name in found:
            raise AnswerError(400, f"the query parameter {name} must be there once")
        choices = CHOICES.get(name)
        if choices and value and value not in choices:
            raise AnswerError(400, f"{name} must be one of {', '.join(choices)}, not {value!r}")
        if len(value) > 2 * TEXT_LENGTH_MAX or "\0" in value:
            raise AnswerError(400, f"{name} must be a text of at most {TEXT_LENGTH_MAX} characters")
        found[name] = value
    return found


def limit_of(params: Mapping[str, str]) -> int:
    """Return how many items a page has. Raises AnswerError (400) if it is no such number."""
    text = params.get("limit", str(LIMIT_DEFAULT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LIMIT_MAX):
        raise AnswerError(400, f"limit must be a whole number from 1 to {LIMIT_MAX}, not {text!r}")
    return int(text)


def api_wanted(params: Mapping[str, Any], now: int) -> AlertFilter:
    """Return the alerts that the parameters of an API's list ask for."""
    equal: dict[str, Any] = {
        name: params[name] for name in ("status", *FILTERS) if params.get(name)
    }
    return AlertFilter(**equal, text=params.get("q") or None, now=now)
