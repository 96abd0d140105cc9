"""The store's tables, version by version; one set for both databases."""
