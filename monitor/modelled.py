"""A ledger whose transactions the models see, where a policy wants models.

They see them in batches, which end where runs end, where a business day begins and where days are
closed. What is asked of the models (the peer group of an account, how rare a closed account-day
was) is asked at the latter two alone: so it does not depend on how the stream is cut into runs.
"""

from collections import Counter
from typing import TYPE_CHECKING

from monitor.closing_day import NOT_ASKED, ClosingDay
from monitor.core.account import AccountDay, ClosedDay, Scored
from monitor.ledger import BUCKETS, CLOSED_DAYS_MAX, Ledger, OpenDay
from monitor.policy import PolicyBook
from monitor.step import Step

if TYPE_CHECKING:
    from monitor.scoring import Scorer
    from monitor.segment_days import DaySum


class Modelled(Ledger):
    """What one partition holds, its models, and what came of its records: `step`."""

    def __init__(
        self, partition: int, policies: PolicyBook, buckets: int = BUCKETS, partitions: int = 1
    ) -> None:
        super().__init__(partition, policies, buckets)
        self.step = Step()
        self.scorer: Scorer | None = None
        self._partitions = partitions
        self._scored: list[Scored] = []
        self._ended: list[OpenDay] = []
        self._begin_scoring()

    def take_step(self) -> Step:
        """Return what came since the last call, and begin anew."""
        step, self.step = self.step, Step()
        return step

    def close_account_days(self, at_most: int = CLOSED_DAYS_MAX) -> None:
        """Go on with the days that have closed, by so many units; call it too when no record comes.

        A unit is an account-day: to be counted for a review, summed up, or emitted.
        """
        left = self._sum_some(self._count_some(at_most))
        while left > 0 and self.closing:
            left -= self._emit(self.closing[0], left)

    @property
    def is_closing(self) -> bool:
        """Whether days are closed of which something is still to be told.

        State must not be kept meanwhile: it would say that they are closed. Account-days that are
        only to be emitted are no reason: each of them is in state until it is.
        """
        return any(closing.summing is not None for closing in self.closing)

    def _count_some(self, at_most: int) -> int:
        """Count noted account-days of closed days for reviews; return how many units are left."""
        return at_most

    def _sum_some(self, at_most: int) -> int:
        """Sum up closed days, and tell of those that are done; return how many units are left."""
        left = at_most
        for closing in self.closing:
            while closing.summing is not None and left > 0:
                left -= closing.summing.work(left)
                if closing.summing.is_done:
                    self.step.segment_days.append(closing.summing.segment_days)
                    self.names_beyond.update(closing.summing.others())
                    closing.summing = None
        return left

    def _emit(self, closing: ClosingDay, at_most: int) -> int:
        """Emit account-days of a closed day; return how many, and at least 1."""
        emitted = closing.next_ones(at_most)
        for account_day, score in emitted:
            account = account_day.account
            account.drop(account_day)
            self.dirty.add(account)
            if score is NOT_ASKED:
                (score,) = self._day_scores([account_day])  # noqa: PLW2901 - of one put back
            self.step.account_days.append(ClosedDay(account_day, closing.version, score))
            self._forget_if_empty(account)
        if closing.is_done:
            self.closing.popleft()
        return max(len(emitted), 1)

    def _begin_scoring(self) -> None:
        """Begin with models, all cold, where a policy wants them and there are none yet."""
        settings = self.policies.outliers
        if self.scorer is None and settings is not None:
            from monitor.scoring import Scorer  # noqa: PLC0415 - loading River takes a second

            self.scorer = Scorer(settings, self.partition, self._partitions, self.calendar)

    def _begin_day(self, day: int) -> None:
        """Let the models see what came before a business day; its peer groups are theirs now."""
        assert self.scorer is not None
        self._score()
        self.scorer.begin_day(day)

    def _score(self) -> None:
        """Let the models see what was taken in; their alerts stand where their records do."""
        scored, self._scored = self._scored, []
        if not scored:
            return
        assert self.scorer is not None
        alerts = self.scorer.observe(scored, self.policies)
        if alerts:
            self.step.alerts = sorted(
                [*self.step.alerts, *alerts], key=lambda alert: alert.cause.offset
            )

    def _end(self, closed: OpenDay) -> None:
        self._ended.append(closed)

    def _note_ended(self) -> None:
        """Let days close, once their last record was seen; what is to do is done some at a time.

        What the models know of them is asked now: it must not depend on when the rest is done.
        """
        self._score()
        ended, self._ended = self._ended, []
        for closed in ended:
            scores = self._day_scores(closed.account_days)
            summing = self._summing(closed)
            self.closing.append(
                ClosingDay(closed.account_days, closed.policy.version, scores, summing)
            )

    def _summing(self, closed: OpenDay) -> "DaySum | None":
        """Return what sums up a closed day in each segment, where its policy asks for it."""
        day, account_days = closed.day, closed.account_days
        rejections = self._take_rejections(day)
        payers = {} if self.scorer is None else self.scorer.take_hot_payers(day)
        if closed.policy.systemic is None or self._is_summed_up(day):
            return None
        from monitor.segment_days import DaySum, Usual  # noqa: PLC0415 - loads numpy

        usual = None
        if self.scorer is not None and account_days:
            names = [account_day.account.account_id for account_day in account_days]
            usual = Usual(*self.scorer.day_usual(names, day))
        return DaySum(day, account_days, closed.limits, usual, payers, rejections)

    def names_held(self) -> dict[str, int]:
        """Return how many names each table holds that records fill, those of the models too."""
        return super().names_held() | ({} if self.scorer is None else self.scorer.names_held())

    def names_counted_as_others(self) -> dict[str, int]:
        """Return how much was counted under no name of its own, by table."""
        attributes = Counter({"attributes": self.attributes.unshared})
        of_models = Counter() if self.scorer is None else self.scorer.names_beyond
        return dict(self.names_beyond + attributes + of_models)

    def _day_scores(self, account_days: list[AccountDay]) -> list[float | None]:
        if self.scorer is None or not account_days:
            return [None] * len(account_days)
        names = [account_day.account.account_id for account_day in account_days]
        return self.scorer.day_scores(names, account_days[0].day)

    def _peer_group_of(self, account_id: str) -> str | None:
        return None if self.scorer is None else self.scorer.peer_group(account_id)
