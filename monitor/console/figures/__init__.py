"""Pages of figures, and their JSON: the team, and the groups of accounts."""
