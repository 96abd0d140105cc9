"""Statements are read in one way, whether the kernels of CSV are loaded or not."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _reading() -> None:
    """Take the place of the fixture that reads every file twice."""
