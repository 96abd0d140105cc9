"""The `where` of a limit: which transactions it measures."""

import re
from typing import Final

from monitor.core.money import EXPONENT, MINOR_UNITS_MAX, amount_text, minor_units
from monitor.core.names import NameList
from monitor.core.table_reader import TableReader, is_whole, shown
from monitor.core.transaction import ID_LENGTH_MAX
from monitor.gauges.where import GaugeFilter
from monitor.policy.lists import NO_LISTS, Lists

WHERE_KEYS: Final = (
    "channel",
    "counterparty",
    "counterparty_institution",
    "counterparty_institution_country",
    "branch",
    "amount",
    "hours",
    "weekend",
    "holiday",
    "counterparty_in",
    "counterparty_new",
)
AMOUNT_KEYS: Final = ("from", "to", "multiple_of")

NAMES_MAX: Final = 1_000
"""Names that one part of a filter lists."""

_PLAIN: Final = re.compile(r"([0-9]+)(?:\.([0-9]*))?")
_COUNTRIES: Final = frozenset(
    re.findall(
        "[A-Z]{2}",
        """
        AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO
        BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ
        DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP
        GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG
        KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML
        MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE
        PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL
        SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM
        US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK
        """,
    )
)
"""The countries of ISO 3166, and Kosovo as BICs have it: no BIC has any other, for instance UK."""

NEW_DAYS_MAX: Final = 366
"""Whom an account has paid is kept for so many days at most, so that state has a bound."""

_DAYS: Final = re.compile(r"([1-9][0-9]{0,2})d")
_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


def where_stated(
    limit: TableReader,
    currency: str | None,
    lists: Lists = NO_LISTS,
    holidays: tuple[int, ...] = (),
) -> GaugeFilter:
    """Return the filter that a limit states; its amounts are in a currency.

    `lists` are those of the policy that it may name, `holidays` those of its calendar, sorted.
    """
    stated = limit.get("where", {})
    if not isinstance(stated, dict):
        limit.refuse(f'where is {shown(stated)}: write {{ channel = ["atm", "cash"] }}')
        return GaugeFilter()
    where = limit.reader(stated, f"{limit.where}where.", "where")
    where.refuse_unknown(WHERE_KEYS)
    amounts = _amounts(where, currency)
    weekend, holiday = _of_day(where, "weekend"), _of_day(where, "holiday")
    if holiday is not None and not holidays:
        where.refuse("holiday is stated, and the policy has none: write [calendar] holidays")
    return GaugeFilter(
        _names(where, "channel"),
        _names(where, "counterparty"),
        _names(where, "counterparty_institution"),
        _countries(where),
        _names(where, "branch"),
        *amounts,
        _hours(where),
        weekend,
        holiday,
        () if holiday is None else holidays,
        _counterparties_in(where, lists),
        _new_within(where),
    )


def _new_within(where: TableReader) -> int | None:
    """Return for how many days nothing was paid to a counterparty that is new; None: to any."""
    value = where.get("counterparty_new", None)
    if value is None:
        return None
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if match is not None and int(match[1]) <= NEW_DAYS_MAX:
        return int(match[1])
    where.refuse(
        f"counterparty_new is {shown(value)}: write within how many days the account has not paid"
        f' it, e.g. "90d", at most {NEW_DAYS_MAX}d'
    )
    return None


def _of_day(where: TableReader, key: str) -> bool | None:
    """Return whether days of a sort are asked for, or all others; None if neither is."""
    value = where.get(key, None)
    if value is None or isinstance(value, bool):
        return value
    where.refuse(f"{key} is {shown(value)}: write true, or false for all other days")
    return None


def _counterparties_in(where: TableReader, lists: Lists) -> NameList | None:
    stated = where.get("counterparty_in", None)
    if stated is None:
        return None
    found = lists.get(stated) if isinstance(stated, str) else None
    if found is not None and found.counterparties is not None:
        return found.counterparties
    known = [name for name, its in lists.items() if its.counterparties is not None]
    where.refuse(
        f"counterparty_in is {shown(stated)}: "
        + (f"one of {', '.join(known)}" if known else "state [lists.NAME] with counterparties")
    )
    return None


def _names(where: TableReader, key: str) -> tuple[str, ...]:
    """Return the names that a part lists, sorted: their order says nothing."""
    stated = where.get(key, None)
    if stated is None:
        return ()
    names = [stated] if isinstance(stated, str) else stated
    if (
        isinstance(names, list)
        and 0 < len(names) <= NAMES_MAX
        and all(isinstance(name, str) and 0 < len(name) <= ID_LENGTH_MAX for name in names)
    ):
        for name in names:
            if refuse_misspelt(where, key, name):
                break
        return tuple(sorted(set(names)))
    where.refuse(f"{key} is {shown(stated)}: write a text, or a list of at most {NAMES_MAX:,}")
    return ()


def refuse_misspelt(table: TableReader, key: str, name: str) -> bool:
    """Note a name with blanks at its ends, and return whether it has any.

    Ids in records have none, and of other names it is a slip that nobody sees.
    """
    if name == name.strip():
        return False
    table.refuse(f"{key} has {shown(name)}: a name has no blanks at its ends")
    return True


def _countries(where: TableReader) -> tuple[str, ...]:
    """Return the countries that a filter lists; a BIC has two capital letters of ISO 3166."""
    key = "counterparty_institution_country"
    names = _names(where, key)
    if strange := [name for name in names if name not in _COUNTRIES]:
        where.refuse(
            f"{key} has {shown(strange[0])}: a country is two capital letters of ISO 3166, e.g."
            ' "GB" for the United Kingdom'
        )
    return names


def _amounts(where: TableReader, currency: str | None) -> tuple[int | None, int | None, int | None]:
    stated = where.get("amount", None)
    if stated is None:
        return None, None, None
    if not isinstance(stated, dict) or not stated:
        where.refuse(f'amount is {shown(stated)}: write {{ from = "100.00", to = "999.99" }}')
        return None, None, None
    if currency is None:
        where.refuse("amount is stated, and the limit has no currency")
        return None, None, None
    amount = where.reader(stated, f"{where.where}amount.", "amount")
    amount.refuse_unknown(AMOUNT_KEYS)
    low, high, multiple = (
        money_stated(amount, key, currency) if key in stated else None for key in AMOUNT_KEYS
    )
    if low is not None and high is not None and low > high:
        amount.refuse("from is greater than to: no amount is in between")
    if multiple == 0:
        amount.refuse("multiple_of is 0: write what amounts are to be multiples of")
    elif high is not None and amount.is_good:
        # The greatest amount that the filter lets through.
        greatest = high if multiple is None else high - high % multiple
        if greatest < max(low or 0, 1):
            where.refuse(f"amount is {shown(stated)}: no amount but 0 fits it")
    return low, high, multiple


def _hours(where: TableReader) -> tuple[int, int] | None:
    stated = where.get("hours", None)
    if stated is None:
        return None
    match = _HOURS.fullmatch(stated) if isinstance(stated, str) else None
    if match is not None:
        begin_hour, begin_minute, end_hour, end_minute = map(int, match.groups())
        begin, end = 60 * begin_hour + begin_minute, 60 * end_hour + end_minute
        if begin != end:
            return begin, end
    where.refuse(f'hours is {shown(stated)}: write two times of day, e.g. "22:00-06:00"')
    return None


def money_stated(table: TableReader, key: str, currency: str) -> int | None:
    """Return an amount that a table states, in minor units; None if it cannot be read."""
    value = table.get(key)
    text = str(value) if is_whole(value) else value
    minor = minor_units(text, EXPONENT[currency]) if isinstance(text, str) else None
    if minor is None and _is_too_large(value, currency):
        most = amount_text(MINOR_UNITS_MAX, EXPONENT[currency])
        table.refuse(f"{key} is {shown(value)}: too large, an amount is at most {most}")
    elif minor is None:
        table.refuse(
            f"{key} is {shown(value)}: write the amount as text with at most"
            f' {EXPONENT[currency]} decimals, e.g. "500{".00" if EXPONENT[currency] else ""}"'
        )
    return minor


def _is_too_large(value: object, currency: str) -> bool:
    """Return whether a value is an amount that its currency can have, and state cannot."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value >= 0
    written = _PLAIN.fullmatch(value) if isinstance(value, str) else None
    if written is None or len(written[2] or "") > EXPONENT[currency]:
        return False
    return len(written[1].lstrip("0")) + EXPONENT[currency] > len(str(MINOR_UNITS_MAX))
