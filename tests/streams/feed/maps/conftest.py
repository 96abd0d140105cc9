"""A mapped file is read in one way: no kernel reads its lines."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _reading() -> None:
    """Do not read every file twice, as the tests of the folder above do."""
