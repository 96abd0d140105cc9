"""The languages that the console speaks: catalogues, and numbers and days as each writes them."""
