"""The command `weir`: each command is a file of `streams/cli`; heavy imports stay inside."""

import sys
from typing import Annotated, Any, Final

import typer
import typer.main

from streams.cli import (
    alerts,
    archive,
    associate,
    bench,
    capacity,
    check,
    cluster,
    console,
    demo,
    describe,
    drill,
    evaluate,
    explain,
    generate,
    policy,
    reconcile,
    replay,
    rights,
    rules,
    send,
    soak,
    store,
    teach,
    user,
    verify,
    webhook,
    whatif,
    worker,
)
from streams.cli.map import map_file

app = typer.Typer(
    name="weir",
    help=(
        "A streaming transaction monitor: exact daily limits on account activity, live.\n\n"
        "Begin with `weir demo`, which needs nothing; with a file of yours: "
        "`weir replay transactions.csv --alerts alerts.jsonl`. "
        "`weir COMMAND --help` has examples, README.md the way through."
    ),
    invoke_without_command=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def weir(
    version: Annotated[bool, typer.Option("--version", help="Print the version, and end.")] = False,
) -> None:
    """Weir: a streaming transaction monitor."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(version_of("weir-monitor"))
        raise typer.Exit


BEGIN: Final = "Begin with"
RUN: Final = "Run the monitor"
WORK: Final = "Work alerts and limits"
STUDY: Final = "Study customers and models"

for panel, commands in {
    BEGIN: (demo.demo, generate.generate, replay.replay),
    RUN: (
        worker.worker,
        archive.archive,
        console.console,
        send.send,
        check.check,
        reconcile.reconcile,
        rights.rights,
        bench.bench,
        capacity.capacity,
        drill.drill,
        soak.soak,
    ),
    WORK: (explain.explain, whatif.whatif, rules.rules, teach.teach, verify.verify),
    STUDY: (describe.describe, cluster.cluster, associate.associate, evaluate.evaluate),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command("map", rich_help_panel=BEGIN)(map_file)
app.add_typer(alerts.alerts, rich_help_panel=WORK)
app.add_typer(user.user, rich_help_panel=WORK)
app.add_typer(webhook.webhook, rich_help_panel=WORK)
app.add_typer(policy.policy, rich_help_panel=RUN)
app.add_typer(store.store, rich_help_panel=RUN)


def _without_types_of_switches(command: Any) -> None:  # noqa: ANN401 - Typer's own
    """Let the help of a switch name no type: it takes no value."""
    for parameter in command.params:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    for below in getattr(command, "commands", {}).values():
        _without_types_of_switches(below)


def main() -> None:
    """Run the command line; an operator's mistake is one clear message, and no traceback."""
    from streams.cli.exit_status import exit_status

    try:
        root = typer.main.get_command(app)
        _without_types_of_switches(root)
        root()
    except Exception as error:
        status = exit_status(error)
        if status is None:
            raise
        sys.exit(status)


if __name__ == "__main__":
    main()
