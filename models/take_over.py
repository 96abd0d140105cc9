"""Whether somebody else has an account in hand: a two-state filter with one number an account.

State 0 is the owner, of whose payments a few are odd by chance; state 1 is a person who has taken
the account over, of whose payments many are. Between payments the probability of state 1 moves as
a two-state chain does (Rabiner 1989, forward recursion); each payment's evidence (an e-value: how
much likelier the amount is if it is odd) moves it by Bayes' rule. So a second odd payment within
days counts for more than the first did.
"""

import math
from typing import Final

from models.compiled import compiled

ENTRIES_A_DAY: Final = 5e-4
STAY_DAYS: Final = 7.0
ODD_SHARE: Final = 0.005
"""Of the owner's payments."""

ODD_SHARE_TAKEN_OVER: Final = 0.3
EVIDENCE_MAX: Final = 1e4
"""What one payment may do to the probability at most: one outlier is no proof."""

_DAY_SECONDS: Final = 86_400.0
_LEAVES_A_DAY: Final = ENTRIES_A_DAY + 1 / STAY_DAYS
_AT_REST: Final = ENTRIES_A_DAY / _LEAVES_A_DAY


@compiled
def after(probability: float, seconds: float) -> float:
    """Return the probability of a take-over, some time later and with nothing known of it.

    `seconds` below 0 stands for an account that is seen for the first time.
    """
    if seconds < 0:
        return _AT_REST
    fades = math.exp(-seconds / _DAY_SECONDS * _LEAVES_A_DAY)
    return _AT_REST + (probability - _AT_REST) * fades


@compiled
def log_odds(probability: float, evidence: float) -> float:
    """Return the logarithm of the odds that a payment with this evidence is odd."""
    odd = (1 - probability) * ODD_SHARE + probability * ODD_SHARE_TAKEN_OVER
    return math.log(evidence) + math.log(odd / (1 - odd))


@compiled
def updated(probability: float, evidence: float) -> float:
    """Return the probability of a take-over once a payment's evidence is known."""
    evidence = min(evidence, EVIDENCE_MAX)
    taken_over = probability * (1 - ODD_SHARE_TAKEN_OVER + ODD_SHARE_TAKEN_OVER * evidence)
    owner = (1 - probability) * (1 - ODD_SHARE + ODD_SHARE * evidence)
    return taken_over / (taken_over + owner)
