"""The console: pages and an API by which people work alerts."""
