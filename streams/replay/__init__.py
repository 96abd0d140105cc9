"""The engine over files: replay, what-if, explain."""
