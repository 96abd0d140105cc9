"""A Kafka cluster: its brokers, and how a client of each library connects to them."""

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    KafkaError,
    SaslAuthenticationFailed,
)
from kafka.net.sasl.oauth import AbstractTokenProvider as PlainTokenProvider

from streams.kafka.broker_error import BrokerError
from streams.security import BY_TOKEN, PLAIN, Security
from streams.settings import Settings

REFUSAL_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """The brokers, host:port with commas between, and how a client of them connects."""

    servers: str
    security: Security = PLAIN

    def __str__(self) -> str:
        """Return the brokers, as messages name them."""
        return self.servers

    def for_aiokafka(self) -> dict[str, Any]:
        """Return the options of each client of aiokafka."""
        return {"bootstrap_servers": self.servers} | self._options(Token)

    def for_kafka_python(self) -> dict[str, Any]:
        """Return the options of each client of kafka-python."""
        return {"bootstrap_servers": self.servers.split(",")} | self._options(PlainToken)

    def _options(self, token: Callable[[Security], object]) -> dict[str, Any]:
        security = self.security
        options: dict[str, Any] = {"security_protocol": security.protocol}
        if security.is_encrypted:
            options["ssl_context"] = security.context()
        if security.has_user:
            options["sasl_mechanism"] = security.mechanism
            if security.mechanism == BY_TOKEN:
                options["sasl_oauth_token_provider"] = token(security)
            else:
                options["sasl_plain_username"] = security.username
                options["sasl_plain_password"] = security.read_password()
        return options


def no_answer(cluster: Cluster, error: Exception) -> BrokerError:
    """Return the error that a cluster cannot be used, with the reason that a library keeps quiet.

    It asks each broker once more, as a client would.
    """
    with ThreadPoolExecutor(1) as thread:  # whoever calls it may be in an event loop
        refused = thread.submit(asyncio.run, _refusal(cluster)).result()
    if refused is not None:
        return BrokerError(f"the broker at {cluster} {refused}")
    return BrokerError(
        f"no broker answers at {cluster} ({type(error).__name__}): is it up, and are WEIR_BROKER"
        " and WEIR_SECURITY_PROTOCOL right?"
    )


async def _refusal(cluster: Cluster) -> str | None:
    """Return why the first broker that refuses us does, if one does."""
    options = cluster.for_aiokafka()
    for server in options.pop("bootstrap_servers").split(","):
        host, _, port = server.rpartition(":")
        try:
            async with asyncio.timeout(REFUSAL_SECONDS):
                connection = await create_conn(host, int(port), **options)
                connection.close()
        except ssl.SSLCertVerificationError as error:
            return f"shows a certificate that WEIR_TLS_CA does not trust: {error.verify_message}"
        except ssl.SSLError as error:
            return f"does not speak TLS with us ({error.reason}): is WEIR_SECURITY_PROTOCOL right?"
        except (AuthenticationFailedError, SaslAuthenticationFailed) as error:
            return f"does not take who we say we are (WEIR_SASL_...): {error}"
        except AuthenticationMethodNotSupported as error:
            return f"knows no {cluster.security.mechanism}: {error}"
        except (OSError, KafkaError):
            continue
    return None


def cluster_of(settings: Settings) -> Cluster:
    """Return the cluster that the settings name."""
    return Cluster(settings.broker, settings.security)


class Token(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Gives aiokafka the token of a file."""

    def __init__(self, security: Security) -> None:
        self._security = security

    async def token(self) -> str:
        """Return it."""
        return self._security.read_token()


class PlainToken(PlainTokenProvider):  # type: ignore[misc]  # kafka-python has no types
    """Gives kafka-python the token of a file."""

    def __init__(self, security: Security) -> None:
        self._security = security

    def token(self) -> str:
        """Return it."""
        return self._security.read_token()
