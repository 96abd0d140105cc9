"""The warmth of a partition's models: how far they are from reporting, in numbers and in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from models.evidence.evidence import T_AMOUNT_Z, T_DAY
from models.evidence.tail import DAYS_MIN, TailWarmth
from models.learner.learner import Learner

TRANSACTIONS: Final = "transactions"
ACCOUNT_DAYS: Final = "account-days"


class Warmth(NamedTuple):
    """What a partition has of all that its models need before they report outliers.

    `transactions` and `account_days` are the tails of their scores; account-days have scores once
    the tail of transactions is warm. `scores_needed` is how many each must have, `days` are the
    finished business days, `days_needed` those of the policy's warm-up.
    """

    partition: int
    is_warm: bool
    transactions: TailWarmth
    account_days: TailWarmth
    scores_needed: int
    days: int
    days_needed: int

    def tails(self) -> dict[str, TailWarmth]:
        """Return the two tails by the names of their scores."""
        return {TRANSACTIONS: self.transactions, ACCOUNT_DAYS: self.account_days}

    def reason(self) -> str | None:
        """Return in words why nothing is reported yet; None if the models are warm."""
        if self.is_warm:
            return None
        for name, tail in self.tails().items():
            if not tail.is_warm:
                days = f"{tail.days} of {DAYS_MIN}" if tail.days < DAYS_MIN else f"{tail.days}"
                scores = f"{tail.scores:,} of {self.scores_needed} scores of {name}"
                return f"{scores}, on {days} finished days"
        if self.days < self.days_needed:
            return f"{self.days} of {self.days_needed} business days of warm-up"
        return "the threshold is set when the next business day begins"

    def fields(self) -> dict[str, object]:
        """Return it as `--json` prints it."""
        return {
            "partition": self.partition,
            "is_warm": self.is_warm,
            "transaction_scores": self.transactions.scores,
            "account_day_scores": self.account_days.scores,
            "scores_needed": self.scores_needed,
            "days": self.days,
            "days_needed": self.days_needed,
            "reason": self.reason(),
        }


def warmth_of(learner: Learner, partition: int) -> Warmth:
    """Return how far the models of a partition are."""
    tails = learner.tails
    return Warmth(
        partition,
        learner.is_warm,
        tails.warmth(T_AMOUNT_Z),
        tails.warmth(T_DAY),
        tails.scores_needed,
        int(learner.budget["days"][0]),
        learner.settings.warm_up_days,
    )


LINES_MAX: Final = 8


def cold_lines(models: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each partition that reports nothing yet, and why; a few if there are many.

    `models` are the `fields` of each partition's warmth.
    """
    cold = [of_partition for of_partition in models if not of_partition["is_warm"]]
    for of_partition in cold[:LINES_MAX]:
        number, reason = of_partition["partition"], of_partition["reason"]
        yield f"The models of partition {number} are not warm and report nothing: {reason}."
    if len(cold) > LINES_MAX:
        yield f"So it is with {len(cold) - LINES_MAX:,} more of {len(models):,} partitions."
