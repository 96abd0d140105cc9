"""Prometheus metrics in base units, with labels of a fixed few values.

An account never is a label. `METRICS` is what docs/metrics.md is checked against.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from monitor.core.alert import NEVER_SUPPRESSED, Kind, Status
from monitor.core.attributes import REASONS
from monitor.core.transaction import Reason
from monitor.ordinary.layout import IN_PYTHON
from streams.exposition import BUILD_INFO, Metric
from streams.state.keys import FORMAT

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LATENCY: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_RECORDS: Final = (1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)


METRICS: Final = {
    "transactions": Metric(
        "weir_transactions_total", "counter", "Transactions accepted; rejections are not counted."
    ),
    "rejections": Metric(
        "weir_rejections_total", "counter", "Records rejected, by reason.", ("reason",)
    ),
    "unwatched": Metric(
        "weir_unwatched_transactions_total",
        "counter",
        "Transactions in a currency that no limit watches, by currency.",
        ("currency",),
    ),
    "limit_currency_seen": Metric(
        "weir_limit_currency_seen",
        "gauge",
        "Of each currency that limits name: 1 once this worker has had a transaction in it.",
        ("currency",),
    ),
    "undecided": Metric(
        "weir_undecided_transactions_total",
        "counter",
        "Transactions that have no rate on their business day, and that a limit on all currencies"
        " asks it of, by currency.",
        ("currency",),
    ),
    "limits_waiting": Metric(
        "weir_limits_waiting",
        "gauge",
        "Limits that a later policy brought and that cannot decide yet: no period or window of"
        " theirs is measured whole.",
        ("partition",),
    ),
    "received": Metric(
        "weir_received_records_total",
        "counter",
        "Records of a partition that were received and counted: decided, rejected or skipped."
        " Heartbeats, and records that a map leaves out, are not among them.",
        ("partition",),
    ),
    "heartbeats": Metric(
        "weir_heartbeats_total",
        "counter",
        "Heartbeats of a partition, by which its days go on without transactions.",
        ("partition",),
    ),
    "left_out": Metric(
        "weir_left_out_records_total",
        "counter",
        "Records of a partition that the [[where]] of WEIR_TRANSACTIONS_MAP leaves out.",
        ("partition",),
    ),
    "unaccounted": Metric(
        "weir_unaccounted_records_total",
        "counter",
        "Records that were received and neither decided, rejected nor skipped; it must stay 0.",
        ("partition",),
    ),
    "not_monitored_records": Metric(
        "weir_not_monitored_records",
        "gauge",
        "Records of the last notice of a partition that records were decided late; 0 without any.",
        ("partition",),
    ),
    "not_monitored_at": Metric(
        "weir_not_monitored_timestamp_seconds",
        "gauge",
        "When that notice was told (Unix time); 0 without any.",
        ("partition",),
    ),
    "ahead": Metric(
        "weir_ahead_transactions_total",
        "counter",
        "Transactions dated so far ahead of all other accounts' that the watermark did not follow.",
    ),
    "held_back": Metric(
        "weir_watermark_held_back_seconds",
        "gauge",
        "How far one account's records are ahead of the watermark, which waits for a second"
        " account; 0 if it does not wait.",
        ("partition",),
    ),
    "redeliveries": Metric(
        "weir_redeliveries_total",
        "counter",
        "Records skipped because state includes them already, after a crash or a rebalance.",
    ),
    "in_python": Metric(
        "weir_records_in_python_total",
        "counter",
        "Records on which Python decided and not a kernel, which takes longer, by the reason.",
        ("reason",),
    ),
    "alerts": Metric(
        "weir_alerts_total", "counter", "Alerts reported, by kind and status.", ("kind", "status")
    ),
    "alerts_suppressed": Metric(
        "weir_suppressed_alerts_total",
        "counter",
        "Alerts reported with the mark of a suppression, by kind and status; weir_alerts_total"
        " counts them, too.",
        ("kind", "status"),
    ),
    "alert_latency": Metric(
        "weir_alert_latency_seconds",
        "histogram",
        "Time from a record's Kafka timestamp to its acknowledged alert, of the earliest such"
        " record of each run.",
    ),
    "segment_days_told": Metric(
        "weir_segment_records_told_total", "counter", "Segment-days that partitions reported."
    ),
    "segment_days_joined": Metric(
        "weir_segment_records_joined_total",
        "counter",
        "Segment-days that the systemic agent has joined.",
    ),
    "segment_days_late": Metric(
        "weir_segment_records_late_total",
        "counter",
        "Segment-days that came after their day was decided.",
    ),
    "day_alerts": Metric(
        "weir_day_alerts_total",
        "counter",
        "Account alerts of decided days: raised, grouped under a systemic alert, and shown (the"
        " rest, and the systemic ones).",
        ("part",),
    ),
    "systemic_behind": Metric(
        "weir_systemic_behind_days",
        "gauge",
        "Closed business days of a partition that the systemic agent has not decided yet; their"
        " reviews are kept until it has.",
        ("partition",),
    ),
    "account_days_closed": Metric(
        "weir_account_days_closed_total", "counter", "Account-days that the watermark closed."
    ),
    "event_time_lag": Metric(
        "weir_event_time_lag_seconds",
        "gauge",
        "Clock minus watermark: how old the newest transaction of a partition is.",
        ("partition",),
    ),
    "consumer_lag": Metric(
        "weir_consumer_lag_records",
        "gauge",
        "Records of a partition that wait to be decided.",
        ("partition",),
    ),
    "uncommitted": Metric(
        "weir_uncommitted_records",
        "gauge",
        "Records of a partition behind the start of a producer's open transaction.",
        ("partition",),
    ),
    "run_duration": Metric(
        "weir_run_duration_seconds",
        "histogram",
        "Time to decide one run of records and to queue its output.",
    ),
    "run_records": Metric("weir_run_records", "histogram", "Records of one run."),
    "flush_duration": Metric(
        "weir_flush_duration_seconds",
        "histogram",
        "Time of one flush, from its snapshot to the acknowledged seal.",
    ),
    "flush_bytes": Metric(
        "weir_flush_bytes_total", "counter", "Bytes of state written to the changelog."
    ),
    "recovery_duration": Metric(
        "weir_recovery_duration_seconds",
        "histogram",
        "Time to put a partition together from its changelog's records.",
    ),
    "state_accounts": Metric(
        "weir_state_accounts",
        "gauge",
        "Accounts with open days, or with days that a review may count.",
        ("partition",),
    ),
    "state_bytes": Metric(
        "weir_state_bytes", "gauge", "Bytes that the changelog holds live.", ("partition",)
    ),
    "state_open_transactions": Metric(
        "weir_state_open_transactions", "gauge", "Transactions of open days.", ("partition",)
    ),
    "reversals_waiting": Metric(
        "weir_reversals_waiting",
        "gauge",
        "Reversals that wait for the transaction which they take back.",
        ("partition",),
    ),
    "model_refusals": Metric(
        "weir_model_refusals_total",
        "counter",
        "Parts of the models' state that could not be used; they begin afresh.",
    ),
    "models_warm": Metric(
        "weir_models_warm", "gauge", "1 once the outlier models are warmed up.", ("partition",)
    ),
    "tail_scores": Metric(
        "weir_outlier_tail_scores",
        "gauge",
        "Scores that say how rare another one is; with fewer than 250 nothing is reported.",
        ("partition", "kind"),
    ),
    "models_compiling": Metric(
        "weir_models_compiling",
        "gauge",
        "1 while the models are compiled, before the first start on a machine joins the group.",
    ),
    "outliers_held_back": Metric(
        "weir_outliers_held_back",
        "gauge",
        "Strange account-days that ended unreported: the budget had no room for them.",
        ("partition",),
    ),
    "names_held": Metric(
        "weir_names_held",
        "gauge",
        "Names that a table holds which records fill; each table has a bound.",
        ("partition", "table"),
    ),
    "names_beyond": Metric(
        "weir_names_beyond",
        "gauge",
        "Observations counted without their own name, because a table of names was full.",
        ("partition", "table"),
    ),
    "partitions_assigned": Metric(
        "weir_partitions_assigned", "gauge", "Partitions that this worker works on."
    ),
    "topic_partitions": Metric(
        "weir_topic_partitions", "gauge", "Partitions that the transactions topic has."
    ),
    "rebalances": Metric("weir_rebalances_total", "counter", "Generations of the group seen."),
    "last_flush": Metric(
        "weir_last_flush_timestamp_seconds", "gauge", "When state was written last (Unix time)."
    ),
    "policy_version": Metric(
        "weir_policy_version", "gauge", "The greatest policy version that is known."
    ),
    "policy_refusals": Metric(
        "weir_policy_refusals_total", "counter", "Policy records that could not be used."
    ),
    "policy_refused": Metric(
        "weir_policy_refused",
        "gauge",
        "1 while the newest policy record is refused and an older one is in force.",
    ),
    "weights_version": Metric(
        "weir_weights_version",
        "gauge",
        "The greatest version of the weights that analysts' dispositions taught; 0 without any.",
    ),
    "weights_effective": Metric(
        "weir_weights_effective_timestamp_seconds",
        "gauge",
        "When the first business day of that version begins (Unix time); 0 without any.",
    ),
    "weights_labels": Metric(
        "weir_weights_labels",
        "gauge",
        "Dispositions that the greatest version of the weights was learned from.",
    ),
    "weights_late": Metric(
        "weir_weights_late_total",
        "counter",
        "Versions of the weights that came once a partition's business day had begun on which they"
        " were to hold: a replay scores that day otherwise.",
    ),
    "account_changes": Metric(
        "weir_account_changes_total",
        "counter",
        "Accounts whose attributes changed, those first read at a start among them.",
    ),
    "account_rejections": Metric(
        "weir_account_rejections_total",
        "counter",
        "Records of the accounts topic that could not be used, by reason.",
        ("reason",),
    ),
    "accounts_known": Metric(
        "weir_accounts_known", "gauge", "Accounts whose attributes are known.", ("partition",)
    ),
    "build_info": BUILD_INFO,
}
"""Every metric, by the name of its attribute of `Metrics`."""


class Metrics:
    """Every metric of one worker, in a registry of its own.

    Labels whose values are known beforehand stand at 0 from the start, so that rates see the first.
    """

    transactions: Counter
    rejections: Counter
    received: Counter
    heartbeats: Counter
    left_out: Counter
    unaccounted: Counter
    not_monitored_records: Gauge
    not_monitored_at: Gauge
    ahead: Counter
    held_back: Gauge
    unwatched: Counter
    limit_currency_seen: Gauge
    undecided: Counter
    limits_waiting: Gauge
    redeliveries: Counter
    in_python: Counter
    alerts: Counter
    alerts_suppressed: Counter
    alert_latency: Histogram
    segment_days_told: Counter
    segment_days_joined: Counter
    segment_days_late: Counter
    day_alerts: Counter
    systemic_behind: Gauge
    account_days_closed: Counter
    event_time_lag: Gauge
    consumer_lag: Gauge
    uncommitted: Gauge
    run_duration: Histogram
    run_records: Histogram
    flush_duration: Histogram
    flush_bytes: Counter
    recovery_duration: Histogram
    state_accounts: Gauge
    state_bytes: Gauge
    state_open_transactions: Gauge
    reversals_waiting: Gauge
    model_refusals: Counter
    models_warm: Gauge
    models_compiling: Gauge
    tail_scores: Gauge
    outliers_held_back: Gauge
    names_held: Gauge
    names_beyond: Gauge
    partitions_assigned: Gauge
    topic_partitions: Gauge
    rebalances: Counter
    last_flush: Gauge
    policy_version: Gauge
    policy_refusals: Counter
    policy_refused: Gauge
    weights_version: Gauge
    weights_effective: Gauge
    weights_labels: Gauge
    weights_late: Counter
    account_changes: Counter
    account_rejections: Counter
    accounts_known: Gauge
    build_info: Gauge

    def __init__(self, registry: CollectorRegistry, version: str) -> None:
        self.registry = registry
        for attribute, metric in METRICS.items():
            setattr(self, attribute, self._made(metric))
        self.build_info.labels(version, str(FORMAT)).set(1)
        for reason in Reason:
            self.rejections.labels(reason.value)
        for why in IN_PYTHON:
            self.in_python.labels(why)
        for reason in REASONS:
            self.account_rejections.labels(reason.value)
        for count in ("raised", "grouped", "shown"):
            self.day_alerts.labels(count)
        for kind in Kind:
            for status in Status:
                self.alerts.labels(kind.value, status.value)
                if kind not in NEVER_SUPPRESSED:
                    self.alerts_suppressed.labels(kind.value, status.value)

    def observe_alert(self, seconds: float, alert_id: str) -> None:
        """Note how long an alert took; its id is the exemplar of the histogram's bucket."""
        self.alert_latency.observe(seconds, {"alert_id": alert_id})

    def forget_partition(self, partition: int) -> None:
        """Drop the gauges of a partition that moved away: another worker has it now."""
        for attribute, metric in METRICS.items():
            if metric.labels[:1] == ("partition",):
                gauge: Gauge = getattr(self, attribute)
                gauge.remove_by_labels({"partition": str(partition)})

    def _made(self, metric: Metric) -> Counter | Gauge | Histogram:
        if metric.type == "histogram":
            return Histogram(
                metric.name, metric.about, metric.labels, registry=self.registry,
                buckets=_buckets(metric.name),
            )  # fmt: skip
        of_kind = Counter if metric.type == "counter" else Gauge
        return of_kind(metric.name, metric.about, metric.labels, registry=self.registry)


def _buckets(name: str) -> tuple[float, ...]:
    if name == METRICS["alert_latency"].name:
        return _LATENCY
    return _RECORDS if name.endswith("_records") else _SECONDS
