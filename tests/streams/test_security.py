"""Settings of a secure connection go together, and secrets are read from files."""

import asyncio
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from streams.kafka.cluster import Cluster, Token, cluster_of
from streams.security import PLAIN, Security, secret_in
from streams.settings import SettingsError, settings_of

BROKER = {"WEIR_BROKER": "kafka:9093"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    authority = trustme.CA()
    client = authority.issue_cert("a.example")
    contents = {
        "ca": authority.cert_pem.bytes(),
        "certificate": client.cert_chain_pems[0].bytes(),
        "key": client.private_key_pem.bytes(),
        "password": b"s3cr3t\n",
        "locked": load_pem_private_key(client.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s3cr3t")
        ),
        "token": b"first\n",
        "empty": b"\n",
        "text": b"no certificate",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in (*contents, "nowhere")}


TLS = {"SECURITY_PROTOCOL": "SSL", "TLS_CA": "ca"}
USER = {"SECURITY_PROTOCOL": "SASL_SSL", "TLS_CA": "ca"}
SCRAM = USER | {"SASL_MECHANISM": "SCRAM-SHA-512", "SASL_USERNAME": "weir"}
TOKEN = USER | {"SASL_MECHANISM": "OAUTHBEARER"}


def environment(given: dict[str, str], files: dict[str, Path]) -> dict[str, str]:
    """Return settings; those that are files are named by what they are."""
    return BROKER | {f"WEIR_{name}": str(files.get(text, text)) for name, text in given.items()}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SECURITY_PROTOCOL": "TLS"}, "WEIR_SECURITY_PROTOCOL must be one of PLAINTEXT, SSL"),
        ({"TLS_CA": "ca"}, "WEIR_TLS_CA is given, and WEIR_SECURITY_PROTOCOL is PLAINTEXT"),
        (TLS | {"TLS_CERTIFICATE": "certificate"}, "WEIR_TLS_CERTIFICATE and WEIR_TLS_KEY go"),
        (TLS | {"SASL_USERNAME": "weir"}, "WEIR_SASL_USERNAME is given, and WEIR_SECURITY"),
        (TLS | {"SASL_TOKEN": "token"}, "WEIR_SASL_TOKEN is given, and WEIR_SECURITY_PROTOCOL is"),
        (USER, "WEIR_SASL_MECHANISM is missing: one of PLAIN, SCRAM-SHA-256"),
        (SCRAM, "WEIR_SASL_PASSWORD is missing: SCRAM-SHA-512 needs it"),
        (TOKEN, "WEIR_SASL_TOKEN is missing: OAUTHBEARER needs it"),
        (SCRAM | {"SASL_PASSWORD": "nowhere"}, "WEIR_SASL_PASSWORD must name a file that can be"),
        ({"TLS_KEY_PASSWORD": "password"}, "WEIR_TLS_KEY_PASSWORD is given, and WEIR_SECURITY"),
        (TLS | {"TLS_CERTIFICATE": "certificate", "TLS_KEY": "locked"}, "KEY_PASSWORD is missing"),
        (SCRAM | {"SASL_PASSWORD": "empty"}, "empty is empty"),
        (TLS | {"TLS_CA": "text"}, "the certificates of WEIR_TLS_... cannot be used"),
        (
            TLS | {"TLS_CERTIFICATE": "ca", "TLS_KEY": "key"},
            "the certificates of WEIR_TLS_... cannot be used",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_at_the_start(
    files: dict[str, Path], given: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        settings_of(environment(given, files))


def test_both_libraries_are_told_the_same(files: dict[str, Path]) -> None:
    settings = settings_of(environment(SCRAM | {"SASL_PASSWORD": "password"}, files))
    assert settings_of(settings.variables()) == settings
    cluster = cluster_of(settings)
    told, other = cluster.for_aiokafka(), cluster.for_kafka_python()
    assert told.pop("bootstrap_servers") == "kafka:9093"
    assert other.pop("bootstrap_servers") == ["kafka:9093"]
    for options in (told, other):
        assert options.pop("ssl_context").check_hostname
    assert told == other
    assert "s3cr3t" in told.values()
    assert Cluster("kafka:9092").for_aiokafka()["security_protocol"] == "PLAINTEXT"


def test_no_secret_is_in_what_is_shown_of_settings(files: dict[str, Path]) -> None:
    settings = settings_of(environment(SCRAM | {"SASL_PASSWORD": "password"}, files))
    for shown in (repr(settings), repr(settings.security), str(cluster_of(settings))):
        assert "s3cr3t" not in shown


async def _told(token: Token) -> str:
    return await token.token()


def test_a_token_is_read_whenever_a_client_connects(files: dict[str, Path]) -> None:

    settings = settings_of(environment(TOKEN | {"SASL_TOKEN": "token"}, files))
    cluster = cluster_of(settings)
    token = cluster.for_aiokafka()["sasl_oauth_token_provider"]
    other = cluster.for_kafka_python()["sasl_oauth_token_provider"]
    assert (asyncio.run(_told(token)), other.token()) == ("first", "first")
    files["token"].write_text("second\n", encoding="utf-8")
    assert (asyncio.run(_told(token)), other.token()) == ("second", "second")


def test_without_settings_nothing_is_encrypted_or_proven() -> None:
    assert settings_of(BROKER).security == PLAIN == Security()
    assert PLAIN.context() is None


@pytest.mark.parametrize("name", ["SASL_PASSWORD", "SASL_TOKEN", "TLS_KEY_PASSWORD"])
def test_a_secret_that_is_given_as_a_value_is_not_shown(files: dict[str, Path], name: str) -> None:
    given = TOKEN if name == "SASL_TOKEN" else SCRAM
    with pytest.raises(SettingsError) as refused:
        settings_of(environment(given | {"SASL_PASSWORD": "password", name: "hunter2"}, files))
    assert f"WEIR_{name}" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_secret_that_is_gone_for_a_moment_is_an_error_of_the_system(
    files: dict[str, Path],
) -> None:
    """Clients try again after such an error; another one would end what reads for them."""
    settings = settings_of(environment(TOKEN | {"SASL_TOKEN": "token"}, files))
    token = cluster_of(settings).for_aiokafka()["sasl_oauth_token_provider"]
    for content in (b"", b"\n", b"\xff"):
        files["token"].write_bytes(content)
        with pytest.raises(OSError, match="token"):
            asyncio.run(_told(token))


def test_blanks_belong_to_a_secret_and_the_end_of_its_line_does_not(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b" pass word \r\n")
    assert secret_in(file) == " pass word "
