"""`weir evaluate`: how good the models are where the truth is known."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import AsJson, AsOfMoment, Input, MapFile, PolicyFile

if TYPE_CHECKING:
    from streams.evaluation.evaluation import Evaluation
    from streams.evaluation.teaching import Analysts

CHART = "precision-recall.png"
FIGURES = "evaluation.json"


def evaluate(
    files: Input,
    map_file: MapFile = None,
    label: Annotated[
        str | None, typer.Option(help="The column of labels; 1, true or yes marks a row to find.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="The column of the labels' kinds.")] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Labels as JSON Lines, as weir generate --labels writes them."),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="The kinds to find: 1,3 or burst,mule. Default: all, but those of incidents"
            " and needs."
        ),
    ] = None,
    policy: PolicyFile = None,
    warm_up_days: Annotated[
        int | None,
        typer.Option(
            help="First days, learned and never judged; 30, or those of the policy's [budget].",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Run the models' seeds 1 to this.", min=1)] = 5,
    partitions: Annotated[
        int, typer.Option(help="Partitions to deal accounts to, as the topic has.", min=1)
    ] = 4,
    budget: Annotated[
        int | None,
        typer.Option(
            help="Alerts a day; 20, or those of the policy's [budget].", show_default=False
        ),
    ] = None,
    dispositions_per_day: Annotated[
        int | None,
        typer.Option(
            help="Let analysts review so many account-days a day, the highest, and teach.",
            min=1,
            show_default=False,
        ),
    ] = None,
    label_after_days: Annotated[
        int | None,
        typer.Option(
            help="Days from a reviewed account-day to its label, which later days' scores know; 1.",
            min=1,
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Draw precision over recall here (.png), or into this folder beside the figures."
        ),
    ] = None,
    as_of: AsOfMoment = None,
    as_json: AsJson = False,
) -> None:
    """Judge the models by labels, beside the one-line rule: amount over the own 30-day mean.

    All rows are put in the order of event time, whatever the files' order, and go through the
    engines that a replay has: each is scored first and learned after, and no label is ever seen.

    With --dispositions-per-day, the figures are shown once more with the weights that simulated
    analysts would have taught. They see the labels of the account-days that they review, and no
    others; the models, their alerts and all other figures stay without.

    Examples:

        weir evaluate payments.parquet --map map.toml --label is_fraud --seeds 2

        weir evaluate handbook/ --map handbook.map.toml --label TX_FRAUD

        weir evaluate t.csv --labels labels.jsonl --out curves.png --json

        weir evaluate t.csv --labels labels.jsonl --dispositions-per-day 20
    """
    from monitor.policy.policy import PolicyBook
    from streams.cli.options import as_of_of, book_of, feed_of, print_result
    from streams.evaluation.evaluation import (
        check_labels_come,
        evaluation_of,
        policy_for,
        with_seed,
    )
    from streams.evaluation.runs import Source, runs_of
    from streams.evaluation.table import table_of
    from streams.evaluation.truth import truth_of_columns, truth_of_lines

    _check_labels(label, kind, labels, kinds)
    analysts = _analysts(dispositions_per_day, label_after_days)
    if out is not None:
        _check_out(out)
    stated = None if policy is None else book_of(policy).policies[0]
    chosen = policy_for(stated, budget, warm_up_days)
    wanted = [name.strip() for name in (kinds or "").split(",") if name.strip()]
    further = tuple(name for name in (label, kind) if name is not None)
    judged_as_of = as_of_of(as_of, PolicyBook([chosen]))
    batches = feed_of(files, map_file, further=further, as_it_stands=True)
    table = table_of(batches, further, judged_as_of)
    table.check()
    if analysts is not None:
        check_labels_come(table, chosen, analysts)
    if label is not None:
        truth = truth_of_columns(table, label, kind, wanted)
    else:
        assert labels is not None
        truth = truth_of_lines(table, labels, wanted)
    policies = [with_seed(chosen, seed) for seed in range(1, seeds + 1)]
    with _progress(seeds, len(table.transactions)) as on_rows:
        runs = runs_of(
            table,
            Source(files, map_file, judged_as_of),
            policies,
            partitions,
            on_rows,
            has_features=analysts is not None,
        )
    evaluation = evaluation_of(table, truth, runs, chosen, partitions, analysts)
    if out is not None:
        _write(evaluation, out)
    if as_json:
        print_result(evaluation.fields, as_json=True)
    else:
        _show(evaluation)


def _check_labels(
    label: str | None, kind: str | None, labels: Path | None, kinds: str | None
) -> None:
    """Refuse options of labels that do not go together."""
    if (label is None) is (labels is None):
        raise typer.BadParameter("give one of --label (a column) and --labels (a file)")
    if kind is not None and label is None:
        raise typer.BadParameter("--kind is a column beside --label; --labels has its own kinds")
    if kinds is not None and label is not None and kind is None:
        raise typer.BadParameter("--kinds needs --kind, the column that has them")


def _analysts(dispositions_per_day: int | None, label_after_days: int | None) -> "Analysts | None":
    """Return the analysts to simulate, if any."""
    from streams.evaluation.teaching import Analysts

    if dispositions_per_day is not None:
        return Analysts(dispositions_per_day, label_after_days or 1)
    if label_after_days is not None:
        raise typer.BadParameter("--label-after-days needs --dispositions-per-day")
    return None


def _show(evaluation: "Evaluation") -> None:
    from rich.console import Console

    from streams.cli.views.evaluate import lines_of, table_of

    Console().print(table_of(evaluation.fields))
    for line in lines_of(evaluation.fields):
        typer.echo(line)


def _check_out(out: Path) -> None:
    """Refuse what cannot be written before all is read."""
    from streams.cli.options import require_matplotlib

    folder = out if out.is_dir() else out.parent
    if not folder.is_dir():
        raise typer.BadParameter(f"{out} cannot be written: there is no folder {folder}")
    if not out.is_dir() and out.suffix.lower() != ".png":
        raise typer.BadParameter(f"{out} is no folder that is there, and no .png")
    require_matplotlib()


def _write(evaluation: "Evaluation", out: Path) -> None:
    """Write the chart; into a folder, beside the figures."""
    import json

    from streams.cli.files import written_whole
    from streams.cli.views.evaluate import draw

    is_folder = out.is_dir()
    with written_whole(out / CHART if is_folder else out) as file:
        draw(evaluation, file)
    if is_folder:
        with written_whole(out / FIGURES) as file:
            file.write(json.dumps(evaluation.fields, indent=1).encode() + b"\n")


@contextmanager
def _progress(seeds: int, rows: int) -> Iterator[Callable[[int], None]]:
    """Show a bar where a person looks on; call what this gives with the rows that were done."""
    import sys

    if not sys.stderr.isatty():
        yield lambda rows: None  # noqa: ARG005 - nobody looks on
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{seeds} seeds, {rows:,} rows each", total=seeds * rows)
        yield lambda rows: progress.update(task, advance=rows)
