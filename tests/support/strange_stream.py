"""Streams in which everything comes that an engine may meet, and policies to decide on them by."""

import json
import random
from collections.abc import Sequence
from typing import Final

from monitor.core.business_day import day_text
from monitor.policy.document import policy_of
from monitor.policy.policy import Policy
from monitor.review.membership import Verdicts
from tests.support.gauged_streams import with_any_limits
from tests.support.incidents import verdicts
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
    'time_zone = "UTC"\nallowed_lateness = "5h"\nholidays = ["2026-01-06", "2026-01-08"]\n',
    'time_zone = "UTC"\nallowed_lateness = "1200h"\nleap = "20d"\n',
)
AMOUNTS: Final = (
    "0", "0.00", "1", "40.00", "250.00", "600.00", "5629499534213.11", "5629499534213.12",
    "11258999068426.24", "9007199254740993.00", "9999999999999999.99", "4503599627370496.00",
)  # fmt: skip
CURRENCIES: Final = ("EUR", "USD", "CHF", "GBP", "SEK", "NOK", "DKK", "PLN")
"""More than an account-day in rows has, with two decimals each."""

IDS_OF_TRANSACTIONS: Final = ("", "x" * 33, "x" * 34, "x" * 60, "\u00e9", 'a"b', "a\\b", "x" * 180)
"""What comes before a number and makes an id of forty characters, of more, or one with escapes."""


HAS_GAUGES: Final = 0.15
"""The share of first policies with limits on gauges: Python decides on all records then.

Not of later ones: since when a gauge has measured depends on the seal that a crash left behind."""


def strange_policy(
    rng: random.Random, version: int, calendar: str, accounts: Sequence[str],
    *, has_models: bool = False,
) -> Policy:  # fmt: skip
    """Return a policy with some limits, of some sorts, low or high; reviews and more, or not.

    Models are only in one that is to have them.
    """
    text = f"version = {version}\n"
    if version > 1 and rng.random() < 0.6:
        text += f'effective_from = "{day_text(DAY_FIRST + rng.randint(-2, 12))}"\n'
    text += f"[calendar]\n{calendar}"
    if has_models:
        text += f"[budget]\nalerts_per_day = {rng.choice([1, 50])}\nwarm_up_days = 5\n"
    keys: list[str] = []
    peers = ["A1", "B2"] if has_models else []
    for sort, names in (
        ("segment", SEGMENTS), ("product", PRODUCTS), ("account", accounts), ("peer_group", peers),
    ):  # fmt: skip
        if names and rng.random() < 0.6:
            keys.append(f"{sort} = {json.dumps(rng.choice(names))}")
    several = rng.sample(keys, 2) if len(keys) > 1 and rng.random() < 0.4 else []
    scopes = ["", *(f"scope = {{ {key} }}\n" for key in [*keys, ", ".join(several)] if key)]
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
    if version == 1 and rng.random() < HAS_GAUGES:
        text = with_any_limits(rng, text, rng.randint(1, 4))
    apart = random.Random(text)  # noqa: S311 - made data, and streams stay as they are
    policy = policy_of(text + _of_lists(apart, accounts) + _suppressions(apart, accounts))
    return policy if has_models else policy._replace(outliers=None)


def _of_lists(rng: random.Random, accounts: Sequence[str]) -> str:
    text = ""
    for number, some in enumerate((accounts[::3], accounts[1::3])):
        if not some or rng.random() < 0.6:
            continue
        text += f"\n[lists.l{number}]\naccounts = {json.dumps(some)}\n"
        above = rng.choice([1, 3, 10**9])
        text += f'[[limit]]\nid = "listed-{number}"\nmeasure = "count"\nabove = {above}\n'
        text += f'scope = {{ in_list = "l{number}" }}\n'
    return text


def _suppressions(rng: random.Random, accounts: Sequence[str]) -> str:
    text = ""
    for account_id in rng.sample(accounts, rng.randint(0, 2)):
        limit = rng.choice(["", 'limit = "amount-0"\n', 'limit = "count-1"\n'])
        until = day_text(DAY_FIRST + rng.randint(-1, 12))
        text += f"\n[[suppression]]\naccount = {json.dumps(account_id)}\n{limit}"
        text += f'until = "{until}"\nreason = "agreed"\n'
    return text


class _Draft:
    """A record that is being made: who, when, and its other fields; written at `written` hours."""

    def __init__(self, name: str, account_id: str, hours: float, amount: str) -> None:
        self.name = name
        self.account_id = account_id
        self.hours = hours
        self.written = hours + 400 * 24
        self.fields = {"amount": amount, "currency": "EUR"}


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
        self._has_segments = rng.random() < 0.5
        self._has_names = rng.random() < 0.6
        self._has_currencies = rng.random() < 0.3
        self._taken: list[tuple[str, str, str, str]] = []
        self._feints = (
            self._amount, self._currency, self._segment, self._segment_before, self._again,
            self._reversal, self._early_reversal, self._late, self._ahead, self._soon, self._id,
            self._text, self._credit, self._broken_amount,
        )  # fmt: skip

    def records(self, first: int, count: int) -> list[Record]:
        """Return so many records from an offset on."""
        return [self._record(offset) for offset in range(first, first + count)]

    def _record(self, offset: int) -> Record:
        rng = self._rng
        self._hours += rng.random() * self._pace
        if rng.random() < 0.01:
            self._hours += rng.choice([24, 60, 200])
        draft = _Draft(
            f"T{offset}", rng.choice(self.accounts), self._hours, rng.choice(AMOUNTS[2:5])
        )
        if self._has_segments:
            draft.fields["segment"] = SEGMENTS[self.accounts.index(draft.account_id) % 2]
            draft.hours -= rng.choice([0, 0, 1])
        if self._has_names:
            self._name(draft)
        if self._has_currencies:
            draft.fields["currency"] = rng.choice(CURRENCIES)
        if rng.random() < self._strangeness:
            rng.choice(self._feints)(draft)
        if offset < self._alone:
            draft.account_id = self.accounts[0]
        made = record(
            offset, draft.name, hours=draft.hours, account_id=draft.account_id,
            timestamp=GOOD_TIMESTAMP + int(draft.written * HOUR_MS), **draft.fields,
        )  # fmt: skip
        if rng.random() < 0.02 * self._strangeness:
            assert made.value is not None
            at = rng.randrange(len(made.value))
            return made._replace(value=made.value[:at] + b"\xff" + made.value[at + 1 :])
        self._taken.append(
            (draft.name, draft.account_id, draft.fields["amount"], draft.fields["currency"])
        )
        return made

    def _name(self, draft: _Draft) -> None:
        """Give it a counterparty, an institution and a channel, or not, of more than are held."""
        rng = self._rng
        names = {
            "counterparty_id": rng.choice(["", "P\u00e9"] + [f"P{rng.randrange(16)}"] * 6),
            "counterparty_institution": rng.choice(["", "I0", "I1", "I\u00e9"]),
            "channel": rng.choice(["", "card", "web", *map(str, range(8))]),
        }
        draft.fields |= {field: name for field, name in names.items() if name}

    def _an_earlier_one(self) -> tuple[str, str, str, str]:
        """Return the id, the account, the amount and the currency of a record just before, or not.

        Before the first there is one that never comes.
        """
        back = self._rng.choice([3, 30, 300])
        return self._rng.choice(self._taken[-back:] or [("T?", self.accounts[0], "1", "EUR")])

    def _amount(self, draft: _Draft) -> None:
        currency = self._rng.choice(["EUR", "USD", "KWD", "JPY"])
        amount = self._rng.choice(AMOUNTS)
        if currency == "JPY":
            amount = str(10 ** self._rng.choice([2, 14, 15, 17]))
        draft.fields |= {"amount": amount, "currency": currency}

    def _currency(self, draft: _Draft) -> None:
        draft.fields["currency"] = self._rng.choice(["EUR", "USD", "JPY"])

    def _segment(self, draft: _Draft) -> None:
        draft.fields["segment"] = self._rng.choice(SEGMENTS[:2])

    def _segment_before(self, draft: _Draft) -> None:
        draft.fields["segment"] = self._rng.choice(SEGMENTS)
        draft.hours -= self._rng.choice([0, 1, 5])

    def _again(self, draft: _Draft) -> None:
        draft.name, account_id, *_ = self._an_earlier_one()
        if self._rng.random() < 0.8:
            draft.account_id = account_id

    def _reversal(self, draft: _Draft) -> None:
        reverses, draft.account_id, amount, currency = self._an_earlier_one()
        amount = self._rng.choice([amount, amount, "1", "0"])
        draft.fields |= {"reverses": reverses, "amount": amount, "currency": currency}
        draft.hours -= self._rng.choice([0, 0, 10, 40])

    def _early_reversal(self, draft: _Draft) -> None:
        draft.fields["reverses"] = f"T{int(draft.name[1:]) + self._rng.randint(1, 12)}"
        draft.fields["amount"] = self._rng.choice(["1", "40.00"])

    def _late(self, draft: _Draft) -> None:
        draft.hours -= self._rng.choice([1, 20, 30, 60, 2000])

    def _ahead(self, draft: _Draft) -> None:
        draft.hours += self._rng.choice([30, 60, 100, 300])
        if self._rng.random() < 0.9:
            draft.account_id = self.accounts[1]

    def _soon(self, draft: _Draft) -> None:
        draft.written = draft.hours - self._rng.choice([0, 2, 7])

    def _id(self, draft: _Draft) -> None:
        draft.name = self._rng.choice(IDS_OF_TRANSACTIONS) + draft.name

    def _text(self, draft: _Draft) -> None:
        draft.fields["channel"] = self._rng.choice(["\u00e9", 'a"b', "mobile"])

    def _credit(self, draft: _Draft) -> None:
        draft.fields |= {"direction": "credit", "segment": "", "reverses": ""}

    def _broken_amount(self, draft: _Draft) -> None:
        draft.fields["amount"] = self._rng.choice(["1.234", "-1", "", "5e1"])


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
    return verdicts(*alerts, decided=rng.choice([0, day]))
