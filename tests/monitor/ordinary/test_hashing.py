"""The keyed hash is SipHash, written once more here."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.ordinary.tables import hash_of
from tests.support.siphash import siphash_128

KEY = bytes(range(16))


def test_the_plain_hash_is_siphash() -> None:
    """It gives what the authors' own program gives for the empty message (SipHash-2-4-128)."""
    assert siphash_128(KEY, b"", 2, 4).hex() == "a3817f04ba25a8e66df67214c7550293"


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=300), st.binary(max_size=9))
def test_the_kernel_has_one_round_and_three(key: bytes, message: bytes, before: bytes) -> None:
    words = np.frombuffer(key, np.int64)
    data = np.frombuffer(before + message + before, np.uint8)
    low, high = hash_of(data, len(before), len(message), int(words[0]), int(words[1]))
    said = int(low).to_bytes(8, "little") + int(high).to_bytes(8, "little")
    assert said == siphash_128(key, message, 1, 3)
