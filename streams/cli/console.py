"""`weir console`: the pages where people work alerts, over the store that `weir archive` keeps."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Broker, StoreUrl

if TYPE_CHECKING:
    from monitor.console.oidc.provider import Provider
    from monitor.console.proxy import Proxy
    from monitor.store.store import Store
    from streams.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def console(
    broker: Broker = None,
    store: StoreUrl = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port.", min=1, max=65_535)] = 8080,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A name that browsers use for it, as console.bank.example; repeatable."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Its address for browsers if a proxy ends TLS, as https://a.example."),
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS: the certificate, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS: its key, PEM.")] = None,
    proxy_header: Annotated[
        str | None,
        typer.Option(help="A header by which a proxy says who somebody is, as X-Forwarded-User."),
    ] = None,
    proxy_network: Annotated[
        list[str] | None,
        typer.Option(
            help="The proxy's addresses, as 127.0.0.1/32: others are refused; repeatable."
        ),
    ] = None,
    oidc_issuer: Annotated[
        str | None,
        typer.Option(help="OpenID Connect: the provider's issuer, as https://login.bank.example."),
    ] = None,
    oidc_client_id: Annotated[
        str | None, typer.Option(help="OpenID Connect: the console's id at the provider.")
    ] = None,
    oidc_secret_file: Annotated[
        Path | None,
        typer.Option(help="OpenID Connect: a file with the secret; without it, a public client."),
    ] = None,
    oidc_claim: Annotated[
        str, typer.Option(help="OpenID Connect: the claim that has the name of a user here.")
    ] = "preferred_username",
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the page in a browser.")
    ] = False,
) -> None:
    """Serve the console: queue, alerts, accounts, incidents, health, and the same as an API.

    As long as nobody has an account there, a link is printed by which the first administrator is
    made; `weir user add` makes others. What people decide goes to the topics by --broker; while no
    broker answers it waits in the store, and the page of health counts it.

    On any address but loopback it needs a certificate. Behind a proxy that ends TLS it listens on
    loopback, and --address says how browsers reach it. With --proxy-header, that proxy logs people
    in: whom it names must be a user here. With --oidc-issuer they may log in by an OpenID
    provider, too, which sends them back to ADDRESS/login/oidc/callback.

    Examples:

        weir console --broker kafka:9092 --store sqlite:///weir.db

        weir console --host 0.0.0.0 --certificate c.pem --key k.pem --name a.example

        weir console --oidc-issuer https://login.a.example --oidc-client-id weir
    """
    import asyncio
    import os

    from streams.cli.exit_status import said_if_interrupted
    from streams.cli.options import store_of
    from streams.log import begin_log
    from streams.settings import settings_of

    is_https = certificate is not None and key is not None
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key go together")
    if host not in LOOPBACK and not is_https:
        raise typer.BadParameter(
            f"{host} can be reached by others: give --certificate and --key, or listen on 127.0.0.1"
            " behind a proxy that has them",
            param_hint="'--host'",
        )
    settings = settings_of(os.environ, broker=broker, store=store)
    shown = f"[{host}]" if ":" in host else host
    names = {*(name or ()), shown, *LOOPBACK[:2]}
    hosts = names | {f"{known}:{port}" for known in names}
    if address is None:
        address = f"{'https' if is_https else 'http'}://{(name or [shown])[0]}:{port}"
    else:
        address = address.rstrip("/")
        hosts.add(_host_in(address))
    logins = (
        _proxy_of(proxy_header, proxy_network or []),
        _provider_of(oidc_issuer, oidc_client_id, oidc_secret_file, oidc_claim, address),
    )
    begin_log(settings.log_level, settings.log_format)
    with store_of(settings.store) as opened, said_if_interrupted("the console has ended"):
        ensure_free(host, port)
        say_where(opened, address, opens_browser=not no_browser)
        tls = (certificate, key) if certificate and key else None
        sites = frozenset(hosts), address.startswith("https:")
        asyncio.run(_serve(settings, opened, (host, port), sites, tls, logins))


def _host_in(address: str) -> str:
    """Return what browsers send as Host to an address of ours behind a proxy."""
    from urllib.parse import urlsplit

    host = address.removeprefix("https://")
    try:
        parts = urlsplit(address)
        is_whole = parts.netloc == host and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        is_whole = False
    if not is_whole or "@" in host or not address.startswith("https://"):
        raise typer.BadParameter(
            f"the address must be as https://console.bank.example, not {address!r}",
            param_hint="'--address'",
        )
    return host


def _proxy_of(header: str | None, networks: list[str]) -> "Proxy | None":
    from monitor.console.proxy import Proxy

    if (header is None) != (not networks):
        raise typer.BadParameter("--proxy-header and --proxy-network go together")
    try:
        return None if header is None else Proxy.of(header, networks)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _provider_of(
    issuer: str | None, client_id: str | None, secret_file: Path | None, claim: str, home: str
) -> "Provider | None":
    from monitor.console.oidc.registration import Registration
    from streams.cli.options import require_oidc

    if (issuer is None) != (client_id is None):
        raise typer.BadParameter("--oidc-issuer and --oidc-client-id go together")
    if issuer is None or client_id is None:
        if secret_file is not None:
            raise typer.BadParameter("--oidc-secret-file needs --oidc-issuer")
        return None
    require_oidc()
    from monitor.console.oidc.provider import Provider

    try:
        secret = None if secret_file is None else secret_file.read_text(encoding="utf-8").strip()
        return Provider(Registration.of(issuer, client_id, home, claim, secret))
    except OSError as error:
        raise typer.BadParameter(
            f"the secret's file {secret_file} must be readable: {error.strerror}"
        ) from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def ensure_free(host: str, port: int) -> None:
    """Raise typer.BadParameter if a port is taken."""
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise typer.BadParameter(
                f"port {port} of {host} must be free: {error.strerror}. End what has it, or name"
                " another port",
                param_hint="'--port'",
            ) from None


def say_where(store: "Store", address: str, *, opens_browser: bool) -> None:
    """Print where the console is; as long as it has no users, the link that makes the first one."""
    import sys
    import time
    import webbrowser

    from monitor.store.people import new_setup_token, users

    link = address
    if not users(store):
        link = f"{address}/setup?token={new_setup_token(store, time.time_ns() // 1000)}"
        sys.stderr.write(f"console: make the first administrator, within an hour, at\n  {link}\n")
    else:
        sys.stderr.write(f"console: {address}\n")
    sys.stderr.flush()
    if opens_browser and sys.stderr.isatty():
        webbrowser.open(link)


async def _serve(
    settings: "Settings",
    store: "Store",
    place: tuple[str, int],
    sites: tuple[frozenset[str], bool],
    tls: tuple[Path, Path] | None,
    logins: "tuple[Proxy | None, Provider | None]",
) -> None:
    import asyncio
    import time

    import uvicorn

    from monitor.console.app import create_app
    from monitor.store.store import STORE_SAYS
    from streams.archive.metrics import ConsoleMetrics
    from streams.archive.publisher import Publisher
    from streams.archive.transactions import TransactionTopic
    from streams.archive.webhooks import WebhookSender
    from streams.exposition import Condition, Readiness, say_start, serve_metrics

    metrics = ConsoleMetrics()
    publisher = Publisher(settings, store, metrics.decisions)

    def readiness() -> Readiness:
        answers = store.answers()
        return Readiness(
            {"store": Condition(answers, STORE_SAYS[answers])}, {"writer": publisher.state()}
        )

    say_start(settings, "console")
    serve_metrics(settings, metrics.registry, readiness)
    app = create_app(
        store,
        clock=lambda: time.time_ns() // 1000,
        hosts=sites[0],
        is_https=sites[1],
        transactions=TransactionTopic(settings),
        proxy=logins[0],
        provider=logins[1],
        deadlines=settings.late_after,
        on_request=metrics.request,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=place[0],
            port=place[1],
            log_level="warning",
            access_log=False,
            log_config=None,  # as everything else is logged
            server_header=False,
            timeout_graceful_shutdown=3,
            ssl_certfile=tls[0] if tls else None,
            ssl_keyfile=tls[1] if tls else None,
        )
    )
    sender = WebhookSender(store, on_outcome=metrics.webhook_try, on_turn=metrics.webhooks)
    sending = [
        asyncio.create_task(publisher.run()),
        asyncio.create_task(sender.run()),
    ]
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.wait((serving, *sending), return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in sending if task.done()]
        if ended:  # they never end but by a fault: nothing may wait unnoticed
            server.should_exit = True
            await serving
            ended[0].result()
        await serving
    finally:
        for task in (*sending, serving):
            task.cancel()
        await asyncio.gather(*sending, serving, return_exceptions=True)
