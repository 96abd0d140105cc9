"""The console's pages and its API, a noun a file."""
