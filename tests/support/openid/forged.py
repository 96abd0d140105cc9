"""An OpenID provider in the test's own process, which says whatever the test wants said."""

import base64
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

OWN: Final = RSAKey.generate_key(2048, {"kid": "own", "use": "sig"})
FOREIGN: Final = RSAKey.generate_key(2048, {"kid": "own", "use": "sig"})
"""A key of somebody else, by the name of the provider's."""

CURVE: Final = ECKey.generate_key("P-256", {"kid": "curve", "use": "sig"})


class ForgedProvider:
    """What a provider answers with: endpoints, keys, and one token for every code."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.begin()

    def begin(self) -> None:
        """Be as a provider is that forges nothing."""
        issuer = self.issuer
        self.metadata: dict[str, Any] = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/auth",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
        }
        self.keys: list[Any] = [OWN.as_dict(private=False)]
        self.token: tuple[int, object] = (400, {"error": "invalid_grant"})
        self.redirects_to: str | None = None
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str | None] = []

    def answer(self, path: str) -> tuple[int, object]:
        """Return the status and the object at a path."""
        self.asked.append(path)
        if self.redirects_to is not None:
            return 302, {}
        if path == "/.well-known/openid-configuration":
            return 200, self.metadata
        if path == "/jwks":
            return 200, {"keys": self.keys}
        return self.token if path == "/token" else (404, {})


def signed(
    claims: Mapping[str, Any],
    key: Key = OWN,
    algorithm: str = "RS256",
    **header: Any,  # noqa: ANN401 - JSON
) -> str:
    """Return a token that a key has signed."""
    named = {"alg": algorithm, "kid": key.kid or "own", **header}
    return jwt.encode(named, dict(claims), key, algorithms=[algorithm])


def unsigned(claims: Mapping[str, Any], algorithm: str = "none") -> str:
    """Return a token without a signature."""
    parts = [{"alg": algorithm, "typ": "JWT", "kid": "own"}, dict(claims)]
    return ".".join([*(_part(part) for part in parts), ""])


def signed_by_the_public_key(claims: Mapping[str, Any]) -> str:
    """Return a token whose shared secret is the key that everybody may read."""
    said = unsigned(claims, "HS256").rstrip(".")
    made = hmac.digest(OWN.as_pem(private=False), said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@contextmanager
def forged_provider() -> Iterator[ForgedProvider]:
    """Serve a forged provider on loopback."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*made.answer(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.forms.append({name: values[0] for name, values in parse_qs(body).items()})
            made.authorizations.append(self.headers.get("Authorization"))
            self._send(*made.answer(self.path))

        def _send(self, status: int, content: object) -> None:
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            if made.redirects_to is not None:
                self.send_header("Location", made.redirects_to)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as it is called
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    made = ForgedProvider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
