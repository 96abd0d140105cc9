"""A real Apache Kafka as banks run it: TLS, certificates of clients, users, and rights.

Its listener PLAINTEXT is the administrator's, who may do everything. CERTIFICATES asks each client
for one; USERS for a name and a password, or a token. Both are for whoever has been given rights.
"""

import base64
import json
import time
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Final

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from streams.topics.rights import PROCESSES, Right
from tests.kafka.apache_kafka import ApacheKafka

USERS: Final = PROCESSES
PASSWORD: Final = "a secret with 'quotes'; and blanks"  # noqa: S105 - of a broker that a test starts
_MODULE: Final = "org.apache.kafka.common.security"


class SecureKafka:
    """The broker, and the files with which its clients connect."""

    def __init__(self, jars: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        authority, stranger = trustme.CA(), trustme.CA()
        self.ca = self._written("ca.pem", authority.cert_pem.bytes())
        self.other_ca = self._written("other.pem", stranger.cert_pem.bytes())
        server = authority.issue_cert("127.0.0.1")
        chain = b"".join(pem.bytes() for pem in server.cert_chain_pems)
        store = self._written("server.pem", _key_of(server, NoEncryption()) + chain)
        encryption = BestAvailableEncryption(PASSWORD.encode())
        self._certificates: dict[str, tuple[Path, Path]] = {}
        for user in USERS:
            client = authority.issue_cert(f"{user}.example", common_name=user)
            self._certificates[user] = (
                self._written(f"{user}.pem", client.cert_chain_pems[0].bytes()),
                self._written(f"{user}.key", _key_of(client, encryption)),
            )
        self.password = self._written("password", f"{PASSWORD}\n".encode())
        self._tokens = {
            user: self._written(f"{user}.token", token_of(user).encode()) for user in USERS
        }
        self.kafka = ApacheKafka(
            jars,
            folder / "kafka",
            _settings(store, self.ca),
            {"CERTIFICATES": "SSL", "USERS": "SASL_SSL"},
            [
                option
                for size, user in product((256, 512), USERS)
                for option in ("-S", f"SCRAM-SHA-{size}=[name={user},password={PASSWORD}]")
            ],
        )

    def _written(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path

    def by_certificate(self, user: str) -> dict[str, str]:
        """Return the settings of a client that shows its certificate."""
        certificate, key = self._certificates[user]
        return {
            "WEIR_BROKER": self.kafka.bootstrap_of("CERTIFICATES"),
            "WEIR_SECURITY_PROTOCOL": "SSL",
            "WEIR_TLS_CA": str(self.ca),
            "WEIR_TLS_CERTIFICATE": str(certificate),
            "WEIR_TLS_KEY": str(key),
            "WEIR_TLS_KEY_PASSWORD": str(self.password),
        }

    def by_user(self, user: str, mechanism: str) -> dict[str, str]:
        """Return the settings of a client that says who it is."""
        settings = {
            "WEIR_BROKER": self.kafka.bootstrap_of("USERS"),
            "WEIR_SECURITY_PROTOCOL": "SASL_SSL",
            "WEIR_TLS_CA": str(self.ca),
            "WEIR_SASL_MECHANISM": mechanism,
        }
        if mechanism == "OAUTHBEARER":
            return settings | {"WEIR_SASL_TOKEN": str(self._tokens[user])}
        return settings | {"WEIR_SASL_USERNAME": user, "WEIR_SASL_PASSWORD": str(self.password)}

    def give(self, user: str, rights: Iterable[Right]) -> None:
        """Let a user do this, and nothing else."""
        admin = KafkaAdminClient(bootstrap_servers=[self.kafka.bootstrap])
        try:
            principal = f"User:{user}"
            everything = ACLFilter(
                principal,
                "*",
                ACLOperation.ANY,
                ACLPermissionType.ANY,
                ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
            )
            admin.delete_acls([everything])
            given = [
                ACL(
                    principal,
                    "*",
                    ACLOperation[right.operation.name],
                    ACLPermissionType.ALLOW,
                    ResourcePattern(ResourceType[right.resource.upper()], right.name),
                )
                for right in rights
            ]
            admin.create_acls(given)
        finally:
            admin.close()


def _key_of(leaf: trustme.LeafCert, encryption: KeySerializationEncryption) -> bytes:
    """Return the key of a certificate in PKCS 8: Kafka takes no other."""
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def token_of(subject: str) -> str:
    """Return a token that is not signed, as Kafka takes it where nobody says how it is proven."""
    now = int(time.time())
    said = {"sub": subject, "iat": now, "exp": now + 3600}
    return f"{_encoded({'alg': 'none'})}.{_encoded(said)}."


def _encoded(part: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _settings(store: Path, ca: Path) -> dict[str, str]:
    users = "listener.name.users"
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca),
        "listener.name.certificates.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": r"RULE:^.*CN=([^,]*).*$/$1/,DEFAULT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        f"{users}.plain.sasl.jaas.config": (
            f"{_MODULE}.plain.PlainLoginModule required"
            + "".join(f' user_{user}="{PASSWORD}"' for user in USERS)
            + ";"
        ),
        f"{users}.scram-sha-256.sasl.jaas.config": f"{_MODULE}.scram.ScramLoginModule required;",
        f"{users}.scram-sha-512.sasl.jaas.config": f"{_MODULE}.scram.ScramLoginModule required;",
        f"{users}.oauthbearer.sasl.jaas.config": (
            f"{_MODULE}.oauthbearer.OAuthBearerLoginModule required"
            ' unsecuredLoginStringClaim_sub="broker";'
        ),
    }
