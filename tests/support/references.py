"""Three public data sets, and what SQL and pandas agree on of each of them."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DATA = Path(os.environ.get("WEIR_TEST_DATA", ROOT.parent / "shared" / "data"))

AccountDay = tuple[str, str]


class Reference(NamedTuple):
    """What SQL and pandas agree on; the limits are those of the example's policy."""

    name: str
    path: str
    time_zone: str
    amount_limit_minor: int
    count_limit: int
    rows: int  # handed on as fields, whatever their direction
    skipped: int
    amount_days: int
    count_days: int
    amount_days_sha256: str  # its first 16 digits: see `digest_of`


HANDBOOK = Reference(
    "handbook", "handbook", "UTC", 500_00, 10, 1_303_778, 0, 11_723, 159, "514e6e7a0fa0bfdb"
)
BERKA = Reference(
    "berka", "berka/trans.asc", "Europe/Prague", 20_000_00, 2, 49_102, 1, 1_632, 96,
    "bec5100baef37767",
)  # fmt: skip
BIRMINGHAM = Reference(
    "birmingham", "birmingham-2017", "Europe/London", 2_000_00, 10, 51_592, 0, 528, 253,
    "a5452dd97e6fa868",
)  # fmt: skip


def path_of(reference: Reference) -> Path:
    path = DATA / reference.path
    if not path.exists():
        pytest.skip(f"{path} is not there: name the folder of the data sets by WEIR_TEST_DATA")
    return path


def digest_of(days: set[AccountDay]) -> str:
    """Return the start of the SHA-256 of `account|day` lines, in the order of account, then day.

    The pairs are sorted, not the lines: a bar sorts behind the digits, so that the lines of
    account 1 would come after those of account 10.
    """
    text = "\n".join(f"{account}|{day}" for account, day in sorted(days))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
