"""Descriptions, groups, associations and rules that set some rows of a table apart."""
