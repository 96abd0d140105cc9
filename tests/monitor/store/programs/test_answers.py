"""Answers that are kept: on both databases, and if the same request comes twice at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from monitor.store.programs.answers import (
    KEPT,
    KeptAnswer,
    KeyUsedError,
    begin_answer,
    end_answer,
    fingerprint_of,
)
from monitor.store.store import Store
from tests.support.stored import NOW

DONE = KeptAnswer(201, "application/json", '"1-1"', '{"done":"dispose"}')
PRINT = fingerprint_of("POST", "/x", b"{}")


def asked(store: Store, key: str, fingerprint: str = PRINT, now: int = NOW) -> KeptAnswer | None:
    with store.begin() as connection:
        known = begin_answer(connection, "Ann", key, fingerprint, now)
        if known is None:
            end_answer(connection, "Ann", key, DONE)
        return known


def test_the_first_is_done_and_the_others_get_its_answer(shared: Store) -> None:
    assert asked(shared, "a") is None
    assert asked(shared, "a") == DONE
    assert asked(shared, "b") is None
    with pytest.raises(KeyUsedError):
        asked(shared, "a", fingerprint_of("POST", "/y", b"{}"))
    assert asked(shared, "a", now=NOW + KEPT - 1) == DONE
    assert asked(shared, "a", now=NOW + KEPT) is None


def test_what_is_undone_leaves_no_answer(shared: Store) -> None:
    def fail() -> None:
        with shared.begin() as connection:
            assert begin_answer(connection, "Ann", "c", PRINT, NOW) is None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert asked(shared, "c") is None


def test_of_many_at_once_only_one_is_done(shared: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: asked(shared, "d"), range(16)))
    assert sorted(answer is None for answer in found) == [False] * 15 + [True]
    assert all(answer in {None, DONE} for answer in found)


def test_fingerprints_differ_by_method_path_and_body() -> None:
    parts = [
        ("POST", "/x", b"{}"),
        ("PUT", "/x", b"{}"),
        ("POST", "/y", b"{}"),
        ("POST", "/x", b""),
    ]
    assert len({fingerprint_of(*part) for part in parts}) == 4
