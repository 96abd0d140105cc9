"""Times of cells: honoured or left alone, never half read."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.business_day import event_time_of
from monitor.core.table_reader import TableReader
from streams.feed.maps.times import TIME_RULES, refuse_times, time_step_of


def problems_of(**stated: object) -> list[str]:
    reader = TableReader(stated, "x.")
    for key, (is_good, meant) in TIME_RULES.items():
        if key in stated and not is_good(stated[key]):
            reader.refuse(f"{key}: {meant}")
    refuse_times(reader)
    return reader.problems


def made(cell: str, **stated: object) -> str:
    assert problems_of(**stated) == []
    return time_step_of(stated)(cell)


@pytest.mark.parametrize(
    ("cell", "stated", "text"),
    [
        ("1700000000", {"epoch": "seconds"}, "2023-11-14T22:13:20Z"),
        ("1700000000.25", {"epoch": "seconds"}, "2023-11-14T22:13:20.250000Z"),
        ("1700000000123", {"epoch": "milliseconds"}, "2023-11-14T22:13:20.123000Z"),
        ("1700000000123456", {"epoch": "microseconds"}, "2023-11-14T22:13:20.123456Z"),
        ("45000.3958333333", {"epoch": "excel"}, "2023-03-15T09:30:00Z"),
        ("45000", {"epoch": "excel", "time_zone": "Europe/Berlin"}, "2023-03-15T00:00:00+01:00"),
        ("26", {"step": "1h", "start": "2026-01-01T00:00:00Z"}, "2026-01-02T02:00:00Z"),
        ("05.01.2026", {"format": ["%Y-%m-%d", "%d.%m.%Y"]}, "2026-01-05T00:00:00Z"),
        ("2026-01-05", {"format": ["%Y-%m-%d", "%d.%m.%Y"]}, "2026-01-05T00:00:00Z"),
        ("5 mrt 2026", {"format": "%d %b %Y", "months": [
            "jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec",
        ]}, "2026-03-05T00:00:00Z"),
        ("05.01.", {"format": "%d.%m.", "year": 2026}, "2026-01-05T00:00:00Z"),
        ("29.02.", {"format": "%d.%m.", "year": 2024}, "2024-02-29T00:00:00Z"),
        ("05/01/68", {"format": "%d/%m/%y", "years_from": 1950}, "1968-01-05T00:00:00Z"),
        ("05/01/49", {"format": "%d/%m/%y", "years_from": 1950}, "2049-01-05T00:00:00Z"),
        ("2026-01-05 09:00 UTC", {"format": "%Y-%m-%d %H:%M %Z", "time_zone": "Europe/Berlin"},
         "2026-01-05T09:00:00Z"),
        ("2026-01-05 09:00 CET", {"format": "%Y-%m-%d %H:%M %Z", "zones": {"CET": "+01:00"}},
         "2026-01-05T09:00:00+01:00"),
        ("Mon Jan 05 09:00:00 GMT 2026", {"format": "%a %b %d %H:%M:%S %Z %Y"},
         "2026-01-05T09:00:00Z"),
        ("2026-01-05 09:00 +0530", {"format": "%Y-%m-%d %H:%M %z"}, "2026-01-05T09:00:00+05:30"),
    ],
)  # fmt: skip
def test_a_cell_is_read_as_it_is_written(cell: str, stated: dict[str, object], text: str) -> None:
    assert made(cell, **stated) == text


@pytest.mark.parametrize(
    ("cell", "stated"),
    [
        ("2026-01-05 09:00 CET", {"format": "%Y-%m-%d %H:%M %Z"}),  # nobody said what CET is
        ("2026-01-05 09:00", {"format": "%Y-%m-%d %H:%M %Z"}),
        ("29.02.", {"format": "%d.%m.", "year": 2026}),
        ("1e9", {"epoch": "seconds"}),
        ("99999999999999999", {"epoch": "seconds"}),
        ("NaN", {"step": "1h", "start": "2026-01-01T00:00:00Z"}),
        ("01/05/2026 x", {"format": ["%d/%m/%Y"]}),
    ],
)
def test_a_cell_that_says_no_time_is_handed_on(cell: str, stated: dict[str, object]) -> None:
    assert made(cell, **stated) == cell
    assert event_time_of(cell) is None


@pytest.mark.parametrize(
    "stated",
    [
        {"format": ["%d/%m/%Y", "%m/%d/%Y"]},
        {"format": ["%Y%m%d", "%Y%d%m"]},
        {"format": ["%d.%m.%y", "%y.%m.%d"]},
        {"format": ["%d%m%Y", "%m%d%Y"]},
        {"format": "%d.%m."},
        {"format": "%d %Y"},
        {"format": "%Y-%m-%dT%H:%M:%SZ", "time_zone": "Europe/Berlin"},
        {"format": "%Y-%m-%d %H:%M:%S +0000", "time_zone": "Europe/Berlin"},
        {"format": "%d/%m/%Y", "years_from": 1950},
        {"format": "%d/%m/%Y", "year": 2026},
        {"format": "%d/%m/%Y", "zones": {"CET": "+01:00"}},
        {"format": "%d/%m/%Y", "epoch": "seconds"},
        {"epoch": "seconds", "time_zone": "Europe/Berlin"},
        {"epoch": "weeks"},
        {"step": "1h"},
        {"step": "0h", "start": "2026-01-01T00:00:00Z"},
        {"step": "1h", "start": "2026-01-01T00:00:00"},
        {"time": "12:00", "time_column": "t"},
        {"format": "%d %b %Y", "months": ["jan"] * 12},
        {"format": "%H %Z %Y%m%d", "zones": {"CET": "1"}},
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(stated: dict[str, object]) -> None:
    assert problems_of(**stated)


@pytest.mark.parametrize(
    "formats",
    [["%d/%m/%Y", "%d/%m/%y"], ["%Y-%m-%d", "%d.%m.%Y"], ["%d/%m/%Y %H:%M", "%d/%m/%Y"]],
)
def test_formats_that_cannot_be_confused_stand_together(formats: list[str]) -> None:
    assert problems_of(format=formats) == []


@given(st.dates(date(1950, 1, 1), date(2049, 12, 31)))
def test_a_year_of_two_digits_is_one_of_the_stated_hundred(day: date) -> None:
    text = made(f"{day:%d.%m.%y}", format="%d.%m.%y", years_from=1950)
    assert text == f"{day}T00:00:00Z"


@given(st.integers(-(10**10), 10**10), st.integers(0, 999_999))
def test_an_epoch_is_exact_to_the_microsecond(seconds: int, micros: int) -> None:
    text = made(f"{seconds}", epoch="seconds")
    meant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert datetime.fromisoformat(text) == meant
    after = made(f"{abs(seconds)}.{micros:06}", epoch="seconds")
    assert datetime.fromisoformat(after) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        seconds=abs(seconds), microseconds=micros
    )
