"""What is said of a map by the last records: whether it is of these records at all."""

from hypothesis import given
from hypothesis import strategies as st

from streams.feed.envelopes.look import MapLook
from tests.support.laws import law

COUNT = st.integers(0, 50)


@law(60)
@given(COUNT, COUNT, st.dictionaries(st.sampled_from(("malformed", "wrong-key")), COUNT))
def test_a_map_fits_unless_it_rejects_most(
    transactions: int, left_out: int, rejected: dict[str, int]
) -> None:
    refused = sum(rejected.values())
    records = transactions + left_out + refused
    told = {reason: (count, f"{reason} it is") for reason, count in rejected.items()}
    look = MapLook(records, transactions, left_out, told)
    assert look.fits == (refused <= transactions + left_out)
    assert look.text().startswith("wrong: ") != look.fits
    for reason, count in rejected.items():
        assert not records or f"{count} are rejected as {reason} ({reason} it is)" in look.text()


def test_an_empty_topic_has_tried_nothing() -> None:
    look = MapLook(0, 0, 0, {})
    assert look.fits
    assert "no record to try the map on" in look.text()
