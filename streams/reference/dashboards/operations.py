"""The operations board: whether Weir is well, keeps up, and why not."""

from typing import Final

from streams.reference.dashboards.board import (
    Board,
    Chart,
    Drawing,
    Section,
    greatest,
    growth,
    least,
    mean,
    of_group,
    of_process,
    over_partitions,
    per_second,
    quantile,
    ratio,
    total,
)

_PARTITION: Final = "partition {{partition}}"
_PROCESS: Final = "{{job}} {{instance}}"
_ALLOWED: Final = 0.01
"""The share of alerts that may be slower than the objective (dashboards/rules/weir.yml)."""


def _burn(window: str) -> str:
    """Return how many times too fast the alerts of a window use up the error budget."""
    return f"{of_group(f'weir:alert_latency_slow:ratio_rate{window}')} / {_ALLOWED}"


_WELL: Final = Section(
    "Is it well?",
    [
        Chart(
            Drawing.FIGURE,
            "Transactions per second",
            "Transactions accepted by all workers, the mean of the last minutes.",
            {"": per_second("weir_transactions_total")},
            width=3,
            decimals=1,
            runbooks=["WeirNoTransactions"],
        ),
        Chart(
            Drawing.FIGURE,
            "Records waiting",
            "Records in Kafka that no worker has decided yet, of all partitions.",
            {"": over_partitions("weir_consumer_lag_records")},
            width=3,
            steps=[(None, "green"), (10_000, "orange"), (50_000, "red")],
            decimals=0,
            runbooks=["WeirStandsStill", "WeirConsumerLagGrows"],
        ),
        Chart(
            Drawing.FIGURE,
            "Oldest watermark",
            "Age of the newest transaction of the partition farthest behind. It is large without a"
            " fault if nothing comes in or old data is read.",
            {"": f"max({least('weir_event_time_lag_seconds', 'partition')})"},
            unit="s",
            width=3,
            steps=[(None, "green"), (300, "orange"), (900, "red")],
            runbooks=["WeirDecidesLate", "WeirFeedLate"],
        ),
        Chart(
            Drawing.FIGURE,
            "Workers",
            "Workers that answer Prometheus.",
            {"": total("up", where='job="weir"')},
            width=3,
            steps=[(None, "red"), (1, "green")],
            decimals=0,
            runbooks=["WeirWorkerDown", "WeirNoWorker"],
        ),
        Chart(
            Drawing.FIGURE,
            "Partitions without a worker",
            "Partitions of the transactions topic less those that workers have: none of their"
            " records is monitored.",
            {"": f"{greatest('weir_topic_partitions')} - {total('weir_partitions_assigned')}"},
            width=3,
            steps=[(None, "green"), (1, "red")],
            decimals=0,
            runbooks=["WeirPartitionsUnassigned"],
        ),
        Chart(
            Drawing.FIGURE,
            "Alert latency",
            "Time within which 99 of 100 alerts of the last minutes were acknowledged, from their"
            " record's Kafka timestamp.",
            {"": quantile(0.99, "weir_alert_latency_seconds")},
            unit="s",
            width=3,
            steps=[(None, "green"), (5, "red")],
            runbooks=["WeirAlertsSlow"],
        ),
        Chart(
            Drawing.FIGURE,
            "Archive and console",
            "Archives and consoles that answer Prometheus.",
            {"": total("up", where='job=~"weir-(archive|console)"')},
            width=3,
            decimals=0,
            runbooks=["WeirArchiveDown"],
        ),
        Chart(
            Drawing.FIGURE,
            "Newest policy",
            "Whether the newest policy record is in force, or was refused and an older one still"
            " decides.",
            {"": greatest("weir_policy_refused")},
            unit="none",
            width=3,
            steps=[(None, "green"), (1, "red")],
            words={0: "in force", 1: "refused"},
            runbooks=["WeirPolicyRefused"],
        ),
    ],
)

_TRAFFIC: Final = Section(
    "Traffic",
    [
        Chart(
            Drawing.AREAS,
            "Transactions per second by worker",
            "Transactions accepted, by worker.",
            {"{{instance}}": per_second("weir_transactions_total", "instance")},
        ),
        Chart(
            Drawing.LINES,
            "Skipped and closed per second",
            "Redeliveries are records skipped because state includes them already, after a crash or"
            " a rebalance. Account-days are closed by the watermark.",
            {
                "redeliveries": per_second("weir_redeliveries_total"),
                "account-days closed": per_second("weir_account_days_closed_total"),
            },
        ),
        Chart(
            Drawing.AREAS,
            "Decided in Python per second",
            "Records on which Python decided and not a kernel, by the reason. They take longer.",
            {"{{reason}}": per_second("weir_records_in_python_total", "reason")},
        ),
    ],
)

_MONITORED: Final = Section(
    "Is every record monitored",
    [
        Chart(
            Drawing.LINES,
            "Records received by partition in an hour",
            "Records of each partition that were received and counted within an hour. A partition"
            " at 0 that had records at this time of other days has a silent feed.",
            {
                _PARTITION: greatest("partition:weir_received_records:increase1h", "partition"),
                "all": total("weir:received_records:increase1h"),
            },
            runbooks=["WeirFeedSilent"],
        ),
        Chart(
            Drawing.LINES,
            "Records received by partition in a day",
            "Records of each partition within a day.",
            {
                _PARTITION: greatest("partition:weir_received_records:increase1d", "partition"),
                "all": total("weir:received_records:increase1d"),
            },
            runbooks=["WeirFeedSilentForADay"],
        ),
        Chart(
            Drawing.LINES,
            "Received and heartbeats per second",
            "Records of transactions, and heartbeats, by which the days of a partition without"
            " transactions go on; and records that the map of the topic leaves out.",
            {
                "received": per_second("weir_received_records_total"),
                "heartbeats": per_second("weir_heartbeats_total"),
                "left out": per_second("weir_left_out_records_total"),
            },
        ),
        Chart(
            Drawing.LINES,
            "Records that were not monitored for a while",
            "Of the last notice of each partition: how many records were decided late.",
            {_PARTITION: greatest("weir_not_monitored_records", "partition")},
            runbooks=["WeirNotMonitored"],
        ),
        Chart(
            Drawing.LINES,
            "Latest such notice",
            "When the latest notice of each partition that records were decided late was told.",
            {_PARTITION: f"1000 * {greatest('weir_not_monitored_timestamp_seconds', 'partition')}"},
            unit="dateTimeFromNow",
            words={0: "never"},
        ),
        Chart(
            Drawing.LINES,
            "Received, and came to nothing",
            "Records that were neither decided, rejected nor skipped. This must stay 0.",
            {_PARTITION: growth("weir_unaccounted_records_total", "partition")},
            runbooks=["WeirRecordsUnaccounted"],
        ),
    ],
)

_LAG: Final = Section(
    "Lag",
    [
        Chart(
            Drawing.LINES,
            "Event-time lag by partition",
            "Clock minus watermark: how old the newest transaction of each partition is.",
            {_PARTITION: least("weir_event_time_lag_seconds", "partition")},
            unit="s",
            runbooks=["WeirDecidesLate", "WeirFeedLate"],
        ),
        Chart(
            Drawing.LINES,
            "Records waiting by partition",
            "Records of each partition that wait to be decided. Records behind a transaction that"
            " its producer has not ended cannot be read yet.",
            {
                _PARTITION: greatest("weir_consumer_lag_records", "partition"),
                f"held by an open transaction, {_PARTITION}": greatest(
                    "weir_uncommitted_records", "partition"
                ),
            },
            runbooks=["WeirConsumerLagGrows", "WeirTransactionOpen"],
        ),
        Chart(
            Drawing.LINES,
            "Watermark held back",
            "How far one account's records are ahead of the watermark, which waits for a second"
            " account, by partition; 0 if it does not wait.",
            {_PARTITION: greatest("weir_watermark_held_back_seconds", "partition")},
            unit="s",
            width=4,
            runbooks=["WeirWatermarkHeldBack"],
        ),
        Chart(
            Drawing.BARS,
            "Dated far ahead",
            "Transactions of an hour dated so far ahead of all other accounts' that the watermark"
            " did not follow.",
            {"an hour": of_group("weir:ahead_transactions:increase1h")},
            width=4,
        ),
    ],
)

_LATENCY: Final = Section(
    "Alert latency",
    [
        Chart(
            Drawing.LINES,
            "Time to an acknowledged alert",
            "From a record's Kafka timestamp to its acknowledged alert: median and 99th"
            " percentile.",
            {
                "median": quantile(0.5, "weir_alert_latency_seconds"),
                "99 %": quantile(0.99, "weir_alert_latency_seconds"),
            },
            unit="s",
        ),
        Chart(
            Drawing.HEAT,
            "Spread of alert latency",
            "Runs with alerts in each interval, by the latency of their earliest such record.",
            {"{{le}}": growth("weir_alert_latency_seconds_bucket", "le")},
            unit="s",
        ),
        Chart(
            Drawing.LINES,
            "Burn of the latency objective",
            "How many times too fast alerts slower than 5 s use up what the objective allows (1 in"
            " 100). Above 14.4 over an hour, or above 6 over six hours, an alert rule fires.",
            {
                "5 minutes": _burn("5m"),
                "30 minutes": _burn("30m"),
                "an hour": _burn("1h"),
                "6 hours": _burn("6h"),
            },
            runbooks=["WeirAlertsSlow", "WeirAlertsSlowing"],
        ),
    ],
)

_WORK: Final = Section(
    "Work",
    [
        Chart(
            Drawing.LINES,
            "Deciding a run",
            "Time to decide one run of records and to queue its output: median and 99th"
            " percentile.",
            {
                "median": quantile(0.5, "weir_run_duration_seconds"),
                "99 %": quantile(0.99, "weir_run_duration_seconds"),
            },
            unit="s",
        ),
        Chart(
            Drawing.LINES,
            "Cost of a record",
            "Time of deciding divided by the records decided.",
            {
                "a record": ratio(
                    per_second("weir_run_duration_seconds_sum"), per_second("weir_run_records_sum")
                )
            },
            unit="s",
        ),
        Chart(
            Drawing.LINES,
            "Records of a run",
            "Records of one run: the more wait, the longer the runs.",
            {"mean": mean("weir_run_records")},
        ),
        Chart(
            Drawing.LINES,
            "Flush",
            "Time of one flush, from its snapshot to the acknowledged seal: median and 99th"
            " percentile.",
            {
                "median": quantile(0.5, "weir_flush_duration_seconds"),
                "99 %": quantile(0.99, "weir_flush_duration_seconds"),
            },
            unit="s",
        ),
        Chart(
            Drawing.LINES,
            "State written",
            "Bytes of state written to the changelog each second.",
            {"{{instance}}": per_second("weir_flush_bytes_total", "instance")},
            unit="Bps",
        ),
        Chart(
            Drawing.LINES,
            "Since the last flush",
            "Time since state was written last. It grows while nothing comes in.",
            {"{{instance}}": f"time() - ({of_process('weir_last_flush_timestamp_seconds')} > 0)"},
            unit="s",
            runbooks=["WeirFlushTooOld"],
        ),
    ],
)

_GROUP: Final = Section(
    "Group and recovery",
    [
        Chart(
            Drawing.LINES,
            "Recovery of a partition",
            "Mean time to put a partition together from its changelog's records, since each worker"
            " began.",
            {
                "{{instance}}": ratio(
                    of_process("weir_recovery_duration_seconds_sum"),
                    of_process("weir_recovery_duration_seconds_count"),
                )
            },
            unit="s",
        ),
        Chart(
            Drawing.BARS,
            "Rebalances",
            "Generations of the group that each worker has seen, in an hour.",
            {"{{instance}}": growth("weir_rebalances_total", "instance", within="1h")},
            runbooks=["WeirRebalancesOften"],
        ),
        Chart(
            Drawing.AREAS,
            "Partitions by worker",
            "Partitions that each worker works on.",
            {"{{instance}}": of_process("weir_partitions_assigned")},
            runbooks=["WeirPartitionsUnassigned"],
        ),
    ],
)

_STATE: Final = Section(
    "State",
    [
        Chart(
            Drawing.AREAS,
            "Accounts",
            "Accounts with open days, or with days that a review may count, by partition.",
            {_PARTITION: greatest("weir_state_accounts", "partition")},
        ),
        Chart(
            Drawing.AREAS,
            "Open transactions",
            "Transactions of open days, by partition: they are kept until the day closes. And the"
            " reversals that wait for their originals.",
            {
                _PARTITION: greatest("weir_state_open_transactions", "partition"),
                "reversals that wait": total("weir_reversals_waiting"),
            },
        ),
        Chart(
            Drawing.AREAS,
            "Bytes",
            "Bytes that the changelog holds live, by partition: a recovery reads them.",
            {_PARTITION: greatest("weir_state_bytes", "partition")},
            unit="bytes",
        ),
    ],
)

_PROCESSES: Final = Section(
    "Processes",
    [
        Chart(
            Drawing.LINES,
            "Memory",
            "Memory in RAM of each worker, archive and console.",
            {_PROCESS: of_process("process_resident_memory_bytes")},
            unit="bytes",
        ),
        Chart(
            Drawing.LINES,
            "Address space",
            "Address space of each process. It is no memory until it is used.",
            {_PROCESS: of_process("process_virtual_memory_bytes")},
            unit="bytes",
        ),
        Chart(
            Drawing.LINES,
            "Processor",
            "Processors that each process uses: 1 is a whole one.",
            {_PROCESS: per_second("process_cpu_seconds_total", "job, instance")},
        ),
        Chart(
            Drawing.LINES,
            "File descriptors",
            "The share of the file descriptors that a process may open and has opened.",
            {_PROCESS: ratio(of_process("process_open_fds"), of_process("process_max_fds"))},
            unit="percentunit",
            most=1,
        ),
        Chart(
            Drawing.LINES,
            "Since the start",
            "Time since each process was started. A fall is a restart.",
            {_PROCESS: f"time() - {of_process('process_start_time_seconds')}"},
            unit="s",
            runbooks=["WeirCrashLoop"],
        ),
        Chart(
            Drawing.TABLE,
            "Program",
            "The version that each process runs, and the format of state that it writes.",
            {"": of_process("weir_build_info")},
            unit="none",
        ),
    ],
)

_POLICY: Final = Section(
    "Policy and account attributes",
    [
        Chart(
            Drawing.LINES,
            "Policy version",
            "The greatest policy version that each worker knows; they differ for seconds only.",
            {"{{instance}}": of_process("weir_policy_version")},
            unit="none",
            width=12,
            runbooks=["WeirPolicyVersionsDiffer"],
        ),
        Chart(
            Drawing.BARS,
            "Refused policy records",
            "Policy records that could not be used, in an hour.",
            {"{{instance}}": growth("weir_policy_refusals_total", "instance", within="1h")},
            width=12,
        ),
        Chart(
            Drawing.AREAS,
            "Known accounts",
            "Accounts of each partition whose segment, branch or product is known.",
            {_PARTITION: greatest("weir_accounts_known", "partition")},
        ),
        Chart(
            Drawing.BARS,
            "Changed accounts",
            "Accounts whose attributes changed in an hour; at a start, all that are read.",
            {"changed": growth("weir_account_changes_total", within="1h")},
        ),
        Chart(
            Drawing.BARS,
            "Refused account records",
            "Records of the accounts topic that could not be used, in an hour, by reason.",
            {"{{reason}}": growth("weir_account_rejections_total", "reason", within="1h")},
        ),
    ],
)

_STORE: Final = Section(
    "Archive and console",
    [
        Chart(
            Drawing.LINES,
            "Records taken into the store",
            "Records a second that the archive took, by topic, and those that it could not read.",
            {
                "{{topic}}": per_second("weir_archive_records_total", "topic"),
                "passed over": per_second("weir_archive_passed_over_total"),
            },
        ),
        Chart(
            Drawing.LINES,
            "Records that wait for the archive",
            "Records that each topic held at the last fetch and the store does not have yet.",
            {"{{topic}}": total("weir_archive_lag_records", "topic")},
            runbooks=["WeirArchiveBehind"],
        ),
        Chart(
            Drawing.LINES,
            "Console: time of requests",
            "The time within which 95 of 100 requests were answered, by status.",
            {"p95 {{status}}": quantile(0.95, "weir_console_request_duration_seconds", "status")},
            unit="s",
        ),
    ],
)

OPERATIONS: Final = Board(
    "operations",
    "weir",
    "Weir: operations",
    "Workers, archive and console: traffic, lag, alert latency, work, state and processes.",
    [
        _WELL,
        _TRAFFIC,
        _LAG,
        _MONITORED,
        _LATENCY,
        _WORK,
        _GROUP,
        _STATE,
        _PROCESSES,
        _POLICY,
        _STORE,
    ],
)
"""It has the address of the one dashboard that there was before, so that bookmarks lead here."""
