"""The alert store: what the topics say of alerts and what people did with them, in a database."""
