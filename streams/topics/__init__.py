"""One file a topic: how it is read, followed and written."""
