"""A file that is there whole, or not at all; and what may not be written."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class OutputError(ValueError):
    """Files that cannot be written as they are named."""


def check_outputs(
    outputs: Iterable[Path | None], inputs: Iterable[Path | None], *, as_json: bool = False
) -> None:
    """Refuse outputs that would go over an input, or into one another, before anything is read.

    None is no output, `-` is stdout. Raises OutputError with all problems.
    """
    named = [path for path in outputs if path is not None]
    files = [path for path in named if str(path) != "-"]
    read = {path.resolve() for path in inputs if path is not None}
    problems = [f"{path} is a folder: name the file to write" for path in files if path.is_dir()]
    problems += [
        f"{path} cannot be written: there is no folder {path.parent}"
        for path in files
        if not path.parent.is_dir()
    ]
    problems += [
        f"{path} is read too: name another file to write"
        for path in files
        if path.resolve() in read
    ]
    # A device takes as many outputs as one likes.
    plain = [path.resolve() for path in files if path.is_file() or not path.exists()]
    plain += [path for path in named if str(path) == "-"]
    problems += [
        f"two outputs are to go to {path}: name two files"
        for path in sorted(set(plain))
        if plain.count(path) > 1
    ]
    if as_json and len(named) > len(files):
        problems.append("--json prints on stdout, where a file of - goes too: name a file")
    if problems:
        raise OutputError("; ".join(problems))


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write; it gets its name when all is written. `-` is stdout.

    Cut short, by Ctrl-C or a fault, nothing stays behind. A device or a pipe is written as it is.
    """
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()  # a link stays one
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
