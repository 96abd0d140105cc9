"""The archive: what the topics hold goes into the store, and what people decide onto the topics."""
