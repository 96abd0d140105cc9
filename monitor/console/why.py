"""The reasons of an alert, as sentences with its values filled in, in the reader's language."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.console import words
from monitor.console.language.catalogue import N_, ngettext, quoting
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.formats import day, grouped, per_cent, written_minute
from monitor.console.words import Record
from monitor.core.alert import SUPPRESSED, Kind
from monitor.core.threshold import Measure
from monitor.gauges.gauge import Party

_MOVED: Final = {
    "debit": N_(
        "When this was told, %(amount)s had gone out on account %(account)s on %(day)s; limit"
        " %(limit_id)s allows %(limit)s."
    ),
    "credit": N_(
        "When this was told, %(amount)s had come in on account %(account)s on %(day)s; limit"
        " %(limit_id)s allows %(limit)s."
    ),
    "both": N_(
        "When this was told, %(amount)s had moved on account %(account)s on %(day)s; limit"
        " %(limit_id)s allows %(limit)s."
    ),
}

_ORIGINS: Final = {
    "counterparty": N_("counterparty %(value)s"),
    "institution": N_("at institution %(value)s"),
    "channel": N_("channel %(value)s"),
    "branch": N_("branch %(value)s"),
}

_RELATIVE: Final = (Measure.SHARE.value, Measure.RATIO.value)
"""Measures of amounts that are no amounts."""

_MEASURES: Final = {
    Measure.AMOUNT.value: N_("the amount moved"),
    Measure.COUNT.value: N_("the number of transactions"),
    Measure.LARGEST.value: N_("the largest single amount"),
    Measure.NET.value: N_("the net amount"),
    Measure.THROUGH.value: N_("the amount that came in and went out"),
    Measure.DISTINCT.value: N_("the number of parties on the other side"),
    Measure.SHARE.value: N_("the greatest share of one party"),
    Measure.RATIO.value: N_("the sum of the day"),
    Measure.NEAR.value: N_("the number of days with a sum near a limit"),
}


def why_of_alert(record: Record) -> list[str]:
    """Return sentences that say why an alert was raised, with its values filled in."""
    kind = record.get("kind")
    if kind == Kind.SYSTEMIC.value:
        return [text for text in _why_systemic(record) if text]
    if kind == Kind.OUTLIER.value:
        found = [_why_outlier(record)]
        reasons = _reasons(record)
        if reasons:
            found.append(quoting(N_("It stands out because %(english)s."), reasons))
        found += _taught(words.evidence(record).get("taught"))
    elif kind == Kind.REVIEW.value:
        found = _why_review(record)
    else:
        found = _why_limit(record)
    if record.get("value_before") is not None:
        before = words.amount(record, "value_before")
        found.append(_("The report before this one said %(amount)s.", amount=before))
    suppressed = record.get(SUPPRESSED)
    if isinstance(suppressed, Mapping):
        found.append(
            _(
                "The policy suppresses this alert up to %(day)s: %(reason)s",
                day=day(suppressed.get("until")),
                reason=suppressed.get("reason"),
            )
        )
    if record.get("status") == "withdrawn":
        found.append(_("This no longer holds: the alert was withdrawn."))
    return found


def _why_outlier(record: Record) -> str:
    return _(
        "About 1 business day in %(number)s is as strange as the days of account %(account)s from"
        " %(day)s on; the budget of alerts now begins at 1 in %(limit)s.",
        number=grouped(record.get("value")),
        account=record.get("account_id"),
        day=day(record.get("business_day")),
        limit=grouped(record.get("limit")),
    )


def _taught(taught: object) -> Iterator[str]:
    """Yield what analysts' decisions add to a score, the weightiest parts first."""
    if not isinstance(taught, Mapping) or not isinstance(taught.get("weights"), Mapping):
        return
    weights, terms = taught["weights"], taught.get("terms")
    if not isinstance(terms, Mapping):
        return
    parts = [(weights[name] * term, name) for name, term in terms.items() if name in weights]
    parts.append((weights["score"] * taught["score"], "score"))
    parts.sort(key=lambda part: -abs(part[0]))
    yield _(
        "Version %(version)s of the weights that decisions taught is in this; without it, about 1"
        " business day in %(number)s was as strange. It adds to the score: %(parts)s.",
        version=taught.get("version"),
        number=grouped(taught.get("one_in_before")),
        parts=", ".join(f"{name} {added:+.2f} ({weights[name]:+.2f})" for added, name in parts),
    )


def _gauge_words(record: Record, values: Mapping[str, Any]) -> str:
    """Return what was measured, over which period and of whose part, as a sentence."""
    said = words.measured(record)
    return _(
        "When this was told, %(measure)s on account %(account)s from %(begin)s to %(end)s%(part)s"
        " had come to %(amount)s; limit %(limit_id)s allows %(limit)s.",
        measure=words.word(_MEASURES, said.get("measure")),
        begin=written_minute(str(said.get("from") or "")),
        end=written_minute(str(said.get("to") or "")),
        part="".join(f" ({whose})" for whose in _parts_of(said)),
        **values,
    )


def _parts_of(said: Record) -> list[str]:
    """Return whose part was measured, and by which filter, as the policy has it."""
    per = said.get("per")
    parts = [str(whose) for whose in per.values()] if isinstance(per, Mapping) else []
    where = said.get("where")
    if isinstance(where, Mapping):
        parts.append("; ".join(f"{name} {_stated(value)}" for name, value in where.items()))
    return parts


def _stated(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name} {part}" for name, part in value.items())
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return ", ".join(map(str, words.listed(value))) if isinstance(value, list) else str(value)


def _why_limit(record: Record) -> list[str]:
    said = words.evidence(record)
    is_count = record.get("kind") == Kind.DAILY_COUNT.value or isinstance(record.get("value"), int)
    values = {
        "day": day(record.get("business_day")),
        "amount": words.amount(record),
        "account": record.get("account_id"),
        "limit_id": record.get("threshold_id"),
        "limit": words.amount(record, "limit"),
    }
    if record.get("kind") == Kind.LIMIT.value:
        first = _gauge_words(record, values)
    elif is_count:
        first = _(
            "When this was told, %(amount)s had been made on account %(account)s on %(day)s; limit"
            " %(limit_id)s allows %(limit)s.",
            **values,
        )
    else:
        first = _(_MOVED.get(str(record.get("direction")), _MOVED["both"]), **values)
    found = [first]
    if said.get("over_by") is not None:
        over = (
            words.amount({**record, "over_by": said["over_by"]}, "over_by")
            if words.measured(record).get("measure") in _RELATIVE
            else words.money(said["over_by"], None if is_count else record.get("currency"))
        )
        ratio = said.get("times_limit")
        if ratio:
            times_limit = grouped(ratio)
            found.append(
                _(
                    "That is %(over)s too much, %(times)s times the limit.",
                    over=over,
                    times=times_limit,
                )
            )
        else:
            found.append(_("That is %(over)s too much.", over=over))
    return [*found, *_of_evidence(record, said)]


def _of_evidence(record: Record, said: Record) -> Iterator[str]:
    """Yield sentences about what makes up a value, and what took it over its limit."""
    yield from _of_what(record, said)
    origin = said.get("origin")
    if isinstance(origin, Mapping):
        yield _tipping(record, origin)


def _of_what(record: Record, said: Record) -> Iterator[str]:
    """Yield what a measured value is made of, or measured by."""
    if said.get("active_before"):
        before = day(said["active_before"])
        yield _("What came last before that was on %(day)s.", day=before)
    usual, converted, share = (said.get(name) for name in ("usual", "converted", "share"))
    if isinstance(usual, Mapping):
        yield _usual(record, usual)
    if isinstance(converted, Mapping):
        yield from _converted(converted)
    near = [each for each in words.listed(said.get("near")) if isinstance(each, Mapping)]
    if near:
        yield _near(record, near)
    if isinstance(share, Mapping):
        yield _whose(record, share)


def _whose(record: Record, share: Record) -> str:
    """Return a sentence about the party that has the greatest share."""
    return _(
        "%(whose)s has %(part)s of %(whole)s.",
        whose=share.get(Party.COUNTERPARTY.value) or share.get(Party.INSTITUTION.value),
        part=words.money(share.get("amount"), record.get("currency")),
        whole=words.money(share.get("of"), record.get("currency")),
    )


def _converted(converted: Record) -> Iterator[str]:
    """Yield what was converted, by currency, and what has no rate."""
    amounts = [its for its in words.listed(converted.get("amounts")) if isinstance(its, Mapping)]
    yield _(
        "In the sum are %(amounts)s, each at the rate of its business day.",
        amounts=words.joined(
            [words.money(its.get("amount"), its.get("currency")) for its in amounts]
        ),
    )
    without = words.listed(converted.get("without_rate"))
    if without:
        yield _(
            "No rate is known of %(days)s: that is not in the sum.",
            days=words.joined([str(each) for each in without]),
        )


def _usual(record: Record, usual: Record) -> str:
    """Return a sentence about the days of which the usual is."""
    return _(
        "The day has %(amount)s; the %(days)s days with any from %(begin)s to %(end)s have"
        " %(mean)s in the mean.",
        amount=words.money(usual.get("amount"), record.get("currency")),
        days=grouped(usual.get("days")),
        begin=day(usual.get("from")),
        end=day(usual.get("to")),
        mean=words.money(usual.get("mean"), record.get("currency")),
    )


def _near(record: Record, near: Iterable[Record]) -> str:
    """Return a sentence about the days whose sum was near a limit."""
    days = (
        _(
            "%(day)s (%(amount)s)",
            day=day(each.get("business_day")),
            amount=words.money(each.get("amount"), record.get("currency")),
        )
        for each in near
    )
    return _("Near a limit were %(days)s.", days=words.joined([*days]))


def _tipping(record: Record, origin: Record) -> str:
    """Return a sentence about the transaction that took a day over its limit."""
    facts = [_(text, value=origin[name]) for name, text in _ORIGINS.items() if origin.get(name)]
    transaction = record.get("transaction_id")
    if not facts:
        return _("Transaction %(transaction)s took it over the limit.", transaction=transaction)
    return _(
        "Transaction %(transaction)s took it over the limit, %(facts)s.",
        transaction=transaction,
        facts=words.joined(facts),
    )


def _why_review(record: Record) -> list[str]:
    said = words.evidence(record)
    window, some = said.get("window_days"), _("some")
    found = [
        _(
            "Account %(account)s was over its limits on %(over)s business days, and near them on"
            " %(near)s.",
            account=record.get("account_id"),
            over=grouped(said.get("breach_days", 0)),
            near=grouped(said.get("near_days", 0)),
        ),
        _(
            "That counts as %(days)s; more than %(least)s within %(window)s make a review.",
            days=words.amount(record),
            least=grouped(record.get("limit")),
            window=some if window is None else grouped(window),
        ),
    ]
    reasons = _reasons(record)
    if said.get("reading") and reasons:
        its = words.word(words.READINGS, said["reading"])
        message = N_("It reads as: %(reading)s, because %(english)s.")
        found.append(quoting(message, reasons, reading=its))
    left_out = len(words.listed(said.get("grouped_days")))
    if left_out:
        found.append(
            ngettext(
                "%(num)s further day does not count, because an incident explains it.",
                "%(num)s further days do not count, because an incident explains them.",
                left_out,
                num=grouped(left_out),
            )
        )
    if said.get("why"):
        message = N_("It was withdrawn because %(english)s.")
        found.append(quoting(message, words.short(said["why"])))
    return found


def _reasons(record: Record) -> str:
    """Return the reasons of a record, which are in English; an empty text if it has none."""
    return "; ".join(
        words.short(reason) for reason in words.listed(words.evidence(record).get("reasons"))
    )


def _why_systemic(record: Record) -> Iterator[str]:
    where = record.get("segment")
    verdict, last = (
        words.word(words.VERDICTS, record.get("verdict")),
        day(record.get("business_day")),
    )
    if where is None:
        yield _("%(verdict)s, in all segments, up to %(day)s.", verdict=verdict, day=last)
    else:
        yield _(
            "%(verdict)s, in segment %(segment)s, up to %(day)s.",
            verdict=verdict,
            segment=where,
            day=last,
        )
    cause = record.get("cause")
    if isinstance(cause, Mapping):
        yield _(
            "The account-days have %(type)s %(value)s in common, %(lift)s times its usual share.",
            type=words.word(words.CAUSES, cause.get("type")),
            value=cause.get("value"),
            lift=grouped(cause.get("lift")),
        )
    said = words.evidence(record)
    if said.get("breaches") is not None and said.get("expected") is not None:
        yield _(
            "%(breaches)s account-days were over the limit on the last day, where %(expected)s were"
            " to be expected.",
            breaches=grouped(said["breaches"]),
            expected=grouped(said["expected"]),
        )
    if said.get("breach_budget") is not None:
        yield _(
            "Over the limit were %(share)s of %(account_days)s account-days on %(days)s days;"
            " the breach budget is %(budget)s.",
            share=_share(said.get("share")),
            account_days=grouped(said.get("account_days")),
            days=grouped(said.get("days_counted")),
            budget=_share(said["breach_budget"]),
        )
    yield words.decided_by(record)
    if record.get("suggested_limit") is not None:
        suggested = grouped(record["suggested_limit"])
        if said.get("breach_budget") is None:
            yield _("History would set the limit to %(limit)s.", limit=suggested)
        else:
            yield _("The breach budget would set the limit to %(limit)s.", limit=suggested)
    explained = record.get("grouped", 0)
    yield ngettext(
        "It explains %(num)s alert of accounts.",
        "It explains %(num)s alerts of accounts.",
        words.number_of(explained),
        num=grouped(explained),
    )


def _share(value: object) -> str:
    """Return a share from 0 to 1 as per cent; anything else as it is."""
    return per_cent(f"{value * 100:.3g}") if isinstance(value, float) else grouped(value)
