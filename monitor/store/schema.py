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
    false,
    literal_column,
    text,
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
NAME_LENGTH: Final = 256
NAME: Final = String(NAME_LENGTH)
WORD: Final = String(32)
BYTEWISE: Final = "C"
"""PostgreSQL compares these texts by their bytes, as SQLite compares all: prefixes are ranges."""

ACCOUNT: Final = NAME.with_variant(String(NAME_LENGTH, collation=BYTEWISE), "postgresql")
PLACE: Final = String(160).with_variant(String(160, collation=BYTEWISE), "postgresql")

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
    Column("account_id", ACCOUNT),
    Column("business_day", String(10), nullable=False),
    Column("segment", NAME),
    Column("threshold_id", NAME),
    Column("value", String(64)),
    Column("currency", String(3)),
    Column("priority", Integer, nullable=False),
    Column("incident_id", ID),
    Column("raised_at", BigInteger, nullable=False),
    Column("told_at", BigInteger, nullable=False),
    # The store's own order of changes: a later report of any alert has a greater number.
    Column("change", BigInteger, nullable=False),
    # Where it stands in the queue: see `groups`. It follows from the other alerts of its account.
    Column("last_day", String(10), nullable=False),
    Column("group_id", ID, nullable=False),
    Column("place", PLACE, nullable=False),
    Column("record", Text, nullable=False),
    # What people made of it: follows from `actions`, and from the revisions that they saw.
    Column("state", WORD, nullable=False),
    Column("assignee", NAME),
    Column("disposition", WORD),
    Column("disposed_by", NAME),
    Column("is_back", Boolean, nullable=False),
    Column("snoozed_until", BigInteger),
    Column("version", Integer, nullable=False),
    # The kind is in it, and has no index of its own: each more that is written in no order costs an
    # archive a tenth of its speed, and to pass over the other kinds costs a page some milliseconds.
    Index("ix_alerts_queue", "state", "place", "kind", "severity", "snoozed_until"),
    # All that `groups` asks of an account's alerts, so that their rows need not be read.
    Index(
        "ix_alerts_account",
        "account_id",
        "business_day",
        "last_day",
        "state",
        "priority",
        "alert_id",
        "place",
        "snoozed_until",
    ),
    Index("ix_alerts_day", "business_day", "state", "place"),
    Index("ix_alerts_change", "change"),
    Index("ix_alerts_raised", "raised_at", "kind"),  # written in its order: it costs little
    *(
        Index(
            name,
            *columns,
            sqlite_where=text(condition),
            postgresql_where=text(condition.removesuffix(" = 1")),
        )
        for name, columns, condition in (
            ("ix_alerts_incident", ("incident_id", "state", "place"), "incident_id IS NOT NULL"),
            # What a filter asks for is in the index, so that rows it leaves out are not read.
            (
                "ix_alerts_assignee",
                ("assignee", "state", "place", "kind", "severity"),
                "assignee IS NOT NULL",
            ),
            ("ix_alerts_back", ("state", "place", "kind", "severity"), "is_back = 1"),
            # Few alerts are snoozed: those whose snooze has ended are counted with each page.
            (
                "ix_alerts_snoozed",
                (
                    "snoozed_until",
                    "state",
                    "assignee",
                    "is_back",
                    "kind",
                    "severity",
                    "place",
                    "alert_id",
                ),
                "snoozed_until IS NOT NULL",
            ),
            ("ix_alerts_systemic", ("state", "place"), "kind = 'systemic'"),
            ("ix_alerts_waiting", ("state", "disposed_by"), "state = 'waiting'"),
            ("ix_alerts_systemic_day", ("business_day", "alert_id"), "kind = 'systemic'"),
        )
    ),
)

IS_SYSTEMIC: Final = alerts.c.kind == literal_column("'systemic'")
"""Written as the condition of its index is: a database that is given a value does not see it."""

standing_counts: Final = Table(
    "standing_counts",
    metadata,
    Column("state", WORD, primary_key=True),
    Column("assignee", NAME, primary_key=True),  # empty: nobody
    Column("is_back", Boolean, primary_key=True),
    Column("alerts", BigInteger, nullable=False),
)
"""How many alerts stand in each way, as `alerts` has them: see `figures.standings`."""

IS_WAITING: Final = alerts.c.state == literal_column("'waiting'")
"""As IS_SYSTEMIC is."""

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
    # Whether a policy suppresses it: the record says up to when, and why.
    Column("is_suppressed", Boolean, nullable=False, server_default=false()),
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
    Index("ix_actions_at", "action", "at"),
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

segment_days: Final = Table(
    "segment_days",
    metadata,
    Column("business_day", String(10), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("segment", NAME, primary_key=True),  # empty: account-days without one
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("account_days", BigInteger, nullable=False),
    Column("breaches", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
)
"""What each partition says of a closed business day: the counts of all its records add up."""

counted_hours: Final = Table(
    "counted_hours",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("decided", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Index("ix_counted_hours_hour", "hour"),
)
"""What records of a partition that were written in an hour have come to; rows add up."""

counted_offsets: Final = Table(
    "counted_offsets",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
)
"""From which offset on every record was counted, and up to where."""

not_monitored: Final = Table(
    "not_monitored",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("accounts", BigInteger, nullable=False),
    Column("written_from", BigInteger, nullable=False),
    Column("written_to", BigInteger, nullable=False),
    Column("decided_from", BigInteger, nullable=False),
    Column("decided_to", BigInteger, nullable=False),
    Index("ix_not_monitored_decided", "decided_to"),
)
"""Records that were decided late: how many, of how many accounts, and when."""

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

task_steps: Final = Table(
    "task_steps",
    metadata,
    Column("step_id", ID, primary_key=True),
    Column("task_id", NAME, nullable=False),
    Column("step", WORD, nullable=False),
    Column("by", NAME, nullable=False),
    Column("at", BigInteger, nullable=False),
    # Of an opening alone, and also in its detail.
    Column("account_id", NAME),
    Column("alert_id", NAME),
    Column("assignee", NAME),
    Column("due", String(10)),
    Column("detail", Text, nullable=False),
    Index("ix_task_steps_task", "task_id", "at"),
    Index("ix_task_steps_due", "step", "due", "task_id"),
    Index("ix_task_steps_account", "account_id"),
    Index("ix_task_steps_alert", "alert_id"),
)
"""Tasks with clients that people open, do and drop: only ever added to."""

OF_TOPICS: Final = (
    progress,
    alerts,
    standing_counts,
    revisions,
    actions,
    rejections,
    rejection_counts,
    account_days,
    sealed_days,
    segment_days,
    counted_hours,
    counted_offsets,
    not_monitored,
    policies,
    proposal_steps,
    task_steps,
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

begun_logins: Final = Table(
    "begun_logins",
    metadata,
    Column("browser_hash", ID, primary_key=True),
    Column("state_hash", ID, nullable=False),
    Column("following", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("ix_begun_logins_until", "until"),
)
"""Logins that wait for a provider's answer: each is finished once, by the browser that began it."""

saved_views: Final = Table(
    "saved_views",
    metadata,
    Column("owner", NAME, primary_key=True),
    Column("name", ID, primary_key=True),
    Column("query", Text, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
)
"""Filters of the queue under a name, each of one person alone: in the store, and on no topic."""

service_tokens: Final = Table(
    "service_tokens",
    metadata,
    Column("name", WORD, primary_key=True),
    Column("token_hash", ID, nullable=False),
    Column("owner", NAME, ForeignKey("users.name"), nullable=False),
    Column("scope", WORD, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
    Index("ix_service_tokens_hash", "token_hash", unique=True),
)
"""By which programs use the API for a user. One that was revoked stays, so that it is named."""

answers: Final = Table(
    "answers",
    metadata,
    Column("actor", NAME, primary_key=True),
    Column("key", NAME, primary_key=True),
    Column("fingerprint", ID, nullable=False),
    Column("status", Integer, nullable=False),
    Column("media_type", WORD, nullable=False),
    Column("etag", NAME),
    Column("body", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_answers_at", "at"),
)
"""What requests with an Idempotency-Key were answered, for a day."""

webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("url", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("secret_file", Text, nullable=False),
    Column("allows_private", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("webhook", Integer, ForeignKey("webhooks.number"), nullable=False),
    Column("event_id", NAME, nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("first_try_at", BigInteger),
    Column("outcome", WORD),
    Column("ended_at", BigInteger),
    Column("error", NAME),
    Index("ix_deliveries_event", "webhook", "event_id", unique=True),
    Index("ix_deliveries_due", "outcome", "next_at", "number"),
)
"""Events for webhooks; `outcome` is empty as long as one is tried."""

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

audit_anchors: Final = Table(
    "audit_anchors",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hash", ID, nullable=False),
)
"""The last entry that a pruning of the audit took away: the chain goes on from its hash."""

audit_redactions: Final = Table(
    "audit_redactions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("erasure", Integer, primary_key=True, autoincrement=False),
    Column("hash", ID, nullable=False),
)
"""Entries that an erasure redacted: the hash of what they say now. `erasure` is the entry that
commits to it."""

erasure_secrets: Final = Table(
    "erasure_secrets",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("secret", ID, nullable=False),
)
"""The key of the hashes of what was erased: one row, from the first erasure on."""

erased_accounts: Final = Table(
    "erased_accounts",
    metadata,
    Column("account_hash", ID, primary_key=True),
    Column("erased_at", BigInteger, nullable=False),
    Column("by", NAME, nullable=False),
    Column("passed_over", BigInteger, nullable=False),
)
"""Accounts that must not come back; `passed_over` counts their records that came since."""

erased_alerts: Final = Table(
    "erased_alerts",
    metadata,
    Column("alert_hash", ID, primary_key=True),
)
"""Alerts of erased accounts: what people did with them must not come back either."""
