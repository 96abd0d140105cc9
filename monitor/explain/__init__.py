"""Compare an alert with the one that is derived again from its records."""
