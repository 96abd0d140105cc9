"""Change events in Avro by the schemas of a real registry."""

import asyncio
from collections.abc import Iterator

import pytest

from monitor.core.transaction import Transaction
from streams.feed.envelopes.mapped import MappedRecords
from streams.feed.envelopes.registry import NoSchemaError, SchemaRegistry
from streams.feed.envelopes.topic_map import topic_map_of_text
from streams.wire.columns import DecodedRun, read_run
from tests.kafka.apicurio import apicurio, apicurio_folder, register
from tests.kafka.jars import KafkaUnavailableError
from tests.streams.feed.envelopes.test_mapped import BOOKING
from tests.support.envelopes import map_text
from tests.support.records import Record
from tests.support.registries import avro_event, event_schema, row_schema

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    try:
        apicurio_folder()
    except KafkaUnavailableError as error:
        pytest.skip(str(error))
    with apicurio() as address:
        yield address


def read(url: str, value: bytes) -> DecodedRun:
    text = map_text("debezium", more='format = "avro"\n')
    mapped = MappedRecords(topic_map_of_text(text, "map"), SchemaRegistry(url))
    return asyncio.run(mapped.read([[Record(0, value, b"1001")]]))


def test_a_record_is_read_by_the_schema_that_was_registered(url: str) -> None:
    number = register(url, "bookings-value", event_schema())
    run = read(url, avro_event(BOOKING, number))
    assert isinstance(run.items[0], Transaction)
    assert run.items == read_run([[Record(0, BOOKING.own(), b"1001")]]).items


def test_a_schema_may_refer_to_another(url: str) -> None:
    register(url, "row/of-bookings".replace("/", "%2F"), row_schema())
    schema = event_schema()
    schema["fields"][0]["type"][1] = "bank.public.bookings.Value"
    reference = {
        "name": "bank.public.bookings.Value", "subject": "row/of-bookings", "version": 1,
    }  # fmt: skip
    number = register(url, "referring-value", schema, references=[reference])
    (item,) = read(url, avro_event(BOOKING, number)).items
    assert isinstance(item, Transaction)


def test_it_says_that_it_has_no_schema(url: str) -> None:
    with pytest.raises(NoSchemaError):
        SchemaRegistry(url).schema(987654)
