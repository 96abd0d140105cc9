"""Made payments of some accounts, as the models take them, and a learner that they soon warm up."""

import copy
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from models.detectors.half_space_trees import HalfSpaceTrees
from models.evidence.evidence import DAY_INPUTS, INPUTS
from models.learner.columns import Columns, LearnerSettings
from models.learner.learner import Learner
from models.peers.groups import PeerGroups

DAY_FIRST = 739_300
SECONDS_A_DAY = 86_400
SINCE_1970 = 719_163
ACCOUNTS = 60
DAYS = 26
SEGMENTS = 3
SETTINGS = LearnerSettings(alerts_per_day=3.0, warm_up_days=12, seed=3)


class Payment(NamedTuple):
    """One payment: on which day from the first on, and at which second of it."""

    row: int
    day: int
    at: int = 43_200
    amount: float = 30.0
    is_credit: bool = False
    channel: int = 0
    counterparty: int = 0
    is_learned: bool = True


def columns_of(payments: Sequence[Payment]) -> Columns:
    """Return payments as the models take them, in their order."""
    row, day, at, amount, is_credit, channel, counterparty, is_learned = (
        np.array(column) for column in zip(*payments, strict=True)
    )
    day = DAY_FIRST + day
    return Columns(
        row=row,
        day=day,
        second=(day - SINCE_1970) * SECONDS_A_DAY + at,
        hour=at // 3600,
        is_weekend=(day % 7 >= 5).astype(np.int64),
        amount=amount,
        is_credit=is_credit.astype(np.int64),
        channel=channel,
        counterparty=counterparty,
        group=row % SEGMENTS,
        is_learned=is_learned.astype(np.int64),
        institution=np.where(counterparty > 0, 1 + counterparty % 89, 0),
    )


def made_payments(
    seed: int, days: int = DAYS, accounts: int = ACCOUNTS, strange: float = 0.01
) -> Columns:
    """Return payments in the order of their arrival, with everything in them.

    A few accounts are silent for 16 days; some days are in breach from a payment on; some payments
    come a day or two late. Of amounts a share of `strange` is great, and of days it has many.
    """
    rng = np.random.default_rng(seed)
    of_account = [_of_account(rng, account, days, strange) for account in range(accounts)]
    arrived = sorted(
        (made for payments in of_account for made in payments), key=lambda made: made[0]
    )
    return columns_of([payment for _, payment in arrived])


def _of_account(
    rng: np.random.Generator, account: int, days: int, strange: float
) -> Iterator[tuple[float, Payment]]:
    """Yield an account's payments, each with the time at which it comes."""
    level, rate = rng.normal(3.5, 1), rng.gamma(3, 0.8)
    hour, channel = rng.integers(6, 22), rng.integers(0, 5)
    for day in range(days):
        if account % 20 == 0 and 4 <= day < 20:
            continue
        count = rng.poisson(12 if rng.random() < strange else rate)
        in_order = rng.integers(0, count + 1) if rng.random() < 0.04 else count
        for number in range(count):
            at = int(min(abs(rng.normal(hour, 3)), 23.9) * 3600)
            late = int(rng.integers(1, 3)) if rng.random() < 0.03 else 0
            great = 40 if rng.random() < strange else 1
            own = int(1 + account * 4 + rng.integers(0, 4))
            payment = Payment(
                account, day, at, round(float(np.exp(rng.normal(level, 0.6))) * great, 2),
                is_credit=bool(rng.random() < 0.2),
                channel=int(rng.integers(0, 8) if rng.random() < 0.1 else channel),
                counterparty=int(rng.choice([0, own, own, own, int(rng.integers(1000, 2**32))])),
                is_learned=bool(number < in_order),
            )  # fmt: skip
            yield (day + late) * SECONDS_A_DAY + at, payment


def small_learner(settings: LearnerSettings = SETTINGS, accounts: int = ACCOUNTS) -> Learner:
    """Return a learner whose forests and peer groups warm up soon; its accounts are all new."""
    learner = Learner(settings)
    if isinstance(learner.detector, HalfSpaceTrees):
        learner.detector = HalfSpaceTrees(INPUTS, settings.seed, window=400)
    learner.day_forest = HalfSpaceTrees(DAY_INPUTS, settings.seed, n_trees=50, window=150)
    learner.peers = PeerGroups(settings.seed, warm_up=150)
    learner.models = learner.arrays()
    for _ in range(accounts):
        learner.add_account()
    return learner


def copied(learner: Learner) -> Learner:
    """Return a copy of a learner that the compiled kernels take as they take the learner itself.

    Its read-only tables are shared: a copy of one could be written to, so numba would compile every
    kernel again for it, which takes half a minute.
    """
    trees = [
        model
        for model in (learner.day_forest, learner.detector)
        if isinstance(model, HalfSpaceTrees)
    ]
    tables = [table for tree in trees for table in tree.forest if not table.flags.writeable]
    return copy.deepcopy(learner, {id(table): table for table in tables})
