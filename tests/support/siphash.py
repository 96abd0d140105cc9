"""SipHash with 128 bits as its paper has it, in Python's own numbers: slow, and plain to read."""

from typing import Final

_MASK: Final = (1 << 64) - 1
_SECRETS: Final = b"somepseudorandomlygeneratedbytes"


def siphash_128(key: bytes, message: bytes, rounds: int, rounds_at_end: int) -> bytes:
    """Return the hash of a message under a key of 16 bytes, with so many rounds for each word."""
    halves = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    state = [
        int.from_bytes(_SECRETS[place : place + 8], "big") ^ halves[place // 8 % 2]
        for place in range(0, 32, 8)
    ]
    state[1] ^= 0xEE
    end = len(message) // 8 * 8
    last = message[end:].ljust(7, b"\0") + bytes([len(message) % 256])
    for word in (*(message[place : place + 8] for place in range(0, end, 8)), last):
        number = int.from_bytes(word, "little")
        state[3] ^= number
        for _ in range(rounds):
            _mix(state)
        state[0] ^= number
    halves_found = []
    for place, secret in ((2, 0xEE), (1, 0xDD)):
        state[place] ^= secret
        for _ in range(rounds_at_end):
            _mix(state)
        halves_found.append((state[0] ^ state[1] ^ state[2] ^ state[3]).to_bytes(8, "little"))
    return b"".join(halves_found)


def _mix(state: list[int]) -> None:
    for first, second, turn, turn_first in (
        (0, 1, 13, 32), (2, 3, 16, 0), (0, 3, 21, 0), (2, 1, 17, 32),
    ):  # fmt: skip
        state[first] = (state[first] + state[second]) & _MASK
        state[second] = _turned(state[second], turn) ^ state[first]
        state[first] = _turned(state[first], turn_first)


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _MASK
