"""The accounts of a partition, their open days, and the watermark."""
