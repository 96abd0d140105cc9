"""`weir user token`: service tokens, by which programs use the console's API for a user."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from monitor.store.programs.tokens import ServiceToken

token = typer.Typer(
    name="token",
    help="Make, list and revoke service tokens, by which programs use the API for a user.",
    no_args_is_help=True,
)


class OfScope(StrEnum):
    """As `monitor.store.programs.tokens.Scope`."""

    READ = "read"
    DECIDE = "decide"
    APPROVE = "approve"


_Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The token's name, as nightly.", show_default=False)
]


@token.command()
def add(
    name: _Name,
    owner: Annotated[
        str,
        typer.Option(
            "--for", metavar="USER", help="The user who is accountable.", show_default=False
        ),
    ],
    scope: Annotated[
        OfScope,
        typer.Option(
            help="What it may do: read; work alerts, too; confirm what others proposed, too.",
        ),
    ] = OfScope.READ,
    days: Annotated[int, typer.Option(help="It ends after so many days.", min=1, max=365)] = 90,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, and print it: it is shown this once. Status 2: it cannot be made so.

    Programs send it as `Authorization: Bearer TOKEN`. It may never do more than its user may.

    Examples:

        weir user token add nightly --for Ann --scope read --days 30
    """
    from streams.cli.options import print_result, store_of
    from streams.cli.user import now

    with store_of(store) as opened:
        from monitor.store.programs.tokens import Scope, add_token, tokens

        made = add_token(opened, name, owner, Scope(scope.value), days, now())
        fields = next(_fields(known) for known in tokens(opened) if known.name == name)
    if as_json:
        print_result({**fields, "token": made}, as_json=True)
    else:
        typer.echo(_line(fields), err=True)
        typer.echo(made)


@token.command("list")
def list_tokens(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """List the tokens: whose they are, what they may do, until when, and when they were last used.

    Examples:

        weir user token list --json
    """
    from streams.cli.options import print_result, store_of

    with store_of(store) as opened:
        from monitor.store.programs.tokens import tokens

        found = [_fields(known) for known in tokens(opened)]
    if as_json:
        print_result({"tokens": found}, as_json=True)
        return
    for fields in found:
        typer.echo(_line(fields))
    if not found:
        typer.echo("there are no tokens")


@token.command()
def revoke(name: _Name, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Let a token not be used any more. Status 2: there is no such token.

    Examples:

        weir user token revoke nightly
    """
    from streams.cli.options import print_result, store_of
    from streams.cli.user import now

    with store_of(store) as opened:
        from monitor.store.programs.tokens import revoke_token, tokens

        revoke_token(opened, name, now())
        fields = next(_fields(known) for known in tokens(opened) if known.name == name)
    if as_json:
        print_result(fields, as_json=True)
    else:
        typer.echo(_line(fields))


def _fields(known: "ServiceToken") -> dict[str, object]:
    from monitor.core.business_day import event_time_text

    times = {
        field: None if at is None else event_time_text(at)
        for field, at in known._asdict().items()
        if field.endswith("_at")
    }
    return {**known._asdict(), "scope": known.scope.value, **times}


def _line(fields: dict[str, object]) -> str:
    until = f"until {fields['expires_at']}"
    state = f"revoked {fields['revoked_at']}" if fields["revoked_at"] else until
    used = fields["used_at"] or "never"
    return f"{fields['name']}: for {fields['owner']}, {fields['scope']}, {state}, last used {used}"
