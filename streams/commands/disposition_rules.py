"""What `weir rules` does without a table: the rules that dispositions of alerts teach."""

import sys
from pathlib import Path

import typer


def show(
    dispositions: Path | None, alerts: Path | None, broker: str | None, top: int, *, as_json: bool
) -> None:
    """Print the rules of two files, or of the topics."""
    import asyncio
    import json
    import os

    from monitor.settings import settings_of, variable
    from streams.lessons import lesson_of_files, lesson_of_topics
    from streams.rules_text import lesson_lines

    if alerts is not None:
        if dispositions is None or broker is not None:
            raise typer.BadParameter("--alerts goes with --dispositions, and without --broker")
        lesson = lesson_of_files(dispositions, alerts)
    elif broker is None and variable("broker") not in os.environ:
        raise typer.BadParameter(
            "name a table and its --label, or --dispositions and --alerts, or a --broker"
        )
    else:
        settings = settings_of(os.environ, broker=broker)
        lesson = asyncio.run(lesson_of_topics(settings, dispositions))
    if as_json:
        sys.stdout.write(json.dumps(lesson.fields()) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lesson_lines(lesson, top)))
