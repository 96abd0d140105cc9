"""A proxy that says who somebody is: by a header, from networks that are named."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, Self

_HEADER: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
_OTHERS: Final = frozenset({"authorization", "cookie", "host", "origin", "x-csrf-token"})
"""Headers that mean something else to the console."""


class Proxy(NamedTuple):
    """What is believed: a header (in lower case) of requests that come from these networks."""

    header: str
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, header: str, networks: Sequence[str]) -> Self:
        """Return the proxy that is meant. Raises ValueError with what is wrong."""
        name = header.lower()
        if not _HEADER.fullmatch(name) or name in _OTHERS:
            raise ValueError(f"the proxy's header must be a header of its own, not {header!r}")
        if not networks:
            raise ValueError("the proxy's networks must be named: its header is believed from them")
        found = []
        for text in networks:
            try:
                network = ip_network(text)
            except ValueError as error:
                raise ValueError(f"a proxy's network must be as 10.1.0.0/24: {error}") from None
            if network.prefixlen == 0:
                raise ValueError(f"a proxy's network must not be all addresses, as {text} is")
            found.append(network)
        return cls(name, tuple(found))

    def trusts(self, address: str) -> bool:
        """Return whether the header is believed of a request from an address.

        >>> Proxy.of("X-User", ["10.1.0.0/24"]).trusts("10.1.0.7")
        True
        """
        try:
            found = ip_address(address)
        except ValueError:  # a Unix socket's, say
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self.networks)
