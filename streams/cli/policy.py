"""`weir policy`: check a policy, show what is in force, set a new version at run time."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import AsJson, Broker

policy = typer.Typer(
    name="policy", help="Check, show and set the policy: limits, calendar, lateness.",
    no_args_is_help=True,
)  # fmt: skip

_File = Annotated[
    Path, typer.Argument(metavar="FILE", help="The policy's TOML file.", show_default=False)
]


@policy.command()
def check(file: _File, as_json: AsJson = False) -> None:
    """Read a policy and say what it does, or everything that is wrong with it (status 2).

    It notes suppressions that have ended, or that name a limit which the policy does not have.

    Examples:

        weir policy check policy.toml
    """
    from streams.cli.options import policy_of_file, print_result
    from streams.cli.views.policy import notes_of, summary, summary_text
    from streams.cli.views.text import plain

    found = policy_of_file(file)
    notes = notes_of(found, time.time_ns() // 1000)
    if as_json:
        print_result({**summary(found), "notes": notes}, as_json=True)
    else:
        sys.stdout.write(summary_text(found))
        sys.stdout.writelines(f"note: {plain(note)}\n" for note in notes)


@policy.command()
def sql(
    file: _File,
    limit: Annotated[str, typer.Argument(metavar="LIMIT", help="The limit's id.")],
) -> None:
    """Print the SQL that recounts a limit on a period, a window or a measure (DuckDB's).

    It is over a table of what reversals have left of each transaction; docs/policy.md says which
    columns it has. A limit on a day's plain amount or count is recounted from account-days.

    Examples:

        weir policy sql policy.toml weekly-amount

    """
    from monitor.gauges.sql import remarks_of, sql_of
    from streams.cli.options import policy_of_file

    found = policy_of_file(file)
    known = {stated.limit_id: stated for stated in found.gauges}
    if limit not in known:
        ids = ", ".join(known) or "it has none"
        raise typer.BadParameter(
            f"{limit!r} is no limit of {file} on a period, a window or a measure: {ids}"
        )
    sys.stdout.write(remarks_of(known[limit], found.gauges) + sql_of(known[limit], found.rates))


@policy.command()
def show(
    broker: Broker = None,
    default: Annotated[
        bool,
        typer.Option("--default", help="Print the demo's policy, a file to begin with; no broker."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show every policy version on the policy topic, and those that are refused.

    Examples:

        weir policy show --broker kafka:9092

        weir policy show --default > policy.toml
    """
    import asyncio
    import os

    from streams.cli.options import print_result
    from streams.cli.views.policy import summary, summary_text
    from streams.settings import settings_of
    from streams.topics.policies import read_policies

    if default:
        _show_default(broker, as_json=as_json)
        return
    settings = settings_of(os.environ, broker=broker)
    book, refused = asyncio.run(read_policies(settings))
    policies = () if book is None else book.policies
    if as_json:
        versions = [summary(policy) for policy in policies]
        refusals = [refusal._asdict() for refusal in refused]
        print_result({"versions": versions, "refused": refusals}, as_json=True)
        return
    typer.echo("\n".join(map(summary_text, policies)), nl=False)
    for refusal in refused:
        typer.echo(f"refused (record {refusal.offset}): {'; '.join(refusal.problems)}")
    if not policies:
        typer.echo("no policy was set on the topic: workers decide by their WEIR_POLICY file")


def _show_default(broker: str | None, *, as_json: bool) -> None:
    from monitor.policy.document import FULL_POLICY, policy_of
    from streams.cli.options import print_result
    from streams.cli.views.policy import summary

    if broker is not None:
        raise typer.BadParameter("--default asks no broker: leave out --broker")
    if as_json:
        print_result(summary(policy_of(FULL_POLICY)), as_json=True)
    else:
        sys.stdout.write(FULL_POLICY)


@policy.command("set")
def set_version(file: _File, broker: Broker = None, as_json: AsJson = False) -> None:
    """Put a policy version in force for every worker, from its `effective_from` on.

    The version is checked here first, beside the versions that are there. Workers check it again,
    and keep the old one if it cannot be used. If the workers have a policy file, set WEIR_POLICY
    to it: they refuse a version that does not fit it.

    Nobody else has to agree, so the console shows the version as set without a second person. A
    limit that is proposed there has one.

    Examples:

        weir policy set policy-2.toml --broker kafka:9092
    """
    import asyncio
    import os

    from streams.cli.options import book_of, policy_of_file, print_result
    from streams.settings import settings_of
    from streams.topics.policies import set_policy

    settings = settings_of(os.environ, broker=broker)
    new = policy_of_file(file)
    book = book_of(settings.policy) if settings.policy else None
    changed = asyncio.run(set_policy(settings, new, book))
    if changed:
        typer.echo(
            f"weir: version {new.version} is in force without a second person, and the console"
            " says so",
            err=True,
        )
    print_result({"version": new.version, "changed": changed}, as_json=as_json)
