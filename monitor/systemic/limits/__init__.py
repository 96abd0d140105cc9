"""Limits beside what a segment measures: its own history, and a breach budget."""
