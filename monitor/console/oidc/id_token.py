"""Verify the provider's token, and find the name in it."""

from collections.abc import Mapping
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from monitor.console.oidc.registration import RefusedTokenError, Registration

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519", "EdDSA"),
)
"""Signatures by a key of which the provider publishes one half: no `none`, and no shared secret."""

_PUBLIC: Final = frozenset({"RSA", "EC", "OKP"})
LEEWAY: Final = 60
"""Seconds by which the provider's clock may differ."""


def keys_of(published: object) -> KeySet:
    """Return the public keys of a provider (RFC 7517). Raises ValueError if there are none."""
    listed = published.get("keys") if isinstance(published, Mapping) else None
    usable: list[Any] = [
        key
        for key in (listed if isinstance(listed, list) else [])
        if isinstance(key, dict) and key.get("kty") in _PUBLIC
    ]
    try:
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the provider's keys cannot be read: {type(error).__name__}") from error


def claims_of(
    id_token: str,
    access_token: str | None,
    keys: KeySet,
    registration: Registration,
    nonce: str,
    now: int,
) -> Mapping[str, Any]:
    """Return what a token says that holds; `now` is in seconds since 1970.

    Checks signature, issuer, audience, times, nonce and the hash of the access token (OpenID
    Connect Core 1.0, 3.1.3.7). Raises JoseError if it does not hold.
    """
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    token = jwt.decode(id_token, keys, registry=registry)
    options = {
        "iss": {"essential": True, "value": registration.issuer},
        "aud": {"essential": True, "value": registration.client_id},
        "exp": {"essential": True},
    }
    params = {"nonce": nonce, "client_id": registration.client_id, "access_token": access_token}
    claims = CodeIDToken(token.claims, token.header, options, params)
    claims.validate(now, LEEWAY)
    return dict(claims)


def name_in(claims: Mapping[str, Any], registration: Registration) -> str:
    """Return the name that a token has in the claim of a registration.

    Raises RefusedTokenError if it has no such text, or an address of e-mail that nobody verified.
    """
    name = claims.get(registration.claim)
    if not isinstance(name, str) or not name:
        raise RefusedTokenError(f"the token must have the claim {registration.claim} as a text")
    if registration.claim == "email" and claims.get("email_verified") is not True:
        raise RefusedTokenError("the token's email must be verified (email_verified)")
    return name
