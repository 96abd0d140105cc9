"""All models of one partition together: learn, score, keep."""
