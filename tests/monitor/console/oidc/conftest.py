"""A console whose people may log in by a provider that forges what a test wants."""

from collections.abc import Iterator

import pytest

from tests.monitor.console.made_console import MadeConsole
from tests.monitor.console.oidc.made_logins import MadeLogins
from tests.support.openid.forged import ForgedProvider, forged_provider


@pytest.fixture(scope="module")
def served() -> Iterator[ForgedProvider]:
    with forged_provider() as made:
        yield made


@pytest.fixture
def forged(served: ForgedProvider) -> ForgedProvider:
    """The provider as it is when it forges nothing."""
    served.begin()
    return served


@pytest.fixture
def logins(console: MadeConsole, forged: ForgedProvider) -> MadeLogins:
    return MadeLogins(console, forged.issuer)
