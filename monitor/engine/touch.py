"""A change of an account-day, for which its periods and windows are looked at again."""

from enum import Enum, auto
from typing import NamedTuple

from monitor.core.account import AccountDay
from monitor.core.alert import Cause


class Why(Enum):
    """Why a period is looked at again."""

    GREW = auto()
    REVERSED = auto()
    DECIDED = auto()  # by another limit, or by the limits of another scope


class Touch(NamedTuple):
    """Something has changed at a moment of an open account-day."""

    account_day: AccountDay
    at: int
    cause: Cause
    why: Why
