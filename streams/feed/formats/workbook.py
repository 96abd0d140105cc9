"""Reads a sheet of a workbook (.xlsx) as the table that it is, from the text of its own XML.

Libraries make floats of its numbers; here they stay decimals.
"""

import errno
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple

from streams.feed.formats.cells import date_text, is_date_format, number_text, string_text
from streams.feed.formats.xml import Element, elements_of, local_name, root_of
from streams.feed.mapping import FeedError, FeedMap
from streams.feed.rows import BATCH_ROWS, Batch, Shape

STRINGS_BYTES_MAX: Final = 1 << 30
"""Bytes of a workbook's shared strings, which are held in memory."""

COLUMNS_MAX: Final = 16_384
"""Columns that a sheet may have (ECMA-376)."""

BLANK: Final = "blank row"
_RELATION: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION: Final = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_BOOKED_AT: Final = "booked_at"


class Sheet(NamedTuple):
    """A sheet whose header was read: the number of the header's row, and where its XML is."""

    shape: Shape
    feed_map: FeedMap
    part: str
    header_row: int


class _Book:
    """What is needed of a workbook to read its cells."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.archive = archive
        self.path = path
        book = root_of(self._open("xl/workbook.xml"), path, "xl/workbook.xml")
        relations = root_of(self._open("xl/_rels/workbook.xml.rels"), path, "relations")
        targets = {each.get("Id"): _part(each.get("Target", "")) for each in relations}
        kinds = {
            each.get("Type", "").rpartition("/")[2]: targets[each.get("Id")] for each in relations
        }
        self.is_from_1904 = any(
            each.get("date1904") in {"1", "true"} for each in book.iter("{*}workbookPr")
        )
        self.sheets = {
            each.get("name", ""): targets.get(each.get(_RELATION) or each.get(_STRICT_RELATION), "")
            for each in book.iter("{*}sheet")
        }
        self._strings_part = kinds.get("sharedStrings")
        self.dates = self._date_styles(kinds.get("styles"))
        self.strings: list[str] = []

    def read_strings(self) -> None:
        """Read the texts that cells share."""
        part = self._strings_part
        if part is None or self.strings:
            return
        if self.archive.getinfo(part).file_size > STRINGS_BYTES_MAX:
            problem = f"its shared texts are over {STRINGS_BYTES_MAX:,} bytes: save it as CSV"
            raise FeedError([problem], str(self.path))
        with self._open(part) as file:
            for item in elements_of(file, self.path, ("si",), part):
                self.strings.append(_string(item))
                item.clear()

    def rows(self, part: str) -> Iterator[tuple[int, list[str], Element]]:
        """Yield the number of each row that has cells, and their texts; then merged ranges.

        An element is a row, or a merged range: that has the number 0 and its reference as a text.
        """
        number = 0
        with self._open(part) as file:
            for element in elements_of(file, self.path, ("row", "mergeCell"), part):
                if local_name(element) == "mergeCell":
                    yield 0, [element.get("ref", "")], file
                    continue
                number = int(element.get("r") or number + 1)
                cells = self._cells(element)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
                yield number, cells, file

    def _open(self, part: str) -> IO[bytes]:
        try:
            return self.archive.open(part)
        except KeyError:
            problem = f"it has no {part}, so it is no workbook: save it as .xlsx again"
            raise FeedError([problem], str(self.path)) from None

    def _cells(self, row: Element) -> list[str]:
        cells: list[str] = []
        for cell in row.iterchildren("{*}c"):
            reference = cell.get("r")
            place = _column(reference) if reference else len(cells)
            if place >= COLUMNS_MAX:
                raise FeedError([f"cell {reference} is beyond any sheet"], str(self.path))
            cells += [""] * (place + 1 - len(cells))
            cells[place] = self._text(cell)
        return cells

    def _text(self, cell: Element) -> str:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return "".join(_string(item) for item in cell.iterchildren("{*}is"))
        text: str = cell.findtext("{*}v") or ""
        if kind == "s":
            return self.strings[int(text)] if text else ""
        if kind == "n" and text:
            is_date = int(cell.get("s", "0")) in self.dates
            return date_text(text, is_from_1904=self.is_from_1904) if is_date else number_text(text)
        if kind == "b":
            return {"1": "true", "0": "false"}.get(text, text)
        return string_text(text)

    def _date_styles(self, part: str | None) -> frozenset[int]:
        """Return the numbers of the cell styles that show a date."""
        if part is None:
            return frozenset()
        styles = root_of(self._open(part), self.path, part)
        codes = {
            int(each.get("numFmtId", "0")): each.get("formatCode", "")
            for each in styles.iter("{*}numFmt")
        }
        found = styles.find("{*}cellXfs")
        formats = [int(each.get("numFmtId", "0")) for each in found] if found is not None else []
        return frozenset(
            place
            for place, number in enumerate(formats)
            if is_date_format(number, codes.get(number))
        )


def open_workbook(path: Path, feed_map: FeedMap) -> Sheet:
    """Read the header of a sheet: its first row with a cell that is not blank.

    Raises FeedError if there is no such sheet, or it has not the columns, or the map says of lines
    what a sheet has not; OSError.
    """
    if not feed_map.layout.is_for_rows_alone:
        problem = (
            "it is a workbook, whose header is its first row that is not blank: the map's keys of"
            " lines and headers are for CSV, so save the sheet as CSV"
        )
        raise FeedError([problem], str(path))
    with _book_of(path) as book:
        wanted = feed_map.reading.sheet
        name = wanted if wanted is not None else next(iter(book.sheets), "")
        part = book.sheets.get(name)
        if not part:
            named = ", ".join(book.sheets) or "none"
            problem = f"there is no sheet {name!r}: name one by --sheet; its sheets are {named}"
            raise FeedError([problem], str(path))
        book.read_strings()
        for number, cells, _ in book.rows(part):
            header = [cell.strip() for cell in cells]
            while header and not header[-1]:
                header.pop()
            if header and number:
                return Sheet(Shape(path, header, feed_map), feed_map, part, number)
    raise FeedError([f"its sheet {name} is empty"], str(path))


def read_workbook(sheet: Sheet) -> Iterator[Batch]:
    """Yield the rows below the header. A blank row is counted, and skipped.

    Raises FeedError if the workbook is damaged, OSError.
    """
    with _book_of(sheet.shape.path) as book:
        book.read_strings()
        size = max(book.archive.getinfo(sheet.part).file_size, 1)
        taken = _Taken(sheet)
        last = sheet.header_row
        for number, cells, file in book.rows(sheet.part):
            if not number:
                taken.merge(cells[0])
            elif number > sheet.header_row:
                if any(cell.strip() for cell in cells):
                    taken.blank += number - last - 1
                    taken.take(number - sheet.header_row, cells)
                    last = number
                if len(taken.rows) + len(taken.raw) == BATCH_ROWS:
                    yield taken.batch(file.tell() / size)
        yield taken.batch(1.0)._replace(notes=taken.notes())


class _Taken:
    """Rows of a sheet until they are a batch."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._width = len(sheet.shape.header)
        self.rows: list[list[str]] = []
        self._numbers: list[int] = []
        self.raw: list[tuple[int, bytes]] = []
        self.blank = 0
        self._merged: Counter[int] = Counter()
        header, is_own = sheet.shape.header, not sheet.feed_map.fields
        self._time = header.index(_BOOKED_AT) if is_own and _BOOKED_AT in header else None

    def take(self, number: int, cells: list[str]) -> None:
        cells += [""] * (self._width - len(cells))
        if any(cell.strip() for cell in cells[self._width :]):
            self.raw.append((number, "\t".join(cells).encode(errors="replace")))
            return
        if self._time is not None:
            cells[self._time] = self._sheet.feed_map.reading.moment_of(cells[self._time])
        self.rows.append(cells[: self._width])
        self._numbers.append(number)

    def merge(self, reference: str) -> None:
        """Note the rows below the header that a merged range is in, if it is in several."""
        begin, _, end = reference.partition(":")
        first, last = (
            int("".join(filter(str.isdigit, corner)) or 0) for corner in (begin, end or begin)
        )
        if first != last:
            self._merged.update(range(max(first, self._sheet.header_row + 1), last + 1))

    def batch(self, share: float) -> Batch:
        shaped = self._sheet.shape.of_rows(self.rows, self._numbers)
        batch = Batch(
            self._sheet.shape.path,
            shaped.rows,
            shaped.numbers,
            [*self.raw, *shaped.raw],
            share,
            shaped.filtered + self.blank,
            shaped.filtered,
            shaped.further,
            skips={BLANK: self.blank} if self.blank else {},
        )
        self.rows, self._numbers, self.raw, self.blank = [], [], [], 0
        return batch

    def notes(self) -> list[str]:
        if not self._merged:
            return []
        said = (
            f"{self._sheet.shape.path.name}: {len(self._merged):,} rows have merged cells, whose"
            " value stands in the first row alone: the others have none there"
        )
        return [said]


@contextmanager
def _book_of(path: Path) -> Iterator[_Book]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield _Book(archive, path)
    except FeedError:
        raise
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError) as error:
        raise FeedError([f"it is no whole workbook: {error}"], str(path)) from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise FeedError(["it is no whole workbook: its parts lie outside it"], str(path)) from error
    except (ValueError, IndexError, KeyError, EOFError, zlib.error) as error:
        raise FeedError([f"a part of the workbook is damaged: {error}"], str(path)) from error


def _part(target: str) -> str:
    """Return the name in the archive of what a relation of the workbook leads to."""
    return target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl") / target)


def _string(item: Element) -> str:
    """Return the text of a string item, of all its runs; not how it is pronounced."""
    texts = [each.text or "" for each in item.iter("{*}t") if not _is_pronunciation(each)]
    return string_text("".join(texts))


def _is_pronunciation(text: Element) -> bool:
    return local_name(text.getparent()) == "rPh"


def _column(reference: str) -> int:
    """Return the place of a cell in its row, from 0.

    >>> _column("A1"), _column("AB7")
    (0, 27)
    """
    place = 0
    for letter in reference:
        if not letter.isalpha():
            break
        place = place * 26 + ord(letter.upper()) - ord("A") + 1
    return place - 1
