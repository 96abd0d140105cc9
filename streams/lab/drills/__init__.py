"""Failures on purpose, under load, and what each of them cost by a recount."""
