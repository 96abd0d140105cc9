"""Small summaries of many values."""
