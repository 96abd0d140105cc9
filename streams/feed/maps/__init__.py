"""The words of a map: how banks write amounts, times, ids, and the lines around a table."""
