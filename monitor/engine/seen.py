"""Records of a run that the models are still to see: rows of kernels, and what Python decided."""

from collections.abc import Callable, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from models.arrays import Bytes, Ints
from models.learner.columns import Columns
from models.learner.learner import SEGMENTS_MAX
from models.profile.baseline import CHANNELS
from monitor.core.account import Scored
from monitor.core.business_day import MICROSECONDS
from monitor.core.transaction import CREDIT, Transaction
from monitor.engine.run import RecordRun
from monitor.ordinary import layout
from monitor.ordinary.accounts import OrdinaryAccounts
from monitor.ordinary.ids import joined_texts
from monitor.ordinary.layout import CURRENCY_CODES, NONE, SPARE, RunPlaces
from monitor.ordinary.names import (
    Names,
    SeenTexts,
    further_totals,
    note_models,
    see_texts,
    text_at,
)
from monitor.outliers.scorer import Scorer, number_of, weekends


class KnownModels:
    """What the arrays of a partition know of its models, for as long as these are the same."""

    def __init__(self, scorer: Scorer, ordinary: OrdinaryAccounts) -> None:
        self.scorer = scorer
        self._ordinary = ordinary
        self._learner = scorer.learner
        self._accounts = 0
        self._peers: Ints | None = None
        # Places in the table of groups: of segments by their numbers, and from here on of `own`.
        self._own_at = ordinary.arrays.segments.size
        self._groups: Ints = np.full(2 * self._own_at, NONE, np.int64)
        self._channels: Names | None = None
        ordinary.forget_models()

    @property
    def is_same(self) -> bool:
        """Whether the models are those of which it knows; they may have begun afresh."""
        return self.scorer.learner is self._learner

    def learn(self) -> None:
        """Learn what is new: accounts that the models know, and the peer groups of another day."""
        scorer, ordinary = self.scorer, self._ordinary
        if self._accounts < len(scorer.account_ids):
            self._know_accounts(scorer.account_ids)
        if self._peers is not scorer.peers:
            self._peers = scorer.peers
            ordinary.know_peers(scorer.peers, scorer.learner.peer_name)

    def _know_accounts(self, account_ids: Sequence[str]) -> None:
        """Let accounts have their rows in the models, from the first that is new."""
        for first in range(self._accounts, len(account_ids), SPARE):
            data, ends = joined_texts(account_ids[first : first + SPARE])
            self._ordinary.make_room(data.size)
            arrays = self._ordinary.arrays
            note_models(
                arrays.numbers,
                arrays.accounts,
                arrays.index,
                arrays.texts,
                arrays.bucket_dirty.size,
                data,
                ends,
                first,
            )
        self._accounts = len(account_ids)

    def rows_of(self, numbers: Ints) -> Ints:
        """Return the models' rows of accounts, by their numbers; new ones begin in order."""
        of_accounts = self._ordinary.arrays.accounts["model"]
        rows: Ints = of_accounts[numbers].astype(np.int64)
        if rows.size and rows.min() == NONE:
            for number in numbers[rows == NONE].tolist():
                if of_accounts[number] == NONE:
                    row = self.scorer.add_account(self._ordinary.account_id(number))
                    of_accounts[number] = row
            self._accounts = len(self.scorer.account_ids)
            rows = of_accounts[numbers].astype(np.int64)
        return rows

    def channels(self) -> Names:
        """Return the numbers of the channels that the models tell apart."""
        known = self.scorer.channels
        if self._channels is None or self._channels.ends.size + (None in known) != len(known):
            self._channels = Names.of(known, CHANNELS - 1 if len(known) >= CHANNELS else NONE)
        return self._channels

    def groups(self, segments: Ints, owns: Ints) -> tuple[Ints, Ints]:
        """Return the groups that accounts begin in, -1 where not known, and how to look them up."""
        keys = np.where(segments == NONE, self._own_at + owns, segments).astype(np.int64)
        most = int(keys.max(initial=0))
        if most >= self._groups.size:
            more = np.full(max(self._groups.size, most + 1), NONE, np.int64)
            self._groups = np.concatenate([self._groups, more])
        return self._groups[keys], keys

    def learn_group(self, key: int) -> int:
        """Return the number of the group of a key, and remember it."""
        ordinary = self._ordinary
        own = key - self._own_at
        name = ordinary.product(own) if own >= 0 else ordinary.segment(key)
        number = number_of(self.scorer.segments, name, SEGMENTS_MAX)
        self._groups[key] = number
        return number


class SeenRun:
    """A run of which models are still to see some records.

    `item_at` returns the transaction at a place. `of_python` has the places of those that Python
    took in, in the order of the `others` that are handed to `take`.
    """

    def __init__(
        self,
        run: RecordRun,
        data: Bytes,
        places: RunPlaces,
        models: KnownModels,
        ordinary: OrdinaryAccounts,
        item_at: Callable[[int], Transaction],
    ) -> None:
        self.of_python: list[int] = []
        self._run = run
        self._data = data
        self._places = places
        self._models = models
        self._ordinary = ordinary
        self._item_at = item_at

    def take(self, others: Sequence[Scored]) -> "tuple[Columns, SeenInOrder] | None":
        """Return what the models are still to see, in order; None if it is nothing.

        It is done with then.
        """
        taken = np.flatnonzero(self._places.is_taken)
        self._places.is_taken[taken] = 0
        of_python, self.of_python = self.of_python, []
        places = np.concatenate([taken, np.array(of_python, np.int64)])
        if not places.size:
            return None
        order = np.argsort(places, kind="stable")
        seen = SeenInOrder(self, taken, others, order)
        return self._columns(taken, places[order], order, others), seen

    def _columns(self, taken: Ints, places: Ints, order: Ints, others: Sequence[Scored]) -> Columns:
        models, said = self._models, self._places
        rows = self._run.rows
        texts = SeenTexts.room(taken.size)
        see_texts(self._data, rows, taken, models.channels(), texts)
        groups, keys = models.groups(said.segment[taken], said.own[taken])
        items = [scored.transaction for scored in others]

        def merged(of_rows: NDArray[np.generic], of_others: Sequence[float]) -> Ints:
            of_both = np.concatenate([of_rows, np.array(of_others, of_rows.dtype)])
            both: Ints = of_both[order]
            return both

        unknown = [NONE] * len(others)
        channel, group = merged(texts.channel, unknown), merged(groups, unknown)
        for place in np.flatnonzero(channel == NONE).tolist():
            at = int(order[place])
            name = (
                text_at(self._data, rows[taken[at]], layout.CHANNEL)
                if at < taken.size
                else items[at - taken.size].channel
            )
            channel[place] = number_of(models.scorer.channels, name, CHANNELS)
        for place in np.flatnonzero(group == NONE).tolist():
            at = int(order[place])
            if at < taken.size:
                group[place] = models.learn_group(int(keys[at]))
            else:
                group[place] = models.scorer.starting_group(others[at - taken.size])
        day = merged(said.day[taken].astype(np.int64), [scored.day for scored in others])
        time = merged(rows["event_time"][taken], [item.event_time for item in items])
        in_breach = merged(said.is_in_breach[taken], [scored.is_in_breach for scored in others])
        second = time // MICROSECONDS
        amounts = rows["amount"][taken].astype(np.float64)
        amount = np.concatenate([amounts, [float(item.amount_minor) for item in items]])[order]
        return Columns(
            row=models.rows_of(said.account[places]),
            day=day,
            second=second,
            hour=models.scorer.hours(day, second),
            is_weekend=weekends(day),
            amount=amount / 100,
            is_credit=merged(
                rows["is_credit"][taken].astype(np.int64),
                [item.direction == CREDIT for item in items],
            ),
            channel=channel,
            counterparty=merged(
                texts.counterparty,
                [
                    crc32(item.counterparty_id.encode()) if item.counterparty_id else 0
                    for item in items
                ],
            ),
            group=group,
            is_learned=1 - in_breach.astype(np.int64),
            institution=merged(
                texts.institution,
                models.scorer.institutions(
                    [item.counterparty_institution for item in items]
                ).tolist(),
            ),
        )

    def scored(self, place: int) -> Scored:
        """Return what a kernel took in at a place."""
        said, ordinary = self._places, self._ordinary
        item = self._item_at(place)
        currency = CURRENCY_CODES[int(said.currency[place])]
        first = (currency, (*said.totals[place].tolist(), 0))
        further = further_totals(said.more[place]).items()
        return Scored(
            item,
            int(said.day[place]),
            self._run.offsets[place],
            bool(said.is_in_breach[place]),
            ordinary.segment(int(said.segment[place])),
            ordinary.product(int(said.own[place])),
            (first, *((code, tuple(totals)) for code, totals in further)),
        )


class SeenInOrder:
    """What the models see, record by record, for the few of which something is told."""

    def __init__(self, run: SeenRun, taken: Ints, others: Sequence[Scored], order: Ints) -> None:
        self._run = run
        self._taken = taken
        self._others = others
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, number: int) -> Scored:
        at = int(self._order[number])
        count = self._taken.size
        return self._run.scored(int(self._taken[at])) if at < count else self._others[at - count]
