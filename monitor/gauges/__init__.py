"""Limits on more than a business day's totals: periods, windows, filters and measures."""
