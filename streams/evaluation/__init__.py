"""The models against known truth."""
