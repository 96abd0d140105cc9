"""Figures that pages show: of the team and its decisions, and of segments."""
