"""Options that several commands share, and what they mean."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from monitor.core.as_of import AsOf
    from monitor.policy.policy import Policy, PolicyBook
    from monitor.store.store import Store
    from streams.feed.formats.reading import FileReading
    from streams.feed.mapping import Form
    from streams.feed.reader import Batch

Input = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="Tables (CSV, JSON Lines, Parquet, xlsx) or statements (camt, MT940, OFX), or folders"
        " of them; .gz and .zst too.",
        show_default=False,
    ),
]
MapFile = Annotated[
    Path | None, typer.Option("--map", help="Map of foreign columns (TOML; see docs/data.md).")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="The policy's TOML file.", envvar="WEIR_POLICY")
]
PolicyFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--policy",
        help="The policy's TOML file; again for each further version.",
        envvar="WEIR_POLICY",
    ),
]
Broker = Annotated[
    str | None, typer.Option("--broker", help="Kafka brokers, host:port,... [WEIR_BROKER]")
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="The store: sqlite:///FILE or postgresql+psycopg://... [WEIR_STORE;"
        " sqlite:///weir.db]",
        show_default=False,
    ),
]
AlertFile = Annotated[
    Path | None,
    typer.Option("--alerts", help="A file of alerts (JSON Lines), instead of the topic."),
]
Dispositions = Annotated[
    Path | None,
    typer.Option(help="A file of dispositions (JSON Lines), instead of those on the topic."),
]
AsOfMoment = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Rows dated after this moment (RFC 3339) and the policy's clock_skew are rejected as"
        " future; now by default.",
        show_default=False,
    ),
]
TABLE_ENDS: Final = (".csv", ".parquet", ".pq")
"""What a file of JSON Lines is not called."""

AsItStands = Annotated[
    bool,
    typer.Option(
        "--as-it-stands", help="Keep the order of rows and files, instead of that of booked_at."
    ),
]


class OfFormat(StrEnum):
    """As `streams.feed.formats.reading.FORMATS`."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    XLSX = "xlsx"
    CAMT = "camt"
    MT940 = "mt940"
    OFX = "ofx"


FileFormat = Annotated[
    OfFormat | None,
    typer.Option(
        "--format",
        help="The format of all files, instead of what each one's content and name say.",
        show_default=False,
    ),
]
SheetName = Annotated[
    str | None,
    typer.Option("--sheet", help="The sheet of workbooks; the first by default.", metavar="NAME"),
]
DayTime = Annotated[
    str | None,
    typer.Option(
        "--day-time",
        help="The event time of a booking that has only a date, and the zone of one without an"
        " offset: 12:00 Europe/Berlin; noon in UTC by default.",
        metavar="TIME ZONE",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def book_of(path: Path | None) -> "PolicyBook":
    """Return the policy of a file, or the default one where none is given.

    Commands that have a default tell what many breaches mean, too.
    """
    from monitor.policy.document import DEFAULT_POLICY, policy_of
    from monitor.policy.models import DEFAULT_SYSTEMIC
    from monitor.policy.policy import PolicyBook

    if path is None:
        return PolicyBook([policy_of(DEFAULT_POLICY + DEFAULT_SYSTEMIC, "the default policy")])
    return PolicyBook([policy_of_file(path)])


def book_of_files(paths: list[Path] | None) -> "PolicyBook":
    """Return the policy versions of files, or the default one where none is given.

    Raises PolicyError with the problems of a file, or where versions do not go together.
    """
    from monitor.policy.policy import PolicyBook

    if not paths:
        return book_of(None)
    return PolicyBook([policy_of_file(path) for path in paths])


def policy_of_file(path: Path) -> "Policy":
    """Return the policy of a file. Raises PolicyError with all its problems, and OSError."""
    from streams.topics import policy_file

    return policy_file.policy_of_file(path)


def as_of_of(moment: str | None, book: "PolicyBook") -> "AsOf":
    """Return the moment as of which files are read, with the clock skew of the policy; else now."""
    import time

    from monitor.core.as_of import AsOf
    from monitor.core.business_day import event_time_of

    if moment is None:
        return AsOf(time.time_ns() // 1000, book.calendar.clock_skew)
    parsed = event_time_of(moment)
    if parsed is None:
        raise typer.BadParameter(
            "must be RFC 3339 with an offset and years 1900 to 2999, e.g. 2026-03-01T00:00:00Z, not"
            f" {moment[:40]!r}",
            param_hint="'--as-of'",
        )
    return AsOf(parsed, book.calendar.clock_skew)


def feed_of(
    paths: list[Path],
    map_file: Path | None,
    *,
    progress: bool = True,
    further: tuple[str, ...] = (),
    form: "Form | None" = None,
    as_it_stands: bool = False,
    reading: "FileReading | None" = None,
    told: "ToldOfFiles | None" = None,
) -> Iterator["Batch"]:
    """Return the batches of the files, with a progress bar where a person looks on.

    Transactions come in the order of booked_at, unless they are to be taken `as_it_stands`.
    `further` are columns that come beside the fields; `form` is what the rows become, transactions
    where none is given. `told` takes what is to be said of the files, once all are read.
    """
    from streams.feed.mapping import TRANSACTIONS, feed_map_of
    from streams.feed.order import in_order
    from streams.feed.reader import FeedMap, files_of, read

    form = form or TRANSACTIONS
    feed_map = feed_map_of(map_file, form) if map_file else FeedMap(form=form)
    feed_map = feed_map._replace(further=further, reading=reading or feed_map.reading)
    files = files_of(paths, feed_map)
    watch = _with_progress if progress and sys.stderr.isatty() else _as_they_are
    if as_it_stands or form is not TRANSACTIONS:
        batches = watch(read(files, feed_map), len(files))
    else:
        batches = in_order(files, feed_map, watch)
    return (told or ToldOfFiles()).of(batches)


def reading_of(stated: OfFormat | None, sheet: str | None, day_time: str | None) -> "FileReading":
    """Return how files are read, as options say. Raises typer.BadParameter."""
    from streams.feed.formats.reading import FileReading, day_time_of

    try:
        reading = FileReading() if day_time is None else day_time_of(day_time)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--day-time'") from None
    return reading._replace(format=stated.value if stated else None, sheet=sheet)


class ToldOfFiles:
    """Tells on stderr what files say of themselves, and counts what is no row in them."""

    def __init__(self) -> None:
        self.skips: Counter[str] = Counter()
        self._passed: Counter[str] = Counter()  # lines that are no rows
        self._notes: list[str] = []

    def of(self, batches: Iterator["Batch"]) -> Iterator["Batch"]:
        """Hand batches on; tell when the last one was taken."""
        from streams.feed.maps.layout import passed_text

        for batch in batches:
            self._passed.update(batch.passed)
            self.skips.update(batch.skips)
            self._notes += batch.notes
            yield batch
        for note in self._notes:
            typer.echo(f"weir: {note}", err=True)
        if self.skips:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.skips.items())
            typer.echo(f"weir: skipped: {reasons}", err=True)
        if said := passed_text(self._passed):
            typer.echo(said, err=True)


def _as_they_are(batches: Iterator["Batch"], _: int) -> Iterator["Batch"]:
    return batches


def _with_progress(batches: Iterator["Batch"], files: int) -> Iterator["Batch"]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    rows, file, path = 0, 0, None
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"),
        TextColumn("{task.fields[rows]:,} rows"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=files, rows=0)
        for batch in batches:
            yield batch
            if path is None or (batch.path != path and files > 1):
                file, path = file + 1, batch.path
            rows += len(batch.rows) + len(batch.raw)
            progress.update(
                task, completed=file - 1 + batch.share_read, description=batch.path.name, rows=rows
            )


@contextmanager
def lines_to(path: Path | None, *, whole: bool = False) -> Iterator[IO[bytes] | None]:
    """Open a JSON Lines file to write; `-` is stdout, None is none.

    `whole`: it is there when all is written, and not before; else line by line, to look on.
    Raises OutputError if its name says that it is a table.
    """
    if path is not None and path.suffix.lower() in TABLE_ENDS:
        from streams.cli.files import OutputError

        raise OutputError(f"{path} would be written as JSON Lines: name it .jsonl")
    if whole and path is not None:
        from streams.cli.files import written_whole

        with written_whole(path) as file:
            yield file
    elif path is None:
        yield None
    elif str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with path.open("wb") as file:
            yield file


def require_place(alerts: Path | None, broker: str | None) -> None:
    """Refuse to look for alerts nowhere, or in two places: a file of them, or a broker's topic."""
    import os

    from streams.settings import variable

    if alerts is not None and broker is not None:
        raise typer.BadParameter("--alerts names a file, --broker a topic: leave one of them out")
    if alerts is None and broker is None and variable("broker") not in os.environ:
        raise typer.BadParameter(
            "say where the alerts are: a file by --alerts FILE, or a broker by --broker HOST:PORT"
            f" (or {variable('broker')})"
        )


def require_matplotlib() -> None:
    """End the command, with what to install, where a chart cannot be drawn."""
    _require("matplotlib", "plot", "a chart needs matplotlib", "all else works without it")


def require_mlxtend() -> None:
    """End the command, with what to install, where itemsets cannot be found."""
    _require("mlxtend", "insight", "associations need mlxtend", "weir rules works without it")


def store_url(stated: str | None) -> str:
    """Return the URL of the store: as stated, else that of WEIR_STORE, else a file here."""
    import os

    from streams.settings import STORE_DEFAULT, variable

    return stated or os.environ.get(variable("store")) or STORE_DEFAULT


@contextmanager
def store_of(url: str | None) -> Iterator["Store"]:
    """Open the store of a URL, and close it at the end; for None as `store_url`.

    Raises StoreError if it cannot be used, and typer.Exit if the extra `console` is missing.
    """
    require_store()

    from monitor.store.store import Store

    store = Store.open(store_url(url), days_folder())
    try:
        yield store
    finally:
        store.close()


def days_folder() -> Path | None:
    """Return the folder of sealed days' files that WEIR_STORE_DAYS names, if it names one."""
    import os

    from streams.settings import variable

    days = os.environ.get(variable("store_days"))
    return Path(days) if days else None


def require_store() -> None:
    """Raise typer.Exit, having said so, if the extra `console` is missing."""
    for package in ("sqlalchemy", "alembic", "argon2"):
        _require(package, "console", f"a store needs {package}", "weir replay works without it")


def require_oidc() -> None:
    """Raise typer.Exit, having said so, if the extra `oidc` is missing."""
    for package in ("authlib", "joserfc", "requests"):
        need = f"--oidc-issuer needs {package}"
        _require(package, "console,oidc", need, "weir console works without it")


def ensure_store_there(store: str | None) -> None:
    """Refuse a file that is not there: opening it would make it, and find nothing wrong.

    Raises FileNotFoundError.
    """
    import errno
    import os

    missing = missing_store(store)
    if missing is not None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), missing)


def missing_store(store: str | None) -> str | None:
    """Return the file of a store that opening it would make; None if it is there, or no file."""
    scheme, _, file = store_url(store).partition(":///")
    path = file.partition("?")[0]
    return path if scheme.startswith("sqlite") and path and not Path(path).exists() else None


def _require(package: str, extra: str, need: str, rest: str) -> None:
    from importlib.util import find_spec

    from streams.cli.exit_status import EXIT_NOT_READY

    if find_spec(package) is None:
        typer.echo(
            f"weir: {need}, which is not installed: pip install -e '.[{extra}]' in Weir's folder"
            f" ({rest})",
            err=True,
        )
        raise typer.Exit(EXIT_NOT_READY)


def print_result(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what came out: as one JSON object, or for a person to read."""
    if as_json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, value in result.items():
        if isinstance(value, Mapping):
            for key, cell in value.items():
                text = cell if isinstance(cell, str) else f"{_shown(cell):>12}"
                sys.stdout.write(f"  {key:<30} {text}\n")
            continue
        sys.stdout.write(f"{name.replace('_', ' '):<32} {_shown(value):>12}\n")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


if TYPE_CHECKING:
    from monitor.insight.cut import Cut
    from monitor.insight.hierarchy import Hierarchy

TableFile = Annotated[
    Path,
    typer.Argument(help="A table: CSV, Parquet, JSON Lines.", metavar="FILE", show_default=False),
]
Cuts = Annotated[
    list[str] | None,
    typer.Option(
        "--cut",
        help="How to cut a column of numbers: COL=30,55 (points), or COL=equal:4 (intervals with"
        " as many rows each); may be given again.",
        show_default=False,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(help="A column to leave out; may be given again.", show_default=False),
]


def cuts_of(stated: list[str] | None) -> "dict[str, Cut]":
    """Return how columns are to be cut. Raises InsightError if one is stated wrongly."""
    from monitor.insight.cut import cut_of

    return dict(map(cut_of, stated or ()))


def hierarchies_of_file(path: Path | None) -> "dict[str, Hierarchy]":
    """Return the hierarchies of a TOML file. Raises InsightError if it states none; OSError."""
    from monitor.insight.hierarchy import hierarchies_of
    from monitor.insight.table import InsightError

    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InsightError(f"{path} is not UTF-8 text: {error}") from None
    return hierarchies_of(text, str(path))


if TYPE_CHECKING:
    from monitor.core.attributes import AccountRecord, AttributeBook
    from streams.feed.accounts import AccountRow

AccountFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--accounts",
        help="Account attributes: a CSV, JSON Lines, Parquet or xlsx file, or a folder; may be"
        " repeated.",
    ),
]
AccountsMap = Annotated[
    Path | None,
    typer.Option("--accounts-map", help="Map of foreign columns of --accounts (docs/data.md)."),
]

SHOWN_MAX: Final = 5
"""Rows that are told one by one; the others are counted."""


class UnusableRows:
    """Tells of rows that are no account, on stderr, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def tell(self, row: "AccountRow") -> None:
        """Tell of a row, if it is among the first."""
        self.count += 1
        if self.count <= SHOWN_MAX:
            reason, detail = row.record[:2]
            typer.echo(f"weir: {row.file}, row {row.row}: {reason}: {detail}", err=True)
        elif self.count == SHOWN_MAX + 1:
            typer.echo("weir: and more rows that are no account", err=True)


def accounts_of_files(
    paths: list[Path], map_file: Path | None, unusable: UnusableRows, *, progress: bool = True
) -> Iterator["AccountRecord"]:
    """Return the accounts of files. Raises FeedError with all problems of all headers."""
    from streams.feed.accounts import accounts_of, usable
    from streams.feed.mapping import ACCOUNTS

    batches = feed_of(paths, map_file, progress=progress, form=ACCOUNTS)
    return usable(accounts_of(batches), unusable.tell)


def attributes_of_files(
    paths: list[Path] | None, map_file: Path | None
) -> tuple["AttributeBook | None", UnusableRows]:
    """Return the attributes that files state, None without any, and what was told of bad rows."""
    from streams.feed.accounts import attributes_of

    unusable = UnusableRows()
    if not paths:
        if map_file:
            raise typer.BadParameter("--accounts-map is for --accounts, and there is none")
        return None, unusable
    return attributes_of(accounts_of_files(paths, map_file, unusable)), unusable


class OfKind(StrEnum):
    """As `monitor.core.alert.Kind`."""

    DAILY_AMOUNT = "daily-amount"
    DAILY_COUNT = "daily-count"
    LIMIT = "limit"
    OUTLIER = "outlier"
    REVIEW = "review"
    SYSTEMIC = "systemic"


class OfStatus(StrEnum):
    """As `monitor.core.alert.Status`."""

    RAISED = "raised"
    RESTATED = "restated"
    WITHDRAWN = "withdrawn"


class SortedBy(StrEnum):
    """As `streams.topics.alert_list.Sort`."""

    TOLD = "told"
    DAY = "day"
    ACCOUNT = "account"


class DisposedAs(StrEnum):
    """As `monitor.dispositions.disposition.Disposition`."""

    SUSPICIOUS = "suspicious"
    SERVICE_NEED = "service-need"
    FALSE_ALARM = "false-alarm"
    LIMIT_WRONG = "limit-wrong"
    DATA_FAULT = "data-fault"
