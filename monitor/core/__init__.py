"""The pure part: one file a stage, in the order of the data. No I/O, no clock, no third party."""
