"""Online learning from the data: features in, scores out."""
