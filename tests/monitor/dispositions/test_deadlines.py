"""Deadlines: any of them can be written down and read again, and a mistake is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.business_day import MICROSECONDS
from monitor.core.threshold import Severity
from monitor.dispositions.deadlines import NUMBERS_MAX, Deadlines

times = st.sampled_from(sorted(NUMBERS_MAX.items())).flatmap(
    lambda unit: st.integers(1, unit[1]).map(lambda number: f"{number}{unit[0]}")
)


@given(st.dictionaries(st.sampled_from(Deadlines._fields), times, min_size=1))
def test_what_is_written_makes_the_same(stated: dict[str, str]) -> None:
    deadlines = Deadlines.of(", ".join(f"{name}={length}" for name, length in stated.items()))
    assert Deadlines.of(str(deadlines)) == deadlines
    for name in Deadlines._fields:
        alone = Deadlines.of(f"{name}={stated[name]}") if name in stated else Deadlines()
        assert getattr(deadlines, name) == getattr(alone, name)
    assert deadlines.lengths() == {
        severity.value: getattr(deadlines, severity.value) * MICROSECONDS for severity in Severity
    }


@pytest.mark.parametrize(
    ("text", "must"),
    [
        ("", "name severities (critical, high, medium, low) with their times"),
        ("high=1d,", "name severities"),
        ("Critical=1h", "name severities"),
        ("low=1d,low=1d", "name low once"),
        ("low", "give low a time of 1d to 366d or 1h to 8784h or 1m to 1440m"),
        ("low=90", "give low a time"),
        ("low=1.5h", "give low a time"),
        ("low=0m", "give low a time"),
        ("low=367d", "give low a time"),
        ("low=1441m", "give low a time"),
    ],
)
def test_a_text_that_states_none_says_what_it_must_do(text: str, must: str) -> None:
    with pytest.raises(ValueError, match=r"^\w") as raised:
        Deadlines.of(text)
    assert str(raised.value).startswith(must)
