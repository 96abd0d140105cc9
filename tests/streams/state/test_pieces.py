"""Values that outgrow a record: whatever is cut off, the newest whole version counts."""

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.producer import Outgoing, ensure_fits
from streams.settings import RECORD_BYTES_MAX
from streams.state import changelog, pieces
from streams.state.pieces import Kept, Pieces

KEY = b"m:core"


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_BYTES_MAX", 10)
        yield


def value(offset: int, data: bytes) -> bytes:
    return struct.pack(">q", offset) + data


versions = st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=45)), min_size=1, max_size=6)


@given(versions, st.data())
def test_cut_anywhere_the_last_whole_version_is_there(
    drawn: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    """Versions are written one after the other, with the tombstones before each; then a crash."""
    offset, kept = 0, dict[bytes, bytes]()
    own = Pieces(Kept(kept), b"w")
    expected: bytes | None = None
    crash_at = data.draw(st.integers(0, len(drawn) - 1))
    for number, (more, content) in enumerate(drawn):
        offset += more
        needless = own.needless()
        records = list(own.records(KEY, value(offset, content)))
        writes = [*((key, None) for key in needless), *records]
        cut = data.draw(st.integers(0, len(writes))) if number == crash_at else len(writes)
        changelog.keep(kept, writes[:cut])
        if cut == len(writes):
            expected = value(offset, content)
        whole = Kept(kept).whole(KEY)
        assert (None if whole is None else whole.value) == expected
        if number == crash_at:
            break
    # Whoever comes next takes on what is there, and leaves nothing else behind.
    following = Pieces(Kept(kept), b"x", [KEY])
    changelog.keep(kept, [*((key, None) for key in following.needless())])
    whole = Kept(kept).whole(KEY)
    assert (None if whole is None else whole.value) == expected
    changelog.keep(kept, following.records(KEY, value(offset + 1, b"z" * 33)))
    changelog.keep(kept, [(key, None) for key in following.needless()])
    whole = Kept(kept).whole(KEY)
    assert whole is not None
    assert whole.value == value(offset + 1, b"z" * 33)
    assert set(kept) == set(whole.keys)


def test_pieces_of_two_versions_are_no_version() -> None:
    kept: dict[bytes, bytes] = {}
    first, other = Pieces(Kept(kept), b"w"), Pieces(Kept(kept), b"w")
    first_pieces = list(first.records(KEY, value(5, b"a" * 25)))
    two = list(other.records(KEY, value(5, b"b" * 25)))  # of the same offset, version and keys
    assert [key for key, _ in first_pieces] == [key for key, _ in two]
    changelog.keep(kept, [*first_pieces[:1], *two[1:]])
    assert Kept(kept).whole(KEY) is None


@pytest.mark.parametrize("key", [KEY, b"k" * 500])
def test_a_piece_fits_a_record(key: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES_MAX", RECORD_BYTES_MAX - 10_000)
    own = Pieces(Kept({}), b"0000000f-0123456789ab")
    records = list(own.records(key, value(1, bytes(3 * RECORD_BYTES_MAX))))
    assert len(records) == 4
    for name, content in records:
        ensure_fits("changelog", Outgoing(name, content))
