"""The command `weir`: each command is a file of `streams/commands`; heavy imports stay inside."""

import sys
from typing import Annotated

import typer

from streams.commands import (
    alerts,
    associate,
    bench,
    check,
    cluster,
    demo,
    describe,
    drill,
    evaluate,
    explain,
    generate,
    policy,
    replay,
    rules,
    send,
    whatif,
    worker,
)

app = typer.Typer(
    name="weir",
    help="A streaming transaction monitor: exact daily limits on account activity, live.",
    invoke_without_command=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def weir(
    version: Annotated[bool, typer.Option("--version", help="Print the version, and end.")] = False,  # noqa: FBT002 - a switch
) -> None:
    """Weir: a streaming transaction monitor."""
    if version:
        from importlib.metadata import version as version_of  # noqa: PLC0415 - a light start

        typer.echo(version_of("weir-monitor"))
        raise typer.Exit


for command in (
    demo.demo,
    worker.worker,
    send.send,
    generate.generate,
    bench.bench,
    drill.drill,
    replay.replay,
    whatif.whatif,
    evaluate.evaluate,
    explain.explain,
    describe.describe,
    cluster.cluster,
    associate.associate,
    rules.rules,
    check.check,
):
    app.command()(command)
app.add_typer(alerts.alerts)
app.add_typer(policy.policy)


def main() -> None:
    """Run the command line; an operator's mistake is one clear message, and no traceback."""
    from streams.commands.failure import exit_status  # noqa: PLC0415 - light start

    try:
        app()
    except Exception as error:
        status = exit_status(error)
        if status is None:
            raise
        sys.exit(status)


if __name__ == "__main__":
    main()
