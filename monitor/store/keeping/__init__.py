"""Keeping the store: backup and restore, retention, erasure."""
