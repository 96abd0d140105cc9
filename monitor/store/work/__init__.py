"""Work beside alerts: tasks with a client, and views that somebody saved."""
