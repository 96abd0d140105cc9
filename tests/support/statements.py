"""Statements of accounts as a bank would write them: one statement in three formats."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from streams.feed.mapping import FeedMap
from streams.feed.reader import Batch, files_of, read

ACCOUNT = "DE89370400440532013000"
OTHER = "NL91ABNA0417164300"
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001"


class Booking(NamedTuple):
    """A booking of a statement; `status` is that of ISO 20022."""

    amount: Decimal
    is_credit: bool
    day: date
    reference: str
    name: str = "Ann"
    status: str = "BOOK"

    @property
    def signed(self) -> Decimal:
        return self.amount if self.is_credit else -self.amount


class Statement(NamedTuple):
    opening: Decimal
    bookings: list[Booking]
    account: str = ACCOUNT
    currency: str = "EUR"
    missing: Decimal = Decimal(0)  # from the entries, by the closing balance that it states

    @property
    def stated(self) -> Decimal:
        return self.closing + self.missing

    @property
    def closing(self) -> Decimal:
        booked = [each.signed for each in self.bookings if each.status == "BOOK"]
        return self.opening + sum(booked, Decimal(0))


amounts = st.integers(0, 10**12).map(lambda cents: Decimal(cents).scaleb(-2))
days = st.dates(date(2000, 1, 1), date(2067, 12, 31))


@st.composite
def statements(draw: st.DrawFn, statuses: tuple[str, ...] = ("BOOK",)) -> Statement:
    """Draw a statement whose bookings have references of their own."""
    count = draw(st.integers(0, 8))
    bookings = [
        Booking(
            draw(amounts), draw(st.booleans()), draw(days), f"REFERENCE{number}",
            draw(st.text(st.sampled_from("aé &<>'Z"), min_size=1, max_size=9).map(named)),
            draw(st.sampled_from(statuses)),
        )
        for number in range(count)
    ]  # fmt: skip
    opening = draw(amounts) * draw(st.sampled_from([1, -1]))
    return Statement(opening, bookings)


def named(text: str) -> str:
    return f"N{text}".strip()


def camt_of(statement: Statement, version: str = "08") -> bytes:
    """Return a statement as camt.053."""
    balances = [("OPBD", statement.opening), ("CLBD", statement.stated)]
    entries = "".join(camt_entry(each, statement.currency, version) for each in statement.bookings)
    return camt_around(
        f"<Acct><Id><IBAN>{statement.account}</IBAN></Id></Acct>"
        + "".join(
            f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
            f'<Amt Ccy="{statement.currency}">{abs(amount):f}</Amt>'
            f"<CdtDbtInd>{'DBIT' if amount < 0 else 'CRDT'}</CdtDbtInd></Bal>"
            for code, amount in balances
        )
        + entries,
        version,
    )


def camt_around(content: str, version: str = "08") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}.{version}">'
        f"<BkToCstmrStmt>\n<Stmt><Id>S1</Id>{content}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def camt_entry(booking: Booking, currency: str = "EUR", version: str = "08") -> str:
    side = "Dbtr" if booking.is_credit else "Cdtr"
    is_new = version >= "08"
    status = f"<Cd>{booking.status}</Cd>" if is_new else booking.status
    name = f"<Nm>{escape(booking.name)}</Nm>"
    bank = "BICFI" if version > "02" else "BIC"
    return (
        f'\n<Ntry><Amt Ccy="{currency}">{booking.amount:f}</Amt>'
        f"<CdtDbtInd>{'CRDT' if booking.is_credit else 'DBIT'}</CdtDbtInd><Sts>{status}</Sts>"
        f"<BookgDt><Dt>{booking.day}</Dt></BookgDt><AcctSvcrRef>{booking.reference}</AcctSvcrRef>"
        f"<NtryDtls><TxDtls><RltdPties><{side}>{f'<Pty>{name}</Pty>' if is_new else name}</{side}>"
        f"<{side}Acct><Id><IBAN>{OTHER}</IBAN></Id></{side}Acct></RltdPties><RltdAgts><{side}Agt>"
        f"<FinInstnId><{bank}>ABNANL2A</{bank}></FinInstnId></{side}Agt></RltdAgts></TxDtls>"
        "</NtryDtls></Ntry>"
    )


def mt940_of(statement: Statement) -> bytes:
    """Return a statement as MT940; what is not booked is expected (as in MT942)."""
    lines = [
        "{1:F01DEUTDEFFXXXX0000000000}{2:I940DEUTDEFFXXXXN}{4:", ":20:STARTUMS",
        f":25:{statement.account}", ":28C:1/1", f":60F:{_balance(statement.opening, statement)}",
    ]  # fmt: skip
    for each in statement.bookings:
        mark = ("" if each.status == "BOOK" else "E") + ("C" if each.is_credit else "D")
        lines += [
            f":61:{each.day:%y%m%d%m%d}{mark}{_comma(each.amount)}NTRFNONREF//{each.reference}",
            f":86:166?00UEBERWEISUNG?20EREF+{each.reference}?30ABNANL2A?31{OTHER}?32{each.name}",
        ]
    lines += [f":62F:{_balance(statement.stated, statement)}", "-}"]
    return "\r\n".join(lines).encode()


def _balance(amount: Decimal, statement: Statement) -> str:
    mark = "D" if amount < 0 else "C"
    return f"{mark}260105{statement.currency}{_comma(abs(amount))}"


def _comma(amount: Decimal) -> str:
    return f"{amount:f}".replace(".", ",")


def ofx_of(statement: Statement, *, is_xml: bool = False) -> bytes:
    """Return a statement as OFX 1 (SGML), or OFX 2; it has no bookings that are not booked."""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200" VERSION="211"?>\n'
        if is_xml
        else "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nENCODING:UTF-8\nCHARSET:NONE\n\n"
    )

    def element(name: str, text: str) -> str:
        return f"<{name}>{escape(text)}" + (f"</{name}>" if is_xml else "\n")

    entries = "".join(
        "<STMTTRN>"
        + element("TRNTYPE", "OTHER")
        + element("DTPOSTED", f"{each.day:%Y%m%d}")
        + element(
            "TRNAMT", f"{each.signed:f}" if each.amount else ("0" if each.is_credit else "-0")
        )
        + element("FITID", each.reference)
        + element("NAME", each.name)
        + f"<BANKACCTTO>{element('BANKID', 'ABNANL2A')}{element('ACCTID', OTHER)}</BANKACCTTO>"
        "</STMTTRN>\n"
        for each in statement.bookings
    )
    return (
        f"{head}<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS>{element('CURDEF', statement.currency)}"
        f"<BANKACCTFROM>{element('BANKID', '1')}{element('ACCTID', statement.account)}"
        f"</BANKACCTFROM><BANKTRANLIST>{entries}</BANKTRANLIST><LEDGERBAL>"
        f"{element('BALAMT', f'{statement.stated:f}')}{element('DTASOF', '20260105')}"
        "</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
    ).encode()


def batches_of(
    folder: Path, data: bytes, name: str, feed_map: FeedMap | None = None
) -> list[Batch]:
    """Return what is read of a file."""
    path = folder / name
    path.write_bytes(data)
    return list(read(files_of([path], feed_map), feed_map))


def rows_in(batches: list[Batch]) -> list[tuple[str, ...]]:
    return [tuple(cell or "" for cell in row) for batch in batches for row in batch.rows]


def notes_in(batches: list[Batch]) -> list[str]:
    return [note for batch in batches for note in batch.notes]


def signed_in(batches: list[Batch]) -> Decimal:
    """Return the sum of the rows' amounts, credits less debits."""
    return sum(
        (Decimal(row[3]) * (1 if row[5] == "credit" else -1) for row in rows_in(batches)),
        Decimal(0),
    )


def noon(day: date, later: int = 0) -> str:
    return f"{day + timedelta(later)}T12:00:00Z"
