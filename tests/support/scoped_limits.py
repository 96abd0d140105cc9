"""A policy whose limits depend on segment and product, and attributes that meet them."""

from monitor.core.attributes import Attributes
from tests.support.transactions import POLICY

SCOPED = (
    POLICY
    + """
[[limit]]
id = "business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "700.00"
scope = { segment = "business" }
[[limit]]
id = "savings"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "200.00"
scope = { product = "savings" }
[[limit]]
id = "savings-count"
measure = "count"
above = 1
scope = { product = "savings" }
"""
)
BUSINESS = Attributes("business", "Praha", "giro")
SAVINGS = Attributes(None, "Brno", "savings")
BOTH = Attributes("business", None, "savings")
