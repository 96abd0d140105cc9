"""SipHash-1-3 with 128 bits (Aumasson and Bernstein, 2012): who has no key cannot aim at it."""

import numpy as np

from models.arrays import Bytes
from models.kernels import compiled

U64 = np.uint64
WORD = 8


@compiled
def rotated(word: U64, bits: int) -> U64:
    """Return a word of 64 bits, turned left."""
    return (word << U64(bits)) | (word >> U64(64 - bits))


@compiled
def mixed(a: U64, b: U64, c: U64, d: U64) -> tuple[U64, U64, U64, U64]:
    """Return the state of the hash after one round."""
    a += b
    b = rotated(b, 13) ^ a
    a = rotated(a, 32)
    c += d
    d = rotated(d, 16) ^ c
    a += d
    d = rotated(d, 21) ^ a
    c += b
    b = rotated(b, 17) ^ c
    c = rotated(c, 32)
    return a, b, c, d


@compiled
def word_at(data: Bytes, at: int, count: int) -> U64:
    """Return so many bytes, at most eight, as a word; the first is the lowest."""
    word = U64(0)
    for place in range(count):
        word |= U64(data[at + place]) << U64(WORD * place)
    return word


@compiled
def hash_of(data: Bytes, at: int, length: int, key_0: int, key_1: int) -> tuple[U64, U64]:
    """Return the two halves of the hash of some bytes under a key of two words."""
    low, high = U64(key_0), U64(key_1)
    a = low ^ U64(0x736F6D6570736575)
    b = high ^ U64(0x646F72616E646F6D) ^ U64(0xEE)
    c = low ^ U64(0x6C7967656E657261)
    d = high ^ U64(0x7465646279746573)
    place = 0
    while place + WORD <= length:
        word = word_at(data, at + place, WORD)
        d ^= word
        a, b, c, d = mixed(a, b, c, d)
        a ^= word
        place += WORD
    word = word_at(data, at + place, length - place) | U64(length & 0xFF) << U64(56)
    d ^= word
    a, b, c, d = mixed(a, b, c, d)
    a ^= word
    c ^= U64(0xEE)
    for _ in range(3):
        a, b, c, d = mixed(a, b, c, d)
    first = a ^ b ^ c ^ d
    b ^= U64(0xDD)
    for _ in range(3):
        a, b, c, d = mixed(a, b, c, d)
    return first, a ^ b ^ c ^ d
