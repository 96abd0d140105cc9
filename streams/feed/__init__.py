"""Files in: transactions, accounts and tables."""
