"""The page docs/commands.md: every command as its own `--help` has it, with the exit statuses."""

import inspect
from collections.abc import Iterator
from typing import Any, Final

import typer.main

from streams.cli.exit_status import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NOT_READY, EXIT_USAGE
from streams.cli.main import app
from streams.worker.liveness import EXIT_STALLED

EXIT_STATUSES: Final = {
    0: "All is well. The demo and `weir alerts --follow` end so at Ctrl-C, too.",
    EXIT_FAILED: (
        "It failed. `weir drill`: something was lost, doubled or wrong. `weir soak`: memory"
        " grows, or not all that was sent was taken in. `weir worker`: a crash of our own, with a"
        " traceback; records that were not acknowledged are read again."
    ),
    EXIT_USAGE: (
        "An input cannot be used: an option, a setting, a policy, a map, a file. One message has"
        " all problems."
    ),
    EXIT_NOT_READY: (
        "Something needed is missing: no broker answers, a topic is missing, state is lost or of"
        " another program; the embedded broker,"
        " matplotlib for a chart or mlxtend for associations, is not installed."
    ),
    EXIT_STALLED: (
        "`weir worker` alone: records waited and none was decided for `WEIR_LIVENESS_SECONDS`, or"
        " no broker answered for as long, or another worker has its `WEIR_INSTANCE`, so it ended"
        " itself for its partitions to move."
    ),
    EXIT_INTERRUPTED: (
        "Ctrl-C ended it before it was done (not the demo and `weir worker`: 0). `weir send` says"
        " how many records were sent and arrived."
    ),
}
"""What each exit status of `weir` means."""

_HEAD: Final = """\
# Commands

Made by `make docs` from `weir COMMAND --help`. Results go to stdout, messages about the run to
stderr. If a command takes `--broker`, the variable `WEIR_BROKER` may name it too, and every other
[setting](settings.md) holds as well.

## Exit statuses

| status | meaning |
| --- | --- |
"""


def command_page() -> str:
    """Return the page as Markdown."""
    rows = "".join(f"| {status} | {about} |\n" for status, about in EXIT_STATUSES.items())
    root = typer.main.get_command(app)
    options = "## `weir`\n\n" + _table(root.params)
    sections = [_section(name, command) for name, command in commands(root, "weir")]
    return "\n".join([_HEAD + rows, options, *sections])


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Typer's own
    """Yield each command by its whole name, e.g. `weir policy check`.

    A group is none, unless it does something by itself.
    """
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield f"{path} {name}", command
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _section(name: str, command: Any) -> str:  # noqa: ANN401 - Typer's own
    text, _, examples = inspect.cleandoc(command.help).partition("Examples:")
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    shown = "".join(f"    {line}\n" for line in lines)
    return f"## `{name}`\n\n{text.strip()}\n\n{shown}\n{_table(command.params)}"


def _table(parameters: list[Any]) -> str:
    rows = "".join(_row(parameter) for parameter in parameters)
    return f"| option | default | what it does |\n| --- | --- | --- |\n{rows}"


def _row(parameter: Any) -> str:  # noqa: ANN401 - Typer's own
    is_option = parameter.opts[0].startswith("-")
    names = ", ".join(f"`{option}`" for option in parameter.opts)
    if not is_option:
        names = f"`{parameter.metavar or 'FILE'}{'' if parameter.nargs == 1 else '...'}`"
    default = parameter.default
    if parameter.required:
        said = "needed"
    elif parameter.envvar:
        said = f"`{parameter.envvar}`"
    elif default is None or default is False or default == []:
        said = ""
    else:
        said = f"`{default}`"
    return f"| {names} | {said} | {_cell(parameter.help)} |\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
