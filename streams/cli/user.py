"""`weir user`: the people who may log in to the console."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli import user_token
from streams.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from monitor.store.people import User
    from monitor.store.store import Store

PASSWORD_BYTES_MAX: Final = 4096
"""Of a line that is read as a password; the rules allow far fewer characters."""

user = typer.Typer(
    name="user",
    help="Add, list, disable and enable the people of the console; set their passwords and roles.",
    no_args_is_help=True,
)
user.add_typer(user_token.token)


class OfRole(StrEnum):
    """As `monitor.store.people.Role`."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMIN = "admin"


_Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The name to log in by.", show_default=False)
]
_FromStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from the first line of stdin."),
]


@user.command()
def add(
    name: _Name,
    role: Annotated[
        OfRole,
        typer.Option(
            help="What they may do: look; work alerts; close what needs a second person; all.",
            show_default=False,
        ),
    ],
    password_stdin: _FromStdin = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a user, who may log in from now on. Status 2: the name or the password cannot be used.

    The password is asked for on the terminal, or read from stdin. A store that is not there is
    made, and it is said.

    Examples:

        weir user add Ann --role analyst

        weir user add Ann --role admin --password-stdin < password.txt
    """
    from streams.cli.options import missing_store, store_of

    password = _password_of(is_stdin=password_stdin)
    made = missing_store(store)
    with store_of(store) as opened:
        from monitor.store.people import Role, add_user

        add_user(opened, name, Role(role.value), password, now())
        _show(opened, name, as_json=as_json)
    if made is not None and not as_json:
        typer.echo(f"weir: {made} was not there and was made: --store names another", err=True)


@user.command("list")
def list_users(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """List the users: name, role, whether they may log in, and when they were last seen.

    Examples:

        weir user list --store sqlite:///weir.db

        weir user list --json
    """
    from streams.cli.options import print_result, store_of

    with store_of(store) as opened:
        from monitor.store.people import users

        found = [_fields(known) for known in users(opened)]
    if as_json:
        print_result({"users": found}, as_json=True)
        return
    for fields in found:
        typer.echo(_line(fields))
    if not found:
        typer.echo("nobody may log in: weir console prints a link to make an administrator")


@user.command()
def role(
    name: _Name,
    role: Annotated[
        OfRole, typer.Argument(help="What they may do from now on.", show_default=False)
    ],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give a user another role, and end all their sessions. Their tokens never do more than it.

    Examples:

        weir user role Ann approver
    """
    from streams.cli.options import store_of

    with store_of(store) as opened:
        from monitor.store.people import Role, set_role

        set_role(opened, name, Role(role.value), now())
        _show(opened, name, as_json=as_json)


@user.command()
def disable(name: _Name, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Let a user not log in any more, and end all their sessions.

    Examples:

        weir user disable Ann
    """
    _set_active(name, store, is_active=False, as_json=as_json)


@user.command()
def enable(name: _Name, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Let a user log in again, by the password that they had.

    Examples:

        weir user enable Ann
    """
    _set_active(name, store, is_active=True, as_json=as_json)


@user.command()
def password(
    name: _Name,
    password_stdin: _FromStdin = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give a user another password, and end all their sessions.

    Examples:

        weir user password Ann

        weir user password Ann --password-stdin < password.txt
    """
    from streams.cli.options import store_of

    new = _password_of(is_stdin=password_stdin)
    with store_of(store) as opened:
        from monitor.store.people import set_password

        set_password(opened, name, new, now())
        _show(opened, name, as_json=as_json)


def _set_active(name: str, store: str | None, *, is_active: bool, as_json: bool) -> None:
    from streams.cli.options import store_of

    with store_of(store) as opened:
        from monitor.store.people import set_active

        set_active(opened, name, now(), is_active=is_active)
        _show(opened, name, as_json=as_json)


def now() -> int:
    """Return the time in microseconds since 1970."""
    import time

    return time.time_ns() // 1000


def _password_of(*, is_stdin: bool) -> str:
    """Return the password that is typed twice, or the first line of stdin without its end."""
    if not is_stdin:
        if not sys.stdin.isatty():
            raise typer.BadParameter(
                "there is no terminal to ask for the password: give --password-stdin"
            )
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    line = sys.stdin.buffer.readline(PASSWORD_BYTES_MAX)
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise typer.BadParameter("the password on stdin must be UTF-8 text") from None


def _fields(known: "User") -> dict[str, object]:
    from monitor.core.business_day import event_time_text

    return {
        "name": known.name,
        "role": known.role.value,
        "is_active": known.is_active,
        "created_at": event_time_text(known.created_at),
        "seen_at": None if known.seen_at is None else event_time_text(known.seen_at),
    }


def _line(fields: dict[str, object]) -> str:
    state = "active" if fields["is_active"] else "disabled"
    return f"{fields['name']}: {fields['role']}, {state}, last seen {fields['seen_at'] or 'never'}"


def _show(store: "Store", name: str, *, as_json: bool) -> None:
    from monitor.store.people import users
    from streams.cli.options import print_result

    fields = next(_fields(known) for known in users(store) if known.name == name)
    if as_json:
        print_result(fields, as_json=True)
    else:
        typer.echo(_line(fields))
