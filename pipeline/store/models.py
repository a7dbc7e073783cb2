"""The tables; `migrations/` makes them, and a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from pipeline.store.document_tables import add_tables

# SQLite gives a number of its own only to INTEGER keys, never to BIGINT ones.
_SERIAL = BigInteger().with_variant(Integer(), "sqlite")
_JSON = JSON(none_as_null=True)
_TIME = DateTime(timezone=True)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

sessions = Table(
    "chat_sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("user_id", String(128)),
    Column("language", String(8), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
    Index(None, "updated_at", "session_id"),
)

messages = Table(
    "chat_messages",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("session_id", String(64), ForeignKey("chat_sessions.session_id", ondelete="CASCADE"), nullable=False),
    Column("message_id", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(50)),
    Column("language", String(8), nullable=False),
    Column("collection", String(64)),
    Column("content", Text, nullable=False),
    Column("partial", Boolean, nullable=False, server_default=false()),
    Column("answer", _JSON),
    Column("metadata", _JSON),
    Column("trace_id", String(32)),
    Column("confidence", Float),
    Column("created_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
    UniqueConstraint("message_id", "role"),
    Index(None, "session_id", "id"),
)

message_feedback = Table(
    "message_feedback",
    metadata,
    Column("message_id", String(64), primary_key=True),
    Column("given_by", String(128), primary_key=True),
    Column("session_id", String(64), ForeignKey("chat_sessions.session_id", ondelete="CASCADE"), nullable=False),
    Column("rating", String(4), nullable=False),
    Column("comment", Text),
    Column("created_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
    Index(None, "session_id"),
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger),
    Column("category", String(16), nullable=False),
    Column("event_type", String(100), nullable=False),
    Column("event_status", String(20)),
    Column("priority", String(16), nullable=False),
    Column("session_id", String(64)),
    Column("message_id", String(64)),
    Column("user_id", String(128)),
    Column("correlation_id", String(128)),
    Column("trace_id", String(32)),
    Column("span_id", String(16)),
    Column("parent_span_id", String(16)),
    Column("task_id", String(64)),
    Column("attempt", Integer),
    Column("event_data", _JSON),
    Column("metadata", _JSON),
    Column("user_message", String(500)),
    Column("timestamp", _TIME, nullable=False),
    Column("processing_time_ms", BigInteger),
    Column("queue_time_ms", BigInteger),
    Column("source_system", String(64)),
    Column("reason", String(50)),
    Column("error_type", String(100)),
    Index(None, "session_id", "id"),
    Index(None, "message_id", "id"),
    Index(None, "category", "id"),
)
# What the migrations say more of these (a BRIN on PostgreSQL, and which rows the last two hold) is left out: said here,
# every process would load that dialect.
Index("ix_events_timestamp", events.c.timestamp)
Index("ix_events_user_id_id", events.c.user_id, events.c.id)
Index("ix_events_everyone", events.c.id)

_MARK = """'"audience":"everyone"'"""
# By the text: a look into the JSON would refuse rows whose metadata hold what JSON allows and a text cannot.
FOR_EVERYONE = {
    "sqlite": text(f"instr(metadata, {_MARK}) > 0"),
    "postgresql": text(f"strpos(metadata::text, {_MARK}) > 0"),
}
"""What `ix_events_everyone` is about, by dialect; a few more rows than are really for everyone may fit."""

event_minutes = Table(
    "event_minutes",
    metadata,
    Column("minute", _TIME, primary_key=True),
    Column("category", String(16), primary_key=True),
    Column("event_type", String(100), primary_key=True),
    Column("event_status", String(20), primary_key=True),
    Column("events", BigInteger, nullable=False),
    Column("timed", BigInteger, nullable=False),
    Column("total_ms", BigInteger, nullable=False),
    Column("longest_ms", BigInteger, nullable=False),
)

event_classes = Table(
    "event_classes",
    metadata,
    Column("step_seconds", Integer, primary_key=True, autoincrement=False),
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    Column("category", String(16), primary_key=True),
    Column("event_type", String(100), primary_key=True),
    Column("event_status", String(20), primary_key=True),
    Column("priority", String(16), primary_key=True),
    Column("duration_class", Integer, primary_key=True, autoincrement=False),
    Column("events", BigInteger, nullable=False),
    Column("total_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

event_totals = Table(
    "event_totals",
    metadata,
    Column("category", String(16), primary_key=True),
    Column("event_type", String(100), primary_key=True),
    Column("priority", String(16), primary_key=True),
    Column("events", BigInteger, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("principal", String(128), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("session_id", String(64), nullable=False),
    Column("message_id", String(64), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Index(None, "created_at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("entry_id", String(40), primary_key=True),
    Column("reason", String(500), nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("wire", LargeBinary),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", _TIME, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object_type", String(64), nullable=False),
    Column("object_id", String(255)),
    Column("outcome", String(16), nullable=False),
    Column("details", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

recorder_state = Table(
    "recorder_state",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("newest_id", BigInteger, nullable=False),
    Column("epoch", String(32)),
)

event_types = Table(
    "event_types",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("category", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("audience", String(16), nullable=False),
    Column("schema", _JSON),
    Column("texts", _JSON, nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(8), primary_key=True),
    Column("family", String(8), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("name", String(100), nullable=False),
    Column("scopes", String(100), nullable=False),
    Column("user_id", String(128)),
    Column("created_by", String(128), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("expires_at", _TIME),
    Column("revoked_at", _TIME),
    Column("last_used_at", _TIME),
    Column("version", BigInteger, nullable=False),
    UniqueConstraint("version"),
    Index(None, "family"),
)

administrators = Table(
    "administrators",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("password", String(255), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("changed_at", _TIME, nullable=False),
)

administrator_sessions = Table(
    "administrator_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(100), ForeignKey("administrators.name", ondelete="CASCADE"), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("seen_at", _TIME, nullable=False),
    Index(None, "name"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscription_id", String(32), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("sees", String(16), nullable=False),
    Column("key_family", String(8)),
    Column("name", String(100), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("target", String(2000), nullable=False),
    Column("event_types", _JSON, nullable=False),
    Column("categories", _JSON, nullable=False),
    Column("priorities", _JSON, nullable=False),
    Column("session_id", String(64)),
    Column("user_id", String(128)),
    Column("enabled", Boolean, nullable=False),
    Column("secret_version", Integer, nullable=False),
    Column("since_id", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("open_until", _TIME),
    Column("lease", String(32)),
    Column("lease_until", _TIME),
    Column("sent_until", _TIME),
    Column("dropped", BigInteger, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
    Index(None, "owner"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column(
        "subscription_id",
        String(32),
        ForeignKey("subscriptions.subscription_id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("event_id", BigInteger, nullable=False),
    Column("event_type", String(100), nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", _TIME, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("tried_at", _TIME),
    Column("http_status", Integer),
    Column("latency_ms", BigInteger),
    Column("error", String(200)),
    Column("payload", LargeBinary),
    UniqueConstraint("subscription_id", "event_id"),
    Index(None, "subscription_id", "id"),
    Index(None, "status", "due_at"),
    Index(None, "created_at"),
)

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("definition", _JSON, nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("rule", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("value", Float, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("told", Boolean, nullable=False),
    Column("since", _TIME, nullable=False),
    Column("fired_at", _TIME),
    Column("resolved_at", _TIME),
    Index(None, "rule", "id"),
    Index(None, "status"),
)

alert_silences = Table(
    "alert_silences",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("rule", String(64), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("until", _TIME, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", String(128), nullable=False),
    Column("until", _TIME, nullable=False),
)

add_tables(metadata)
documents = metadata.tables["documents"]
document_chunks = metadata.tables["document_chunks"]
document_words = metadata.tables["document_words"]
document_terms = metadata.tables["document_terms"]
document_counters = metadata.tables["document_counters"]
document_vectors = metadata.tables["document_vectors"]
