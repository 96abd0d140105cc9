"""Reads Parquet: each column as text, exactly as its values were meant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import compute, parquet

from streams.feed.mapping import FeedError, FeedMap
from streams.feed.rows import BATCH_ROWS, Batch, Shape
from streams.feed.sources import Column


def open_parquet(path: Path, feed_map: FeedMap) -> Shape:
    """Read the columns of a Parquet file.

    Raises FeedError if it is none, or has not the columns, or one of no text; OSError.
    """
    try:
        schema = parquet.read_schema(path)
    except pa.ArrowException as error:
        raise FeedError([str(error)], str(path)) from error
    shape = Shape(path, schema.names, feed_map)
    problems = [f"it is Parquet: name its columns, not {name}" for name in shape.places]
    if not feed_map.layout.is_plain:
        problems.append("it is Parquet: the map's keys of lines and headers are for CSV")
    problems += [
        f"column {name} has values of kind {schema.field(name).type}: that is no text"
        for name in shape.needed
        if name not in shape.places
        if pa.types.is_nested(schema.field(name).type)
    ]
    if problems:
        raise FeedError(problems, str(path))
    return shape


def read_parquet(shape: Shape) -> Iterator[Batch]:
    """Yield the rows of a Parquet file. Raises FeedError if its pages are damaged, OSError."""
    names = list(dict.fromkeys(shape.needed))
    try:
        with parquet.ParquetFile(shape.path) as file:
            number, count = 0, max(file.metadata.num_rows, 1)
            for rows in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
                columns = {name: texts_of(rows.column(name)) for name in names}
                numbers = range(number + 1, number + 1 + rows.num_rows)
                number += rows.num_rows
                shaped = shape.of_columns(columns, numbers)
                yield Batch(
                    shape.path, shaped.rows, shaped.numbers, shaped.raw, number / count,
                    shaped.filtered, shaped.filtered, shaped.further,
                )  # fmt: skip
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file system's, not the file's
        raise FeedError([str(error)], str(shape.path)) from error


def texts_of(column: Any) -> Column:  # noqa: ANN401 - pyarrow has no types
    """Return a Parquet column as text: a float as the shortest decimal that names it.

    A time with a zone is written in UTC; digits below the microsecond are cut off.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _times(column)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _lenient(column)
    texts = column.cast(pa.string())
    try:
        result: list[str | None] = texts.to_pylist()
    except UnicodeDecodeError:  # Parquet's text is not checked when it is written
        return _lenient(texts.cast(pa.binary()))
    return result


def _times(column: Any) -> Column:  # noqa: ANN401 - pyarrow has no types
    zone = column.type.tz
    micros = column.cast(pa.timestamp("us", "UTC" if zone else None), safe=False)
    whole = micros.cast(pa.timestamp("s", micros.type.tz), safe=False)
    if compute.all(compute.equal(whole.cast(micros.type), micros)).as_py() is not False:
        micros = whole
    form = "%Y-%m-%dT%H:%M:%SZ" if zone else "%Y-%m-%dT%H:%M:%S"
    texts: list[str | None] = compute.strftime(micros, format=form).to_pylist()
    return texts


def _lenient(column: Any) -> Column:  # noqa: ANN401 - pyarrow has no types
    r"""Return bytes as text; what is not UTF-8 is written as \xff, so that nothing is lost."""
    return [
        None if value is None else value.decode(errors="backslashreplace")
        for value in column.to_pylist()
    ]
