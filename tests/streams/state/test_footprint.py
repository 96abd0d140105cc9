"""All that stays in memory of a changelog's records decides as the records themselves do."""

from hypothesis import given
from hypothesis import strategies as st

from streams.state import changelog, keys

WRITER = b"00000001-a"
KEYS = st.sampled_from(
    [
        keys.seal_key(WRITER),
        keys.bucket_key(WRITER, 3),
        keys.bucket_key(WRITER, 3) + b"/" + WRITER + b":a:0",
        keys.seal_pieces_key(WRITER) + b"/" + WRITER + b":a:0",
        keys.journal_key(WRITER, 1),
        *keys.counts_keys(WRITER),
        b"m:core",
    ]
)
VALUES = st.builds(
    lambda offset, rest: offset.to_bytes(8) + rest, st.integers(0, 9), st.binary(max_size=9)
)
RECORDS = st.lists(st.tuples(KEYS, st.none() | VALUES), max_size=30)


@given(RECORDS, RECORDS, st.booleans())
def test_keys_offsets_and_sizes_are_those_of_all_values(
    found: list[tuple[bytes, bytes | None]],
    written: list[tuple[bytes, bytes | None]],
    is_let_go: bool,  # noqa: FBT001 - drawn
) -> None:
    whole: dict[bytes, bytes] = {}
    changelog.keep(whole, found)
    footprint = changelog.Footprint(dict(whole))
    if is_let_go:
        footprint.let_go()
    changelog.keep(whole, written)
    footprint.keep(written)
    assert footprint.kept.keys() == whole.keys()
    assert footprint.bytes == sum(map(len, whole.values()))
    assert footprint.bytes_of(whole) == footprint.bytes
    for key, value in whole.items():
        kept = footprint.kept[key]
        if keys.is_journal(key):
            assert kept == value
        elif kept != value:
            assert changelog.is_great(key)
            assert kept == changelog.offset_bytes(value)


@given(RECORDS)
def test_seals_counts_and_the_journal_stay(found: list[tuple[bytes, bytes | None]]) -> None:
    whole: dict[bytes, bytes] = {}
    changelog.keep(whole, found)
    footprint = changelog.Footprint(dict(whole))
    footprint.let_go()
    assert {key: value for key, value in whole.items() if not changelog.is_great(key)}.items() <= (
        footprint.kept.items()
    )
