"""`weir soak`: shows whether a worker's memory and lag stay flat while business days close."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli.options import AsJson, PolicyFile

if TYPE_CHECKING:
    from monitor.policy.policy import Policy
    from streams.lab.soak import Soak, Soaked

TITLES: Final = {
    "memory_mb": "memory, MB",
    "lag_records": "lag, records",
    "open_transactions": "open transactions",
    "accounts_held": "accounts held",
}
"""Figures that are printed with their mean and their greatest value."""


def soak(
    minutes: Annotated[float, typer.Option(help="How long to send and measure.", min=0.1)] = 30,
    rate: Annotated[float, typer.Option(help="Transactions a second.", min=1)] = 2000,
    accounts: Annotated[
        int, typer.Option(help="Accounts of the made population; fewer close days faster.", min=100)
    ] = 20_000,
    full: Annotated[
        bool,
        typer.Option("--full", help="With reviews, outlier models and systemic alerts, too."),
    ] = False,
    policy: PolicyFile = None,
    slope_max: Annotated[
        float, typer.Option(help="Per cent an hour by which memory may grow.", min=0)
    ] = 1.0,
    out: Annotated[
        Path | None, typer.Option(help="Draw memory and lag over time here: .svg.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a worker for long while business days open and close; show that it stays flat.

    A made population is sent to an embedded broker at a rate. Its event time runs as fast as its
    days are sent. Each second the worker's memory and lag are noted. The first fifth of the time
    is left out; a least-squares line through the rest says what memory grows by in an hour, with a
    95 % interval by the means of 12 blocks. Exit status 1 if the whole interval is above
    --slope-max, or if the worker did not take in all that was sent.

    A worker fills its state first, as it should: with limits in some days, with --full in some
    200, because reviews keep up to 62 days of an account. Choose --rate and --accounts so that
    the warm-up has as many: the output says how many days closed.

    The embedded broker is not counted. It keeps in memory all that was ever written: 0.6 to 1 GB
    for a million transactions with limits, 1.5 to 3 GB with --full.

    Examples:

        weir soak

        weir soak --minutes 20 --rate 2000 --accounts 500 --full --out soak.svg

        weir soak --minutes 5 --rate 10000 --accounts 5000 --json
    """
    import sys

    from monitor.policy.document import DEFAULT_LIMITS, FULL_POLICY, policy_of
    from streams.cli.exit_status import EXIT_FAILED, EXIT_INTERRUPTED
    from streams.cli.options import policy_of_file, print_result

    if full and policy is not None:
        raise typer.BadParameter(
            "--full and --policy (or WEIR_POLICY) both name a policy: leave one of them out"
        )
    _check_chart(out, policy)
    stated = policy_of(FULL_POLICY if full else DEFAULT_LIMITS)
    if policy is not None:
        stated = policy_of_file(policy)
    run, is_whole = _run(stated, minutes, rate, accounts)
    if run is None:
        raise typer.Exit(EXIT_INTERRUPTED)
    found = run.result()
    if out is not None and run.samples:
        _draw(run, found, out)
    if as_json:
        asked = {"rate": rate, "accounts": accounts, "full": full, "slope_max": slope_max}
        print_result({**asked, **found.fields()}, as_json=True)
    else:
        sys.stdout.write(_summary(found, slope_max))
    if not is_whole:
        raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(EXIT_FAILED if found.grows(slope_max) or found.taken_in < found.sent else 0)


def _run(
    stated: "Policy", minutes: float, rate: float, accounts: int
) -> "tuple[Soak | None, bool]":
    """Run a soak; return it (None if nothing had begun), and whether nobody ended it before."""
    import asyncio
    import sys
    import tempfile
    import time

    from streams.cli.exit_status import ended_as_by_ctrl_c
    from streams.lab.rig import embedded_rig
    from streams.lab.soak import Soak

    started = time.perf_counter()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - started:6.0f} s  {text}\n")

    run = None
    try:
        with tempfile.TemporaryDirectory(prefix="weir-soak-") as folder, ended_as_by_ctrl_c():
            file = Path(folder) / "policy.toml"
            file.write_text(stated.text, encoding="utf-8")
            say(f"{minutes:g} minutes at {rate:,.0f} transactions a second, {accounts:,} accounts")
            with embedded_rig(file) as settings:
                run = Soak(settings, stated, rate, accounts, say)
                asyncio.run(run.run(60 * minutes))
    except KeyboardInterrupt:
        sys.stderr.write("ended by Ctrl-C: the broker and the worker are gone\n")
        return run, False
    return run, True


def _check_chart(out: Path | None, policy: Path | None) -> None:
    """Refuse what cannot be drawn before the time is spent. Raises OutputError."""
    from streams.cli.files import OutputError, check_outputs
    from streams.cli.options import require_matplotlib

    if out is None:
        return
    check_outputs((out,), (policy,))
    if out.suffix.lower() != ".svg":
        raise OutputError(f"{out} is no chart: its name must end in .svg")
    require_matplotlib()


def _summary(found: "Soaked", slope_max: float) -> str:
    """Return what a soak measured, for a person to read."""
    from streams.lab.soak import MEGABYTE

    fields = found.fields()
    text = (
        f"{fields['minutes']} minutes, {found.days_closed:,} business days closed"
        f" ({found.account_days_closed:,} account-days)\n"
        f"{found.sent:,} sent, {found.taken_in:,} taken in, {fields['per_second']:,} a second"
    )
    if "worker_cpu_per_cent" in fields:
        text += f", {fields['worker_cpu_per_cent']} % of a core"
    text += "\n"
    for name, title in TITLES.items():
        spread = fields.get(name)
        if isinstance(spread, dict):
            text += f"{title:<18} mean {spread['mean']:>12,}   max {spread['max']:>12,}\n"
    if found.memory is None:
        return text + "too few samples to say whether memory grows\n"
    share, slope = found.per_cent(), found.memory.per_hour / MEGABYTE
    text += (
        f"memory grows by {slope:+,.2f} MB an hour, {share.per_hour:+.2f} % of its mean"
        f" (95 %: {share.low:+.2f} to {share.high:+.2f} %)\n"
    )
    if found.grows(slope_max):
        return text + f"that is more than {slope_max:g} % an hour\n"
    return text + f"it is not shown to grow by more than {slope_max:g} % an hour\n"


def _draw(run: "Soak", found: "Soaked", out: Path) -> None:
    from streams.cli.files import written_whole
    from streams.cli.views.soak import draw

    title = f"{found.days_closed:,} business days closed, {found.taken_in:,} transactions"
    with written_whole(out) as file:
        draw(run.samples, title, file)
