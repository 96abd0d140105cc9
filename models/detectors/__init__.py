"""Detectors of outliers: features in, a raw score out."""
