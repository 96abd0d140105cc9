"""Files of other systems: a format drawn at random, written out with the map that says it."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from hypothesis import strategies as st


class Booking(NamedTuple):
    """A transaction as a test means it; `at` has no zone, `cents` is its size."""

    number: int
    account: str
    at: datetime
    cents: int
    direction: str
    payee: str


class Format(NamedTuple):
    """How a bank writes its file."""

    delimiter: str
    encoding: str
    preamble: int
    header: str  # true, false, contains, list
    comments: bool
    blanks: bool
    footer: str  # none, lines, begins
    amount: str  # signed, pair, marks, flag
    number: str
    minus: str
    sign: str  # of the currency: none, before, after, code
    date: str
    has_time_column: bool
    ids: str  # column, template, content
    twins: bool


class Written(NamedTuple):
    """A file, its map, and how many lines of it are no rows."""

    data: bytes
    map_text: str
    passed: Counter[str]


NUMBERS = ("1234.50", "1,234.50", "1.234,50", "1234,50", "1'234.50", "1 234,50", "1,23,456.50")
MINUS = ("-{}", "\u2212{}", "{}-", "({})", "- {}", "\u2013{}")
DATES = ("%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d.%m.%y", "%Y-%m-%d", "%d-%b-%Y")

FORMATS = st.builds(
    Format,
    delimiter=st.sampled_from([",", ";", "\t", "|", "^"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    preamble=st.integers(0, 4),
    header=st.sampled_from(["true", "false", "contains", "list"]),
    comments=st.booleans(),
    blanks=st.booleans(),
    footer=st.sampled_from(["none", "lines", "begins"]),
    amount=st.sampled_from(["signed", "pair", "marks", "flag"]),
    number=st.sampled_from(NUMBERS),
    minus=st.sampled_from(MINUS),
    sign=st.sampled_from(["none", "before", "after", "code"]),
    date=st.sampled_from(DATES),
    has_time_column=st.booleans(),
    ids=st.sampled_from(["column", "template", "content"]),
    twins=st.booleans(),
)

BOOKINGS = st.lists(
    st.builds(
        Booking,
        number=st.just(0),
        account=st.sampled_from(["A-1", "B 2", "Ç3"]),
        at=st.datetimes(datetime(2020, 1, 1), datetime(2029, 12, 31)).map(  # noqa: DTZ001 - of a wall
            lambda at: at.replace(microsecond=0)
        ),
        cents=st.integers(1, 10**11),
        direction=st.sampled_from(["debit", "credit"]),
        payee=st.sampled_from(["Bäcker", 'the "Inn"', "a,b;c", "", "x\ny"]),
    ),
    min_size=1,
    max_size=12,
).map(lambda found: [each._replace(number=place) for place, each in enumerate(found, 1)])


def written_out(bookings: Sequence[Booking], made: Format) -> Written:
    """Return a file of a format with bookings in it, and its map."""
    columns = _columns(made)
    passed: Counter[str] = Counter()
    lines = [f"Statement of somebody {place}\n" for place in range(made.preamble)]
    passed["preamble"] = made.preamble
    if made.header in ("true", "contains"):
        lines.append(_line(columns, made))
    for booking in bookings:
        if made.blanks and booking.number % 3 == 0:
            lines.append("\n")
            passed["blank"] += 1
        if made.comments and booking.number % 4 == 0:
            lines.append("# no row\n")
            passed["comment"] += 1
        lines.append(_line(_cells(booking, made), made))
    if made.footer != "none":
        lines += ["Total: 5\n", "\n", "Printed by a bank\n"]
        passed["footer"] += 2
        passed["blank"] += 1
    text = "".join(lines)
    return Written(text.encode(made.encoding), _map(made, columns), passed)


def _columns(made: Format) -> list[str]:
    size = ["SOLL", "HABEN"] if made.amount == "pair" else ["SIZE"]
    more = ["DIR"] if made.amount == "flag" else []
    day = ["DAY", "TIME"] if made.has_time_column else ["DAY"]
    # Two columns are called alike: it takes their numbers to tell them.
    return ["NO", "ACCT", *day, *size, *more, "NAME", *(["NAME"] if made.twins else [])]


def _line(cells: Sequence[str], made: Format) -> str:
    special = (made.delimiter, '"', "\n", "\r")
    quoted = [
        '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in special) else cell
        for cell in cells
    ]
    return made.delimiter.join(quoted) + "\n"


def _cells(booking: Booking, made: Format) -> list[str]:
    day = booking.at.strftime(made.date)
    of_day = f"{booking.at:%H%M%S}" if made.has_time_column else f"{booking.at:%H:%M:%S}"
    days = [day, of_day] if made.has_time_column else [f"{day} {of_day}"]
    size = _amount(booking.cents, made)
    is_debit = booking.direction == "debit"
    sizes = {
        "signed": [made.minus.format(size) if is_debit else size],
        "marks": [f"{size} {'S' if is_debit else 'H'}"],
        "pair": [size, ""] if is_debit else ["", size],
        "flag": [size, "out" if is_debit else "in"],
    }[made.amount]
    names = [f"other {booking.number}", booking.payee] if made.twins else [booking.payee]
    return [str(booking.number), booking.account, *days, *sizes, *names]


def _amount(cents: int, made: Format) -> str:
    whole, part = divmod(cents, 100)
    if made.number == "1,23,456.50":
        head, tail = divmod(whole, 1000)
        groups = [f"{tail:03}" if head else str(tail)]
        while head:
            head, two = divmod(head, 100)
            groups.insert(0, f"{two:02}" if head else str(two))
        text = ",".join(groups) + f".{part:02}"
    else:
        decimal = "," if made.number.endswith(",50") else "."
        mark = made.number[1] if not made.number[1].isdigit() else ""
        text = f"{whole:,}".replace(",", mark) + f"{decimal}{part:02}"
        if mark == " ":
            text = text.replace(" ", "\u00a0" if cents % 2 else "\u202f")
    return {
        "none": text, "before": f"\u20ac{text}", "after": f"{text} \u20ac", "code": f"EUR {text}",
    }[made.sign]  # fmt: skip


def _map(made: Format, columns: Sequence[str]) -> str:
    by_number = made.header == "false" or made.twins

    def ref(name: str) -> str:
        place = len(columns) if name == "NAME" else columns.index(name) + 1
        return str(place) if by_number else json.dumps(name)

    top = [f"encoding = {json.dumps(made.encoding)}", f"delimiter = {json.dumps(made.delimiter)}"]
    if made.header == "contains":
        top.append('header = { contains = ["NO", "ACCT"] }')
    else:
        top.append(f"skip_lines = {made.preamble}")
    if made.header == "false":
        top.append("header = false")
    elif made.header == "list":
        top.append(f"header = {json.dumps(list(columns))}")
    if made.comments:
        top.append('comments = "#"')
    footers = {"lines": "footer = { lines = 2 }", "begins": 'footer = { begins = "Total" }'}
    top += [footers[made.footer]] if made.footer in footers else []
    amount = f"number = {json.dumps(made.number)}, debit_marks = 'S', credit_marks = 'H' }}"
    size = f"column = {ref('SIZE')}" if "SIZE" in columns else ""
    direction = ""
    if size:
        direction = f"{{ sign_of = {ref('SIZE')}, positive = 'credit', negative = 'debit' }}"
    if made.amount == "pair":
        size = f"debit = {ref('SOLL')}, credit = {ref('HABEN')}"
        direction = f"{{ {size} }}"
    elif made.amount == "flag":
        direction = f"{{ column = {ref('DIR')}, values = {{ in = 'credit', out = 'debit' }} }}"
    form = f"{made.date}" if made.has_time_column else f"{made.date} %H:%M:%S"
    when = f", time_column = {ref('TIME')}, time_format = '%H%M%S'" if made.has_time_column else ""
    number = "1" if by_number else "NO"
    ids = {
        "column": ref("NO"),
        "template": f"{{ template = 'x{{{number}}}' }}",
        "content": f"{{ content = [{ref('NO')}, {ref('DAY')}] }}",
    }[made.ids]
    day = f"column = {ref('DAY')}, format = '{form}'{when}"
    return "\n".join([
        *top, "[columns]", f"transaction_id = {ids}", f"account_id = {ref('ACCT')}",
        f"booked_at = {{ {day}, time_zone = 'Europe/Berlin' }}",
        f"amount = {{ {size}, {amount}",
        f"direction = {direction}", "currency = { constant = 'EUR' }",
        f"counterparty_id = {ref('NAME')}", "",
    ])  # fmt: skip
