"""The tables of the store: alerts, their revisions, people's actions, and the console's own.

One part follows from the topics, and is made again from them (`OF_TOPICS`). The other part is the
console's own: people, their sessions, what waits to be published, and the audit. Times are
microseconds since 1970 (UTC), days are texts, money is the text that the topic has.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID: Final = String(64)
NAME: Final = String(256)
WORD: Final = String(32)

progress: Final = Table(
    "progress",
    metadata,
    Column("topic", NAME, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)
"""How far each partition of a topic was taken; written with what was taken, or not at all."""

alerts: Final = Table(
    "alerts",
    metadata,
    Column("alert_id", ID, primary_key=True),
    # What the machine says: its latest revision.
    Column("revision", Integer, nullable=False),
    Column("kind", WORD, nullable=False),
    Column("status", WORD, nullable=False),
    Column("severity", WORD, nullable=False),
    Column("account_id", NAME),
    Column("business_day", String(10), nullable=False),
    Column("segment", NAME),
    Column("threshold_id", NAME),
    Column("value", String(64)),
    Column("currency", String(3)),
    Column("priority", Integer, nullable=False),
    Column("incident_id", ID),
    Column("raised_at", BigInteger, nullable=False),
    Column("told_at", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    # What people made of it: follows from `actions`, and from the revisions that they saw.
    Column("state", WORD, nullable=False),
    Column("assignee", NAME),
    Column("disposition", WORD),
    Column("disposed_by", NAME),
    Column("is_back", Boolean, nullable=False),
    Column("snoozed_until", BigInteger),
    Column("version", Integer, nullable=False),
    Index("ix_alerts_queue", "state", "priority", "alert_id"),
    Index("ix_alerts_kind", "kind", "state", "priority", "alert_id"),
    Index("ix_alerts_back", "is_back", "state", "priority", "alert_id"),
    Index("ix_alerts_snoozed", "state", "snoozed_until"),
    Index("ix_alerts_account", "account_id", "business_day"),
    Index("ix_alerts_incident", "incident_id", "state"),
    Index("ix_alerts_assignee", "assignee", "state", "priority"),
    Index("ix_alerts_told", "told_at"),
    Index("ix_alerts_day", "business_day", "kind"),
)

revisions: Final = Table(
    "revisions",
    metadata,
    Column("alert_id", ID, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("told_at", BigInteger, nullable=False),
    Column("status", WORD, nullable=False),
    Column("severity", WORD, nullable=False),
    Column("value", String(64)),
    Column("record", Text, nullable=False),
)

actions: Final = Table(
    "actions",
    metadata,
    Column("action_id", ID, primary_key=True),
    Column("alert_id", ID, nullable=False),
    Column("action", WORD, nullable=False),
    Column("by", NAME, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("revision", Integer),
    Column("detail", Text, nullable=False),
    Index("ix_actions_alert", "alert_id", "at"),
)
"""What people did: only ever added to. `action_id` follows from what it says."""

rejections: Final = Table(
    "rejections",
    metadata,
    Column("topic", NAME, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("told_at", BigInteger, nullable=False),
    Column("reason", WORD, nullable=False),
    Column("record", Text, nullable=False),
)
"""Samples: the latest ones of each reason; `rejection_counts` counts all."""

rejection_counts: Final = Table(
    "rejection_counts",
    metadata,
    Column("hour", BigInteger, primary_key=True),
    Column("reason", WORD, primary_key=True),
    Column("rejected", BigInteger, nullable=False),
)
"""How many records were rejected in each hour (its beginning), by the time of the rejection."""

account_days: Final = Table(
    "account_days",
    metadata,
    Column("account_id", NAME, primary_key=True),
    Column("business_day", String(10), primary_key=True),
    Column("segment", NAME),
    Column("record", Text, nullable=False),
    Index("ix_account_days_day", "business_day"),
)

sealed_days: Final = Table(
    "sealed_days",
    metadata,
    Column("business_day", String(10), primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("sha256", ID, nullable=False),
    Column("sealed_at", BigInteger, nullable=False),
    Column("file", NAME, nullable=False),
)
"""Business days whose account-days are in a file; a row of `account_days` comes before it."""

policies: Final = Table(
    "policies",
    metadata,
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("told_at", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
)
"""What the policy topic has, a text a record: one that cannot be used is there, too."""

proposal_steps: Final = Table(
    "proposal_steps",
    metadata,
    Column("step_id", ID, primary_key=True),
    Column("proposal_id", NAME, nullable=False),
    Column("step", WORD, nullable=False),
    Column("by", NAME, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_proposal_steps_proposal", "proposal_id", "at"),
)
"""Other limits that people propose, approve and decline: only ever added to."""

OF_TOPICS: Final = (
    progress,
    alerts,
    revisions,
    actions,
    rejections,
    rejection_counts,
    account_days,
    sealed_days,
    policies,
    proposal_steps,
)
"""Tables that are made again from the topics."""

outbox: Final = Table(
    "outbox",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("topic", WORD, nullable=False),
    Column("key", NAME, nullable=False),
    Column("value", Text, nullable=False),
    Column("written_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Index("ix_outbox_sent", "sent_at", "number"),
)
"""What people decided, until the broker has it; `topic` is its short name."""

users: Final = Table(
    "users",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("role", WORD, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("token_hash", ID, primary_key=True),
    Column("name", NAME, ForeignKey("users.name"), nullable=False),
    Column("csrf", ID, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_sessions_name", "name"),
)
"""Who is logged in. The database has only the hash of what a browser holds."""

setup_tokens: Final = Table(
    "setup_tokens",
    metadata,
    Column("token_hash", ID, primary_key=True),
    Column("until", BigInteger, nullable=False),
)
"""Links by which the first administrator is made; each is used once."""

failed_logins: Final = Table(
    "failed_logins",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("name", NAME, nullable=False),
    Column("address", NAME, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_failed_logins_at", "at"),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", NAME, nullable=False),
    Column("action", WORD, nullable=False),
    Column("subject", NAME, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("request", NAME),
    Column("previous", ID, nullable=False),
    Column("hash", ID, nullable=False),
)
"""Who did what, only ever added to: each entry has the hash of the one before."""
