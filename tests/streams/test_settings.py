"""Settings: every variable by name, every mistake in one message, nothing unknown passed over."""

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.settings import Settings, SettingsError, settings_of, variable

BROKER = {"WEIR_BROKER": "localhost:9092"}


def problems_of(environment: dict[str, str], **given: str | None) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        settings_of(environment, **given)
    for problem in raised.value.problems:
        assert problem in str(raised.value)
    return raised.value.problems


def outcome_of(environment: dict[str, str]) -> Settings | SettingsError:
    try:
        return settings_of(environment)
    except SettingsError as error:
        return error


def test_the_broker_is_all_that_must_be_stated() -> None:
    settings = settings_of(BROKER)
    assert settings.broker == "localhost:9092"
    assert settings.policy is None
    (problem,) = problems_of({})
    assert problem.startswith("WEIR_BROKER is missing")


def test_what_is_no_variable_of_ours_is_nothing_to_us() -> None:
    assert settings_of({**BROKER, "HOME": "/root", "weir_group": "x"}).group == "weir"


def test_what_is_missing_is_named_with_its_option_where_there_is_one() -> None:
    with pytest.raises(SettingsError, match=r"WEIR_BROKER is missing, and so is --broker\. The"):
        settings_of({}, broker=None)


def test_an_option_comes_before_the_environment() -> None:
    assert settings_of(BROKER, broker="kafka-1:9092").broker == "kafka-1:9092"
    assert settings_of(BROKER, broker=None).broker == "localhost:9092"


def test_settings_make_the_variables_that_make_them() -> None:
    stated = {
        "WEIR_POLICY": "p.toml", "WEIR_GROUP": "g", "WEIR_TOPIC_PREFIX": "", "WEIR_PARTITIONS": "8",
        "WEIR_LATE_AFTER": "low=36h, high=30m",
        "WEIR_TRANSPORT": "plain", "WEIR_FLUSH_SECONDS": "0.25", "WEIR_DATA_DIR": "/var/weir",
    }  # fmt: skip
    settings = settings_of(BROKER | stated)
    assert (settings.policy, settings.partitions) == (Path("p.toml"), 8)
    assert settings.flush_seconds == 0.25
    assert settings_of(settings.variables()) == settings
    assert set(settings.variables()) <= {variable(field.name) for field in fields(Settings)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BROKER", "localhost"), ("BROKER", ":9092"), ("BROKER", "localhost:"), ("BROKER", ""),
        ("BROKER", "a:1,b"), ("BROKER", "a:0"), ("BROKER", "a:65536"), ("BROKER", "a:\u00b2"),
        ("POLICY", ""), ("GROUP", "  "), ("TOPIC_PREFIX", "a b"), ("TOPIC_PREFIX", "x" * 101),
        ("INSTANCE", ""), ("INSTANCE", "a b"), ("INSTANCE", ".."), ("INSTANCE", "x" * 250),
        ("PARTITIONS", "0"), ("PARTITIONS", "-1"), ("PARTITIONS", "1.5"), ("PARTITIONS", "\u00b2"),
        ("PARTITIONS", "10001"), ("BUCKETS", "65537"), ("TRANSPORT", "fast"),
        ("FLUSH_SECONDS", "0"), ("FLUSH_SECONDS", "inf"), ("FLUSH_SECONDS", "nan"),
        ("FLUSH_SECONDS", "1e1"), ("FLUSH_SECONDS", "61"), ("METRICS_PORT", "65536"),
        ("LATE_AFTER", ""), ("LATE_AFTER", "high"), ("LATE_AFTER", "urgent=1h"),
        ("LATE_AFTER", "high=0h"), ("LATE_AFTER", "high=367d"), ("LATE_AFTER", "high=1h,high=2h"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_said_with_its_variable(name: str, value: str) -> None:
    (problem,) = problems_of(BROKER | {f"WEIR_{name}": value})
    assert problem.startswith(f"WEIR_{name} must ")
    assert problem.endswith(f", not {value!r}")


def test_an_unknown_variable_is_a_mistake_and_the_known_ones_are_said() -> None:
    (problem,) = problems_of(BROKER | {"WEIR_PARTITION": "4"})
    assert problem.startswith("WEIR_PARTITION is not a setting: use one of WEIR_")
    assert "WEIR_PARTITIONS" in problem


def test_one_lost_heartbeat_may_not_cost_the_partitions() -> None:
    (problem,) = problems_of(
        BROKER | {"WEIR_HEARTBEAT_SECONDS": "4", "WEIR_SESSION_TIMEOUT_SECONDS": "6"}
    )
    assert "more than half" in problem
    settings_of(BROKER | {"WEIR_HEARTBEAT_SECONDS": "3", "WEIR_SESSION_TIMEOUT_SECONDS": "6"})


def test_all_mistakes_come_in_one_message() -> None:
    problems = problems_of({"WEIR_PARTITIONS": "x", "WEIR_WAT": "1", "WEIR_BUCKETS": "0"})
    assert [problem.split(" ")[0] for problem in problems] == [
        "WEIR_WAT", "WEIR_BROKER", "WEIR_PARTITIONS", "WEIR_BUCKETS",
    ]  # fmt: skip


names = st.sampled_from([variable(field.name) for field in fields(Settings)])


@example({"WEIR_TLS_CA": "\0"})
@given(st.dictionaries(names, st.text(max_size=8) | st.integers().map(str)))
def test_any_values_are_settings_or_a_list_of_problems(environment: dict[str, str]) -> None:
    outcome = outcome_of(BROKER | environment)
    if isinstance(outcome, SettingsError):
        assert outcome.problems
    else:
        assert settings_of(outcome.variables()) == outcome
