"""The deterministic heart: records in, a Step out."""
