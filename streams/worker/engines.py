"""The engine of a partition, as the settings want it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from models.kernels import Loading, are_kept, note_kept
from monitor.core.attributes import Attributes
from monitor.core.review import DayFacts
from monitor.engine.engine import Engine, MakeEngine, plain_engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.ledger.ledger import BUCKETS
from monitor.ledger.rows import WrittenRecords
from monitor.ordinary import layout
from monitor.ordinary.ids import joined_texts
from monitor.ordinary.layout import FIGURES, NONE, room_for_accounts
from monitor.ordinary.names import (
    Names,
    SeenTexts,
    note_models,
    put_facts,
    put_further,
    see_texts,
)
from monitor.ordinary.room import Compaction
from monitor.policy.document import DEFAULT_POLICY, policy_of
from monitor.policy.policy import PolicyBook
from streams.settings import RECORD_BYTES_MAX, Settings, engine_named
from streams.state import keys
from streams.state.journal import chunks_by_day
from streams.wire import columns, lines
from streams.wire.rows import walk


def engine_of(settings: Settings, partition: int, policies: PolicyBook) -> Engine:
    """Return the engine of a partition that has seen nothing."""
    if settings.engine == "plain":
        return Engine(partition, policies, settings.buckets, settings.partitions)
    return OrdinaryEngine(
        partition, policies, settings.buckets, settings.partitions, _KERNELS.are_ready
    )


FILE_BYTES_LEAST: Final = 4 << 20
"""Of files whose rows are worth the half second that loading the kernels takes."""

COMPILED_BYTES_LEAST: Final = 256 << 20
"""Of files whose rows are worth compiling them, too."""


def maker_for_files(environment: Mapping[str, str], paths: Iterable[Path]) -> MakeEngine:
    """Return what makes the engines of a replay over files, as the settings and their size want it.

    Kernels are loaded before it returns if they are worth it. Raises SettingsError.
    """
    size = sum(map(_size, paths))
    is_worth_it = size >= (FILE_BYTES_LEAST if _are_kept() else COMPILED_BYTES_LEAST)
    if engine_named(environment) == "plain" or not is_worth_it:
        return plain_engine
    _load_for_files()
    return _engine_with_arrays


def _are_kept() -> bool:
    """Say whether the machine code of all these kernels is kept on disk."""
    return all(map(are_kept, _FOLDERS))


def _size(path: Path) -> int:
    """Return the bytes of a file, or of a folder's; 0 if it is not there."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size if path.is_file() else 0


def _engine_with_arrays(partition: int, policies: PolicyBook, partitions: int) -> Engine:
    return OrdinaryEngine(partition, policies, BUCKETS, partitions)


def prepare() -> None:
    """Load the kernels now; the first time on a machine they are compiled."""
    _KERNELS.load()


def prepare_soon() -> None:
    """Load them in a thread, if nobody does yet; until they are there Python decides."""
    _KERNELS.are_ready()


def are_ready() -> bool:
    """Return whether the kernels are loaded; until then Python decides."""
    return _KERNELS.are_ready()


_DAYS: Final = 9
_TIME: Final = "2026-03-0{day}T1{hour}:00:00Z"
_LATER: Final = 2_000_000_000_000
"""When the records are written, in milliseconds: after they are dated."""


def _load() -> None:
    """Load all kernels, those that restore state and write batches, too."""
    engine, chunks = _decided()
    _restore(engine, chunks)
    _write_batch()
    _compact(engine)


def _load_for_files() -> None:
    """Load the kernels of a replay over files, which restores nothing."""
    engine, _ = _decided()
    _compact(engine)


def _decided() -> tuple[OrdinaryEngine, list[bytes]]:
    """Let an engine decide on some records, so that each kernel is called with what it will have.

    They are of days that begin and close, of accounts that become objects and rows again. Return
    the engine, and the journal of what it took in.
    """
    columns.prepare()
    lines.load()
    engine = OrdinaryEngine(0, PolicyBook([policy_of(DEFAULT_POLICY)]))
    chunks: list[bytes] = []
    for records in _samples():
        engine.observe_run(columns.read_run([records]))
        for account_id in _ACCOUNTS:
            engine.ledger.find(account_id)
        engine.policies_changed()
        step = engine.take_step()
        for rows in step.entry_rows:
            rows.count_series()
        chunks += [chunk for _, chunk in chunks_by_day(step.entries, step.entry_rows)]
        engine.ledger.deal(len(engine.ledger.buckets))
        engine.ledger.rows_of(sorted(engine.ledger.take_dirty()))
    engine.take_step()
    _see_texts()
    _take_facts()
    return engine, chunks


def _compact(engine: OrdinaryEngine) -> None:
    """Let an engine move its texts together: the last of it, as what it has is of no use then."""
    engine.ledger.is_held("D")
    Compaction().moved(engine.ledger.begin_rows().arrays)
    for folder in _FOLDERS:
        note_kept(folder)


def _restore(engine: OrdinaryEngine, chunks: Sequence[bytes]) -> None:
    """Let another engine begin with what state has of one."""
    from streams.state import changelog  # noqa: PLC0415 - loads the models, which few files need

    restored = OrdinaryEngine(0, engine.policies)
    restored.ledger.attributes.take(_ACCOUNTS[0], Attributes("s"))
    changelog.recover(restored, _kept(engine, chunks))


def _write_batch() -> None:
    """Write a batch of records that stand in an array."""
    from streams.kafka.built_batch import built_batches  # noqa: PLC0415 - loads the client

    spans = np.array([[0, 2, 1]], np.int64)
    list(built_batches([WrittenRecords(np.zeros(2, np.uint8), spans, 1)], 0, RECORD_BYTES_MAX))


def _see_texts() -> None:
    """Call what sees names for the models, which this engine has not."""
    run = columns.read_run([next(_samples())])
    channels = Names.of({None: 0}, NONE)
    see_texts(run.data, run.rows, np.zeros(1, np.int64), channels, SeenTexts.room(1))
    arrays = room_for_accounts(1, 1)
    note_models(
        arrays.numbers, arrays.accounts, arrays.index, arrays.texts, 1, *joined_texts("A"), 0
    )


def _take_facts() -> None:
    """Put down what an account-day may have, for which this engine does not ask."""
    arrays = room_for_accounts(1, 1)
    put_facts(arrays.numbers, arrays.facts, DayFacts())
    put_further(arrays.numbers, arrays.more, {"EUR": [0] * FIGURES})


def _kept(engine: Engine, chunks: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return what the changelog of an engine would keep."""
    from streams.state import changelog  # noqa: PLC0415 - as above

    ledger, writer = engine.ledger, keys.next_writer((), b"")
    numbers = sorted(map(ledger.bucket_of, _ACCOUNTS))
    kept = {
        keys.bucket_key(writer, number): changelog.bucket_bytes(ledger.buckets[number], rows)
        for number, rows in zip(numbers, ledger.rows_of(numbers), strict=True)
    }
    kept |= {keys.journal_key(writer, number): chunk for number, chunk in enumerate(chunks)}
    seal = changelog.Seal(
        ledger.offset_last,
        ledger.marks.marks(),
        ledger.lone,
        ledger.policies.calendar.text(),
        list(ledger.policies.versions),
        len(ledger.buckets),
        writer,
    )
    return kept | {keys.seal_key(writer): changelog.seal_bytes(seal)}


_ACCOUNTS: Final = ("A", "B", 'C"')
"""The last one needs an escape: Python reads its records, and writes its account-days."""


def _samples() -> Iterator[list[columns.BatchRecord]]:
    """Yield runs of records, a run a day."""
    for day in range(1, _DAYS + 1):
        records = []
        for number, account_id in enumerate(_ACCOUNTS * 2):
            fields = {
                "transaction_id": f"T{day}{number}",
                "account_id": account_id,
                "booked_at": _TIME.format(day=day, hour=number),
                "amount": "10.00",
                "currency": "EUR",
                "direction": "debit",
                "segment": "s",
            }
            if number == len(_ACCOUNTS):
                fields["reverses"] = f"T{day}0"
            value = json.dumps(fields).encode()
            key = account_id.encode()
            records.append(columns.BatchRecord(10 * day + number, _LATER, key, value, ()))
        yield records


_KERNELS: Final = Loading(_load, "kernels of ordinary accounts")

_FOLDERS: Final = (Path(walk.__file__).parent, Path(layout.__file__).parent)
"""Of these kernels."""
