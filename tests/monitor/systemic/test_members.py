"""Members that an incident names and counts: those of its verdict, and none while undecided."""

import pytest

from monitor.policy.systemic import LASTING_DAYS, QUIET_DAYS, REACH_DAYS
from monitor.systemic.alert import DecidedBy, Member, SystemicNotice, Verdict
from monitor.systemic.incidents import MEMBERS_MAX, Alarm, Incidents, Key
from monitor.systemic.verdict import Decision

DAY = 739_621
KEY = Key("limit", "retail", "daily-amount")


def alarm(verdict: Verdict, *days: int, count: int = 2) -> Alarm:
    members = {
        day: [Member(day, f"A{number:03d}", "daily-amount") for number in range(count)]
        for day in days
    }
    decision = Decision(verdict, DecidedBy("x", 1.0))
    return Alarm(decision, "daily-amount", dict.fromkeys(days, count), members)


def named(notice: SystemicNotice) -> list[tuple[int, str]]:
    return [(member.day, member.account_id) for member in notice.members]


def test_an_undecided_incident_groups_nothing_and_all_of_it_once_it_is_decided() -> None:
    incidents = Incidents()
    undecided = incidents.take(KEY, DAY, alarm(Verdict.UNDECIDED, DAY - 1, DAY))
    assert (undecided.grouped, undecided.counted) == (0, 4)
    decided = incidents.take(KEY, DAY + 2, alarm(Verdict.POPULATION_SHIFT, DAY, DAY + 2))
    assert decided.grouped == decided.counted == 6
    assert named(decided) == [
        (day, name) for day in (DAY - 1, DAY, DAY + 2) for name in ("A000", "A001")
    ]
    again = Incidents(Incidents(incidents.dump()).dump())
    assert again.notices() == [decided]


def test_it_names_the_first_members_and_counts_them_all() -> None:
    notice = Incidents().take(KEY, DAY, alarm(Verdict.POPULATION_SHIFT, DAY - 1, DAY, count=70))
    assert (notice.grouped, len(notice.members)) == (140, MEMBERS_MAX)
    assert named(notice)[-1] == (DAY, "A029")


@pytest.mark.parametrize("quiet", range(1, QUIET_DAYS + 1))
def test_no_decision_reaches_farther_back_than_it_may(quiet: int) -> None:
    """Days that are older than its reach are settled: reviews forget them."""
    incidents = Incidents()
    run = range(DAY - 40, DAY + 1)
    incidents.take(KEY, DAY, alarm(Verdict.UNDECIDED, *run))
    day = DAY
    while (known := incidents.get(KEY)) is not None:
        assert day - known.days[0] <= REACH_DAYS
        day += quiet
        incidents.close_quiet(day)
        if incidents.has_lasted(KEY, day - quiet):
            incidents.close(KEY)
        else:
            incidents.take(KEY, day, alarm(Verdict.POPULATION_SHIFT, day))
    assert known is None
    assert REACH_DAYS == LASTING_DAYS - 1 + QUIET_DAYS
