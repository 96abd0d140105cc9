"""`weir bench`: how fast a worker is on this machine, beside an ordinary Faust agent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from streams.cli.options import AsJson

TAKES: Final = {
    "console": {"store", "alerts", "arriving", "accounts"},
    "curve": {"full"},
    "accounts": {"full"},
    "odd": {"full", "transactions"},
    "stages": {"full", "transactions"},
    "takeover_accounts": {"full", "broker"},
    "policy": {"transactions"},
    "": {"full", "transactions", "stock_transactions", "recovery_accounts"},
}
"""What is measured, by the option that asks for it, and the further options that it takes."""

ALWAYS: Final = frozenset({"append", "as_json"})


def bench(
    context: typer.Context,
    transactions: Annotated[
        int, typer.Option(help="Transactions for Weir's worker.", min=20_000)
    ] = 1_000_000,
    stock_transactions: Annotated[
        int, typer.Option(help="Transactions for the ordinary agent; 0 leaves it out.")
    ] = 40_000,
    full: Annotated[
        bool, typer.Option("--full", help="With the outlier models, and not limits only.")
    ] = False,
    stages: Annotated[
        bool,
        typer.Option(
            "--stages",
            help="Only the cost of each stage, without a broker; WEIR_ENGINE says by which.",
        ),
    ] = False,
    odd: Annotated[
        float | None,
        typer.Option(
            metavar="PER CENT",
            help="Only what deciding costs, by kernels and in Python alone, of a stream of which so"
            " much is odd: escapes, further currencies, reversals, rejections, changes of segment.",
            min=0.1,
            max=100,
            show_default=False,
        ),
    ] = None,
    accounts: Annotated[
        int,
        typer.Option(
            help="Only the memory of so many accounts, with all models. With --console: accounts in"
            " the store; 0 is a fifth of the alerts."
        ),
    ] = 0,
    recovery_accounts: Annotated[
        int, typer.Option(help="Measure recovery with so many accounts; 0 leaves it out.")
    ] = 0,
    takeover_accounts: Annotated[
        int,
        typer.Option(
            help="Only how long it takes until another worker decides the partitions of one that"
            " is killed, with so many accounts in all."
        ),
    ] = 0,
    broker: Annotated[
        str | None,
        typer.Option(
            help="With --takeover-accounts: a Kafka to measure on, host:port; by default an"
            " embedded broker.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Only what a worker does with this policy, beside one with two daily limits: the"
            " ratio is of their processor time.",
            show_default=False,
        ),
    ] = None,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve",
            help="Only what decisions, flushes, memory and rebuilding cost over the accounts and"
            " transactions of a partition, without a broker.",
        ),
    ] = False,
    console: Annotated[
        bool,
        typer.Option("--console", help="Only the console's pages and the archive's intake."),
    ] = False,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            help="With --console: an empty store, by its URL; a temporary SQLite one by default.",
            show_default=False,
        ),
    ] = None,
    alerts: Annotated[
        int, typer.Option(help="With --console: alerts in the store.", min=2000)
    ] = 1_000_000,
    arriving: Annotated[
        int, typer.Option(help="With --console: alerts a second that arrive meanwhile.", min=0)
    ] = 200,
    append: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Append the run to a series too: JSON Lines, with time, commit and machine.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure throughput, processor time, alert latency and state, in one run on this machine.

    Both workers read the same made population from the embedded broker, one process each.

    Examples:

        weir bench

        weir bench --full --json

        weir bench --stages --full

        weir bench --odd 5 --transactions 200000

        weir bench --accounts 1000000

        weir bench --recovery-accounts 1000000

        weir bench --takeover-accounts 1000000 --broker localhost:9092

        weir bench --policy examples/many-limits.toml --transactions 200000

        weir bench --curve --full --json

        weir bench --full --append docs/benchmarks/full.jsonl

        weir bench --console --alerts 100000 --json
    """
    from monitor.policy.document import DEFAULT_LIMITS, FULL_POLICY
    from streams.cli.bench_series import Series, machine
    from streams.lab.capacity.costs import FULL_WORD, LIMITS_WORD, POLICY_FIGURE

    options: dict[str, object] = {
        "transactions": transactions, "stock_transactions": stock_transactions, "full": full,
        "stages": stages, "accounts": accounts, "recovery_accounts": recovery_accounts,
    }  # fmt: skip
    mode = _mode_of(context)
    if odd is not None:
        options = {"odd": odd, "transactions": transactions, "full": full}
    if curve:
        options = {"curve": True, "full": full}
    if takeover_accounts:
        options = {"takeover_accounts": takeover_accounts, "full": full, "kafka": bool(broker)}
    if policy is not None:
        options = {"policy": policy.name, "transactions": transactions}
    if console:
        sizes = {"alerts": alerts, "accounts": accounts or alerts // 5, "arriving": arriving}
        options = {"console": True, **sizes}
    series = None if append is None else Series(append, options)
    is_full = full or mode == "accounts"
    policy_text = FULL_POLICY if is_full else DEFAULT_LIMITS
    measure: dict[str, Callable[[], dict[str, object]]] = {
        "console": lambda: _console(store, alerts, accounts or alerts // 5, arriving),
        "curve": lambda: _curve(policy_text),
        "accounts": lambda: _memory(policy_text, accounts),
        "odd": lambda: _odd(policy_text, transactions, odd or 0.0),
        "stages": lambda: _stages(policy_text, transactions),
        "takeover_accounts": lambda: _take_over(policy_text, takeover_accounts, broker),
        "policy": lambda: _stated(policy, transactions),
        "": lambda: _bench(policy_text, transactions, stock_transactions, recovery_accounts),
    }
    result = measure[mode]()
    if mode not in {"console", "policy"}:
        result = {POLICY_FIGURE: FULL_WORD if is_full else LIMITS_WORD, **result}
    here = machine()
    _show({**result, "machine": here}, as_json=as_json)
    if series is not None:
        series.append(here, result)


def _mode_of(context: typer.Context) -> str:
    """Return the option that says what to measure; empty if none does.

    Raises typer.BadParameter if an option would be ignored.
    """
    stated = {
        name
        for name, value in context.params.items()
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
        and (value or name == "arriving")  # an option that is 0 or off asks for nothing
    }
    mode = next((mode for mode in TAKES if mode in stated), "")
    if ignored := sorted(stated - TAKES[mode] - ALWAYS - {mode}):
        names = {name: _option(name) for name in {*ignored, *TAKES[mode]}}
        takes = ", ".join(sorted(names[name] for name in TAKES[mode]))
        raise typer.BadParameter(
            f"weir bench{' ' + _option(mode) if mode else ''} would ignore"
            f" {', '.join(names[name] for name in ignored)}: leave out one or the other. Beside"
            f" --append and --json it takes {takes}"
        )
    return mode


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    from streams.cli.options import print_result

    if "curve" in result and not as_json:
        from streams.cli.views.capacity import curve_text

        typer.echo(curve_text(result["curve"]))
    else:
        print_result(result, as_json=as_json)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _console(url: str | None, alerts: int, accounts: int, arriving: int) -> dict[str, object]:
    import tempfile

    from streams.cli.options import store_of
    from streams.lab.console.bench import Options, console_bench

    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        made = url or f"sqlite:///{Path(folder) / 'weir.db'}"
        with store_of(made) as opened:
            return console_bench(opened, made, Options(alerts, accounts, arriving), _say)


def _memory(policy_text: str, accounts: int) -> dict[str, object]:
    import os

    from streams.lab.account_memory import DAYS_BETWEEN, account_memory
    from streams.settings import engine_named

    _say(f"memory of {accounts:,} accounts, one in {DAYS_BETWEEN} active a day, then all at once")
    return dict(account_memory(policy_text, accounts, engine_named(os.environ))._asdict())


def _curve(policy_text: str) -> dict[str, object]:
    from streams.lab.capacity.curve import curve

    return {"curve": [point._asdict() for point in curve(policy_text, say=_say)]}


def _odd(policy_text: str, transactions: int, odd: float) -> dict[str, object]:
    from monitor.policy.document import policy_of
    from streams.lab.bench import bench_batches
    from streams.lab.odd_stream import odd_costs

    _say(f"{transactions:,} transactions by both engines, then with {odd:g} % odd")
    costs = odd_costs(policy_of(policy_text), bench_batches(transactions), transactions, odd / 100)
    return {"transactions": transactions, **costs.fields()}


def _stages(policy_text: str, transactions: int) -> dict[str, object]:
    import os

    from monitor.policy.document import policy_of
    from streams.lab.bench import bench_batches
    from streams.lab.stages import READ_MAX, reading_costs, stage_costs
    from streams.settings import engine_named

    engine = engine_named(os.environ)
    _say(f"the stages of {transactions:,} transactions by the {engine} engine")
    costs = stage_costs(policy_of(policy_text), bench_batches(transactions), engine)
    rounded: dict[str, object] = {stage: round(cost, 2) for stage, cost in costs.items()}
    total = round(sum(costs.values()), 2)
    reading = reading_costs(bench_batches(min(transactions, READ_MAX)))
    return {
        "transactions": transactions,
        "engine": engine,
        "cpu_us_per_transaction": rounded | {"all": total},
        "reading_us_per_record": {way: round(cost, 2) for way, cost in reading.items()},
    }


@contextmanager
def _policy_file(text: str) -> Iterator[Path]:
    """Write a policy for workers to read, for as long as they are measured."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        policy = Path(folder) / "policy.toml"
        policy.write_text(text, encoding="utf-8")
        yield policy


def _take_over(policy_text: str, accounts: int, broker: str | None) -> dict[str, object]:
    from streams.lab.takeover import take_over

    with _policy_file(policy_text) as policy:
        return dict(take_over(policy, accounts, broker, _say)._asdict())


def _stated(path: Path | None, transactions: int) -> dict[str, object]:
    """Measure a worker with a policy, and one with two daily limits.

    Raises PolicyError, and OSError if the policy cannot be read.
    """
    from monitor.policy.document import DEFAULT_LIMITS
    from streams.cli.options import policy_of_file
    from streams.lab.bench import weir_throughput

    assert path is not None, "the option was stated"
    stated = policy_of_file(path)
    with _policy_file(DEFAULT_LIMITS) as policy:
        _say(f"two daily limits: {transactions:,} transactions")
        daily = weir_throughput(policy, transactions)
    _say(f"{path}: {transactions:,} transactions")
    measured = weir_throughput(path, transactions)
    return {
        "transactions": transactions,
        "limits": len(stated.every_threshold),
        "policy_per_second": round(measured.per_second),
        "policy_cpu_us_per_transaction": round(measured.cpu_us, 2),
        "daily_per_second": round(daily.per_second),
        "daily_cpu_us_per_transaction": round(daily.cpu_us, 2),
        "ratio": round(measured.cpu_us / daily.cpu_us, 2),
    }


def _bench(
    policy_text: str, transactions: int, stock_transactions: int, recovery_accounts: int
) -> dict[str, object]:
    from streams.lab.bench import (
        state_size,
        stock_throughput,
        weir_latency,
        weir_recovery,
        weir_throughput,
    )

    with _policy_file(policy_text) as policy:
        _say(f"Weir: {transactions:,} transactions")
        weir = weir_throughput(policy, transactions)
        result: dict[str, object] = {
            "transactions": transactions,
            "weir_per_second": round(weir.per_second),
            "cpu_us_per_transaction": round(weir.cpu_us, 2),
            "state": state_size(weir.samples),
        }
        if stock_transactions:
            _say(f"an ordinary Faust agent: {stock_transactions:,} transactions")
            stock = stock_throughput(policy, stock_transactions)
            result |= {
                "stock_faust_per_second": round(stock.per_second),
                "stock_faust_cpu_us_per_transaction": round(stock.cpu_us, 2),
                "ratio": round(weir.per_second / stock.per_second, 2),
            }
        _say(f"alert latency at {weir.per_second / 2:,.0f} transactions a second")
        latency = weir_latency(policy, weir.per_second / 2)
        result["alert_latency_ms"] = {
            "p50": latency.p50_ms, "p99": latency.p99_ms, "alerts": latency.alerts,
            "per_second": round(weir.per_second / 2),
        }  # fmt: skip
        if recovery_accounts:
            _say(f"recovery of {recovery_accounts:,} accounts")
            result["recovery"] = weir_recovery(policy, recovery_accounts)._asdict()
    return result
