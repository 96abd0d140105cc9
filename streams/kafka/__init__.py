"""The Kafka clients; no topic of ours is named here."""
