"""`weir replay`: the same engine over files, without a broker."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import (
    AccountFiles,
    AccountsMap,
    AsItStands,
    AsJson,
    AsOfMoment,
    DayTime,
    FileFormat,
    Input,
    MapFile,
    PolicyFiles,
    SheetName,
    ToldOfFiles,
    reading_of,
)

if TYPE_CHECKING:
    from monitor.policy.policy import PolicyBook
    from streams.replay.replay import Replay


def replay(
    files: Input,
    policy: PolicyFiles = None,
    map_file: MapFile = None,
    alerts: Annotated[
        Path | None, typer.Option(help="Write the alerts here, as JSON Lines; - is stdout.")
    ] = None,
    rejections: Annotated[
        Path | None, typer.Option(help="Write the rejections here, as JSON Lines.")
    ] = None,
    account_days: Annotated[
        Path | None, typer.Option(help="Write the closed account-days here, as JSON Lines.")
    ] = None,
    segment_days: Annotated[
        Path | None,
        typer.Option(help="Write the segment-days of each partition here, as JSON Lines."),
    ] = None,
    partitions: Annotated[
        int, typer.Option(help="Partitions to deal accounts to, as the topic has.", min=1)
    ] = 4,
    accounts: AccountFiles = None,
    accounts_map: AccountsMap = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Versions of weights that analysts taught, as weir teach --json prints them."
        ),
    ] = None,
    as_of: AsOfMoment = None,
    file_format: FileFormat = None,
    sheet: SheetName = None,
    day_time: DayTime = None,
    as_it_stands: AsItStands = False,
    as_json: AsJson = False,
) -> None:
    """Run the monitor over files: the same engine, the same alerts, no broker.

    Examples:

        weir replay transactions.csv --policy policy.toml --alerts alerts.jsonl

        weir replay trans.asc --map berka.map.toml --policy berka.policy.toml

        weir replay transactions.csv --accounts accounts.csv --json | jq .alerts
    """
    import os
    import time

    from streams.cli.files import check_outputs
    from streams.cli.options import as_of_of, attributes_of_files, book_of_files, feed_of, lines_to
    from streams.interpreter import configure_interpreter
    from streams.replay.replay import Replay
    from streams.wire import codec
    from streams.worker.engines import maker_for_files

    outputs = (alerts, rejections, account_days, segment_days)
    inputs = [*files, *(accounts or ()), *(policy or ()), map_file, accounts_map, weights]
    check_outputs(outputs, inputs, as_json=as_json)
    book = book_of_files(policy)
    _add_weights(book, weights)
    make_engine = maker_for_files(os.environ, files)
    reading = reading_of(file_format, sheet, day_time)
    batches = feed_of(
        files, map_file, as_it_stands=as_it_stands, reading=reading, told=ToldOfFiles()
    )
    attributes, unusable = attributes_of_files(accounts, accounts_map)
    run = Replay(book, partitions, attributes, as_of_of(as_of, book), make_engine)
    configure_interpreter()
    started = time.perf_counter()
    with (
        lines_to(alerts, whole=True) as alert_lines,
        lines_to(rejections, whole=True) as rejection_lines,
        lines_to(account_days, whole=True) as day_lines,
        lines_to(segment_days, whole=True) as segment_lines,
    ):
        for batch in batches:
            told = run.observe(batch)
            if alert_lines:
                alert_lines.writelines(codec.alert_bytes(a) + b"\n" for a in told.alerts)
            if rejection_lines:
                rejection_lines.writelines(
                    codec.rejection_bytes(
                        r.rejection, {"file": r.file, "row": r.row}, None, r.record
                    )
                    + b"\n"
                    for r in told.rejections
                )
            if day_lines:
                day_lines.writelines(d + b"\n" for d in told.account_day_records())
            if segment_lines:
                segment_lines.writelines(
                    codec.segment_record_bytes(d) + b"\n" for d in told.segment_days
                )
    if run.warning:
        typer.echo(f"weir: {run.warning}", err=True)
    if Path("-") in outputs:
        return  # stdout is theirs
    result = run.totals.fields(time.perf_counter() - started)
    if attributes is not None:
        result |= {"accounts_known": len(attributes.known), "accounts_rejected": unusable.count}
    _print(result, run, as_json=as_json)


def _add_weights(book: "PolicyBook", path: Path | None) -> None:
    """Let the versions of a file hold, or say that the scores are without any."""
    if path is None:
        if book.is_taught:
            said = "weir: outlier scores are without what analysts taught: give that by --weights"
            typer.echo(said, err=True)
        return
    if not book.is_taught:
        raise typer.BadParameter("no policy has taught = true in its [budget]: leave --weights out")
    from streams.topics.weights import weights_of_file

    for version in weights_of_file(path):
        book.weights.add(version)


def _print(result: "dict[str, object]", run: "Replay", *, as_json: bool) -> None:
    from monitor.engine.coverage import coverage_lines, undecided_lines
    from streams.cli.options import print_result

    models = [warmth.fields() for warmth in run.warmth()]
    if as_json:
        print_result(result | {"models": models}, as_json=True)
        return
    # Said in words below, or among the rejections already.
    for name in ("unwatched", "unseen_currencies", "without_rate", "duplicates"):
        del result[name]
    print_result(result, as_json=False)
    totals = run.totals
    lines = coverage_lines(totals.unwatched, totals.unseen) + undecided_lines(totals.undecided)
    for line in lines:
        typer.echo(line)
    if models:
        from models.learner.warmth import cold_lines

        for line in cold_lines(models):
            typer.echo(line)
