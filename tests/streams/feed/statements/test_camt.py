"""camt: details, statuses, reversals and versions; and XML that would do harm."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from streams.feed.mapping import FeedError
from streams.feed.statements import reader as statement_reader
from tests.support.statements import (
    OTHER,
    Booking,
    batches_of,
    camt_around,
    camt_entry,
    notes_in,
    rows_in,
    signed_in,
)

DAY: Final = date(2026, 1, 5)
CREDIT: Final = Booking(Decimal("5.00"), is_credit=True, day=DAY, reference="R1")
DEBIT: Final = Booking(Decimal("5.00"), is_credit=False, day=DAY, reference="R2")


def read_camt(folder: Path, *entries: str, version: str = "08") -> list[tuple[str, ...]]:
    return rows_in(batches_of(folder, camt_around("".join(entries), version), "a.xml"))


def details(amount: str, reference: str, further: str = "") -> str:
    return (
        f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>"
        f'<AmtDtls><TxAmt><Amt Ccy="EUR">{amount}</Amt></TxAmt></AmtDtls>{further}</TxDtls>'
    )


def batched(amount: str, *parts: str) -> str:
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>'
        f"<BookgDt><Dt>{DAY}</Dt></BookgDt><AcctSvcrRef>BATCH</AcctSvcrRef>"
        f"<NtryDtls>{''.join(parts)}</NtryDtls></Ntry>"
    )


def test_details_that_add_up_are_transactions(tmp_path: Path) -> None:
    rows = read_camt(tmp_path, batched("7.50", details("5.00", "E1"), details("2.50", "E2")))
    assert [(row[0], row[3]) for row in rows] == [("BATCH.1", "5.00"), ("BATCH.2", "2.50")]


def test_details_of_the_other_direction_count_so(tmp_path: Path) -> None:
    back = details("1.00", "E2", "<CdtDbtInd>CRDT</CdtDbtInd>")
    batches = batches_of(
        tmp_path, camt_around(batched("4.00", details("5.00", "E1"), back)), "a.xml"
    )
    assert [row[5] for row in rows_in(batches)] == ["debit", "credit"]
    assert signed_in(batches) == Decimal("-4.00")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (details("2.49", "E2"), "they add up to -7.49, and the entry is -7.50 EUR"),
        ("<TxDtls><Refs/></TxDtls>", "1 of them have no amount in EUR"),
        (details("2.50", "E2").replace("EUR", "USD"), "1 of them have no amount in EUR"),
    ],
)
def test_details_that_do_not_are_told_and_count_as_one(
    second: str, said: str, tmp_path: Path
) -> None:
    data = camt_around(batched("7.50", details("5.00", "E1"), second))
    batches = batches_of(tmp_path, data, "a.xml")
    assert [(row[0], row[3]) for row in rows_in(batches)] == [("BATCH", "7.50")]
    (note,) = notes_in(batches)
    assert said in note
    assert "line 4" not in note
    assert "line 3" in note


@pytest.mark.parametrize(
    ("status", "reason"),
    [("PDNG", "pending"), ("INFO", "information"), ("FUTR", "future"), ("XYZ", "status XYZ")],
)
def test_only_booked_entries_count(status: str, reason: str, tmp_path: Path) -> None:
    for version in ("02", "08"):
        entry = camt_entry(CREDIT._replace(status=status), version=version)
        (batch,) = batches_of(tmp_path, camt_around(entry, version), "a.xml")
        assert (batch.rows, batch.skips, batch.skipped) == ([], {reason: 1}, 1)


def test_an_entry_without_a_direction_is_rejected_with_its_line(tmp_path: Path) -> None:
    entry = camt_entry(CREDIT).replace("<CdtDbtInd>CRDT</CdtDbtInd>", "")
    (batch,) = batches_of(tmp_path, camt_around(entry), "a.xml")
    ((number, record),) = batch.raw
    assert number == 1
    assert b"line 4: the entry (Ntry) has no CdtDbtInd" in record


def reversal(entry: str, own: str = "R9") -> str:
    """Return an entry that takes back what has its end-to-end id."""
    return entry.replace("<Sts>", "<RvslInd>true</RvslInd><Sts>").replace("R2", own)


def referring(booking: Booking, reference: str) -> str:
    return camt_entry(booking).replace(
        "<TxDtls>", f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>"
    )


@pytest.mark.parametrize("is_first", [False, True])
def test_a_reversal_names_its_original_wherever_that_stands(
    is_first: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    entries = [referring(CREDIT, "E1"), reversal(referring(DEBIT, "E1"))]
    rows = read_camt(tmp_path, *(reversed(entries) if is_first else entries))
    assert {row[0]: row[11] for row in rows} == {"R1": "", "R9/reversal": "R1"}


@pytest.mark.parametrize("read_bytes", [1, 50, 1 << 16])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_reversal_is_seen_wherever_its_mark_stands(
    encoding: str, read_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_reader, "READ_BYTES", read_bytes)
    text = camt_around(referring(CREDIT, "E1") + reversal(referring(DEBIT, "E1"))).decode()
    data = text.replace('encoding="UTF-8"', f'encoding="{encoding}"').encode(encoding)
    assert [row[11] for row in rows_in(batches_of(tmp_path, data, "a.xml"))] == ["", "R1"]


@pytest.mark.parametrize(
    "originals",
    [
        [],
        [referring(CREDIT, "E2")],
        [referring(CREDIT, "NOTPROVIDED")],
        [referring(DEBIT, "E1")],
        [referring(CREDIT._replace(amount=Decimal("4.99")), "E1")],
        [referring(CREDIT, "E1"), referring(CREDIT._replace(reference="R3"), "E1")],
    ],
)
def test_a_reversal_of_none_or_of_several_is_told_and_counts(
    originals: list[str], tmp_path: Path
) -> None:
    entries = [*originals, reversal(referring(DEBIT, "E1"))]
    batches = batches_of(tmp_path, camt_around("".join(entries)), "a.xml")
    assert [row[11] for row in rows_in(batches)] == [""] * len(entries)
    assert any("1 reversals take back" in note for note in notes_in(batches))


def test_the_counterparty_is_never_the_account_itself(tmp_path: Path) -> None:
    swapped = camt_entry(CREDIT).replace("Dbtr", "Cdtr")
    data = camt_around(f"<Acct><Id><IBAN>{OTHER}</IBAN></Id></Acct>{camt_entry(CREDIT)}{swapped}")
    assert [row[6] for row in rows_in(batches_of(tmp_path, data, "a.xml"))] == ["", ""]
    assert [row[6] for row in read_camt(tmp_path, swapped)] == [OTHER]


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("<NtryRef>7</NtryRef>", "S1:7"),
        ("<AcctSvcrRef>NONREF</AcctSvcrRef><NtryRef>7</NtryRef>", "S1:7"),
        (f"<AcctSvcrRef>{'A' * 200}</AcctSvcrRef>", "A" * 200),
    ],
)
def test_an_id_is_the_banks(reference: str, name: str, tmp_path: Path) -> None:
    entry = camt_entry(CREDIT).replace("<AcctSvcrRef>R1</AcctSvcrRef>", reference)
    (row,) = read_camt(tmp_path, entry)
    assert row[0] == name


@pytest.mark.parametrize(
    ("name", "called"),
    [("UETR", "{}"), ("EndToEndId", "{}/2026-01-05")],
)
def test_an_id_may_be_the_payments(name: str, called: str, tmp_path: Path) -> None:
    reference = "255ae394-9965-4438-ac86-f406feada396"
    entry = camt_entry(CREDIT).replace("<AcctSvcrRef>R1</AcctSvcrRef>", "")
    entry = entry.replace("<TxDtls>", f"<TxDtls><Refs><{name}>{reference}</{name}></Refs>")
    (row,) = read_camt(tmp_path, entry)
    assert row[0] == called.format(reference)


def test_an_id_without_any_reference_is_a_digest_of_all(tmp_path: Path) -> None:
    entries = [camt_entry(each) for each in (CREDIT, CREDIT._replace(amount=Decimal("5.01")))]
    rows = read_camt(tmp_path, *(each.replace("R1", "") for each in entries))
    ids = [row[0] for row in rows]
    assert len(set(ids)) == 2
    assert {len(bytes.fromhex(each)) for each in ids} == {16}


def test_a_time_is_the_banks(tmp_path: Path) -> None:
    for told, meant in (
        ("2026-01-05T09:30:00+01:00", "2026-01-05T09:30:00+01:00"),
        ("2026-01-05T09:30:00", "2026-01-05T09:30:00Z"),
    ):
        entry = camt_entry(CREDIT).replace(f"<Dt>{DAY}</Dt>", f"<DtTm>{told}</DtTm>")
        assert [row[2] for row in read_camt(tmp_path, entry)] == [meant]


LAUGHS: Final = "".join(
    f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 10)
)


@pytest.mark.parametrize(
    "document_type",
    [
        f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE d [<!ENTITY l9 SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/d.dtd">',
    ],
)
def test_entities_are_refused_and_nothing_is_fetched(document_type: str, tmp_path: Path) -> None:
    entry = camt_entry(CREDIT).replace("Ann", "&l9;")
    data = camt_around(entry).replace(b"<Document", document_type.encode() + b"<Document")
    with pytest.raises(FeedError, match=r"DOCTYPE|no whole XML"):
        batches_of(tmp_path, data, "a.xml")


def test_a_file_that_was_cut_says_its_line(tmp_path: Path) -> None:
    data = camt_around("".join(camt_entry(CREDIT) for _ in range(9)))
    with pytest.raises(FeedError, match="line 7: it is no whole XML"):
        batches_of(tmp_path, data[: data.rindex(b"<Sts>", 0, -2000)], "a.xml")


def test_other_xml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="neither camt"):
        batches_of(tmp_path, b"<Document><Ntry/></Document>", "a.xml")
