"""Logins that take more than one request."""
