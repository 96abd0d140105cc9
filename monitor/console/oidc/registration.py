"""The console as a provider knows it, and what may go wrong between the two."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urlsplit

CALLBACK: Final = "/login/oidc/callback"
"""The path to which the provider sends a browser back."""

CLAIM: Final = "preferred_username"
_CLAIM: Final = re.compile(r"[!-~]{1,100}")
_SECRET: Final = re.compile(r"[!-~]{1,1000}")


class ProviderAwayError(Exception):
    """A provider that does not answer, or not as it must: the login can be tried again later."""


class RefusedTokenError(Exception):
    """An answer of the provider by which nobody may be let in; the message has no token in it."""


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself.

    >>> is_loopback("127.0.0.7"), is_loopback("localhost"), is_loopback("localhost.example")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def problem_of_address(address: str) -> str | None:
    """Return what is wrong with an address that secrets are sent to; None if nothing is."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be an address"
    if not host or parts.username is not None or not address.isascii() or " " in address:
        return "must be an address without a user"
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return None
    return "must begin with https:// (http:// is for this machine alone)"


@dataclass(frozen=True, slots=True)
class Registration:
    """How a provider knows the console. `secret` is None for a public client.

    `claim` is the member of the provider's token that has the name of a user here; `home` is the
    console's own address, as https://console.bank.example.
    """

    issuer: str
    client_id: str
    home: str
    claim: str = CLAIM
    secret: str | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, issuer: str, client_id: str, home: str, claim: str = CLAIM, secret: str | None = None
    ) -> Self:
        """Return the registration that is meant. Raises ValueError with what is wrong."""
        if problem := problem_of_address(issuer):
            raise ValueError(f"the issuer {problem}, not {issuer!r}")
        if urlsplit(issuer).query or urlsplit(issuer).fragment:
            raise ValueError(f"the issuer must have no query and no fragment, not {issuer!r}")
        if problem := problem_of_address(home):
            raise ValueError(f"the console's own address {problem}, not {home!r}: see --address")
        if urlsplit(home)[2:] not in {("", "", ""), ("/", "", "")}:
            raise ValueError(f"the console's own address must have no path, not {home!r}")
        if not client_id or not client_id.isprintable():
            raise ValueError(f"the client id must be a printable text, not {client_id!r}")
        if not _CLAIM.fullmatch(claim):
            raise ValueError(f"the claim must be a name as {CLAIM}, not {claim!r}")
        if secret is not None and not _SECRET.fullmatch(secret):
            raise ValueError("the client's secret must be 1 to 1,000 characters without blanks")
        return cls(issuer, client_id, home.rstrip("/"), claim, secret)

    @property
    def callback(self) -> str:
        """The redirect URI, the same for every login."""
        return f"{self.home}{CALLBACK}"

    @property
    def is_https(self) -> bool:
        """Whether browsers come to the console by https."""
        return self.home.startswith("https:")

    @property
    def host(self) -> str:
        """The issuer's host, by which people know it."""
        return urlsplit(self.issuer).hostname or ""
