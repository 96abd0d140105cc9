"""Accounts over their limits again and again."""
