"""Work beside alerts at the console: tasks, taking back, saved views."""
