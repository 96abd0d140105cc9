"""A made population of accounts, to try limits and models on: seeded, labelled, day by day.

Accounts behave by one of eight types; days follow weekday, pay-day and season; some account-days
are labelled anomalies, and whole incidents can be added. The same arguments give the same rows:
every day is drawn from a seed of its own, so a longer run begins as a shorter one does.
"""

from monitor.population.movements import MadeDay
from monitor.population.population import Population, PopulationError
from monitor.population.rows import COLUMNS, rows_of

__all__ = ["COLUMNS", "MadeDay", "Population", "PopulationError", "rows_of"]
