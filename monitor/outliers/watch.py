"""The models of one partition, as the engine asks them: none, if no policy wants any.

They see transactions in batches, which end when a run ends, when a business day begins and when
days close. Peer groups and day scores are read only at the latter two, so they do not depend on
how the stream is cut into runs.
"""

from typing import TYPE_CHECKING

import numpy as np

from monitor.core.account import AccountDay, Scored
from monitor.core.alert import Alert
from monitor.core.business_day import Calendar
from monitor.ledger.rows import DayRows
from monitor.policy.policy import PolicyBook

if TYPE_CHECKING:
    from models.learner.columns import Columns
    from monitor.outliers.scorer import Scorer, SeenRecords
    from monitor.systemic.summary import Usual


class OutlierWatch:
    """The scorer of one partition, if there is one, and the transactions that it is still to see.

    `seen_next` are these; the engine's loop adds to them by itself: it is the hot path.
    """

    def __init__(
        self, partition: int, partitions: int, policies: PolicyBook, calendar: Calendar
    ) -> None:
        self.scorer: Scorer | None = None
        self.seen_next: list[Scored] = []
        self._partition = partition
        self._partitions = partitions
        self._policies = policies
        self._calendar = calendar
        self.begin()

    def begin(self) -> None:
        """Begin with models, all cold, if a policy wants them and there are none yet."""
        settings = self._policies.outliers
        if self.scorer is None and settings is not None:
            from monitor.outliers.scorer import Scorer  # noqa: PLC0415 - loading River takes a second

            self.scorer = Scorer(settings, self._partition, self._partitions, self._calendar)

    def begin_day(self, day: int) -> None:
        """Begin a business day, whose peer groups are those that the models know now."""
        assert self.scorer is not None
        self.scorer.begin_day(day)

    def score(self) -> list[Alert]:
        """Let the models see what they are still to see; return their alerts."""
        scored = self.take_seen()
        if not scored:
            return []
        assert self.scorer is not None
        return list(self.scorer.observe(scored, self._policies))

    def take_seen(self) -> list[Scored]:
        """Return the transactions that the models are still to see; somebody else shows them."""
        seen, self.seen_next = self.seen_next, []
        return seen

    def score_columns(self, columns: "Columns", seen: "SeenRecords") -> list[Alert]:
        """Let the models see transactions by column; return their alerts."""
        assert self.scorer is not None
        return self.scorer.observe_columns(columns, seen, self._policies)

    def day_scores(self, account_days: list[AccountDay]) -> list[float | None]:
        """Return how rare each of some account-days of one day was; None without models."""
        if not account_days:
            return []
        names = [account_day.account.account_id for account_day in account_days]
        return self.scores_of(names, account_days[0].day)

    def scores_of(self, account_ids: list[str], day: int) -> list[float | None]:
        """Return the same of accounts on a day, by their ids."""
        if self.scorer is None:
            return [None] * len(account_ids)
        return self.scorer.day_scores(account_ids, day)

    def score_rows(self, rows: DayRows, day: int) -> None:
        """Say of the account-days of a day that stand in rows how rare each was."""
        if self.scorer is not None:
            rows.know_scores(self.scorer.scores_of(rows.model_rows(), day))

    def day_usual(
        self, account_days: list[AccountDay], rows: DayRows | None, day: int
    ) -> "Usual | None":
        """Return what the models know of the account-days of a day; None without models."""
        if self.scorer is None:
            return None
        from monitor.systemic.summary import Usual  # noqa: PLC0415 - loads numpy

        names = [account_day.account.account_id for account_day in account_days]
        places = self.scorer.rows_of(names)
        if rows is not None:
            places = np.concatenate([places, rows.model_rows()])
        return Usual(*self.scorer.usual_of(places, day))

    def take_hot_payers(self, day: int) -> dict[tuple[str | None, str], int]:
        """Return the hot payers of a day by (segment, institution), and forget them."""
        return {} if self.scorer is None else self.scorer.take_hot_payers(day)

    def peer_group_of(self, account_id: str) -> str | None:
        """Return the peer group that an account is in today; None without models."""
        return None if self.scorer is None else self.scorer.peer_group(account_id)

    def names_held(self) -> dict[str, int]:
        """Return how many names each table of the models holds; each has a bound."""
        return {} if self.scorer is None else self.scorer.names_held()
