"""`weir bench`: how fast a worker is on this machine, beside an ordinary Faust agent."""

from typing import Annotated

import typer

from streams.commands.options import AsJson


def bench(
    transactions: Annotated[
        int, typer.Option(help="Transactions for Weir's worker.", min=20_000)
    ] = 1_000_000,
    stock_transactions: Annotated[
        int, typer.Option(help="Transactions for the ordinary agent; 0 leaves it out.")
    ] = 40_000,
    recovery_accounts: Annotated[
        int, typer.Option(help="Measure recovery with so many accounts; 0 leaves it out.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure throughput, processor time, alert latency and state, in one run on this machine.

    Both workers read the same made population from the embedded broker, one process each.

    Examples:

        weir bench

        weir bench --transactions 200000 --json

        weir bench --recovery-accounts 1000000
    """
    import os
    import platform
    import sys
    import tempfile
    from pathlib import Path

    from monitor.policy_text import DEFAULT_POLICY
    from streams import bench as measure
    from streams.commands.options import print_result

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")

    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        policy = Path(folder) / "policy.toml"
        policy.write_text(DEFAULT_POLICY, encoding="utf-8")
        say(f"Weir: {transactions:,} transactions")
        weir = measure.weir_throughput(policy, transactions)
        result: dict[str, object] = {
            "transactions": transactions,
            "weir_per_second": round(weir.per_second),
            "cpu_us_per_transaction": round(weir.cpu_us, 2),
            "state": measure.state_size(weir.samples),
        }
        if stock_transactions:
            say(f"an ordinary Faust agent: {stock_transactions:,} transactions")
            stock = measure.stock_throughput(policy, stock_transactions)
            result |= {
                "stock_faust_per_second": round(stock.per_second),
                "stock_faust_cpu_us_per_transaction": round(stock.cpu_us, 2),
                "ratio": round(weir.per_second / stock.per_second, 2),
            }
        say(f"alert latency at {weir.per_second / 2:,.0f} transactions a second")
        latency = measure.weir_latency(policy, weir.per_second / 2)
        result["alert_latency_ms"] = {
            "p50": latency.p50_ms, "p99": latency.p99_ms, "alerts": latency.alerts,
            "per_second": round(weir.per_second / 2),
        }  # fmt: skip
        if recovery_accounts:
            say(f"recovery of {recovery_accounts:,} accounts")
            recovery = measure.weir_recovery(policy, recovery_accounts)
            result["recovery"] = recovery._asdict()
    result["machine"] = {
        "cores": os.cpu_count() or 1,
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    print_result(result, as_json=as_json)
