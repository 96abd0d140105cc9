"""The way a client of Kafka connects: by which protocol, whom it trusts, as whom it comes.

A secret is read from its file when a client is made, and a token each time that one connects, so
that both may be renewed.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
BY_TOKEN: Final = MECHANISMS[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """How a client connects: by which protocol, whom it trusts, and as whom it comes.

    Certificates are files in PEM, the password of the key, the user's password and the token are
    files with just that.
    """

    protocol: str = "PLAINTEXT"
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: Path | None = None
    mechanism: str | None = None
    username: str | None = None
    password: Path | None = None
    token: Path | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether it is TLS."""
        return self.protocol.endswith("SSL")

    @property
    def has_user(self) -> bool:
        """Whether a client says who it is by SASL."""
        return self.protocol.startswith("SASL_")

    def problems(self) -> list[str]:
        """Return what does not go together, or cannot be read, by the names of the settings."""
        problems = [*self._tls_problems(), *self._sasl_problems()]
        for name, path in (
            ("TLS_CA", self.ca),
            ("TLS_CERTIFICATE", self.certificate),
            ("TLS_KEY", self.key),
            ("TLS_KEY_PASSWORD", self.key_password),
            ("SASL_PASSWORD", self.password),
            ("SASL_TOKEN", self.token),
        ):
            if path is not None:
                try:
                    secret_in(path)
                except SecretError as error:
                    problems.append(f"WEIR_{name}: {error}")
                except OSError as error:  # what is given may be the secret itself: it is not shown
                    problems.append(
                        f"WEIR_{name} must name a file that can be read ({error.strerror})"
                    )
        if self.is_encrypted and not problems:
            try:
                self.context()
            except (OSError, ValueError) as error:
                problems.append(f"the certificates of WEIR_TLS_... cannot be used: {error}")
        return problems

    def _tls_problems(self) -> list[str]:
        given = _given(
            CA=self.ca, CERTIFICATE=self.certificate, KEY=self.key, KEY_PASSWORD=self.key_password
        )
        if given and not self.is_encrypted:
            problem = (
                f"WEIR_TLS_{given[0]} is given, and WEIR_SECURITY_PROTOCOL is"
                f" {self.protocol}, which has no certificates: use SSL or SASL_SSL"
            )
            return [problem]
        if (self.certificate is None) != (self.key is None):
            return ["WEIR_TLS_CERTIFICATE and WEIR_TLS_KEY go together: one of them is missing"]
        return []

    def _sasl_problems(self) -> list[str]:
        proofs = {"USERNAME": self.username, "PASSWORD": self.password, "TOKEN": self.token}
        if not self.has_user:
            return [
                f"WEIR_SASL_{name} is given, and WEIR_SECURITY_PROTOCOL is {self.protocol}, which"
                " has no users: use SASL_SSL"
                for name in _given(MECHANISM=self.mechanism, **proofs)
            ]
        if self.mechanism is None:
            return [f"WEIR_SASL_MECHANISM is missing: one of {', '.join(MECHANISMS)}"]
        needed = ("TOKEN",) if self.mechanism == BY_TOKEN else ("USERNAME", "PASSWORD")
        return [
            f"WEIR_SASL_{name} is missing: {self.mechanism} needs it"
            for name in needed
            if proofs[name] is None
        ]

    def context(self) -> ssl.SSLContext | None:
        """Return what encrypts, or None; a broker's certificate must be of the host asked for."""
        if not self.is_encrypted:
            return None
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key, self._read_key_password)
        return context

    def _read_key_password(self) -> str:
        """Return the password of the key; it is asked for if the key has one."""
        if self.key_password is None:
            raise SecretError("WEIR_TLS_KEY has a password: WEIR_TLS_KEY_PASSWORD is missing")
        return secret_in(self.key_password)

    def read_password(self) -> str | None:
        """Return the user's password; None if it comes with a token, or not as a user."""
        return None if self.password is None else secret_in(self.password)

    def read_token(self) -> str:
        """Return the token as it stands in its file now."""
        assert self.token is not None, "the settings saw to it"
        return secret_in(self.token)


def _given(**settings: object) -> list[str]:
    """Return the names of the settings that are given."""
    return [name for name, value in settings.items() if value is not None]


PLAIN: Final = Security()
"""Neither encrypted nor as anybody: for one machine."""


class SecretError(OSError):
    """A file that has no secret now: an error as of one that cannot be read.

    Clients read a token as they connect, and try again after such an error, as after any of the
    operating system. Another one would end what reads for them, and nobody would hear of it.
    """


def secret_in(path: Path) -> str:
    """Return what a file has, without the line's end.

    Raises OSError if it cannot be read (SecretError if it is empty, or no text).
    """
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SecretError(f"{path} is no text in UTF-8") from error
    except ValueError as error:  # a NUL in it
        raise SecretError("it is no name of a file") from error
    if not text:
        raise SecretError(f"{path} is empty")
    return text
