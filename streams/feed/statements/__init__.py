"""Statements of accounts as banks send them: camt, MT940 and OFX as rows of one table."""
