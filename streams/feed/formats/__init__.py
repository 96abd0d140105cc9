"""Formats of files: how one is known, unpacked, and read if it is a workbook."""
