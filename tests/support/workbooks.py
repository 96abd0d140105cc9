"""Workbooks (.xlsx) as a spreadsheet program writes them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a cell has no zone
Cell = str | Decimal | date | datetime | bool | None


def workbook_of(
    sheets: Mapping[str, Sequence[Sequence[Cell]]], merged: Sequence[str] = (), further: str = ""
) -> bytes:
    """Return a workbook; numbers are written as binary doubles with 17 digits, as Excel does.

    `merged` are ranges of the first sheet; `further` stands before the root of each sheet's XML.
    """
    strings: dict[str, int] = {}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        named, relations = "", ""
        for number, (name, rows) in enumerate(sheets.items(), 1):
            named += f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
            relations += relation(number, "worksheet", f"worksheets/sheet{number}.xml")
            ranges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
            merges = f"<mergeCells>{ranges}</mergeCells>" if ranges and number == 1 else ""
            data = "".join(row_of(place, row, strings) for place, row in enumerate(rows, 1))
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'{further}<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData>{merges}'
                "</worksheet>",
            )
        count = len(sheets)
        relations += relation(count + 1, "sharedStrings", "/xl/sharedStrings.xml")
        relations += relation(count + 2, "styles", "styles.xml")
        items = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{items}</sst>')
        archive.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode="0.00 '
            '&quot;days&quot;"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
            '<xf numFmtId="22"/><xf numFmtId="164"/></cellXfs></styleSheet>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{named}</sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f"<Relationships>{relations}</Relationships>"
        )
    return out.getvalue()


def relation(number: int, kind: str, target: str) -> str:
    return f'<Relationship Id="rId{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'


def row_of(place: int, row: Sequence[Cell], strings: dict[str, int]) -> str:
    """Return a row; one without cells is not written, as in a file."""
    cells = "".join(
        cell_of(f"{chr(65 + column)}{place}", cell, strings)
        for column, cell in enumerate(row)
        if cell is not None
    )
    return f'<row r="{place}">{cells}</row>' if cells else ""


def cell_of(reference: str, cell: Cell, strings: dict[str, int]) -> str:
    if isinstance(cell, bool):
        return f'<c r="{reference}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, str):
        number = strings.setdefault(cell, len(strings))
        return f'<c r="{reference}" t="s"><v>{number}</v></c>'
    if isinstance(cell, Decimal):
        return f'<c r="{reference}" s="3"><v>{float(cell):.17g}</v></c>'
    assert cell is not None
    if isinstance(cell, datetime):
        days = (cell - ZERO).total_seconds() / 86400
        return f'<c r="{reference}" s="2"><v>{days!r}</v></c>'
    return f'<c r="{reference}" s="1"><v>{(cell - date(1899, 12, 30)).days}</v></c>'
