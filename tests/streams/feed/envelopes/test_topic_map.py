"""A map of a topic says all that is wrong with it at once."""

from pathlib import Path

import pytest

from streams.feed.envelopes.mapped import records_reading
from streams.feed.envelopes.topic_map import KeyForm, topic_map_of, topic_map_of_text
from streams.feed.mapping import FeedError
from streams.settings import SettingsError, settings_of
from tests.support.envelopes import map_text


def problems_of(text: str) -> str:
    with pytest.raises(FeedError) as raised:
        topic_map_of_text(text, "x.toml")
    return "\n".join(raised.value.problems)


def test_a_map_is_read_with_its_envelope_key_and_types() -> None:
    made = topic_map_of_text(map_text("debezium", more="""key = { before = "a" }\n"""), "x.toml")
    assert (made.envelope, made.format, made.updates) == ("debezium", "json", "reject")
    assert made.key == KeyForm(b"a")
    assert {path: of_type.scale for path, of_type in made.types.items()} == {
        "after.amount": 2, "after.booked_at": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"debezium"', '"debezium2"', "topic.envelope is 'debezium2'"),
        ("[topic]", "skip_lines = 2\n[topic]", "skip_lines is for files"),
        ("[topic]", "[topic]\nother = 1", "other"),
        ('key = "unchecked"', "key = 7", "key is 7"),
        ('key = "unchecked"', "key = { schema = 7 }", "write what stands around"),
        ('key = "unchecked"', 'key = { schema = 7, field = "a" }', "topic.format is json"),
        ("= 2 }", '= "two" }', "scales has after.amount = 'two'"),
        ('"microseconds"', '"hours"', "times has after.booked_at = 'hours'"),
        ('"microseconds"', "[]", "times has after.booked_at = []"),
        ('"after.amount" = 2', '"after.booked_at" = 2', "scales and times both say what"),
        ('"after.currency"', '"currency"', "write e.g. after.currency"),
        ('"after.currency"', '"payload.after.currency"', "write e.g. after.currency"),
        ('"after.currency"', '"after..currency"', "is no path into an object"),
        ('"after.currency"', "3", "3 is a column's number"),
        ('transaction_id = "after.id"', 'transaction_id = { template = "{row}" }', "other rows"),
        (
            'transaction_id = "after.id"',
            'transaction_id = { content = ["after.id"] }',
            "other rows",
        ),
        ('"after.amount" = 2', '"after.amonut" = 2', "after.amonut, which no column"),
        ('currency = "after.currency"', "", "columns.currency is missing"),
    ],
)
def test_a_problem_is_said(old: str, new: str, told: str) -> None:
    text = map_text("debezium")
    assert old in text
    assert told in problems_of(text.replace(old, new, 1))


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = map_text("debezium").replace('"debezium"', '"x"').replace("currency =", "curency =")
    assert len(problems_of(text).splitlines()) >= 3
    (tmp_path / "m.toml").write_bytes(b"\xff")
    with pytest.raises(FeedError, match="not TOML"):
        topic_map_of(tmp_path / "m.toml")
    assert "not TOML" in problems_of("= 1")
    assert "not TOML: nested too deep" in problems_of("a = " + "[" * 50_000)
    assert "write [topic]" in problems_of("topic = 1")


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_map_that_cannot_be_opened_is_said_with_its_setting(tmp_path: Path, name: str) -> None:
    settings = settings_of({"WEIR_TRANSACTIONS_MAP": str(tmp_path / name)}, broker="h:1")
    with pytest.raises(SettingsError) as raised:
        records_reading(settings)
    assert "WEIR_TRANSACTIONS_MAP" in str(raised.value)
    assert str(tmp_path / name) in str(raised.value)
