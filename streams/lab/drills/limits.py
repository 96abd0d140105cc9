"""The policies that a drill decides by: limits on gauges beside those on days."""

from datetime import date
from typing import Final

_GAUGE_LIMITS: Final = """
[[limit]]
id = "week"
measure = "amount"
direction = "debit"
currency = "EUR"
period = "week"
tiers = [{ above = "3000.00", severity = "low" }, { above = "9000.00", severity = "high" }]

[[limit]]
id = "month"
measure = "count"
period = "month"
above = 60

[[limit]]
id = "burst"
measure = "count"
window = "30m"
at_least = 4

[[limit]]
id = "through"
measure = "through"
currency = "EUR"
window = "3d"
above = "2000.00"

[[limit]]
id = "largest"
measure = "largest"
direction = "debit"
currency = "EUR"
above = "1500.00"
where = { weekend = false }

[[limit]]
id = "net"
measure = "net"
direction = "debit"
currency = "EUR"
window = "24h"
above = "1800.00"

[[limit]]
id = "payees"
measure = "distinct"
of = "counterparty"
period = "week"
above = 20

[[limit]]
id = "one-payee"
measure = "amount"
direction = "debit"
currency = "EUR"
window = "24h"
per = "counterparty"
above = "1000.00"
where = { hours = "06:00-23:00" }

[[limit]]
id = "share"
measure = "share"
of = "counterparty"
direction = "debit"
currency = "EUR"
period = "week"
from = "500.00"
above = "66.7%"

[[limit]]
id = "silent"
measure = "amount"
direction = "debit"
currency = "EUR"
silent = "3d"
remembered = "20d"
above = "50.00"

[[limit]]
id = "usual"
measure = "ratio"
direction = "debit"
currency = "EUR"
usual = 1
remembered = "10d"
from = "20.00"
above = "1.20"

[[limit]]
id = "near"
measure = "near"
direction = "debit"
currency = "EUR"
from = "50.00"
to = "500.00"
days = 3
above = 1

[[limit]]
id = "new-payees"
measure = "distinct"
of = "counterparty"
direction = "debit"
window = "3d"
above = 5
where = { counterparty_new = "10d" }

[[limit]]
id = "holidays"
measure = "count"
period = "month"
above = 2
where = { holiday = true }
"""
"""A limit of each sort, beside those on days."""


def with_gauge_limits(policy: str) -> str:
    """Return the text of a policy with limits on gauges, and with holidays that these ask for."""
    holidays = [date(2026, month, day).isoformat() for month in range(1, 13) for day in (1, 2, 15)]
    return policy.replace("[calendar]", f"[calendar]\nholidays = {holidays}", 1) + _GAUGE_LIMITS
