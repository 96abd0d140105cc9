"""From raw scores to calibrated evidence, and to the alerts that a budget allows."""
