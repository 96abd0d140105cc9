"""Moves records between Kafka and the monitor; nothing is decided here."""
