"""Every file is read in both ways: as texts, and by the kernels that read plain lines."""

import pytest

from streams.wire import lines


@pytest.fixture(autouse=True, scope="module", params=[False, True], ids=["texts", "kernels"])
def _reading(request: pytest.FixtureRequest) -> None:
    """Let the kernels be loaded or not, whatever ran before."""
    if request.param:
        lines.load()
    lines._Known.are_loaded = request.param
