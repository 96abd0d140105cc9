"""Make a table of customers of Berka's tables (PKDD'99): a row an account, with its owner.

    python examples/berka_customers.py FOLDER [OUT_FOLDER]

FOLDER has account.asc, client.asc, disp.asc, district.asc, loan.asc, card.asc, order.asc and
trans.asc, which may be cut in its last line. Written to OUT_FOLDER, or here:

customers.csv   account_id; sex and age of the owner, from the birth number (the month of a woman
                is written 50 higher; years of age at the end of 1998); district, region and
                average_salary of the account's branch (CZK a month); statement (how often one is
                sent); card (its kind); orders (standing orders) and orders_monthly (their sum,
                CZK); average_balance (CZK, the mean of the balances after its transactions) and
                monthly_inflow (CZK, credits over the months from its first transaction to its
                last); loan (status A ended and paid, B ended and not paid, C running, D running
                and in debt), loan_amount (CZK) and loan_months. What an account has not is empty.
districts.toml  a hierarchy for `weir describe`: district, region, land.
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

Row = dict[str, str]

AGE_AT = date(1998, 12, 31)
CENTURY = 1900
WOMAN_MONTH = 50
COLUMNS = (
    "account_id", "sex", "age", "district", "region", "average_salary", "statement", "card",
    "orders", "orders_monthly", "average_balance", "monthly_inflow", "loan", "loan_amount",
    "loan_months",
)  # fmt: skip
STATEMENTS = {
    "POPLATEK MESICNE": "monthly",
    "POPLATEK TYDNE": "weekly",
    "POPLATEK PO OBRATU": "after each transaction",
}


def rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a table that have all its columns; a last line that is cut has not."""
    with path.open(encoding="latin-1", newline="") as file:
        reader = csv.reader(file, delimiter=";")
        header = next(reader)
        for cells in reader:
            if len(cells) == len(header):
                yield dict(zip(header, (cell.strip() for cell in cells), strict=True))


def day(text: str) -> date:
    """Return the day that yymmdd writes."""
    return date(CENTURY + int(text[:2]), int(text[2:4]), int(text[4:6]))


def owner(birth_number: str) -> Row:
    """Return sex and age of a client."""
    month = int(birth_number[2:4])
    is_woman = month > WOMAN_MONTH
    month -= WOMAN_MONTH if is_woman else 0
    born = day(f"{birth_number[:2]}{month:02}{birth_number[4:6]}")
    had_birthday = (AGE_AT.month, AGE_AT.day) >= (born.month, born.day)
    age = AGE_AT.year - born.year - (0 if had_birthday else 1)
    return {"sex": "woman" if is_woman else "man", "age": str(age)}


def owners(folder: Path) -> dict[str, Row]:
    """Return the owner of each account."""
    born = {row["client_id"]: row["birth_number"] for row in rows(folder / "client.asc")}
    return {
        row["account_id"]: owner(born[row["client_id"]])
        for row in rows(folder / "disp.asc")
        if row["type"] == "OWNER"
    }


def cards(folder: Path) -> dict[str, Row]:
    """Return the kind of card of each account that has one."""
    accounts = {row["disp_id"]: row["account_id"] for row in rows(folder / "disp.asc")}
    return {accounts[row["disp_id"]]: {"card": row["type"]} for row in rows(folder / "card.asc")}


def loans(folder: Path) -> dict[str, Row]:
    """Return the loan of each account that has one."""
    return {
        row["account_id"]: {
            "loan": row["status"],
            "loan_amount": row["amount"],
            "loan_months": row["duration"],
        }
        for row in rows(folder / "loan.asc")
    }


def orders(folder: Path) -> dict[str, Row]:
    """Return the standing orders of each account that has some."""
    amounts: dict[str, list[Decimal]] = defaultdict(list)
    for row in rows(folder / "order.asc"):
        amounts[row["account_id"]].append(Decimal(row["amount"]))
    return {
        account: {"orders": str(len(some)), "orders_monthly": whole(sum(some, Decimal()))}
        for account, some in amounts.items()
    }


def movements(folder: Path) -> dict[str, Row]:
    """Return average balance and monthly inflow of each account that has transactions."""
    balances: dict[str, list[Decimal]] = defaultdict(list)
    credits_of: dict[str, Decimal] = defaultdict(Decimal)
    months: dict[str, set[int]] = defaultdict(set)
    for row in rows(folder / "trans.asc"):
        account, booked = row["account_id"], day(row["date"])
        balances[account].append(Decimal(row["balance"]))
        months[account].add(booked.year * 12 + booked.month)
        if row["type"] == "PRIJEM":
            credits_of[account] += Decimal(row["amount"])
    return {
        account: {
            "average_balance": whole(sum(some, Decimal()) / len(some)),
            "monthly_inflow": whole(
                credits_of[account] / (max(months[account]) - min(months[account]) + 1)
            ),
        }
        for account, some in balances.items()
    }


def whole(amount: Decimal) -> str:
    """Return an amount in whole crowns."""
    return str(amount.quantize(Decimal(1)))


def customers(folder: Path) -> Iterator[Row]:
    """Yield a row an account, by its number."""
    districts = {row["A1"]: row for row in rows(folder / "district.asc")}
    further = [part(folder) for part in (owners, cards, orders, movements, loans)]
    for account in sorted(rows(folder / "account.asc"), key=lambda row: int(row["account_id"])):
        number, district = account["account_id"], districts[account["district_id"]]
        made = {
            "account_id": number,
            "district": district["A2"],
            "region": district["A3"],
            "average_salary": district["A11"],
            "statement": STATEMENTS[account["frequency"]],
        }
        for part in further:
            made |= part.get(number, {})
        yield made


def hierarchy(folder: Path) -> Iterator[str]:
    """Yield the lines of a hierarchy: each district's region, each region's land."""
    districts = list(rows(folder / "district.asc"))
    regions = sorted({row["A3"] for row in districts})
    yield "[hierarchy.district]"
    yield from (f'"{row["A2"]}" = "{row["A3"]}"' for row in districts)
    yield from (
        f'"{region}" = "{"Moravia" if "Moravia" in region else "Bohemia"}"' for region in regions
    )


def main() -> None:
    """Write both files."""
    folder = Path(sys.argv[1])
    out = Path(sys.argv[2]) if sys.argv[2:] else Path()
    with (out / "customers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(customers(folder))
    lines = "\n".join(hierarchy(folder)) + "\n"
    (out / "districts.toml").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
