"""The console under load: made alerts, clients that ask for pages, and what they measure."""
