"""The systemic detection of all segments: a day's segment-days in, notices out. No clock, no I/O.

The same days in the same order give the same notices, whatever the order of the segments in each.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from monitor.policy.systemic import SystemicSettings
from monitor.systemic.alert import Member, SystemicNotice, Verdict
from monitor.systemic.causes import CAUSE, FAULT, Causes, DayFindings, decisions_of
from monitor.systemic.faults import REJECTED, Values
from monitor.systemic.incidents import MEMBERS_MAX, Alarm, Incidents, Key
from monitor.systemic.limits.budget import BudgetWatch, off_budget
from monitor.systemic.limits.counterfactual import LimitMemory
from monitor.systemic.segment_day import SegmentDay, WholeDay, members_of, whole_day
from monitor.systemic.share import DayCount, ShareReading, ShareSeries, pay_kinds
from monitor.systemic.verdict import (
    Decision,
    explains,
    of_budget,
    of_hot_share,
    of_limit,
    share_evidence,
)

LIMIT: Final = "limit"
HOT: Final = "hot"
BUDGET: Final = "budget"
CALENDAR_DAYS_MAX: Final = 5
"""An incident of the population that lasted no longer may have been the calendar."""

_OF_POPULATION: Final = (Verdict.POPULATION_SHIFT, Verdict.UNDECIDED)

Segments = Mapping[str | None, SegmentDay]


class Systemic:
    """What is known of all segments up to a business day, and the incidents that are open.

    With a `state` (of `dump`) it goes on as the one whose state that is would have.
    """

    def __init__(self, settings: SystemicSettings, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self.settings = settings
        self.day: int | None = state.get("day")
        self._series: dict[Key, ShareSeries] = {}
        self._memories: dict[Key, LimitMemory] = {}
        for key, series, memory in state.get("series", ()):
            self._series[Key(*key)] = ShareSeries(series, adaptive=key[0] == HOT)
            if memory is not None:
                self._memories[Key(*key)] = LimitMemory(memory)
        # Some breaching accounts of the days of each limit's run: it may alarm, and group them.
        self._named: dict[Key, dict[int, list[str]]] = {
            Key(*key): dict(days) for key, days in state.get("named", ())
        }
        self._causes = Causes(state.get("causes"))
        self._incidents = Incidents(state.get("incidents"))
        self._budgets = BudgetWatch(state.get("budgets", ()))
        self._pay_kinds: frozenset[str] = frozenset()

    def dump(self) -> dict[str, Any]:
        """Return all it knows, as JSON has it."""
        ordered = sorted(self._series, key=lambda key: key.order)
        return {
            "day": self.day,
            "series": [
                [
                    list(key),
                    self._series[key].dump(),
                    self._memories[key].dump() if key in self._memories else None,
                ]
                for key in ordered
            ],
            "named": [
                [list(key), sorted(self._named[key].items())]
                for key in ordered
                if key in self._named
            ],
            "causes": self._causes.dump(),
            "incidents": self._incidents.dump(),
            "budgets": self._budgets.dump(),
        }

    @property
    def open_notices(self) -> list[SystemicNotice]:
        """The latest notice of each incident that is open."""
        return self._incidents.notices()

    def observe(self, day: int, segments: Segments) -> list[SystemicNotice]:
        """Take in a closed business day, merged over all partitions; return what is to be told.

        Raises ValueError for a day that is not after the last one, or a segment-day of another.
        """
        if self.day is not None and day <= self.day:
            raise ValueError(f"business day {day} is not after {self.day}, which was observed")
        if any(segment_day.day != day for segment_day in segments.values()):
            raise ValueError(f"a segment-day is not of business day {day}")
        self.day = day
        self._pay_kinds = pay_kinds(self.settings.pay_days)
        for series in self._series.values():
            series.calendar.stated = self._pay_kinds
        self._settle(day)
        whole = whole_day(segments)
        found = self._causes.look(whole, lambda about: list(self._values(about, segments)))
        counts = dict(_counts(day, segments))
        readings = {
            key: reading
            for key, count in counts.items()
            if (reading := self._series_of(key).read(count)) is not None
        }
        self._keep_values(day, segments)
        self._name(day, segments)
        decisions = decisions_of(found)
        told = self._tell(day, segments, whole, decisions, readings)
        self._learn(whole, found, counts, readings, is_paused=bool(decisions))
        return told + self._tell_budgets(day, segments)

    # -- telling ----------------------------------------------------------------------------------

    def _tell(
        self, day: int, segments: Segments, whole: WholeDay, decisions: dict[Key, Decision],
        readings: dict[Key, ShareReading],
    ) -> list[SystemicNotice]:  # fmt: skip
        alarmed = {key: reading for key, reading in readings.items() if reading.alarmed}
        explained: dict[Key, list[Key]] = {key: [] for key in decisions}
        own: list[Key] = []
        for key, reading in alarmed.items():
            reason = self._reason(key, reading, segments, decisions, own)
            if reason is None:
                own.append(key)
            elif reason in explained or reason.sort in {CAUSE, FAULT}:
                explained.setdefault(reason, []).append(key)
        told = [
            self._tell_cause(day, whole, segments, key, decisions.get(key), alarmed, by)
            for key, by in explained.items()
        ]
        hot = {key.segment: alarmed[key] for key in alarmed if key.sort == HOT}
        return told + [
            self._incidents.take(key, day, self._share_alarm(key, alarmed[key], hot)) for key in own
        ]

    def _reason(
        self, key: Key, reading: ShareReading, segments: Segments,
        decisions: dict[Key, Decision], own: list[Key],
    ) -> Key | None:  # fmt: skip
        """Return the incident that an alarm is part of: a fault, a cause, or one of its segment.

        A lowered limit that explains everything comes before a cause.
        """
        faults = [fault for fault in decisions if fault.sort == FAULT]
        if faults:
            return faults[0]
        if key.sort == LIMIT and self._of_limit(key, reading).verdict == Verdict.LIMIT_MIS_SET:
            return None
        known = [cause for cause in self._incidents.open_keys() if cause.sort == CAUSE]
        causes = [cause for cause in decisions if cause.sort == CAUSE]
        if key.sort == HOT:
            limits = [
                other
                for other in [*own, *self._incidents.open_keys()]
                if _is_limit_of(other, key.segment)
            ]
            return next(iter([*causes, *limits]), None)
        limit = segments[key.segment].limits[key.about]
        for incident_key in dict.fromkeys([*causes, *known]):
            decision = decisions.get(incident_key)
            notice = self._incidents.get(incident_key)
            cause = decision.cause if decision else notice.cause if notice else None
            if cause and explains(limit.causes.get((cause.type, cause.value), 0), reading):
                return incident_key
        return None

    def _tell_cause(  # noqa: PLR0913, PLR0917 - what is known of the day, each by itself
        self, day: int, whole: WholeDay, segments: Segments, key: Key, decision: Decision | None,
        alarmed: dict[Key, ShareReading], by: list[Key],
    ) -> SystemicNotice:  # fmt: skip
        """Tell of a fault or a cause, and of the segments whose alarm it explains.

        It stands for the account-days whose tipping transaction has the cause; but where the fault
        is of records that were rejected it stands for none: they are in no total.
        """
        if decision is None:
            known = self._incidents.get(key)
            assert known is not None, "an alarm is explained by what is found, or open"
            decision = Decision(
                known.verdict, known.decided_by, known.cause, evidence=known.evidence
            )
        shares = [
            {
                "segment": limit_key.segment,
                "threshold_id": limit_key.about if limit_key.sort == LIMIT else None,
                **share_evidence(alarmed[limit_key]),
            }
            for limit_key in by
        ]
        evidence = {**decision.evidence, **({"segments": shares} if shares else {})}
        cause = None if evidence.get("fault") in REJECTED else decision.cause
        cases = whole.cases(cause.type, cause.value) if cause else 0
        members = members_of(day, segments, cause.type, cause.value) if cause else []
        alarm = Alarm(
            decision._replace(evidence=evidence), None, {day: cases}, {day: members[:MEMBERS_MAX]}
        )
        return self._incidents.take(key, day, alarm)

    def _share_alarm(
        self, key: Key, reading: ShareReading, hot: Mapping[str | None, ShareReading]
    ) -> Alarm:
        if key.sort == HOT:
            known = self._incidents.get(key)
            days = {*(known.days if known else ()), *(count.day for count in reading.run)}
            decision = of_hot_share(reading, len(days))
            return Alarm(decision, None, {count.day: 0 for count in reading.run})
        decision = self._of_limit(key, reading)
        if key.segment in hot:
            shown = share_evidence(hot[key.segment], "hot_accounts", "known_accounts")
            decision = decision._replace(evidence={**decision.evidence, "hot_share": shown})
        grouped = {count.day: count.cases for count in reading.run}
        members = {
            day: [Member(day, name, key.about) for name in names]
            for day, names in self._named.get(key, {}).items()
        }
        return Alarm(decision, key.about, grouped, members)

    def _of_limit(self, key: Key, reading: ShareReading) -> Decision:
        series, memory = self._series[key], self._memories[key]
        history = [count.day for count in series.history]
        run = [count.day for count in reading.run]
        decision = of_limit(reading, memory.ask(history, run, series.calendar.factor, reading.phi))
        if decision.verdict != Verdict.LIMIT_MIS_SET:
            return decision
        budget = self.settings.budget_of(key.segment)
        return decision._replace(suggested_limit=memory.limit_for(history, budget))

    def _tell_budgets(self, day: int, segments: Segments) -> list[SystemicNotice]:
        """Tell of limits that are clearly off their breach budget, each once.

        The days are those of the history, so none that alarmed. It waits while an incident of the
        limit is open. It stands for no account-days: each of them is over the limit, as before.
        """
        told: list[SystemicNotice] = []
        keys = [
            Key(LIMIT, segment, threshold_id)
            for segment, segment_day in segments.items()
            for threshold_id in segment_day.limits
        ]
        for key in sorted(keys, key=lambda key: key.order):
            above = segments[key.segment].limits[key.about].above
            self._budgets.forget_other(key.segment, key.about, above)
            budget = self.settings.budget_of(key.segment)
            if (
                budget is None
                or self._budgets.is_told(key.segment, key.about, above, budget)
                or self._incidents.get(key) is not None
            ):
                continue
            days = [count.day for count in self._series_of(key).history]
            found = off_budget(self._memories[key].since_change(days, above), above, budget)
            if found is not None:
                self._budgets.note(key.segment, key.about, found)
                alarm = Alarm(of_budget(found), key.about, {day: 0})
                told.append(self._incidents.take(key._replace(sort=BUDGET), day, alarm))
        return told

    def _values(self, threshold_id: str, segments: Segments) -> Iterator[Values]:
        """Yield what a limit measured in each segment, before and now."""
        for segment, segment_day in segments.items():
            key = Key(LIMIT, segment, threshold_id)
            if threshold_id in segment_day.limits and key in self._memories:
                days = [count.day for count in self._series_of(key).history]
                yield Values(
                    self._memories[key].together(days), segment_day.limits[threshold_id].values
                )

    # -- learning ---------------------------------------------------------------------------------

    def _series_of(self, key: Key) -> ShareSeries:
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = ShareSeries(adaptive=key.sort == HOT)
            series.calendar.stated = self._pay_kinds
        return series

    def _keep_values(self, day: int, segments: Segments) -> None:
        for segment, segment_day in segments.items():
            for threshold_id, limit in segment_day.limits.items():
                key = Key(LIMIT, segment, threshold_id)
                memory = self._memories.setdefault(key, LimitMemory())
                memory.keep(day, limit, self._series_of(key).days)

    def _name(self, day: int, segments: Segments) -> None:
        """Keep the names of some breaching accounts of each limit, until its run has ended."""
        for segment, segment_day in segments.items():
            for threshold_id, limit in segment_day.limits.items():
                names = [breach.account_id for breach in limit.accounts[:MEMBERS_MAX]]
                if names:
                    self._named.setdefault(Key(LIMIT, segment, threshold_id), {})[day] = names

    def _forget_names(self) -> None:
        for key, days in tuple(self._named.items()):
            run = {run_day.counted.day for run_day in self._series_of(key).run}
            self._named[key] = {day: names for day, names in days.items() if day in run}
            if not self._named[key]:
                del self._named[key]

    def _learn(
        self, whole: WholeDay, found: DayFindings, counts: dict[Key, DayCount],
        readings: dict[Key, ShareReading], *, is_paused: bool,
    ) -> None:  # fmt: skip
        assert self.day is not None
        day = self.day
        usual = [key for key in self._incidents.open_keys() if self._incidents.has_lasted(key, day)]
        self._causes.learn(whole, found, usual)
        for key, count in counts.items():
            self._series_of(key).learn(count, readings.get(key), paused=is_paused)
        for key in usual:
            if key in self._series:
                self._series[key].adopt()
                self._incidents.close(key)
        self._forget_names()

    def _settle(self, day: int) -> None:
        """Close what has been quiet; what its days say of the calendar is learned."""
        closed = self._incidents.close_quiet(day)
        for key, series in self._series.items():
            if self._incidents.get(key) is not None:
                continue
            notice = closed.get(key)
            series.settle(
                is_calendar=notice is not None
                and notice.verdict in _OF_POPULATION
                and len(notice.days) <= CALENDAR_DAYS_MAX
            )


def _is_limit_of(key: Key, segment: str | None) -> bool:
    return key.sort == LIMIT and key.segment == segment


def _counts(day: int, segments: Segments) -> Iterator[tuple[Key, DayCount]]:
    """Yield what is counted of each segment: account-days over each limit, and hot accounts."""
    for segment in sorted(segments, key=lambda name: (name is not None, name or "")):
        segment_day = segments[segment]
        for threshold_id, limit in sorted(segment_day.limits.items()):
            count = DayCount(day, limit.breaches, limit.measured)
            yield Key(LIMIT, segment, threshold_id), count
        if segment_day.known:
            yield Key(HOT, segment, HOT), DayCount(day, segment_day.hot, segment_day.known)
