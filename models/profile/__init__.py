"""An account's own habits, and how they are learned."""
