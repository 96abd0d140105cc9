"""Texts and charts for a person at a terminal."""
