"""The topics: their names, and how each is to be created."""

from dataclasses import dataclass
from typing import Final

from streams.kafka.admin import TopicSpec
from streams.settings import Settings

STATE_TABLE: Final = "state"
_FOR_EVER: Final = {"retention.ms": "-1"}


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the topics under one prefix, and of the changelog of one group."""

    transactions: str
    alerts: str
    rejections: str
    account_days: str
    segment_days: str
    systemic: str
    policy: str
    weights: str
    dispositions: str
    cases: str
    accounts: str
    completeness: str
    changelog: str
    systemic_state: str

    @staticmethod
    def of(settings: Settings) -> "Topics":
        """Return the names that the settings make."""
        prefix = settings.topic_prefix
        return Topics(
            transactions=settings.transactions_topic or f"{prefix}transactions.v1",
            alerts=f"{prefix}alerts.v1",
            rejections=f"{prefix}rejections.v1",
            account_days=f"{prefix}account-days.v1",
            segment_days=f"{prefix}segment-days.v1",
            systemic=f"{prefix}systemic.v1",
            policy=f"{prefix}policy.v1",
            weights=f"{prefix}weights.v1",
            dispositions=f"{prefix}dispositions.v1",
            cases=f"{prefix}cases.v1",
            accounts=f"{prefix}accounts.v1",
            completeness=f"{prefix}completeness.v1",
            changelog=f"{settings.group}-{STATE_TABLE}-changelog",  # as Faust names it
            systemic_state=f"{settings.group}-systemic-state",
        )


def topic_specs(settings: Settings) -> tuple[TopicSpec, ...]:
    """Return every topic of Weir.

    Alerts, rejections and account-days have the partitions of the transactions, because each
    partition's engine writes to its own; and so have accounts, because it reads its own. Retention
    is for ever where a person may have to answer for it, and left to the broker for the
    transactions, which are the bank's. Dispositions and cases are what people write, so one
    partition holds them, in one order.
    """
    topics, partitions = Topics.of(settings), settings.partitions
    compacted = {"cleanup.policy": "compact"}
    return (
        TopicSpec(topics.transactions, partitions, {}),
        TopicSpec(topics.alerts, partitions, _FOR_EVER),
        TopicSpec(topics.rejections, partitions, _FOR_EVER),
        TopicSpec(topics.account_days, partitions, _FOR_EVER),
        TopicSpec(topics.segment_days, 1, _FOR_EVER),  # one reader joins all partitions
        TopicSpec(topics.systemic, 1, compacted),
        TopicSpec(topics.systemic_state, 1, compacted),
        TopicSpec(topics.policy, 1, compacted),
        TopicSpec(topics.weights, 1, compacted),
        TopicSpec(topics.dispositions, 1, _FOR_EVER),
        TopicSpec(topics.cases, 1, _FOR_EVER),
        TopicSpec(topics.accounts, partitions, compacted),
        TopicSpec(topics.completeness, partitions, compacted),
        TopicSpec(topics.changelog, partitions, compacted),
    )


def worker_topic_specs(settings: Settings) -> tuple[TopicSpec, ...]:
    """Return the topics without which no worker starts: all but what people alone write."""
    topics = Topics.of(settings)
    of_people = {topics.cases, topics.dispositions}
    return tuple(spec for spec in topic_specs(settings) if spec.name not in of_people)
