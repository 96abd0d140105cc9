from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.business_day import (
    _DATES,
    TIME_LENGTH_MAX,
    Calendar,
    _event_time_of_any,
    day_of_text,
    day_text,
    event_time,
    event_time_of,
    event_time_text,
)

zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]
)
cut_offs = st.sampled_from([time(0), time(3), time(17, 30)])
moments = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001 - Hypothesis wants its bounds without a zone
    datetime(2060, 1, 1),  # noqa: DTZ001 - as above
)
HOUR = 3_600_000_000


@given(moments, zones, cut_offs)
def test_a_moment_lies_in_its_business_day(moment: datetime, zone: str, cut_off: time) -> None:
    calendar = Calendar(ZoneInfo(zone), cut_off)
    at = event_time(moment.replace(tzinfo=UTC))
    day = calendar.day_of(at)
    assert calendar.start_of(day) <= at < calendar.end_of(day)


@given(st.dates(date(1990, 1, 1), date(2060, 1, 1)), zones, cut_offs)
@example(date(2011, 12, 30), "Pacific/Apia", time(0))  # it was never the 30th there
def test_days_follow_one_another_without_a_gap(day: date, zone: str, cut_off: time) -> None:
    calendar = Calendar(ZoneInfo(zone), cut_off)
    number = day.toordinal()
    start, end = calendar.start_of(number), calendar.end_of(number)
    assert start <= end == calendar.start_of(number + 1)
    if start < end:
        assert calendar.day_of(start) == calendar.day_of(end - 1) == number
    else:
        assert calendar.day_of(start) == number + 1  # a date that the clocks of a zone left out


@given(moments.map(lambda m: m.replace(microsecond=m.microsecond // 1000 * 1000)))
def test_a_written_time_is_read_back(moment: datetime) -> None:
    at = event_time(moment.replace(tzinfo=UTC))
    assert event_time_of(event_time_text(at)) == at


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    at = event_time_of(text)
    assert at is None or datetime.fromisoformat(text.upper()).tzinfo is not None


@given(moments.map(lambda m: m.replace(microsecond=0)), st.integers(0, 19), st.characters())
def test_one_wrong_character_is_no_other_way_of_writing(
    moment: datetime, place: int, character: str
) -> None:
    """The quick path takes no text that the careful one would refuse."""
    text = event_time_text(event_time(moment.replace(tzinfo=UTC)))
    other = text[:place] + character + text[place + 1 :]
    at = event_time_of(other)
    assert at is None or event_time_text(at) == other.upper().replace(" ", "T")


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("2026-01-05T09:30:00Z", "2026-01-05T09:30:00+00:00"),
        ("2026-01-05t09:30:00z", "2026-01-05T09:30:00Z"),
        ("2026-01-05 10:30:00+01:00", "2026-01-05T09:30:00Z"),
        ("2026-01-05T09:30:00.1234567Z", "2026-01-05T09:30:00.123456Z"),
        ("2026-01-05T09:30:00", None),
        ("2026-01-05", None),
        ("2026-02-31T09:30:00Z", None),
        ("2026-01-05T24:00:00Z", None),
        ("20260105T093000Z", None),
        ("0099-01-05T09:30:00Z", None),
        ("9999-01-05T09:30:00Z", None),
        ("2026-W01-1T09:30:00Z", None),
        # Offsets: hours up to 23, minutes up to 59, a colon; -00:00 is one that is not known.
        ("2026-01-05T09:30:00+05:59", "2026-01-05T03:31:00Z"),
        ("2026-01-05T09:30:00+05:60", None),
        ("2026-01-05T09:30:00+05:99", None),
        ("2026-01-05T09:30:00-23:59", "2026-01-06T09:29:00Z"),
        ("2026-01-05T09:30:00+24:00", None),
        ("2026-01-05T09:30:00-00:00", "2026-01-05T09:30:00Z"),
        ("2026-01-05T09:30:00+0100", None),
        ("2026-01-05T09:30:00+01", None),
        ("2026-01-05T09:30:00+01:00:00", None),
        ("2026-01-05T09:30:00\u221201:00", None),
        ("2026-01-05T09:30:00 +01:00", None),
        ("2026-01-05T09:30:00z+01:00", None),
        # Fractions: as many digits as there is room for, after a point.
        ("2026-01-05T09:30:00.5Z", "2026-01-05T09:30:00.500000Z"),
        ("2026-01-05T09:30:00.12345678901234+01:00", "2026-01-05T08:30:00.123456Z"),
        ("2026-01-05T09:30:00.1234567890123456789Z", "2026-01-05T09:30:00.123456Z"),
        ("2026-01-05T09:30:00.12345678901234567890Z", None),  # 41 characters
        ("2026-01-05T09:30:00.Z", None),
        ("2026-01-05T09:30:00,5Z", None),
        # Every part has its digits and its bounds.
        ("2026-01-05T23:59:59Z", "2026-01-05T23:59:59+00:00"),
        ("2026-01-05T09:60:00Z", None),
        ("2026-01-05T9:30:00Z", None),
        ("2026-01-05T09:30Z", None),
        ("2026-1-5T09:30:00Z", None),
        ("2026-00-05T09:30:00Z", None),
        ("2026-13-05T09:30:00Z", None),
        ("2026-01-00T09:30:00Z", None),
        ("2026-01-32T09:30:00Z", None),
        ("2024-02-29T09:30:00Z", "2024-02-29T09:30:00+00:00"),
        ("2026-02-29T09:30:00Z", None),
        ("2000-02-29T09:30:00Z", "2000-02-29T09:30:00+00:00"),
        ("1900-02-29T09:30:00Z", None),
        ("+2026-01-05T09:30:00Z", None),
        (" 2026-01-05T09:30:00Z", None),
        ("2026-01-05T09:30:00Z ", None),
        ("2026-01-05T09:30:00Z\n", None),
        ("2026-01-05_09:30:00Z", None),
        ("2026\u20101-05T09:30:00Z", None),
        ("\u0662026-01-05T09:30:00Z", None),
        # Years: 1900 to 2999, in UTC.
        ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00+00:00"),
        ("1900-01-01T00:00:00+00:01", None),
        ("2999-12-31T23:59:59.999999Z", "2999-12-31T23:59:59.999999+00:00"),
        ("3000-01-01T00:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        # A leap second is one at the end of June or December in UTC, and of the day that it ends.
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"),
        ("1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59.999999Z"),
        ("2015-07-01T01:59:60.25+02:00", "2015-06-30T23:59:59.999999Z"),
        ("2015-06-30T23:59:60+02:00", None),
        ("2016-12-31T23:58:60Z", None),
        ("2026-01-05T09:30:60Z", None),
        ("2016-12-31T23:59:61Z", None),
    ],
)
def test_times(text: str, same_as: str | None) -> None:
    assert event_time_of(text) == (None if same_as is None else event_time_of(same_as))
    assert (event_time_of(text) is None) == (same_as is None)


def test_no_long_text_is_kept() -> None:
    kept = _event_time_of_any.cache_info().currsize
    days = len(_DATES)
    for number in range(100):
        assert event_time_of("2026-01-05T09:30:00." + "0" * 900_000 + f"{number}Z") is None
        assert event_time_of("x" * 900_000 + str(number)) is None
        assert event_time_of("9" * (TIME_LENGTH_MAX + 1)) is None
    assert _event_time_of_any.cache_info().currsize == kept
    assert len(_DATES) == days
    assert max(map(len, _DATES), default=0) <= len("2026-01-05T")


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)]
)
def test_a_day_has_the_hours_that_the_clock_gives_it(day: str, hours: int) -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"))
    number = day_of_text(day)
    assert calendar.end_of(number) - calendar.start_of(number) == hours * HOUR


def test_before_the_cut_off_it_is_still_the_day_before() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"), time(3))
    local = datetime(2026, 6, 2, 2, 59, 59, tzinfo=ZoneInfo("Europe/Berlin"))
    assert day_text(calendar.day_of(event_time(local))) == "2026-06-01"
    assert day_text(calendar.day_of(event_time(local + timedelta(seconds=1)))) == "2026-06-02"


@given(moments, zones)
@example(datetime(2026, 3, 29, 0, 59, 59), "Europe/Berlin")  # noqa: DTZ001 - as above
@example(datetime(2026, 3, 29, 1), "Europe/Berlin")  # noqa: DTZ001 - as above
@example(datetime(2011, 4, 2, 15, 0), "Australia/Lord_Howe")  # noqa: DTZ001 - by half an hour
def test_a_minute_is_the_one_that_a_clock_shows(moment: datetime, zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone))
    shown = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    at = event_time(moment.replace(tzinfo=UTC))
    for _ in range(2):  # what was asked before is known
        assert calendar.minute_of(at) == 60 * shown.hour + shown.minute
    at_begin = at // HOUR * HOUR
    begins = (moment.replace(tzinfo=UTC) - timedelta(microseconds=at - at_begin)).astimezone(
        ZoneInfo(zone)
    )
    assert calendar.minute_of(at_begin) == 60 * begins.hour + begins.minute
