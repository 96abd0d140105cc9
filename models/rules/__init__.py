"""A decision tree over a stream, and its conditions."""
