"""First maps: what they find in files of made formats, and that they read these files."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feed.mapping import FeedError, feed_map_of_text
from streams.feed.maps.check import Check, checked
from streams.feed.maps.draft import Draft, draft_of
from streams.feed.maps.evidence import Evidence, evidence_of
from streams.feed.reader import files_of, read


def drafted(folder: Path, data: bytes, name: str = "bank.csv") -> tuple[Draft, Check]:
    file = folder / name
    file.write_bytes(data)
    draft = draft_of(file)
    feed_map = feed_map_of_text(draft.text, "it")._replace(tells_lines=True)
    return draft, checked(file, read(files_of([file], feed_map), feed_map), feed_map)


def sums(check: Check) -> dict[str, str]:
    return {f"{one.currency} {one.direction}": one.amount for one in check.sums}


GIRO = """Kontoauszug;DE1

Buchungstag;Valuta;Empfänger;Betrag (EUR);Saldo
05.01.2026;05.01.2026;Bäcker;-3,50;1.000,00
17.01.2026;18.01.2026;Müller;-1.250,00;-250,00
28.01.2026;28.01.2026;Firma;2.500,00;2.250,00
Endsaldo;;;;2.250,00
"""


@pytest.mark.parametrize("name", ["Empfänger", "Beguenstigter/Zahlungspflichtiger", "Begünstigter"])
def test_whoever_was_paid_is_known_by_the_columns_name(tmp_path: Path, name: str) -> None:
    draft, check = drafted(tmp_path, GIRO.replace("Empfänger", name).encode())
    assert any(note.startswith(f"counterparty_id: {name} is taken") for note in draft.unsure)
    assert "Bäcker" in check.first_rows[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_statement_with_lines_around_its_table_is_found(tmp_path: Path, encoding: str) -> None:
    draft, check = drafted(tmp_path, GIRO.encode(encoding))
    assert sums(check) == {"EUR credit": "2500.00", "EUR debit": "1253.50"}
    assert (check.unreadable, dict(check.passed)) == (0, {"preamble": 2, "footer": 1})
    assert any("3 of 3 cells read as %d.%m.%Y; 2 of them cannot be" in note for note in draft.sure)
    assert any("1.234,50" in note for note in draft.sure)
    assert any(note.startswith("direction: 2 of 3 cells have a minus") for note in draft.unsure)
    assert any(note.startswith("account_id: no column") for note in draft.unsure)


def test_two_columns_of_amounts_and_a_time_are_found(tmp_path: Path) -> None:
    data = (
        "Transaction ID,Account,Date,Time,Withdrawals,Deposits,Balance,Currency\n"
        'T1,A1,01/02/2026,093000,"1,000.00",,5.00,USD\nT2,A1,02/03/2026,094500,,7.25,12.25,USD\n'
        "T3,A2,03/04/2026,235959,0.75,,11.50,USD\n"
    )
    draft, check = drafted(tmp_path, data.encode())
    assert sums(check) == {"USD credit": "7.25", "USD debit": "1000.75"}
    assert check.first_rows[0][:3] == ("T1", "A1", "2026-02-01T09:30:00Z")
    assert any("as %m/%d/%Y, too: ask which it is" in note for note in draft.unsure)


def test_an_id_by_content_has_the_amount_in_it(tmp_path: Path) -> None:
    data = "27 Feb 2018,UMC, 7.80, ,X,\n28 Feb 2018,ICT, ,107.80,X,\n"
    draft, check = drafted(tmp_path, data.encode())
    assert "transaction_id = { content = [1, 2, 3, 4] }" in draft.text
    assert sums(check) == {"EUR credit": "107.80", "EUR debit": "7.80"}


def test_a_number_of_an_account_is_no_time(tmp_path: Path) -> None:
    data = "Konto;Tag;Betrag\n1000594757;22.02.18;-36,99\n1000594757;23.02.18;1,00\n"
    draft, _ = drafted(tmp_path, data.encode())
    assert 'account_id = "Konto"' in draft.text


def test_a_file_without_a_header_has_numbers_for_columns(tmp_path: Path) -> None:
    data = "20260105\tA\tC\t$5.00\n20260131\tA\tD\t$6.00\n"
    draft, check = drafted(tmp_path, data.encode(), "bank.dat")
    assert "header = false" in draft.text
    assert 'kind = "csv"' in draft.text
    assert sums(check) == {"USD credit": "5.00", "USD debit": "6.00"}
    assert any("the currency of $ is a guess" in note for note in draft.unsure)


def test_json_lines_are_found_by_their_paths(tmp_path: Path) -> None:
    account = '"acct": {"iban": "DE89370400440532013000"}'
    lines = [
        f'{{"id": "T{number}", {account}, "at": 17000000{number},'
        f' "size": {{"amount": -1{number}.50, "ccy": "EUR"}}}}'
        for number in range(10, 14)
    ]
    draft, check = drafted(tmp_path, "\n".join(lines).encode(), "bank.jsonl")
    assert sums(check) == {"EUR debit": "448.00"}
    assert 'account_id = "acct.iban"' in draft.text
    assert check.is_good


def test_text_of_a_file_stays_within_its_comment(tmp_path: Path) -> None:
    data = '"a\nb ""x""\x1b";size\n01.01.2026;5,00\n31.01.2026;6,00\n'
    draft, check = drafted(tmp_path, data.encode())
    assert check.readable == 2
    assert "\x1b" not in draft.text


@pytest.mark.parametrize("data", [b"", b"\n\n", b"one\ntwo\nthree\n", b"[1]\n"])
def test_a_file_without_a_table_is_refused(tmp_path: Path, data: bytes) -> None:
    for name in ("bank.csv", "bank.jsonl"):
        with pytest.raises(FeedError, match=r"table|is a JSON object"):
            drafted(tmp_path, data, name)


@pytest.mark.parametrize("data", [b"a;b\n", b"a;b\nc;d\n\n"])
def test_a_table_without_dates_and_amounts_has_them_left_to_a_person(
    tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "bank.csv").write_bytes(data)
    draft = draft_of(tmp_path / "bank.csv")
    assert any(note.startswith("booked_at: no column reads as a date") for note in draft.unsure)
    assert any(note.startswith("amount: no column reads as numbers") for note in draft.unsure)


@given(
    st.lists(st.dates(date(1970, 1, 1), date(2099, 12, 31)), min_size=1, max_size=50),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d.%m.%Y", "%Y-%m-%d"]),
)
def test_a_date_is_never_sure_if_it_can_be_two(days: list[date], written: str) -> None:
    cells = [f"{day:{written}}" for day in days]
    found = evidence_of("DAY", cells).dates
    assert found is not None
    if found.rival is None or found.told_apart:
        assert (found.format or "%Y-%m-%d") == written


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=50), st.booleans())
def test_a_number_is_never_sure_if_it_can_be_two(cents: list[int], is_german: bool) -> None:  # noqa: FBT001 - drawn
    english = [f"{each // 100:,}.{each % 100:02}" for each in cents]
    table = str.maketrans(",.", ".,") if is_german else {}
    found: Evidence = evidence_of("SIZE", [cell.translate(table) for cell in english])
    assert found.numbers is not None
    if found.numbers.rival is None or found.numbers.told_apart:
        marks = "," if is_german else "."
        assert found.numbers.number[-3] == marks
