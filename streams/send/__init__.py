"""Files to topics."""
