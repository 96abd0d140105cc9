"""Decisions of people about alerts, and rules learned from them."""
