"""Streams in which everything comes that an engine may meet, and policies to decide on them by."""

import json
import random
from collections.abc import Sequence
from typing import Final

from monitor.core.business_day import day_text
from monitor.policy.document import policy_of
from monitor.policy.policy import Policy
from monitor.review.membership import Verdicts
from tests.support.records import GOOD_TIMESTAMP, Record, record

HOUR_MS: Final = 3_600_000
DAY_FIRST: Final = 739_621
"""The business day of `GOOD_TIMESTAMP`."""

SEGMENTS: Final = ("business", "retail", "s3", "s4", "s5", "with / and blank")
PRODUCTS: Final = ("card", "loan")
CALENDARS: Final = (
    'time_zone = "UTC"\n',
    'time_zone = "UTC"\nallowed_lateness = "0s"\nclock_skew = "6h"\n',
    'time_zone = "Europe/Berlin"\ncut_off = "03:00"\nallowed_lateness = "30h"\nleap = "2d"\n',
    'time_zone = "UTC"\nallowed_lateness = "1200h"\nleap = "20d"\n',
)
AMOUNTS: Final = (
    "0", "0.00", "1", "40.00", "250.00", "600.00", "5629499534213.11", "5629499534213.12",
    "11258999068426.24", "9007199254740993.00", "9999999999999999.99", "4503599627370496.00",
)  # fmt: skip
IDS_OF_TRANSACTIONS: Final = ("", "x" * 33, "x" * 34, "x" * 60, "\u00e9", 'a"b', "a\\b", "x" * 180)
"""What comes before a number and makes an id of forty characters, of more, or one with escapes."""


def strange_policy(
    rng: random.Random, version: int = 1, calendar: str = CALENDARS[0], accounts: Sequence[str] = (),
    *, has_models: bool = False,
) -> Policy:  # fmt: skip
    """Return a policy with some limits, of some sorts, low or high; reviews and more, or not.

    Models are only in one that is to have them: nothing is in rows while there are any.
    """
    text = f"version = {version}\n"
    if version > 1 and rng.random() < 0.6:
        text += f'effective_from = "{day_text(DAY_FIRST + rng.randint(-2, 12))}"\n'
    text += f"[calendar]\n{calendar}"
    scopes = [""]
    for sort, names in (("segment", SEGMENTS), ("product", PRODUCTS), ("account", accounts)):
        if names and rng.random() < 0.6:
            scopes.append(f"scope = {{ {sort} = {json.dumps(rng.choice(names))} }}\n")
    scale = rng.choice([1, 10, 50, 10**9])
    for number, scope in enumerate(scopes):
        for measure in rng.sample(["amount", "count", "JPY", "all"], rng.randint(1, 3)):
            direction = rng.choice(["debit", "credit", "both"])
            above = rng.choice([2, 4, 9]) * scale
            amount = f'measure = "amount"\nabove = "{above * 200}"\ncurrency = '
            stated = {
                "amount": f'{amount}"EUR"\n',
                "JPY": f'{amount}"JPY"\n',
                "count": f'measure = "count"\nabove = {above}\n',
                "all": f'measure = "count"\nabove = {above}\ncurrency = "USD"\n',
            }[measure]
            text += f'[[limit]]\nid = "{measure}-{number}"\ndirection = "{direction}"\n'
            text += stated + scope
    if rng.random() < 0.5:
        share = rng.choice(["", "near_share = 0.5\n", "near_share = 0.9\n"])
        text += f"[review]\ndays = 2\nwindow_days = {rng.choice([2, 4])}\n{share}"
    if rng.random() < 0.5:
        text += "[systemic]\n"
    policy = policy_of(text)
    return policy if has_models else policy._replace(outliers=None)


class StrangeStream:
    """Makes records one after the other; each is a fault or a feint with some probability."""

    def __init__(self, rng: random.Random, accounts: int, strangeness: float) -> None:
        self._rng = rng
        self._strangeness = strangeness
        self.accounts = [f"A{number}" for number in range(accounts)]
        if accounts > 3:
            strange = ["\u00e9-account", 'with"quote', "x" * 256, "A last one"]
            self.accounts[-1] = rng.choice(strange)
        self._alone = rng.choice([0, 0, 0, 3, 12])
        self._hours = 0.0
        self._pace = rng.choice([0.05, 0.5, 4])
        self._taken: list[tuple[str, str, str, str]] = []

    def records(self, first: int, count: int) -> list[Record]:
        """Return so many records from an offset on."""
        return [self._record(offset) for offset in range(first, first + count)]

    def _record(self, offset: int) -> Record:
        rng = self._rng
        self._hours += rng.random() * self._pace
        if rng.random() < 0.01:
            self._hours += rng.choice([24, 60, 200])
        hours = self._hours
        account = self.accounts[0] if offset < self._alone else rng.choice(self.accounts)
        name = f"T{offset}"
        fields = {"amount": rng.choice(AMOUNTS[2:5]), "currency": "EUR"}
        written = self._hours + 400 * 24
        if rng.random() < self._strangeness:
            match rng.randrange(14):
                case 0:
                    fields["amount"] = rng.choice(AMOUNTS)
                    fields["currency"] = rng.choice(["EUR", "USD", "KWD", "JPY"])
                    if fields["currency"] == "JPY":
                        fields["amount"] = str(10 ** rng.choice([2, 14, 15, 17]))
                case 1:
                    fields["currency"] = rng.choice(["EUR", "USD", "JPY"])
                case 2:
                    fields["segment"] = rng.choice(SEGMENTS)
                    hours -= rng.choice([0, 1, 5])
                case 3:
                    fields["segment"] = rng.choice(SEGMENTS[:2])
                case 4 if self._taken:
                    name, other, *_ = rng.choice(self._taken[-rng.choice([3, 30, 300]) :])
                    account = other if rng.random() < 0.8 else account
                case 5 if self._taken:
                    earlier = self._taken[-rng.choice([3, 30, 300]) :]
                    fields["reverses"], account, amount, fields["currency"] = rng.choice(earlier)
                    fields["amount"] = rng.choice([amount, amount, "1", "0"])
                    hours -= rng.choice([0, 0, 10, 40])
                case 6:
                    fields["reverses"] = f"T{offset + rng.randint(1, 12)}"
                    fields["amount"] = rng.choice(["1", "40.00"])
                case 7:
                    hours -= rng.choice([1, 20, 30, 60, 2000])
                case 8:
                    hours += rng.choice([30, 60, 100, 300])
                    account = self.accounts[1] if rng.random() < 0.9 else account
                case 9:
                    written = hours - rng.choice([0, 2, 7])
                case 10:
                    name = rng.choice(IDS_OF_TRANSACTIONS) + name
                case 11:
                    fields["channel"] = rng.choice(["\u00e9", 'a"b', "mobile"])
                case 12:
                    fields["direction"] = "credit"
                    fields["segment"] = ""
                case _:
                    fields["amount"] = rng.choice(["1.234", "-1", "", "5e1"])
        if offset < self._alone:
            account = self.accounts[0]
        made = record(
            offset, name, hours=hours, account_id=account,
            timestamp=GOOD_TIMESTAMP + int(written * HOUR_MS), **fields,
        )  # fmt: skip
        if rng.random() < 0.02 * self._strangeness:
            assert made.value is not None
            at = rng.randrange(len(made.value))
            made = made._replace(value=made.value[:at] + b"\xff" + made.value[at + 1 :])
        else:
            self._taken.append((name, account, fields["amount"], fields["currency"]))
        return made


def strange_verdicts(rng: random.Random, policies: Sequence[Policy]) -> Verdicts:
    """Return verdicts that explain limits of some segments on some days."""
    day = DAY_FIRST + rng.randint(0, 12)
    names = [threshold.threshold_id for policy in policies for threshold in policy.thresholds]
    alerts = [
        {
            "alert_id": f"I{number}", "status": "raised", "verdict": "limit-mis-set", "grouped": 5,
            "threshold_id": rng.choice(names), "cause": None,
            "segment": rng.choice([None, *SEGMENTS[:2]]),
            "evidence": {"days": [day_text(day - back) for back in range(rng.randint(1, 3))]},
        }
        for number in range(rng.randint(0, 3))
    ]  # fmt: skip
    return Verdicts(rng.choice([0, day]), alerts)
