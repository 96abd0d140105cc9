"""Bytes to values and back, and nothing of their meaning."""
