"""`weir console`: the pages where people work alerts, over the store that `weir archive` keeps."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Broker, StoreUrl

if TYPE_CHECKING:
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
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the page in a browser.")
    ] = False,
) -> None:
    """Serve the console: queue, alerts, accounts, incidents, health, and the same as an API.

    As long as nobody has an account there, a link is printed by which the first administrator is
    made; `weir user add` makes others. What people decide goes to the topics by --broker; while no
    broker answers it waits in the store, and the page of health counts it.

    On any address but loopback it needs a certificate. With --proxy-header, a proxy before it logs
    people in: whom it names must be a user here.

    Examples:

        weir console --broker kafka:9092 --store sqlite:///weir.db

        weir console --host 0.0.0.0 --certificate c.pem --key k.pem --name a.example
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
    proxy = _proxy_of(proxy_header, proxy_network or [])
    begin_log(verbose=False)
    with store_of(settings.store) as opened, said_if_interrupted("the console has ended"):
        ensure_free(host, port)
        address = f"{'https' if is_https else 'http'}://{(name or [host])[0]}:{port}"
        say_where(opened, address, opens_browser=not no_browser)
        names = {*(name or ()), host, *LOOPBACK[:2]}
        hosts = frozenset(names | {f"{known}:{port}" for known in names})
        tls = (certificate, key) if certificate and key else None
        asyncio.run(_serve(settings, opened, (host, port), hosts, tls, proxy))


def _proxy_of(header: str | None, networks: list[str]) -> "Proxy | None":
    from monitor.console.proxy import Proxy

    if (header is None) != (not networks):
        raise typer.BadParameter("--proxy-header and --proxy-network go together")
    try:
        return None if header is None else Proxy.of(header, networks)
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
    hosts: frozenset[str],
    tls: tuple[Path, Path] | None,
    proxy: "Proxy | None",
) -> None:
    import asyncio
    import time

    import uvicorn

    from monitor.console.app import create_app
    from streams.archive.metrics import ConsoleMetrics
    from streams.archive.publisher import Publisher
    from streams.archive.transactions import TransactionTopic
    from streams.archive.webhooks import WebhookSender
    from streams.exposition import serve_metrics

    metrics = ConsoleMetrics()
    serve_metrics(settings, metrics.registry)
    app = create_app(
        store,
        clock=lambda: time.time_ns() // 1000,
        hosts=hosts,
        is_https=tls is not None,
        transactions=TransactionTopic(settings),
        proxy=proxy,
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
            server_header=False,
            timeout_graceful_shutdown=3,
            ssl_certfile=tls[0] if tls else None,
            ssl_keyfile=tls[1] if tls else None,
        )
    )
    sender = WebhookSender(store, on_outcome=metrics.webhook_try, on_turn=metrics.webhooks)
    sending = [
        asyncio.create_task(Publisher(settings, store, metrics.decisions).run()),
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
