"""Reads transactions out of files, a batch of rows at a time: tables, JSON Lines and statements.

Nothing is judged and nothing is lost: a row that has not the header's cells, or is not valid text,
is handed on as the bytes that it was, and becomes a rejection like any other record.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Final

from streams.feed.csv_file import open_csv, read_csv
from streams.feed.formats.kinds import is_known, kind_of, known_ends, problem_of
from streams.feed.formats.packed import buffered, open_bytes
from streams.feed.formats.reading import LINES, PARQUET, STATEMENTS, WORKBOOK
from streams.feed.mapping import FeedError, FeedMap
from streams.feed.maps.json_lines import open_lines, read_lines
from streams.feed.maps.layout import BLANK
from streams.feed.rows import BATCH_ROWS, Batch

__all__ = ["BATCH_ROWS", "Batch", "FeedError", "FeedMap", "files_of", "read"]

_DIGITS: Final = re.compile("([0-9]+)")
_UTF_8_MARK: Final = b"\xef\xbb\xbf"


def files_of(paths: Sequence[Path], feed_map: FeedMap | None = None) -> list[Path]:
    """Return the files that the paths name, a folder's in the order of their names.

    Numbers in names count as numbers: statement-2 comes before statement-10.
    Of a folder those that the map's `files` matches; without a map, those of a known kind.
    Raises FeedError if one is not there, or cannot be of use, with all such.
    """
    files: list[Path] = []
    problems = []
    for path in paths:
        if path.is_dir():
            pattern = feed_map.files if feed_map else "*"
            found = [
                file
                for file in sorted(path.glob(pattern), key=_natural)
                if file.is_file()
                and (pattern != "*" or is_known(file) or (feed_map and feed_map.kind is not None))
            ]
            if not found:
                what = pattern if pattern != "*" else f"of {known_ends()}"
                problems.append(f"{path} has no file {what}")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            problems.append(f"{path} is not there")
    kinds = {path: _kind_of(path, feed_map or FeedMap()) for path in files}
    is_accounts = feed_map is not None and feed_map.form.takes_further
    stated = [problem_of(path, kind, is_accounts=is_accounts) for path, kind in kinds.items()]
    problems += [problem for problem in stated if problem]
    lines = [path for path, kind in kinds.items() if kind == LINES]
    if feed_map and feed_map.further:
        problems += [
            f"{path} is JSON Lines, which has no column {', '.join(feed_map.further)}"
            for path in lines
        ]
    if problems:
        raise FeedError(problems, "the input")
    return files


def _natural(path: Path) -> tuple[list[list[str | int]], Path]:
    """Return what puts paths in their natural order; those that are the same so, as texts."""
    parts: list[list[str | int]] = [
        [int(piece) if place % 2 else piece for place, piece in enumerate(_DIGITS.split(part))]
        for part in (*path.parts[:-1], path.stem)
    ]
    return parts, path


def read(files: Sequence[Path], feed_map: FeedMap | None = None) -> Iterator[Batch]:
    """Return the rows of files, one file after the other, in batches of at most `BATCH_ROWS`.

    Every header is read at once, before the first row of any: raises FeedError with all problems
    of all files, and OSError. While it is read, a file that turns out to be damaged, or of another
    encoding, raises FeedError too.
    """
    feed_map = feed_map or FeedMap()
    readers, errors = [], []
    for path in files:
        try:
            readers.append(_reader_of(path, feed_map))
        except FeedError as error:
            errors.append((path, error))
    if len(errors) == 1:
        raise errors[0][1]
    if errors:
        problems = [f"{path}: {problem}" for path, error in errors for problem in error.problems]
        raise FeedError(problems, "the input")
    return chain.from_iterable(reader() for reader in readers)


def _kind_of(path: Path, feed_map: FeedMap) -> str | None:
    """Return the format of a file: as the command line states it, the map, or the file itself."""
    return kind_of(path, feed_map.reading.format or feed_map.kind)


def _reader_of(path: Path, feed_map: FeedMap) -> Callable[[], Iterator[Batch]]:
    """Return what reads the rows of a file, whose header was read. Raises FeedError, OSError."""
    kind = _kind_of(path, feed_map)
    if kind == LINES and feed_map.fields:
        return partial(read_lines, open_lines(path, feed_map))
    if kind == LINES:
        return partial(_read_lines, path)
    if kind == PARQUET:
        from streams.feed.parquet_file import open_parquet, read_parquet  # noqa: PLC0415 - heavy

        return partial(read_parquet, open_parquet(path, feed_map))
    if kind == WORKBOOK:
        from streams.feed.formats.workbook import open_workbook, read_workbook  # noqa: PLC0415 - an extra

        return partial(read_workbook, open_workbook(path, feed_map))
    if kind in STATEMENTS:
        from streams.feed.statements.reader import open_statements, read_statements  # noqa: PLC0415 - an extra

        return partial(read_statements, open_statements(path, feed_map, kind))
    return partial(read_csv, open_csv(path, feed_map))


def _read_lines(path: Path) -> Iterator[Batch]:
    """Yield the lines of a file as they are; an empty line is none."""
    size = max(path.stat().st_size, 1)
    number = 0
    with open_bytes(path) as file:
        whole = buffered(file)
        while lines := list(islice(whole, BATCH_ROWS)):
            if not number:
                lines[0] = lines[0].removeprefix(_UTF_8_MARK)
            raw = [
                (number + index, line.rstrip(b"\r\n"))
                for index, line in enumerate(lines, 1)
                if line.strip()
            ]
            number += len(lines)
            blank = len(lines) - len(raw)
            passed = {BLANK: blank} if blank else {}
            yield Batch(path, [], [], raw, file.tell() / size, passed=passed)
