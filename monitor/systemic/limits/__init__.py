"""What the measured values of a segment say of a limit: its own history, and a breach budget."""
