"""Decides which account activity is worth a person's attention; knows no Kafka and no processes."""
