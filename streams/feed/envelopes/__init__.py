"""The transactions topic as others fill it: envelopes, logical types, and a map to the fields."""
