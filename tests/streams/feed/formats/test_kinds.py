"""The format of a file is what it begins as, else what its name says."""

from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from streams.feed.formats import kinds
from streams.feed.formats.kinds import kind_of
from streams.feed.formats.reading import FileReading
from streams.feed.mapping import FeedError, FeedMap
from streams.feed.reader import files_of
from tests.support.statements import Statement, camt_of, mt940_of, ofx_of
from tests.support.workbooks import workbook_of

NONE: Final = Statement(Decimal(1), [])
CAMT, MT940, OFX = camt_of(NONE), mt940_of(NONE), ofx_of(NONE)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", CAMT, "camt"),
        ("a.xml", CAMT, "camt"),
        ("a", CAMT.decode().encode("utf-16"), "camt"),
        ("a.xml", b"\xef\xbb\xbf" + CAMT, "camt"),
        ("a.txt", MT940, "mt940"),
        ("a", b"BANK\n940\nBANK\n:20:A\n:25:1\n:28:1\n", "mt940"),
        ("a.csv", b":20:A\r\n:25:1\r\n", "mt940"),
        ("a.txt", OFX, "ofx"),
        ("a.xml", ofx_of(NONE, is_xml=True), "ofx"),
        ("a", b"\n\nOFXHEADER:100\n<OFX>", "ofx"),
        ("a.csv", workbook_of({"S": []}), "xlsx"),
        ("a.txt", b"transaction_id,amount\n", "csv"),
        ("a.csv", b"text\n:20:A\n", "csv"),
        ("a.csv", b"note\n<Document>\n", "csv"),
        ("a.csv", b"", "csv"),
        ("a.parquet", b"", "parquet"),
        ("a.jsonl", b'{"a":"<OFX>"}', "jsonl"),
        ("a.sta", b"", "mt940"),
        ("a.qfx", b"", "ofx"),
        ("a.xml", b"<a/>", None),
        ("a.pdf", b"%PDF", None),
    ],
)
def test_a_format_is_found(name: str, data: bytes, kind: str | None, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert kind_of(path, None) == kind
    assert kind_of(path, "csv") == "csv"


def test_all_that_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    files = []
    for name, data in (("a.xml", b"<a/>"), ("a.pdf", b"%PDF"), ("a.xls", b"\xd0\xcf\x11\xe0")):
        files.append(tmp_path / name)
        files[-1].write_bytes(data)
    with pytest.raises(FeedError) as refused:
        files_of(files)
    problems = refused.value.problems
    assert "neither camt.052, .053, .054 nor OFX" in problems[0]
    assert "say its format by --format (csv, jsonl," in problems[1]
    assert "save it as .xlsx" in problems[2]
    asked = FeedMap(reading=FileReading(format="csv"))
    assert files_of(files, asked) == files


def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "find_spec", lambda _: None)
    path = tmp_path / "a.xml"
    path.write_bytes(CAMT)
    with pytest.raises(FeedError, match=r"needs lxml.*'\.\[statements\]'"):
        files_of([path])
    path.write_bytes(MT940)
    assert files_of([path]) == [path]
