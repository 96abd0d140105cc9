"""What is learnt online from the data: features in, scores out. The first models come next."""
