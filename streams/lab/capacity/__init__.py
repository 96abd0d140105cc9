"""Capacity: measured costs, the size of a deployment that follows, and a model of rebalances."""
