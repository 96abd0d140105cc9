"""Lines of a TOML text: each key and table is found where it was written."""

import random
import tomllib
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.table_reader import TomlLines
from tests.support.calls import calls_of
from tests.support.laws import law

VALUES = [
    *("1", '"a # b"', "'[[x]]'"),
    '"""\n[[limit]]\nkey = 3\n"""',
    "'''\n[odd]\n\"\n'''",
    "[1, 2]",
    '[\n  { a = 1 }, # one\n  "]",\n]',
    "{ a = { b = [1] } }",
    '"\\""',
    '""""x"""',
    "2026-01-05",
    '"""\\"""" # "',
    "[\n[1],\n[2],\n]",
]
KEYS = ("id", '"a.b"', "'c d'", "e.f", "e . g", '"with \\" and #"')


def unquoted(key: str) -> tuple[str, ...]:
    (table,) = (tomllib.loads(f"{key} = 0"),)
    path: list[str] = []
    found: object = table
    while isinstance(found, dict):
        (name,) = found
        path.append(name)
        found = found[name]
    return tuple(path)


@law(300)
@given(st.integers(0, 1 << 32))
def test_each_key_and_table_has_the_line_on_which_it_was_written(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - made data
    lines: list[str] = []
    expected: dict[tuple[str | int, ...], int] = {}
    counts: dict[str, int] = {}
    table: tuple[str | int, ...] = ()
    for number in range(rng.randint(1, 30)):
        match rng.randrange(6):
            case 0:
                name = rng.choice(["limit", "review"])
                counts[name] = counts.get(name, 0) + 1
                table = (name, counts[name])
                lines.append(rng.choice(["[[{}]]", " [[ {} ]] # x"]).format(name))
            case 1 if table and isinstance(table[-1], int):
                table = (*table, f"t{number}")
                lines.append(f"[{table[0]}.t{number}]")
            case 2:
                table = ("lists", f"l{number}")
                lines.append(f'[lists."l{number}"]')
            case 3:
                lines += rng.choice([[""], ["# [[limit]] id = 1"], ["", " "]])
                continue
            case _:
                key = rng.choice(KEYS)
                path = (*table, *unquoted(key))
                if any(path[:end] in expected for end in range(len(table) + 1, len(path) + 1)):
                    continue
                expected[path] = sum(line.count("\n") + 1 for line in lines) + 1
                lines.append(f"  {key}  = {rng.choice(VALUES)}")
                continue
        expected[table] = sum(line.count("\n") + 1 for line in lines[:-1]) + 1
    text = rng.choice(["\n", "\r\n"]).join("\n".join(lines).split("\n"))
    assert tomllib.loads(text) is not None
    found = TomlLines(text)
    assert {path: found.line_of(path) for path in expected} == expected
    for path, line in expected.items():
        assert found.line_of((*path, "not there", 7)) == line


def test_what_nothing_around_has_a_line_of_its_own_has_none() -> None:
    assert TomlLines("a = 1").line_of(("b",)) is None
    assert TomlLines("a = 1").line_of(()) is None


def test_a_text_of_a_mebibyte_is_searched_in_a_few_steps_a_character() -> None:
    texts = ['a = "' + "\\\\" * (1 << 19) + '"', "a = [" + "[" * (1 << 19), '"' * (1 << 20)]
    texts.append('[[limit]]\nid = "x"\n' * 40_000)
    for text in texts:
        lines = TomlLines(text)
        assert calls_of(partial(lines.line_of, ("a",))) < 5 * len(text)
