"""The documents say what the code has: nothing of it is missing there, and nothing is made up."""

import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import aiokafka.client as aiokafka_client
import aiokafka.conn as aiokafka_conn
import aiokafka.consumer.consumer as aiokafka_consumer
import aiokafka.consumer.fetcher as aiokafka_fetcher
import aiokafka.consumer.group_coordinator as aiokafka_coordinator
import faust.transport.consumer as faust_consumer
import faust.transport.drivers.aiokafka as faust_driver
import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
import typer.main

from monitor.core.transaction import Reason
from monitor.insight.hierarchy import hierarchies_of
from monitor.policy import document as policy_text
from monitor.policy import models as outliers
from monitor.policy import reviews as review_rule
from monitor.policy import systemic as systemic_settings
from monitor.policy import where as policy_filter
from monitor.policy.document import policy_of
from streams.cli.main import app
from streams.feed.envelopes.topic_map import topic_map_of_text
from streams.feed.mapping import feed_map_of
from streams.reference.commands import EXIT_STATUSES, commands
from streams.reference.documents import FILLED, documents, filled
from streams.reference.samples import samples
from streams.reference.schemas import record_schemas
from streams.settings import Settings, variable
from tests.support.documents import (
    DOCS,
    PAGES,
    ROOT,
    anchors,
    blocks,
    inline_code,
    links,
    name_of,
    tables,
    text_of,
)

README = ROOT / "README.md"
COMMANDS = dict(commands(typer.main.get_command(app), "weir"))
KEYS_OF = (policy_text, policy_filter, outliers, systemic_settings, review_rule)
SOURCES = [
    path for package in ("monitor", "streams", "models") for path in (ROOT / package).rglob("*.py")
]

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


# -- what is made from the code -------------------------------------------------------------------


@pytest.mark.parametrize(("path", "text"), documents().items(), ids=str)
def test_what_is_made_from_the_code_is_as_it_would_be_made_now(path: Path, text: str) -> None:
    assert (DOCS / path).read_text(encoding="utf-8") == text, "run `make docs`"


@pytest.mark.parametrize("path", FILLED, ids=str)
def test_what_commands_print_on_a_page_is_what_they_print_now(path: Path) -> None:
    page = text_of(DOCS / path)
    assert page.count("$ weir capacity") > 1
    assert filled(page) == page, "run `make docs`"


def test_a_call_on_a_page_is_filled_and_the_rest_is_left() -> None:
    call = "$ weir capacity --transactions-per-second 1 --accounts 1"
    page = f"before\n\n```console\n{call}\nstale\n```\n\nafter\n"
    made = filled(page)
    assert made.startswith(f"before\n\n```console\n{call}\npartitions")
    assert made.endswith("```\n\nafter\n")
    assert "stale" not in made
    assert filled(made) == made


def test_no_schema_is_left_over() -> None:
    made = {path.name for path in documents() if path.parent == Path("schemas")}
    assert {path.name for path in (DOCS / "schemas").iterdir()} == made


# -- what is written by hand ----------------------------------------------------------------------


def test_every_setting_stands_there_with_its_default_and_its_meaning() -> None:
    stated = {row[0].strip("`"): (row[1].strip("`"), row[2]) for row in SETTINGS_TABLE}
    assert stated == {
        variable(field.name): (
            "needed"
            if field.default is MISSING
            else "none"
            if field.default is None
            else f"{field.default:g}"
            if isinstance(field.default, float)
            else str(field.default),
            field.metadata["about"],
        )
        for field in fields(Settings)
    }


SETTINGS_TABLE = tables(DOCS / "settings.md", "variable")


@each_page
def test_every_variable_that_is_named_exists(page: Path) -> None:
    elsewhere = [ROOT / "docker-compose.yml", *(ROOT / "tests").rglob("*.py")]
    known = {variable(field.name) for field in fields(Settings)}
    for path in elsewhere:
        known |= set(re.findall(r"WEIR_[A-Z_]*[A-Z]", text_of(path)))
    assert set(re.findall(r"\bWEIR_[A-Z_]*[A-Z]", text_of(page))) <= known


def test_every_reason_stands_there_in_its_precedence() -> None:
    stated = [row[0].strip("`") for row in tables(DOCS / "data.md", "reason")]
    assert stated == [reason.value for reason in Reason]


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("POLICY_KEYS", "key"),
        ("CALENDAR_KEYS", "key"),
        ("LIMIT_KEYS", "key"),
        ("SCOPE_KEYS", "key of `scope`"),
        ("WHERE_KEYS", "key of `where`"),
        ("BUDGET_KEYS", "key of `budget`"),
        ("MODELS_KEYS", "key of `models`"),
        ("SYSTEMIC_KEYS", "key of `systemic`"),
        ("REVIEW_KEYS", "key of `review`"),
        ("SUPPRESSION_KEYS", "key of `suppression`"),
        ("LIST_KEYS", "key of `lists.NAME`"),
        ("RATE_KEYS", "key of `rates`"),
    ],
)
def test_every_key_of_a_policy_stands_there(name: str, heading: str) -> None:
    keys = next(getattr(module, name) for module in KEYS_OF if hasattr(module, name))
    stated = {row[0].strip("`") for row in tables(DOCS / "policy.md", heading)}
    assert set(keys) <= stated


def test_no_list_of_keys_is_forgotten_here() -> None:
    sources = "".join(text_of(path) for path in (ROOT / "monitor").rglob("*.py"))
    assert set(re.findall(r"^(\w+_KEYS): Final", sources, re.MULTILINE)) == {
        "POLICY_KEYS", "CALENDAR_KEYS", "LIMIT_KEYS", "SCOPE_KEYS", "BUDGET_KEYS", "MODELS_KEYS",
        "SYSTEMIC_KEYS", "REVIEW_KEYS", "WHERE_KEYS", "AMOUNT_KEYS", "TIER_KEYS",
        "SUPPRESSION_KEYS", "LIST_KEYS", "RATE_KEYS",
    }  # fmt: skip


def test_every_field_of_an_alert_stands_in_the_contract_and_no_other() -> None:
    cells = [row[0] for row in tables(DOCS / "contract.md", "field")]
    stated = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(stated) == sorted(samples().alert.fields())


def test_every_exit_status_is_explained() -> None:
    found = re.findall(r"^EXIT_\w+: Final = (\d+)$", "".join(map(text_of, SOURCES)), re.MULTILINE)
    assert {0, *map(int, found)} == set(EXIT_STATUSES)


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    stated = text_of(DOCS / "dependencies.md").lower()
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    for requirement in [listed for group in groups for listed in group]:
        name = re.split(r"[\[<>=~ ]", requirement)[0]
        assert re.search(rf"\b{re.escape(name.lower())}\b", stated), name


def test_every_private_name_that_the_transport_leans_on_stands_there() -> None:
    leans_on: set[str] = set()
    for file, modules in (
        ("transport.py", (faust_consumer, faust_driver, aiokafka_consumer, aiokafka_coordinator)),
        ("raw_fetch.py", (aiokafka_consumer, aiokafka_fetcher)),
        ("../kafka/connections.py", (aiokafka_client, aiokafka_conn)),
    ):
        theirs = "".join(map(inspect.getsource, modules))
        ours = text_of(ROOT / "streams" / "worker" / file)
        code = re.sub(r'(?s:""".*?""")|#[^\n]*', "", ours)
        used = set(re.findall(r"\b(_[a-z][a-z_]+)\b", code))
        leans_on |= {name for name in used if re.search(rf"\b{name}\b", theirs)}
    assert {"_wait_next_records", "_new_offset", "_unpack_records"} <= leans_on
    stated = "".join(row[1] for row in tables(DOCS / "architecture.md", "of"))
    assert leans_on == set(re.findall(r"`(\w+)`", stated))


# -- links ----------------------------------------------------------------------------------------


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target), f"{path}#{anchor}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, left = set(), [README]
    while left:
        page = left.pop()
        if page not in reached:
            reached.add(page)
            targets = [(page.parent / path).resolve() for path, _ in links(page) if path]
            left += [target for target in targets if target.suffix == ".md" and target.exists()]
    assert set(PAGES) <= reached


# -- examples -------------------------------------------------------------------------------------


def command_lines(page: Path) -> Iterator[tuple[str, bool]]:
    """Yield what calls `weir` on a page, and whether it is a whole call or a mention."""
    for block in blocks(page):
        for line in block.text.splitlines():
            found = re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(weir(?: .*)?)$", line)
            if found and block.language in {"", "sh", "console"}:
                yield found[1], True
    for code in inline_code(page):
        if re.match(r"weir( |$)", code) and "COMMAND" not in code:
            yield code, False


def problem_of(line: str, *, is_whole: bool) -> str | None:
    """Return what is wrong with a call of `weir`; None if nothing is."""
    words = shlex.split(re.split(r" [|&<>#]| {3,}|&$", line)[0])
    root = typer.main.get_command(app)
    options: Any = root.params
    positionals = None
    rest = words[1:]
    for length in (3, 2, 1):
        name = " ".join(words[: length + 1])
        if len(words) > length and name in COMMANDS:
            options, rest = COMMANDS[name].params, words[length + 1 :]
            positionals = [option for option in options if not option.opts[0].startswith("-")]
            break
    else:
        if rest and not rest[0].startswith("-"):
            is_group = any(name.startswith(f"weir {rest[0]} ") for name in COMMANDS)
            return None if is_group and not is_whole else f"no such command: {line}"
    return _problem_of_words(rest, options, positionals if is_whole else None)


def _problem_of_words(
    words: list[str], parameters: list[Any], positionals: list[Any] | None
) -> str | None:
    known = {
        name: parameter
        for parameter in parameters
        for name in parameter.opts
        if name.startswith("-")
    }
    given, left, values = set(), list(words), 0
    while left:
        word = left.pop(0)
        if word in {"--help", "-h"}:
            return None
        if word != "-" and word.startswith("-"):
            if word not in known:
                return f"no such option: {word}"
            given.add(known[word].name)
            if not known[word].is_flag:
                if not left and positionals is not None:
                    return f"{word} has no value"
                del left[:1]
        else:
            values += 1
    if positionals is None:
        return None
    needed = [
        option.name for option in known.values() if option.required and option.name not in given
    ]
    if needed:
        return f"needed: {needed}"
    least = sum(bool(argument.required) for argument in positionals)
    is_too_much = values > len(positionals) and all(argument.nargs == 1 for argument in positionals)
    if is_too_much or values < least:
        return f"{values} arguments for {len(positionals)}"
    return None


@each_page
def test_every_call_of_weir_is_one(page: Path) -> None:
    for line, is_whole in command_lines(page):
        assert problem_of(line, is_whole=is_whole) is None, line


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("weir nothing", "no such command: weir nothing"),
        ("weir policy nothing FILE", "no such command: weir policy nothing FILE"),
        ("weir demo --nothing", "no such option: --nothing"),
        ("weir demo --rate", "--rate has no value"),
        ("weir replay --partitions 5", "0 arguments for 1"),
        ("weir policy check a.toml b.toml", "2 arguments for 1"),
        ("weir demo file.csv", "1 arguments for 0"),
        ("weir generate --accounts 5 --out -", "needed: ['days']"),
    ],
)
def test_a_call_that_is_none_is_told(line: str, problem: str) -> None:
    assert problem_of(line, is_whole=True) == problem


def test_there_are_calls_to_look_at() -> None:
    shown = {line.split(" --")[0] for page in PAGES for line, _ in command_lines(page)}
    assert set(COMMANDS) <= {" ".join(call.split()[:size]) for call in shown for size in (2, 3, 4)}


@each_page
def test_every_target_of_make_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", text_of(ROOT / "Makefile"), re.MULTILINE))
    codes = inline_code(page) + [line for block in blocks(page) for line in block.text.splitlines()]
    for code in codes:
        if found := re.match(r"make ([a-z][a-z-]*)", code):
            assert found[1] in targets, code


@each_page
def test_every_policy_and_map_that_is_shown_can_be_used(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.language == "toml" and "[topic]" in block.text:
            assert topic_map_of_text(block.text, page.name).feed.fields
        elif block.language == "toml" and "[columns]" in block.text:
            shown = tmp_path / "map.toml"
            shown.write_text(block.text, encoding="utf-8")
            assert feed_map_of(shown)
        elif block.language == "toml" and "[hierarchy." in block.text:
            assert hierarchies_of(block.text, page.name)
        elif block.language == "toml":
            assert policy_of(block.text).thresholds


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*policy.toml")), ids=name_of)
def test_every_policy_among_the_examples_can_be_used(path: Path) -> None:
    assert policy_of(text_of(path), str(path)).thresholds


def test_the_policy_to_begin_with_has_every_key_and_all_of_it_can_be_used() -> None:
    text = text_of(ROOT / "examples" / "policy.toml")
    keys = [key for module in KEYS_OF for name, keys_of_table in vars(module).items()
            if name.endswith("_KEYS") for key in keys_of_table]  # fmt: skip
    for key in keys:
        assert re.search(rf"\b{key}\b", text), key
    whole = re.sub(r"^# (?=[\w\[.]+( =|\]))", "", text, flags=re.MULTILINE)
    policy = policy_of(whole)
    assert policy.outliers is not None
    assert policy.systemic is not None
    assert policy.reviews
    assert policy.effective_from_text == "2026-02-01"


@each_page
def test_every_record_that_is_shown_fits_its_schema(page: Path) -> None:
    schemas = record_schemas()
    for block in blocks(page):
        for line in block.text.splitlines():
            if not line.startswith('{"'):
                continue
            record = json.loads(line)
            sort = next(
                (
                    sort
                    for sort, definition in schemas.items()
                    if set(definition["required"]) <= set(record)
                ),
                None,
            )
            if sort is not None:
                jsonschema.validate(record, schemas[sort])


def test_the_contract_shows_a_transaction_an_alert_and_a_rejection() -> None:
    shown = "".join(block.text for block in blocks(DOCS / "contract.md"))
    for name in ('{"transaction_id"', '{"alert_id"', '{"reason"'):
        assert name in shown


def test_the_readme_shows_the_demo_as_it_was_captured() -> None:
    assert text_of(DOCS / "demo.txt").rstrip() in text_of(README)


def said(lines: list[str]) -> list[str]:
    """Return lines without what differs from run to run and machine to machine."""
    return [line for line in lines if not line.startswith(("seconds ", "bytes "))]


def test_the_tour_shows_what_its_commands_print(tmp_path: Path) -> None:
    tour = text_of(DOCS / "tour.md").split("weir demo --input", 1)[0]
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    calls = re.findall(r"^\$ (.+)\n((?:(?!\$ |```).*\n)*)", tour, re.MULTILINE)
    assert len(calls) == 5
    for call, shown in calls:
        done = subprocess.run(
            ["bash", "-c", call], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        expected = said(shown.splitlines())
        is_cut = bool(expected) and expected[-1] == "..."
        got = said(done.stdout.splitlines())
        assert ([*got[: len(expected) - 1], "..."] if is_cut else got) == expected
