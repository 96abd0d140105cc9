"""What sets some rows of a table apart from others: descriptions, groups, associations, rules."""
