"""A policy: its text, checked, and what it says."""
