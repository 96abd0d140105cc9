"""A schema registry: its documented HTTP API, with schemas kept by their ids.

A record is never passed over because the registry is away: whoever needs a schema waits for it.
"""

import asyncio
import base64
import json
import logging
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPException
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from streams.feed.envelopes.json_events import Event
from streams.feed.envelopes.topic_map import KeyForm
from streams.feed.envelopes.values import UnreadableError
from streams.kafka.broker_error import BrokerError
from streams.log import SAYS
from streams.settings import Settings, SettingsError

_say = logging.getLogger(SAYS)

SECONDS_MAX: Final = 5.0
"""For an answer of the registry."""

AGAIN_SECONDS: Final = 2.0
SAID_SECONDS: Final = 30.0
"""So often it is asked, and said, while it is away."""

UNKNOWN_TRIES: Final = 3
UNKNOWN_SECONDS: Final = 60.0
"""A schema that it does not have is asked for so many times, and then again after this."""

REFUSED_MAX: Final = 10_000
"""So many ids without a schema are remembered: anybody may write any."""

SCHEMA_BYTES_MAX: Final = 16 << 20
_MAGIC: Final = 0
_HEADER: Final = struct.Struct(">bI")
REFERENCES_DEEP: Final = 50
"""So deep schemas may refer to others that do so, too."""

_NO_ANSWER: Final = (OSError, ValueError, HTTPException, RecursionError)
"""What reading an answer raises that is none, or that does not speak HTTP or JSON."""

_NOT_FOUND: Final = 404
_UNKNOWN: Final = frozenset({40401, 40402, 40403})
"""Error codes that say there is no such subject, version, or schema."""

_Made = TypeVar("_Made")


class NoSchemaError(UnreadableError):
    """A schema that the registry does not have, or that cannot be used."""


class AwayError(BrokerError):
    """The registry did not answer, or not as its API says."""


class RegisteredSchema(NamedTuple):
    """A schema as the registry has it: its text, and those that it refers to, by their names."""

    kind: str
    text: str
    references: dict[str, "RegisteredSchema"]


class SchemaRegistry:
    """Asks a registry. `url` is where its API begins; `user` and `password` are for HTTP basic."""

    def __init__(self, url: str, user: str | None = None, password: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if user is not None:
            credentials = base64.b64encode(f"{user}:{password or ''}".encode()).decode()
            self._headers["Authorization"] = f"Basic {credentials}"

    @staticmethod
    def of(settings: Settings) -> "SchemaRegistry":
        """Return the registry of the settings. Raises SettingsError if they name none."""
        if settings.schema_registry is None:
            raise SettingsError(
                ["WEIR_SCHEMA_REGISTRY is missing: the map says that records have schemas' ids"]
            )
        password = None
        if settings.schema_registry_password is not None:
            try:
                password = settings.schema_registry_password.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError([f"WEIR_SCHEMA_REGISTRY_PASSWORD: {error}"]) from None
        return SchemaRegistry(settings.schema_registry, settings.schema_registry_user, password)

    def ensure_there(self) -> None:
        """Raise AwayError if it does not answer, or not as a registry does."""
        try:
            self._asked("/schemas/types")
        except (AwayError, NoSchemaError) as error:
            raise AwayError(f"the schema registry at {self.url} is away: {error}") from None

    def schema(self, number: int) -> RegisteredSchema:
        """Return the schema that has an id, with all that it refers to.

        Raises NoSchemaError if it has no such schema, AwayError if the registry does not say.
        """
        return self._with_references(f"/schemas/ids/{number}", {}, ())

    def _with_references(
        self,
        path: str,
        known: dict[tuple[str, int], RegisteredSchema],
        above: tuple[str, ...],
    ) -> RegisteredSchema:
        if path in above or len(above) > REFERENCES_DEEP:
            raise UnreadableError(f"its schema refers to itself, or too deep, by {path}")
        answer = self._get(path)
        kind = str(answer.get("schemaType") or "AVRO")
        if kind == "PROTOBUF":  # as descriptors, not as the text that a compiler would read
            answer = self._get(f"{path}?format=serialized")
        references: dict[str, RegisteredSchema] = {}
        for name, subject, version in _references_of(answer, path):
            if (subject, version) not in known:
                below = f"/subjects/{quote(subject, safe='')}/versions/{version}"
                known[subject, version] = self._with_references(below, known, (*above, path))
            references[name] = known[subject, version]
        return RegisteredSchema(kind, str(answer["schema"]), references)

    def _get(self, path: str) -> dict[str, Any]:
        found = self._asked(path)
        if not isinstance(found, dict) or "schema" not in found:
            raise AwayError(f"it answers no schema to {path}: {str(found)[:80]!r}")
        return found

    def _asked(self, path: str) -> object:
        """Return the JSON that it answers."""
        request = Request(f"{self.url}{path}", headers=self._headers)  # noqa: S310 - http(s), by the settings
        try:
            with urlopen(request, timeout=SECONDS_MAX) as answer:  # noqa: S310 - as above
                found: object = json.loads(answer.read(SCHEMA_BYTES_MAX))
        except HTTPError as error:
            if error.code == _NOT_FOUND and _error_code(error) in _UNKNOWN:
                raise NoSchemaError(f"the registry has no {path.partition('?')[0]}") from None
            raise AwayError(f"it answers {error.code} {error.reason} to {path}") from None
        except _NO_ANSWER as error:
            raise AwayError(str(error) or repr(error)) from None
        return found


def _references_of(answer: Mapping[str, Any], path: str) -> list[tuple[str, str, int]]:
    """Return what a schema refers to: name, subject, version. Raises AwayError if that is odd."""
    try:
        return [
            (str(part["name"]), str(part["subject"]), int(part["version"]))
            for part in answer.get("references") or ()
        ]
    except (KeyError, TypeError, ValueError):
        said = str(answer["references"])[:80]
        raise AwayError(f"it answers odd references to {path}: {said!r}") from None


def _error_code(error: HTTPError) -> int:
    """Return the code that the body of an error states; 0 if it states none."""
    try:
        with error:
            found = json.loads(error.read(1 << 16))
    except _NO_ANSWER:
        return 0
    code = found.get("error_code") if isinstance(found, dict) else None
    return code if isinstance(code, int) else 0


class KnownSchemas(Generic[_Made]):
    """What was made of the schemas of a registry, by their ids; each is fetched once.

    `patience_seconds`: so long it is waited for a registry that is away.
    """

    def __init__(
        self,
        registry: SchemaRegistry,
        make: Callable[[RegisteredSchema], _Made],
        patience_seconds: float,
    ) -> None:
        self.waited_at = float("-inf")
        self._patience_seconds = patience_seconds
        self._registry = registry
        self._make = make
        self._made: dict[int, _Made] = {}
        self._refused: dict[int, tuple[float, UnreadableError]] = {}

    def made(self, number: int) -> _Made:
        """Return what was made of a schema. Raises UnreadableError if nothing was."""
        if number in self._made:
            return self._made[number]
        _, error = self._refused.get(number, (0.0, UnreadableError(f"its schema is {number}")))
        raise error

    async def fetch(self, numbers: Iterable[int]) -> None:
        """Fetch the schemas that are not known; wait if the registry is away.

        Raises AwayError if it is so for too long.
        """
        now = time.monotonic()
        wanted = [
            number
            for number in sorted(set(numbers) - self._made.keys())
            if number not in self._refused or now - self._refused[number][0] > UNKNOWN_SECONDS
        ]
        # All of them at a time: a producer that writes anything must not make us wait for each.
        for tries in range(UNKNOWN_TRIES):
            if wanted and tries:
                await asyncio.sleep(AGAIN_SECONDS)
            wanted = [number for number in wanted if not await self._is_settled(number)]
        while len(self._refused) > REFUSED_MAX:
            del self._refused[next(iter(self._refused))]

    async def _is_settled(self, number: int) -> bool:
        """Ask for a schema; return whether it need not be asked for again."""
        try:
            schema = await self._answer(number)
            self._made[number] = self._make(schema)
        except UnreadableError as error:
            self._refused.pop(number, None)
            self._refused[number] = time.monotonic(), error
            return not isinstance(error, NoSchemaError)
        return True

    async def _answer(self, number: int) -> RegisteredSchema:
        """Return a schema as soon as the registry answers. Raises NoSchemaError, AwayError."""
        said_at, began_at = float("-inf"), time.monotonic()
        while True:
            self.waited_at = time.monotonic()
            try:
                found = await asyncio.to_thread(self._registry.schema, number)
            except AwayError as error:
                if time.monotonic() - began_at >= self._patience_seconds:
                    said = f"the schema registry at {self._registry.url} is away: {error}"
                    raise AwayError(said) from None
                if time.monotonic() - said_at >= SAID_SECONDS:
                    said_at = time.monotonic()
                    _say.warning(
                        "the schema registry at %s is away, and records wait for schema %d: %s",
                        self._registry.url,
                        number,
                        error,
                    )
            else:
                if said_at > float("-inf"):
                    _say.info("the schema registry answers again")
                return found
            await asyncio.sleep(AGAIN_SECONDS)


def schema_number(value: bytes) -> int:
    """Return the id of the schema that a record begins with.

    Raises UnreadableError if it does not begin as Confluent's wire format does.
    """
    if len(value) < _HEADER.size or value[0] != _MAGIC:
        raise UnreadableError(
            "it does not begin with the byte 0 and the id of a schema, as Confluent's wire format"
            f" does: {value[:8]!r}"
        )
    return int(_HEADER.unpack_from(value)[1])


def schema_numbers(values: Iterable[bytes]) -> set[int]:
    """Return the ids of the schemas of some records."""
    return {
        _HEADER.unpack_from(value)[1]
        for value in values
        if len(value) >= _HEADER.size and value[0] == _MAGIC
    }


class WireFormat(Protocol[_Made]):
    """Reads what follows the ids of schemas."""

    def made(self, schema: RegisteredSchema) -> _Made:
        """Return what reads the records of a schema. Raises UnreadableError if nothing does."""
        ...

    def event(self, reader: _Made, value: bytes) -> Event:
        """Return what a record holds. Raises UnreadableError if it does not fit its schema."""
        ...


class RegisteredEvents(Generic[_Made]):
    """Reads records that begin with the id of a schema; `key` says how their keys name accounts."""

    def __init__(
        self,
        registry: SchemaRegistry,
        of_format: WireFormat[_Made],
        key: KeyForm | None,
        patience_seconds: float,
    ) -> None:
        self._known = KnownSchemas(registry, of_format.made, patience_seconds)
        self._format = of_format
        self._key = key if key is not None and key.schema is not None else None

    @property
    def waited_at(self) -> float:
        """When somebody waited for a schema last, in seconds of the monotonic clock."""
        return self._known.waited_at

    async def prepare(self, values: Iterable[bytes]) -> None:
        """Fetch the schemas of records; wait for the registry. Raises AwayError."""
        numbers = schema_numbers(values)
        if self._key is not None and self._key.schema is not None:
            numbers.add(self._key.schema)
        await self._known.fetch(numbers)

    def event(self, value: bytes) -> Event:
        """Return what a record holds. Raises UnreadableError if that cannot be read."""
        number = schema_number(value)
        return self._format.event(self._known.made(number), value[_HEADER.size :])

    def key_fault(self, key: bytes | None, account: str) -> str | None:
        """Return why a key does not name an account as the map says; None if it does."""
        form = self._key
        assert form is not None
        try:
            number = schema_number(key or b"")
            if number != form.schema:
                return f"the record's key has the schema {number}, and by the map {form.schema}"
            found = self.event(key or b"")
        except UnreadableError as error:
            return f"the record has the key {(key or b'')[:40]!r}: {error}"
        root = found.root if form.field else {"": found.root}
        if not isinstance(root, dict) or root.keys() != {form.field}:
            return f"the record's key must have the field {form.field!r}, and no other"
        named = root[form.field]
        if isinstance(named, bool | float | bytes | dict | list) or str(named) != account:
            return f"the record's key names {str(named)[:40]!r}, its account_id is {account[:40]!r}"
        return None
