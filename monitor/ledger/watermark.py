"""The watermark: the event time by which days close, and how far one account may lead all others.

It is the greatest event time that came, if records of a second account lie at most `lead` behind
it; else it is that second account's greatest one. So one row dated ahead moves nothing, nor do many
of one account, and what waits is caught up with as soon as a second account arrives. The watermark
only grows.

While a partition has had records of one account alone there is no watermark. That account's own
days close by its own records, as long as each of them is at most `leap` ahead of those before; the
records of a second account are never late by that.
"""

from typing import Final, NamedTuple

NEVER: Final = -(1 << 62)
"""An event time before any other; the watermark as long as there is none."""


class Lone(NamedTuple):
    """The account whose records were the only ones, and how far it has closed its own days.

    Its transactions of business days before `day_open_first` are late (None: nothing has closed).
    `offset` is that of the record by which a second account came; None while there is none.
    """

    account_id: str
    day_open_first: int | None
    offset: int | None = None


class Marks(NamedTuple):
    """A watermark as state keeps it.

    `leader` is the account with the greatest event time, `first`; `second` is the greatest of all
    others, and `time` the watermark. Of an account that is alone, `earliest` is its earliest event
    time, and `lone` the latest one that its records led up to by steps of at most the leap.
    """

    leader: str = ""
    first: int = NEVER
    second: int = NEVER
    time: int = NEVER
    earliest: int = NEVER
    lone: int = NEVER


class Watermark:
    """The two greatest event times of different accounts, and how far the first may lead.

    `time` is the watermark, `NEVER` as long as no second account's record has come. The engine's
    loop advances all but `earliest` and `lone` by itself: it is the hot path. Durations are in
    microseconds.
    """

    __slots__ = ("earliest", "first", "lead", "leader", "leap", "lone", "second", "time")

    def __init__(self, leap: int, lead: int) -> None:
        self.leap = leap
        self.lead = lead
        self.restore(Marks())

    def restore(self, marks: Marks) -> None:
        """Put back what state kept."""
        self.leader, self.first, self.second, self.time, self.earliest, self.lone = marks

    def marks(self) -> Marks:
        """Return what state keeps of it."""
        return Marks(
            self.leader, self.first, self.second, self.time, self.earliest, self.lone
        )  # fmt: skip

    @property
    def is_alone(self) -> bool:
        """Whether records of one account alone have come, or none at all."""
        return self.second == NEVER

    @property
    def clock(self) -> int:
        """The event time that days go by: the watermark, or that of an account that is alone."""
        return self.lone if self.second == NEVER else self.time

    @property
    def held_back(self) -> int:
        """How far the clock stays behind the greatest event time, because one account leads.

        It is 0 if the clock is there.
        """
        return 0 if self.first == NEVER else self.first - self.clock

    def lead_alone(self, event_time: int) -> bool:
        """Take an event time of an account that is alone; return whether its clock went on."""
        if self.lone == NEVER:
            self.earliest = self.lone = event_time
            return True
        self.earliest = min(self.earliest, event_time)
        if not self.lone < event_time <= self.lone + self.leap:
            return False
        within = self.first <= event_time + self.leap  # what was ahead is not far ahead any more
        self.lone = self.first if within else event_time
        return True
