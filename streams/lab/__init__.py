"""To try Weir and to measure it: demo, bench, drill."""
