"""Runs of the transactions topic: as they are, or made into Weir's own records by a map.

What a map makes of a record is a record as Weir writes one, with the account as its key, and all
that reads records reads that one. So a mapped record decides as the same record in Weir's own JSON.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from monitor.core.transaction import LeftOut, Reason, Rejection, Transaction
from streams.feed.envelopes.json_events import Event, JsonEvents
from streams.feed.envelopes.registry import RegisteredEvents, SchemaRegistry
from streams.feed.envelopes.topic_map import (
    AVRO,
    CONNECT,
    DEBEZIUM,
    JSON,
    NONE,
    READ,
    KeyForm,
    TopicMap,
    topic_map_of,
)
from streams.feed.envelopes.values import DECIMAL, FLOATS, UnreadableError, text_of
from streams.feed.mapping import FeedError
from streams.feed.maps.json_lines import Path_, path_of, value_at
from streams.feed.rows import Shape
from streams.settings import Settings, SettingsError
from streams.wire import codec
from streams.wire.columns import DecodedRun, Piece, read_run, records_of, run_of_made

PATIENCE_SECONDS: Final = 30.0
"""So long a command waits for a registry that is away; a worker does so without end."""

LEFT_OUT: Final = LeftOut(Reason.MALFORMED, "a [[where]] of the map leaves it out")
_TOMBSTONE: Final = Rejection(
    Reason.MALFORMED, "the record has no value: it is a tombstone, by which its key was deleted"
)
_REFUSED: Final = {
    "u": "its row was updated after it was written (op u): a booking is taken back by a row with"
    ' reverses, or write updates = "read" in the map',
    "d": "its row was deleted (op d): a booking is taken back by a row with reverses",
    "t": "all rows were deleted (op t): bookings are taken back by rows with reverses",
    "m": "it is a message of the log, and no row (op m)",
}
_CREATED: Final = frozenset("cr")


class Records(Protocol):
    """How the records of the transactions topic are read."""

    @property
    def waited_at(self) -> float:
        """When somebody waited for a schema last, in seconds of the monotonic clock."""

    async def read(self, pieces: Sequence[Piece]) -> DecodedRun:
        """Return the records of a run, whose pieces are in the order of their offsets."""
        ...

    def key_of(self, account_id: str) -> bytes | None:
        """Return the key of an account's records; None if that is not known."""
        ...


class OwnRecords:
    """Records as Weir writes them."""

    waited_at = float("-inf")

    async def read(self, pieces: Sequence[Piece]) -> DecodedRun:
        """Return the records of a run, as `read_run` does."""
        return read_run(pieces)

    def key_of(self, account_id: str) -> bytes | None:
        """Return the account's id."""
        return account_id.encode()


class MappedRecord(NamedTuple):
    """A record of Weir's that was made of another one."""

    offset: int
    timestamp: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class Events(Protocol):
    """Reads records of one format."""

    @property
    def waited_at(self) -> float:
        """When somebody waited for a schema last, in seconds of the monotonic clock."""

    async def prepare(self, values: Iterable[bytes]) -> None:
        """Fetch what is needed to read records; wait until it is there."""
        ...

    def event(self, value: bytes) -> Event:
        """Return what a record holds. Raises UnreadableError if that cannot be read."""
        ...

    def key_fault(self, key: bytes | None, account: str) -> str | None:
        """Return why a key with a schema does not name an account; None if it does."""
        ...


class MappedRecords:
    """Records of others, read by a map; those with the ids of schemas need a registry.

    Raises FeedError if the extra `schemas` is needed and not installed.
    """

    def __init__(
        self,
        topic_map: TopicMap,
        registry: SchemaRegistry | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._map = topic_map
        feed = topic_map.feed
        self._groups = feed.groups
        paths = {name: path_of(name) or () for group in self._groups for name in group}
        self._paths = paths
        self._shape = Shape(Path("topic"), list(paths), feed)
        self._amounts = frozenset(name for names in feed.fields["amount"].needs for name in names)
        self._events = _events_of(topic_map, paths, registry, patience_seconds)

    @property
    def waited_at(self) -> float:
        """When somebody waited for a schema last, in seconds of the monotonic clock."""
        return self._events.waited_at

    async def read(self, pieces: Sequence[Piece]) -> DecodedRun:
        """Return what the map makes of a run.

        Raises DamagedBatchError as `read_run`, AwayError if a registry is away for too long.
        """
        records = records_of(pieces)
        await self._events.prepare(record.value for record in records if record.value)
        return self.run_of(records)

    def key_of(self, account_id: str) -> bytes | None:
        """Return what the map says of an account's key; None if it says nothing of it."""
        key = self._map.key
        if key is None or key.schema is not None:
            return None
        return key.before + account_id.encode() + key.after

    def run_of(self, records: Sequence[codec.Record]) -> DecodedRun:
        """Return what the map makes of records that are prepared for."""
        made = [MappedRecord(record.offset, record.timestamp) for record in records]
        aside: dict[int, Rejection] = {}
        cells: list[list[str | None]] = []
        places: list[int] = []
        for place, record in enumerate(records):
            value = record.value
            if value is None:
                aside[record.offset] = _TOMBSTONE
            elif codec.may_be_heartbeat(value) and codec.is_heartbeat(value):
                made[place] = made[place]._replace(value=value)
            else:
                try:
                    cells.append(self._cells_of(value))
                    places.append(place)
                except UnreadableError as error:
                    aside[record.offset] = Rejection(Reason.MALFORMED, str(error))
        table = zip(*cells, strict=True) if cells else [[] for _ in self._groups]
        columns = {group[0]: column for group, column in zip(self._groups, table, strict=True)}
        shaped = self._shape.of_columns(columns, places)
        left_out = set(places)
        for place, fields in zip(shaped.numbers, shaped.rows, strict=True):
            left_out.discard(place)
            value = codec.transaction_bytes(fields)
            found = self._keyed(records[place], fields[1] or "", value)
            if isinstance(found, Rejection):
                aside[records[place].offset] = found
            else:
                made[place] = made[place]._replace(key=found, value=value)
        for place, value in shaped.raw:
            left_out.discard(place)
            made[place] = made[place]._replace(value=value)
        aside |= {records[place].offset: LEFT_OUT for place in left_out}
        return run_of_made(records, made, aside)

    def _cells_of(self, value: bytes) -> list[str | None]:
        """Return the texts at the paths of the map. Raises UnreadableError if there is no row."""
        event = self._events.event(value)
        if not isinstance(event.root, dict):
            raise UnreadableError("its payload is no object: it holds no row")
        is_json = self._map.format == JSON
        if self._map.envelope == CONNECT and is_json and not event.has_schema:
            raise UnreadableError("beside its payload there must be a schema, and nothing else")
        if self._map.envelope == DEBEZIUM:
            self._ensure_row(event.root)
        return [self._cell_of(event, names) for names in self._groups]

    def _ensure_row(self, event: Mapping[str, object]) -> None:
        """Raise UnreadableError if a change event of Debezium brings no new row."""
        op = event.get("op")
        if not isinstance(op, str):
            raise UnreadableError("it is no change event of Debezium: it has no op")
        if op not in _CREATED and not (op == "u" and self._map.updates == READ):
            raise UnreadableError(_REFUSED.get(op, f"its op is {op[:40]!r}: c, r, u or d is known"))
        if not isinstance(event.get("after"), dict):
            raise UnreadableError("it is a change event without a row: its after is null")

    def _cell_of(self, event: Event, names: Sequence[str]) -> str | None:
        for name in names:
            value = value_at(event.root, self._paths[name])
            if value is None:
                continue
            of_type = event.types.get(name)
            if of_type is None and not event.has_schema:
                of_type = self._map.types.get(name)
            is_float = isinstance(value, float) or (of_type is not None and of_type.kind in FLOATS)
            if is_float and name in self._amounts:
                raise UnreadableError(
                    f"{name} is a binary float, which is no exact amount: let its connector write"
                    " decimals, of Debezium by decimal.handling.mode=precise"
                )
            is_base64 = isinstance(value, str) and of_type is not None and of_type.name == DECIMAL
            if is_base64 and self._map.format != JSON:
                raise UnreadableError(f"{name} is a text, and no decimal's bytes")
            return text_of(value, of_type, name)
        return None

    def _keyed(
        self, record: codec.Record, account_id: str, value: bytes
    ) -> bytes | Rejection | None:
        """Return the key of a made record: of a transaction its account, or why its key is wrong.

        If one account had two keys, its records would be in two partitions, each with a part of
        its totals.
        """
        own = account_id.encode()
        said = self._key_fault(record.key, account_id)
        if said is None:
            return own
        item = codec.decode(value)
        return Rejection(Reason.WRONG_KEY, said) if isinstance(item, Transaction) else item

    def _key_fault(self, key: bytes | None, account: str) -> str | None:
        form = self._map.key
        if form is None:
            return None
        if form.schema is not None:
            return self._events.key_fault(key, account)
        return _frame_fault(form, key, account.encode())


def _frame_fault(form: KeyForm, key: bytes | None, account: bytes) -> str | None:
    """Return why a key is not what a map says of an account's; None if it is."""
    meant = form.before + account + form.after
    if key == meant:
        return None
    said = "no key" if key is None else f"the key {key[:80]!r}"
    return f"the record has {said}, and by the map its account's is {meant[:80]!r}"


def records_reading(settings: Settings, patience_seconds: float = PATIENCE_SECONDS) -> Records:
    """Return how the settings read the transactions topic.

    `patience_seconds`: so long a schema is waited for if the registry is away.

    Raises FeedError if WEIR_TRANSACTIONS_MAP cannot be used, SettingsError if it needs a schema
    registry and the settings name none, or the map cannot be opened.
    """
    if settings.transactions_map is None:
        return OwnRecords()
    try:
        topic_map = topic_map_of(settings.transactions_map)
    except OSError as error:
        raise SettingsError([f"WEIR_TRANSACTIONS_MAP: {error}"]) from None
    registry = None if topic_map.format == JSON else SchemaRegistry.of(settings)
    return MappedRecords(topic_map, registry, patience_seconds)


def _events_of(
    topic_map: TopicMap,
    paths: Mapping[str, Path_],
    registry: SchemaRegistry | None,
    patience_seconds: float,
) -> Events:
    if topic_map.format == JSON:
        return JsonEvents(paths, is_wrapped=topic_map.envelope != NONE)
    assert registry is not None
    try:
        if topic_map.format == AVRO:
            from streams.feed.envelopes.avro_events import AvroFormat  # noqa: PLC0415 - an extra

            return RegisteredEvents(registry, AvroFormat(paths), topic_map.key, patience_seconds)
        from streams.feed.envelopes.protobuf_events import ProtobufFormat  # noqa: PLC0415 - as above

        return RegisteredEvents(registry, ProtobufFormat(paths), topic_map.key, patience_seconds)
    except ImportError as error:
        problem = (
            f"topic.format is {topic_map.format}: pip install 'weir-monitor[schemas]' ({error})"
        )
        raise FeedError([problem], topic_map.source) from None
