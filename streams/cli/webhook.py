"""`weir webhook`: addresses that are told of alerts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from monitor.store.programs.webhooks import Webhook

webhook = typer.Typer(
    name="webhook",
    help="Add, list and remove webhooks: addresses that are told of alerts.",
    no_args_is_help=True,
)


@webhook.command()
def add(
    url: Annotated[str, typer.Argument(help="https, or http on this machine.", show_default=False)],
    secret_file: Annotated[
        Path,
        typer.Option(
            help="A file with the secret that signs events, at least 16 bytes. `weir console`"
            " reads it at each delivery.",
            show_default=False,
        ),
    ],
    kinds: Annotated[
        str, typer.Option(help="Kinds of alerts, with commas between; none: every kind.")
    ] = "",
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="It may be in a private network.")
    ] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tell an address of alerts that are reported from now on. Status 2: it cannot be told so.

    Events are CloudEvents 1.0, sent by `weir console` and signed with HMAC-SHA-256.

    Examples:

        weir webhook add https://bank.example/weir --kinds review --secret-file key
    """
    import time

    from streams.cli.options import print_result, store_of

    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    with store_of(store) as opened:
        from monitor.store.programs.webhooks import add_webhook

        now = time.time_ns() // 1000
        made = add_webhook(opened, url, wanted, secret_file, now, allows_private=allow_private)
    if as_json:
        print_result(_fields(made), as_json=True)
    else:
        typer.echo(_line(made))


@webhook.command("list")
def list_webhooks(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """List the webhooks.

    Examples:

        weir webhook list --json
    """
    from streams.cli.options import print_result, store_of

    with store_of(store) as opened:
        from monitor.store.programs.webhooks import all_webhooks

        found = all_webhooks(opened)
    if as_json:
        print_result({"webhooks": [_fields(known) for known in found]}, as_json=True)
        return
    for known in found:
        typer.echo(_line(known))
    if not found:
        typer.echo("there are no webhooks")


@webhook.command()
def remove(
    number: Annotated[int, typer.Argument(help="As `weir webhook list` says.", min=1)],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Remove a webhook, and what waits for it. Status 2: no webhook has this number.

    Examples:

        weir webhook remove 1
    """
    import time

    from streams.cli.options import print_result, store_of

    with store_of(store) as opened:
        from monitor.store.programs.webhooks import remove_webhook

        left = remove_webhook(opened, number, time.time_ns() // 1000)
    print_result({"removed": number, "not_delivered": left}, as_json=as_json)


def _fields(known: "Webhook") -> dict[str, object]:
    from monitor.core.business_day import event_time_text

    return {**known._asdict(), "created_at": event_time_text(known.created_at)}


def _line(known: "Webhook") -> str:
    kinds = ", ".join(known.kinds) or "every kind"
    private = ", may be private" if known.allows_private else ""
    return f"{known.number}: {known.url}, {kinds}{private}, secret in {known.secret_file}"
