"""Verdicts on reviews: however late or early they are known, all ends alike, crash or not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Alert
from monitor.core.business_day import day_of_text, day_text
from monitor.core.transaction import Origin, Transaction
from monitor.engine.engine import Engine
from monitor.ledger.rejections import rejection_rows
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.policy.systemic import LASTING_DAYS, REACH_DAYS
from monitor.review.membership import is_member
from streams.state import changelog, keys
from streams.wire import codec
from tests.support.incidents import incident, of_limit, verdicts
from tests.support.laws import law
from tests.support.reviews import RETAIL, REVIEWED, USUAL, Rule, day_of, reviews_in, reviews_of
from tests.support.transactions import observed, transaction

MONDAY: Final = day_of_text("2026-01-05")
DAYS: Final = 30
POLICY: Final = policy_of(REVIEWED + "[systemic]\n")._replace(outliers=None)
WRITER: Final = keys.next_writer((), b"w")

moves = st.tuples(
    st.integers(0, 1),  # account: 0 is of retail
    st.integers(0, DAYS - 1),  # day
    st.sampled_from(["450.00", "480.00", "501.00", "600.00", "130.00"]),
    st.integers(1, 4),  # transactions
    st.sampled_from(["I1", "I2"]),
)


class Found(NamedTuple):
    """An incident as it is told on a day: the latest of its id holds."""

    day: int
    fields: Mapping[str, Any]


@st.composite
def incidents(draw: st.DrawFn) -> list[Found]:
    """Draw incidents as the systemic side may tell them: each in one to three revisions."""
    told = []
    for name in "XYZ"[: draw(st.integers(1, 3))]:
        first = MONDAY + draw(st.integers(0, DAYS - 1))
        days = [first + more for more in sorted(draw(st.sets(st.integers(0, 9), min_size=1)))]
        is_cause = draw(st.booleans())
        limit = draw(st.sampled_from(["daily-amount", "daily-count"]))
        segment = draw(st.sampled_from([None, "retail"]))
        found = days[0] + draw(st.integers(0, LASTING_DAYS - 1))
        for _ in range(draw(st.integers(1, 3))):
            incident_days = [day for day in days if day <= found]
            fields = (
                incident(name, incident_days)
                if is_cause
                else of_limit(name, incident_days, limit, segment)
            )
            if draw(st.booleans()) and not is_cause:
                fields["verdict"] = "undecided"
            told.append(Found(found, fields))
            found = min(found + draw(st.integers(0, 3)), days[0] + REACH_DAYS)
    return sorted(told, key=lambda verdict: verdict.day)


def items_of(drawn: Sequence[tuple[int, int, str, int, str]]) -> list[Transaction]:
    """Return transactions in the order of their days."""
    made = [
        transaction(
            f"T{number}-{n}", hours=24 * day + n / 9, account_id=f"A{account}",
            amount=amount if n == 0 else "7.00", counterparty_institution=to,
            **({"segment": "retail"} if account == 0 else {}),
        )
        for number, (account, day, amount, count, to) in enumerate(drawn)
        for n in range(count)
    ]  # fmt: skip
    return sorted(made, key=day_of)


class Life:
    """An engine that hears of verdicts by and by, and all that it tells."""

    def __init__(self, told: list[Found]) -> None:
        self.engine = Engine(0, PolicyBook([POLICY]), 2)
        self.alerts: list[Alert] = []
        self._told = told
        self._decided = 0
        self._verdicts = verdicts()

    def take(self, item: Transaction) -> None:
        self.alerts += observed(self.engine, item).alerts

    def hear(self, decided: int, *, all_known: bool = False) -> None:
        """Hear of all that was told up to a day that is decided; or of all that ever will be."""
        self._know(decided, all_known=all_known)
        self.engine.set_verdicts(self._verdicts)
        self.alerts += self.engine.take_step().alerts

    def _know(self, decided: int, *, all_known: bool = False) -> None:
        self._decided = max(self._decided, decided)
        latest = {
            verdict.fields["alert_id"]: verdict.fields
            for verdict in self._told
            if all_known or (verdict.day <= self._decided)
        }
        self._verdicts = verdicts(*latest.values(), decided=self._decided)

    def begin_again(self, decided: int) -> None:
        """Go on as a worker does that has nothing but what was kept, and the verdicts of now."""
        self._know(decided)
        engine = Engine(0, PolicyBook([POLICY]), 2)
        engine.reviews.restore_verdicts(self._verdicts)
        changelog.recover(engine, kept_of(self.engine))
        self.engine = engine
        self.alerts += engine.take_step().alerts

    def end(self) -> None:
        """Close all days, and decide all of them: nothing is kept then."""
        last = transaction("T").event_time + 200 * 86_400_000_000
        for days in (0, 10):
            for account_id in ("END", "END2"):  # one account alone closes nobody's days
                item = transaction(f"END{days}", account_id=account_id)
                self.take(item._replace(event_time=last + days * 86_400_000_000))
        self.hear(MONDAY + 300)
        assert self.engine.ledger.accounts.keys() == {"END", "END2"}
        assert not self.engine.reviews._noted_on
        assert not self.engine.reviews._ended_until

    def ends(self) -> dict[str, dict[str, Any]]:
        """Return what is told last of each review, without the record and revision that tell it."""
        last = {alert.alert_id: alert.fields() for alert in reviews_in(self.alerts)}
        for fields in last.values():
            for name in ("revision", "transaction_id", "event_time", "offset", "value_before"):
                del fields[name]
            fields["status"] = "withdrawn" if fields["status"] == "withdrawn" else "stands"
        return last


def kept_of(engine: Engine) -> dict[bytes, bytes]:
    """Return what a partition keeps of an engine (but for its journal: nothing is reversed)."""
    ledger = engine.ledger
    seal = changelog.Seal(
        ledger.offset_last, ledger.marks.marks(), ledger.lone, engine.policies.calendar.text(),
        list(engine.policies.versions), len(ledger.buckets), WRITER,
        rejection_rows(ledger.rejections),
    )  # fmt: skip
    kept = {keys.seal_key(WRITER): changelog.seal_bytes(seal)}
    for account in engine.ledger.dirty:
        account.kept = b""
    for number, bucket in enumerate(engine.ledger.buckets):
        bucket.offset_last = engine.ledger.offset_last
        kept[keys.bucket_key(WRITER, number)] = changelog.bucket_bytes(bucket)
    return kept


def lived(
    items: Sequence[Transaction], told: list[Found], lags: Sequence[int] = (0,),
    *, is_early: bool = False, crashes: Sequence[int] = (),
) -> Life:  # fmt: skip
    """Return a life in which verdicts lag behind the last closed day by so many days, by turns."""
    life = Life(told)
    if is_early:
        life.hear(0, all_known=True)
    for place, item in enumerate(items):
        life.take(item)
        closed = (life.engine.ledger.day_open_first or 0) - 1
        lag = lags[place % len(lags)]
        if place in crashes:
            life.begin_again(closed - lag)
        if lag < DAYS:
            life.hear(closed - lag, all_known=is_early)
    life.end()
    return life


lags_drawn = st.lists(st.integers(0, DAYS), min_size=1, max_size=6)


@law(60)
@given(
    drawn=st.lists(moves, min_size=4, max_size=40),
    told=incidents(),
    lags=lags_drawn,
    is_early=st.booleans(),
    crashes=st.lists(st.integers(0, 60), max_size=3),
)
def test_when_a_verdict_is_known_is_nothing_to_the_end(
    drawn: list[tuple[int, int, str, int, str]], told: list[Found], lags: list[int],
    *, is_early: bool, crashes: list[int],
) -> None:  # fmt: skip
    items = items_of(drawn)
    prompt = lived(items, told).ends()
    assert lived(items, told, lags, crashes=crashes).ends() == prompt
    assert lived(items, told, [DAYS]).ends() == prompt  # all of it after the last record
    if is_early:
        assert lived(items, told, lags, is_early=True).ends() == prompt


@law(60)
@given(st.lists(moves, min_size=4, max_size=40), incidents(), lags_drawn)
def test_reviews_leave_out_members_alone_as_a_recount_does(
    drawn: list[tuple[int, int, str, int, str]], told: list[Found], lags: list[int]
) -> None:
    items = items_of(drawn)
    life = lived(items, told, lags)
    latest = {verdict.fields["alert_id"]: verdict.fields for verdict in told}.values()
    stands = {
        (fields["account_id"], day_of_text(fields["business_day"])): [
            (day_of_text(listed_day["business_day"]), listed_day["kind"] == "near")
            for listed_day in fields["evidence"]["days"]
        ]
        for fields in life.ends().values()
        if fields["status"] == "stands"
    }
    assert stands == recounted(items, latest)
    members = [
        (alert.account_id, alert.business_day, alert.threshold.threshold_id)
        for alert in life.alerts
        if any(is_member(verdict, alert.fields()) for verdict in latest)
    ]
    assert sorted(members) == sorted(
        (account, day, name)
        for (account, day), marks in marks_of(items).items()
        for name, origin in marks.items()
        if origin is not None and is_explained(latest, account, day, name, origin)
    )


# -- by other means ------------------------------------------------------------------------------

Marks = dict[str, str | None]
"""Limits that an account-day is over, with the institution that tipped it; None: it is near."""


def marks_of(items: Iterable[Transaction]) -> dict[tuple[str, int], Marks]:
    """Return what each account-day is over or near, by adding up one transaction after another."""
    sums: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    marks: dict[tuple[str, int], Marks] = defaultdict(dict)
    for item in items:
        key = item.account_id, day_of(item)
        permille = (RETAIL if item.segment == "retail" else USUAL).near_permille
        sums[key][0] += item.amount_minor
        sums[key][1] += 1
        for name, total, limit in zip(
            ("daily-amount", "daily-count"), sums[key], (500_00, 3), strict=True
        ):
            if total > limit:
                if marks[key].get(name) is None:
                    marks[key][name] = item.counterparty_institution
            elif 1000 * total > permille * limit:
                marks[key][name] = None
    return {key: left_marks for key, left_marks in marks.items() if left_marks}


def is_explained(
    latest: Iterable[Mapping[str, Any]], account: str, day: int, name: str, institution: str
) -> bool:
    segment = "retail" if account == "A0" else None
    return any(
        verdict["verdict"] != "undecided"
        and day_text(day) in verdict["evidence"]["days"]
        and (
            institution == "I1"
            if verdict["threshold_id"] is None
            else (verdict["threshold_id"], verdict["segment"]) == (name, segment)
        )
        for verdict in latest
    )


def recounted(
    items: Iterable[Transaction], latest: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, int], list[tuple[int, bool]]]:
    """Return the reviews that stand, by account and first day of all: what is left of each."""
    whole: dict[str, dict[int, bool]] = defaultdict(dict)
    left: dict[str, dict[int, bool]] = defaultdict(dict)
    for (account, day), marks in sorted(marks_of(items).items()):
        whole[account][day] = all(origin is None for origin in marks.values())
        kinds = [
            origin is None
            for name, origin in marks.items()
            if origin is None or not is_explained(latest, account, day, name, origin)
        ]
        if kinds:
            left[account][day] = all(kinds)
    found = {}
    for account, days in whole.items():
        rule = RETAIL if account == "A0" else USUAL
        for first, listed in reviews_of(days, rule).items():
            kept = [(day, left[account][day]) for day, _ in listed if day in left[account]]
            if suffices(kept, rule):
                found[account, first] = kept
    return found


def suffices(days: Sequence[tuple[int, bool]], rule: Rule) -> bool:
    return any(
        sum(2 - is_near for day, is_near in days if 0 <= day - first < rule.window_days)
        >= 2 * rule.days
        for first, _ in days
    )


# -- by example ----------------------------------------------------------------------------------


def breaches(days: Iterable[int], to: str = "I1") -> list[Transaction]:
    return [
        transaction(f"T{day}", hours=24 * day, amount="600.00", counterparty_institution=to)
        for day in days
    ]


def test_a_verdict_that_comes_when_a_review_is_long_over_still_withdraws_it() -> None:
    life = Life([Found(MONDAY + 3, incident("X", [MONDAY, MONDAY + 1]))])
    for item in [*breaches([0, 1]), transaction("O", hours=24 * 90, account_id="A2")]:
        life.take(item)
    assert [alert.status.value for alert in reviews_in(life.alerts)] == ["raised"]
    life.hear(MONDAY + 3)
    assert [alert.status.value for alert in reviews_in(life.alerts)] == ["raised", "withdrawn"]
    assert "A1" in life.engine.ledger.accounts
    life.hear(MONDAY + REACH_DAYS)
    assert "A1" in life.engine.ledger.accounts  # the second day may still be explained
    life.hear(MONDAY + 1 + REACH_DAYS)
    assert "A1" not in life.engine.ledger.accounts


def test_without_systemic_verdicts_nothing_is_kept_for_them() -> None:
    engine = Engine(0, PolicyBook([policy_of(REVIEWED)]))
    observed(engine, *breaches([0, 1]), transaction("O", hours=24 * 90, account_id="A2"))
    assert engine.ledger.accounts.keys() == {"A2"}
    assert engine.reviews.days_undecided == 0


def test_how_far_verdicts_are_behind_is_counted_in_business_days() -> None:
    life = Life([])
    assert life.engine.reviews.days_undecided == 0
    for item in [*breaches([0, 1, 9]), transaction("O", hours=24 * 9, account_id="A2")]:
        life.take(item)
    assert life.engine.reviews.days_undecided == 6  # Monday to Saturday: the lateness is three days
    life.hear(MONDAY + 4)
    assert life.engine.reviews.days_undecided == 1


EXPLAINED = (range(0), range(3, 90), range(40, 140), range(10, 100, 2))
LAGS = (0, 20, 70, 150)
QUICK = {(20, 0), (70, 1), (150, 2), (0, 3), (150, 3)}
"""Each lag once, and each of `EXPLAINED`; the last one, which leaves gaps, with the least lag and
with the greatest. A review of many months takes seconds."""


@cache
def told_promptly(explained: range) -> dict[str, dict[str, Any]]:
    """Return how the review of many months ends if each verdict is known once its day is closed."""
    return lived(breaches(range(150)), incidents_on(explained)).ends()


def incidents_on(days: range) -> list[Found]:
    return [Found(MONDAY + day, incident(f"X{day}", [MONDAY + day])) for day in days]


@pytest.mark.parametrize(
    ("explained", "lag"),
    [
        pytest.param(
            explained, lag, id=f"{explained}-{lag}",
            marks=[pytest.mark.no_cover] if (lag, place) in QUICK else [pytest.mark.slow],
        )
        for place, explained in enumerate(EXPLAINED)
        for lag in LAGS
    ],
)  # fmt: skip
def test_a_review_of_many_months_ends_alike_however_late_its_days_are_explained(
    explained: range, lag: int
) -> None:
    told, items = incidents_on(explained), breaches(range(150))
    prompt = told_promptly(explained)
    if lag:
        assert lived(items, told, [min(lag, DAYS - 1)]).ends() == prompt
    very_late = Life(told)
    for item in items:
        very_late.take(item)
        very_late.hear((very_late.engine.ledger.day_open_first or 0) - 1 - lag)
    very_late.end()
    assert very_late.ends() == prompt
    (end,) = prompt.values()
    assert end["value"] == 150 - len(explained)
    assert len(end["evidence"]["days"]) <= 62


def test_an_origin_is_in_the_alert_and_in_state() -> None:
    life = Life([])
    life.take(breaches([0])[0])
    fields = codec.plain(codec.alert_bytes(life.alerts[0]))
    assert fields["evidence"]["origin"] == {"institution": "I1"}
    for account_id in ("A2", "A3"):
        life.take(transaction("O", hours=24 * 5, account_id=account_id))
    life.begin_again(0)
    review = life.engine.ledger.accounts["A1"].review
    assert review is not None
    (mark,) = review.closed[MONDAY].marks
    assert mark.origin == Origin("I1", None, None, None)
