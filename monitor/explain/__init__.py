"""Whether an alert, derived again, is the same."""
