"""Lets the models of a partition see its transactions, and makes alerts of what they find.

The models are approximate, and floats; nothing here changes a total. Amounts go to them in hundreds
of minor units, whatever the currency.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import sha256
from typing import Final, NamedTuple, Protocol
from zlib import crc32

import numpy as np

from models.arrays import Bools, Ints
from models.learner.columns import Columns, Due, LearnerSettings, Outcome
from models.learner.learner import SEGMENTS_MAX, Learner
from models.learner.warmth import Warmth, warmth_of
from models.peers.groups import CHANNELS_KNOWN
from models.profile.baseline import CHANNELS
from monitor.core.account import Scored, written_totals
from monitor.core.alert import Alert, Cause, Status
from monitor.core.business_day import MICROSECONDS, Calendar, day_text
from monitor.core.names import HOT_PAYERS_MAX, OTHERS
from monitor.core.threshold import Direction, Measure, Threshold
from monitor.core.transaction import CREDIT
from monitor.outliers.reasons import Record, reasons_of
from monitor.outliers.taught import taught_fields, weights_of_day
from monitor.policy.models import OutlierSettings
from monitor.policy.policy import PolicyBook

__all__ = ["OUTLIER", "Scored", "Scorer"]

OUTLIER: Final = "outlier"
INSTITUTIONS_KEPT: Final = 10_000
HOUR_SECONDS: Final = 3600
HOUR_LAST: Final = 23
SATURDAY: Final = 5
"""Of business days modulo 7, less one: day 1 of the ordinals is a Monday."""


class HotPayer(NamedTuple):
    """On which day accounts of a segment paid an institution far above their usual.

    None of them ever paid it before.
    """

    day: int
    segment: str | None
    institution: str


class SeenRecords(Protocol):
    """What models see, record by record."""

    def __len__(self) -> int:
        """Return how many records they are."""
        ...

    def __getitem__(self, number: int, /) -> Scored:
        """Return one of them."""
        ...


class Scorer:
    """The models of one partition, its accounts by their ids, and what is told of them.

    `on_scored` is shown every transaction with its score, for those who judge the models.
    """

    def __init__(
        self, settings: OutlierSettings, partition: int, partitions: int, calendar: Calendar
    ) -> None:
        self.partition = partition
        self.on_scored: Callable[[SeenRecords, Outcome], None] | None = None
        self._settings = settings
        self._partitions = partitions
        self._calendar = calendar
        self._hashes: dict[str | None, int] = {None: 0}
        self.begin_afresh()

    def begin_afresh(self) -> None:
        """Forget all that was learned: the models are cold, and warm up anew."""
        settings = self._settings
        self.learner = Learner(
            LearnerSettings(
                settings.alerts_per_day / self._partitions,
                settings.warm_up_days,
                settings.models.seed,
                settings.models.population_amount,
                settings.models.detector,
                settings.one_in_at_least,
            )
        )
        self.rows: dict[str, int] = {}
        self.account_ids: list[str] = []
        self.segments: dict[str | None, int] = {}
        self.channels: dict[str | None, int] = {}
        _places(self.channels, CHANNELS_KNOWN, CHANNELS)
        self.changed: list[Ints] = []
        self.hot_payers: Counter[HotPayer] = Counter()
        # What was counted as `OTHERS`, by table, since the models began:
        self.names_beyond: Counter[str] = Counter()
        self.begin_day(0)

    def begin_day(self, day: int) -> None:
        """Begin a business day: until the next one, peer groups are those that there are now."""
        self.day = day
        self.peers = self.learner.accounts["peer"][: self.learner.count].astype(np.int64)

    def model_id(self) -> str:
        """Return the name of the models as they are today: the detector, a digest, their day.

        The digest is of all that they were begun with. What they have learned is not in it: that
        follows from the records up to an alert's offset, so a replay of these is its only proof.
        """
        models = self._settings.models
        begun_with = (models, self._settings.warm_up_days, self.partition, self._partitions)
        digest = sha256(repr(begun_with).encode()).hexdigest()[:8]
        return f"{models.detector}-{digest}@{day_text(self.day)}"

    def warmth(self) -> Warmth:
        """Return how far the models are from reporting."""
        return warmth_of(self.learner, self.partition)

    def know(self, segments: Iterable[str | None], channels: Iterable[str | None]) -> None:
        """Give segments and channels the numbers that they had, in the order of their coming."""
        _places(self.segments, list(segments), SEGMENTS_MAX)
        _places(self.channels, list(channels), CHANNELS)

    def names_held(self) -> dict[str, int]:
        """Return how many names each table of the models holds; each has a bound."""
        return {
            "channels": len(self.channels),
            "hot-payers": len(self.hot_payers),
            "institutions": len(self._hashes),
            "segments": len(self.segments),
        }

    def observe(self, scored: Sequence[Scored], policies: PolicyBook) -> list[Alert]:
        """Take transactions, in order; return the alerts that are due."""
        return self.observe_columns(self.columns_of(scored), scored, policies)

    def observe_columns(
        self, columns: Columns, scored: SeenRecords, policies: PolicyBook
    ) -> list[Alert]:
        """Take transactions by column; return the alerts that are due.

        `scored` has what each of them is, for the few of which something is told.
        """
        policy, _ = policies.for_day(self.day or int(columns.day[0]))
        settings = policy.outliers
        if settings is not None:
            self.learner.set_budget(
                settings.alerts_per_day / self._partitions, settings.one_in_at_least
            )
        self.learner.weights_of = partial(weights_of_day, policies)
        outcome = self.learner.observe(columns)
        if self.on_scored is not None:
            self.on_scored(scored, outcome)
        self.changed += [columns.row, outcome.changed]
        for place in outcome.hot.tolist():
            item = scored[place]
            institution = item.transaction.counterparty_institution
            assert institution, "a payment to nobody is not hot"
            hot = HotPayer(item.day, item.segment, institution)
            if hot not in self.hot_payers and len(self.hot_payers) >= HOT_PAYERS_MAX:
                hot = HotPayer(item.day, OTHERS, OTHERS)
                self.names_beyond["hot-payers"] += 1
            self.hot_payers[hot] += 1
        if settings is None or not settings.is_told:
            return []
        return [
            self._alert(due, scored[due.record], settings, policy.version) for due in outcome.dues
        ]

    def peer_group(self, account_id: str) -> str | None:
        """Return the short name of an account's peer group, e.g. B2; None while it has none.

        It is that of the business day's beginning.
        """
        row = self.rows.get(account_id, self.peers.size)
        return None if row >= self.peers.size else self.learner.peer_name(int(self.peers[row]))

    def rows_of(self, account_ids: Sequence[str]) -> Ints:
        """Return the rows of accounts in the models; -1 of those that they do not know."""
        return np.array([self.rows.get(name, -1) for name in account_ids], np.int64)

    def day_scores(self, account_ids: Sequence[str], day: int) -> list[float | None]:
        """Return how rare finished account-days are (tail probabilities); None is not known."""
        return self.scores_of(self.rows_of(account_ids), day)

    def scores_of(self, rows: Ints, day: int) -> list[float | None]:
        """Return the same of accounts by their rows; they know nothing of -1."""
        scores = self.learner.day_probabilities(rows, day)
        scores[rows < 0] = np.nan
        return [None if math.isnan(score) else score for score in scores.tolist()]

    def usual_of(self, rows: Ints, day: int) -> tuple[Bools, Bools]:
        """Return of which account-days the usual is known, and which of them are far above it."""
        is_known, is_hot = self.learner.day_usual(rows, day)
        is_known &= rows >= 0
        return is_known, is_hot & is_known

    def take_hot_payers(self, day: int) -> dict[tuple[str | None, str], int]:
        """Return the hot first payers of a day by (segment, institution), and forget them."""
        of_day = [key for key in self.hot_payers if key.day == day]
        return {(key.segment, key.institution): self.hot_payers.pop(key) for key in of_day}

    # -- columns ----------------------------------------------------------------------------------

    def columns_of(self, scored: Sequence[Scored]) -> Columns:
        """Return transactions by column."""
        transactions, of_days, _, in_breach, segments, products, _ = zip(*scored, strict=True)
        (
            _, accounts, times, amounts, _, directions, counterparties, institutions, channels,
            _, _, _,
        ) = zip(*transactions, strict=True)  # fmt: skip
        days = np.array(of_days, np.int64)
        second = np.array(times, np.int64) // MICROSECONDS
        return Columns(
            row=self._rows(accounts),
            day=days,
            second=second,
            hour=self.hours(days, second),
            is_weekend=weekends(days),
            amount=np.array(amounts, np.float64) / 100,
            is_credit=np.array([direction == CREDIT for direction in directions], np.int64),
            channel=_places(self.channels, channels, CHANNELS),
            counterparty=np.array(
                [crc32(name.encode()) if name else 0 for name in counterparties], np.int64
            ),
            group=_places(self.segments, _starting_groups(segments, products), SEGMENTS_MAX),
            is_learned=1 - np.array(in_breach, np.int64),
            institution=self.institutions(institutions),
        )

    def _rows(self, accounts: Sequence[str]) -> Ints:
        rows = self.rows
        known = [rows.get(account, -1) for account in accounts]
        if -1 in known:
            for place, account in enumerate(accounts):
                if known[place] < 0:
                    known[place] = rows.get(account, -1)
                    if known[place] < 0:
                        known[place] = self.add_account(account)
        return np.array(known, np.int64)

    def add_account(self, account_id: str) -> int:
        """Let the models know an account from here on; return its row."""
        row = self.rows[account_id] = self.learner.add_account()
        self.account_ids.append(account_id)
        return row

    def starting_group(self, scored: Scored) -> int:
        """Return the number of whom an account is taken to be like that begins by a transaction."""
        (name,) = _starting_groups([scored.segment], [scored.product])
        return number_of(self.segments, name, SEGMENTS_MAX)

    def institutions(self, names: Sequence[str | None]) -> Ints:
        """Return a hash of each name, 0 for none; there are few, so they are kept."""
        known = self._hashes
        if len(known) > INSTITUTIONS_KEPT:
            known.clear()
        get = known.get
        hashes = [get(name, -1) for name in names]
        if -1 in hashes:
            for place, name in enumerate(names):
                if hashes[place] < 0:
                    hashes[place] = known[name] = crc32(name.encode()) or 1 if name else 0
        return np.array(hashes, np.int64)

    def hours(self, days: Ints, second: Ints) -> Ints:
        """Return the hour of the business day: 0 begins at the cut-off."""
        begins = np.zeros_like(second)
        for day in np.unique(days).tolist():
            begins[days == day] = self._calendar.start_of(day) // MICROSECONDS
        hours: Ints = np.clip((second - begins) // HOUR_SECONDS, 0, HOUR_LAST)
        return hours

    # -- alerts -----------------------------------------------------------------------------------

    def _alert(
        self, due: Due, scored: Scored, settings: OutlierSettings, version: int
    ) -> Alert:  # fmt: skip
        account = due.account
        account_id = self.account_ids[due.row]
        day, first = int(account["alert_day"]), int(account["alert_first"])
        above = max(_one_in(due.threshold), settings.one_in_at_least) - 1
        threshold = Threshold(
            OUTLIER, Measure.RARITY, Direction.BOTH, None, above, settings.severity, None, None
        )
        is_own = scored.transaction.account_id == account_id
        evidence: dict[str, object] = {
            "reasons": reasons_of(due, scored.transaction.amount_minor / 100),
            "one_in": _one_in(due.probability),
            "day": day_text(day),
            "days": int(account["alert_days"]),
            "strange_days": _strange_days(account),
            "model": self.model_id(),
        }
        if due.taught is not None:
            evidence["taught"] = taught_fields(due.taught)
        if is_own and scored.day == day:
            evidence["totals"] = written_totals(scored.totals)
        cause = Cause(
            scored.transaction.transaction_id if is_own else None,
            scored.transaction.event_time,
            self.partition,
            scored.offset,
        )
        return Alert.of(
            threshold,
            account_id,
            first,
            status=Status.RAISED if due.is_raised else Status.RESTATED,
            revision=int(account["alert_revision"]),
            value=_one_in(due.probability),
            value_before=due.before,
            segment=scored.segment if is_own else None,
            policy_version=version,
            evidence=evidence,
            cause=cause,
            score=due.probability,
        )


def _starting_groups(
    segments: Iterable[str | None], products: Iterable[str | None]
) -> list[str | None]:
    """Return whom a new account is taken to be like: its segment, else those of its product."""
    return [
        product if segment is None else segment
        for segment, product in zip(segments, products, strict=True)
    ]


def weekends(days: Ints) -> Ints:
    """Return 1 for each business day that is a Saturday or a Sunday, else 0."""
    return ((days - 1) % 7 >= SATURDAY).astype(np.int64)


def number_of(known: dict[str | None, int], name: str | None, count: int) -> int:
    """Return the number of a name, as `_places` has it."""
    number = known.get(name)
    if number is not None:
        return number
    return known.setdefault(name, len(known)) if len(known) < count else count - 1


def _places(known: dict[str | None, int], names: Sequence[str | None], count: int) -> Ints:
    """Return a small number for each name, in the order in which they were first seen.

    There are `count` numbers: beyond, all names have the last, and are not remembered.
    """
    get = known.get
    places = [get(name, -1) for name in names]
    if -1 in places:
        for place, name in enumerate(names):
            if places[place] < 0:
                places[place] = number_of(known, name, count)
    return np.array(places, np.int64)


def _strange_days(account: Record) -> list[dict[str, object]]:
    """Return the rarest days of an account's alert in order, each with how rare it was."""
    listed = sorted(zip(account["alert_listed"], account["alert_listed_one_in"], strict=True))
    first = int(account["alert_first"])
    return [
        {"business_day": day_text(first + int(number) - 1), "one_in": int(one_in)}
        for number, one_in in listed
        if number
    ]


def _one_in(probability: float) -> int:
    return max(math.ceil(1 / probability), 1) if probability > 0 else 1
