"""One file a command, with one function of its name."""
