"""Weights of the evidence that are learned from dispositions."""
