"""One seed's way through a table: the engines of a replay, and what their models say."""

from collections import Counter
from collections.abc import Callable, Sequence
from time import process_time
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from models.outcome import Outcome
from monitor.core.alert import Kind, Status
from monitor.core.business_day import day_of_text
from monitor.engine import Engine
from monitor.policy import Policy, PolicyBook
from monitor.scoring import Scored, Scorer
from streams.dealing import dealer
from streams.evaluate_table import Table

RUN_ROWS: Final = 5000
FIRST_ROWS: Final = 100


class Run(NamedTuple):
    """What one seed's models said, by the places of the table.

    `day` is the business day, 0 for what is not scored: what was rejected, and what takes another
    transaction back. `score` is that of the transaction, and `day_score` that of its account-day
    as it then stood (NaN: none yet). The account-days that ended are `closed_account` (its number
    in the table), `closed_day` and `closed_score`. `alerts` counts the outlier alerts that were
    raised, by business day, `reports` those that were raised or restated, by the day that they
    report, and `rejected` what the engines set aside, by reason. `cpu_seconds` is the process time
    of engines and models, without reading and decoding.
    """

    day: Ints
    score: Floats
    day_score: Floats
    closed_account: Ints
    closed_day: Ints
    closed_score: Floats
    alerts: Counter[int]
    rejected: Counter[str]
    cpu_seconds: float
    reports: Counter[int]


class _Sheet:
    """What the models say, written down as it comes."""

    def __init__(self, table: Table) -> None:
        count = len(table.transactions)
        self.day = np.zeros(count, np.int64)
        self.score = np.full(count, np.nan)
        self.day_score = np.full(count, np.nan)
        self.closed_account: list[Ints] = [np.empty(0, np.int64)]
        self.closed_day: list[Ints] = [np.empty(0, np.int64)]
        self.closed_score: list[Floats] = [np.empty(0)]
        self.alerts: Counter[int] = Counter()
        self.reports: Counter[int] = Counter()
        self.rejected: Counter[str] = Counter()
        self.cpu_seconds = 0.0
        self._numbers = {account_id: number for number, account_id in enumerate(table.account_ids)}

    def watch(self, scorer: Scorer, places: Ints) -> None:
        """Write down what a partition's models say; `places` are its rows' in the table."""

        def note(scored: Sequence[Scored], outcome: Outcome) -> None:
            of = places[[one.offset for one in scored]]
            self.day[of] = [one.account_day.day for one in scored]
            self.score[of] = outcome.scores
            self.day_score[of] = outcome.day_scores
            for closed in outcome.closed:
                accounts = [self._numbers[scorer.account_ids[row]] for row in closed.row.tolist()]
                self.closed_account.append(np.array(accounts, np.int64))
                self.closed_day.append(closed.day)
                self.closed_score.append(closed.score)

        scorer.on_scored = note

    def run(self) -> Run:
        return Run(
            self.day, self.score, self.day_score, np.concatenate(self.closed_account),
            np.concatenate(self.closed_day), np.concatenate(self.closed_score), self.alerts,
            self.rejected, self.cpu_seconds, self.reports,
        )  # fmt: skip


def run_of(table: Table, policy: Policy, partitions: int, on_rows: Callable[[int], None]) -> Run:
    """Let the engines of all partitions observe the table, by a policy that has a budget.

    Partitions know nothing of each other, so that one after the other they say what they say in a
    replay. `on_rows` is told the number of rows of each run.
    """
    book = PolicyBook([policy])
    sheet = _Sheet(table)
    for partition, places in enumerate(dealt(table, partitions)):
        engine = Engine(partition, book, partitions=partitions)
        assert engine.outliers.scorer is not None, "the policy has a budget"
        sheet.watch(engine.outliers.scorer, places)
        for start in range(0, places.size, RUN_ROWS):
            some = places[start : start + RUN_ROWS].tolist()
            items = [table.transactions[place] for place in some]
            began = process_time()
            engine.observe(range(start, start + len(items)), items)
            step = engine.take_step()
            sheet.cpu_seconds += process_time() - began
            outliers = [alert for alert in step.alerts if alert.kind is Kind.OUTLIER]
            sheet.alerts.update(
                alert.business_day for alert in outliers if alert.status is Status.RAISED
            )
            sheet.reports.update(day_of_text(str(alert.evidence["day"])) for alert in outliers)
            sheet.rejected.update(rejection.reason.value for _, rejection in step.rejections)
            on_rows(len(some))
    return sheet.run()


def dealt(table: Table, partitions: int) -> list[Ints]:
    """Return the places of each partition's rows, as the producer deals accounts to partitions."""
    deal = dealer(partitions)
    partition = np.array([deal(account_id) for account_id in table.account_ids], np.int64)
    of_row = partition[table.account]
    return [np.flatnonzero(of_row == number) for number in range(partitions)]


def load_kernels(table: Table, policy: Policy) -> None:
    """Have all kernels compiled, or read from disk: seconds that a process spends once."""
    engine = Engine(0, PolicyBook([policy]))
    rows = table.transactions
    some = [*rows[:FIRST_ROWS], rows[len(rows) // 2], rows[-1]]  # days with more accounts, and end
    engine.observe(range(len(some)), some)
