"""A partition in its changelog."""
