"""The one table of settings: name, environment variables, default, unit, help.

Nothing else in Spanfeed reads the environment. A line of the table is a field of `Settings`;
`docs/reference/settings.md` is checked against it by a test.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import os
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from pipeline.errors import SettingError

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def _setting(default: Any, env: str, help: str, unit: str = "", secret: bool = False) -> Any:
    metadata = {"env": tuple(env.split()), "help": help, "unit": unit, "secret": secret}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, repr=False)
class Settings:
    """Every setting, typed; made by `load`."""

    # Where things live
    home: str = _setting("var", "SPANFEED_HOME", "Folder for everything the program writes.")
    host: str = _setting("127.0.0.1", "SPANFEED_HOST", "Address the web server listens on.")
    port: int = _setting(5000, "PORT SPANFEED_PORT", "Port the web server listens on.", "port")
    database_url: str = _setting("", "DATABASE_URL", "Database; empty: a SQLite file in the home folder.", secret=True)
    redis_url: str = _setting("", "REDIS_URL", "Redis; empty: `spanfeed up` starts a private one.", secret=True)
    broker_url: str = _setting(
        "", "SPANFEED_BROKER_URL CELERY_BROKER_URL", "Celery's broker; empty: the same Redis.", secret=True
    )
    chroma_host: str = _setting("", "CHROMA_HOST", "ChromaDB server for vectors; empty: they are in the database.")
    chroma_port: int = _setting(8000, "CHROMA_PORT", "ChromaDB server's port.", "port")
    chroma_username: str = _setting("", "CHROMA_USERNAME", "Name for the proxy in front of it.")
    chroma_password: str = _setting("", "CHROMA_PASSWORD", "Its password.", secret=True)
    log_level: str = _setting("INFO", "LOG_LEVEL", "Lowest level that is logged.")

    verbose: bool = _setting(False, "SPANFEED_VERBOSE", "`spanfeed up` shows every line of its processes.")

    # Doors
    api_key: str = _setting("", "SPANFEED_API_KEY", "Key with all scopes; empty: made on first start.", secret=True)
    reader_api_key: str = _setting("", "GOVSTACK_API_KEY", "Key that may read and write.", secret=True)
    admin_api_key: str = _setting("", "GOVSTACK_ADMIN_API_KEY", "Key with all scopes.", secret=True)
    secret_key: str = _setting(
        "", "SPANFEED_SECRET_KEY", "Signs session tokens and cookies; empty: made on first start.", secret=True
    )
    key_pepper: str = _setting(
        "", "SPANFEED_KEY_PEPPER", "Keyed into the digests of stored keys; empty: made on first start.", secret=True
    )
    keys_limit: int = _setting(1_000, "SPANFEED_KEYS_LIMIT", "Stored keys that live at the same time.", "keys")
    key_cache_ms: int = _setting(
        500, "SPANFEED_KEY_CACHE_MS", "How long a web process or relay believes what it knows of stored keys.", "ms"
    )
    key_last_used_seconds: int = _setting(
        60, "SPANFEED_KEY_LAST_USED_SECONDS", "How often a web process notes when a stored key was used.", "s"
    )
    key_overlap_seconds: int = _setting(
        86_400, "SPANFEED_KEY_OVERLAP_SECONDS", "How long the old key lives on when a key is rotated.", "s"
    )
    admin_idle_seconds: int = _setting(
        1_800, "SPANFEED_ADMIN_IDLE_SECONDS", "An administrator who does nothing for so long is logged out.", "s"
    )
    admin_session_seconds: int = _setting(
        43_200, "SPANFEED_ADMIN_SESSION_SECONDS", "After so long an administrator must log in again.", "s"
    )
    login_tries_limit: int = _setting(
        10, "SPANFEED_LOGIN_TRIES_LIMIT", "Tries to log in per name and per address in 15 minutes.", "tries"
    )
    auth_failures_limit: int = _setting(
        10, "SPANFEED_AUTH_FAILURES_LIMIT", "Failed sign-ins of one address that raise an alarm.", "failures"
    )
    auth_failures_window_seconds: int = _setting(
        300, "SPANFEED_AUTH_FAILURES_WINDOW_SECONDS", "Within so long; the alarm is raised once in that time.", "s"
    )
    auth_events_per_minute: int = _setting(
        600, "SPANFEED_AUTH_EVENTS_PER_MINUTE", "Refused sign-ins that one web process tells of.", "1/min"
    )
    audit_key: str = _setting(
        "", "SPANFEED_AUDIT_KEY", "Chains the audit trail, apart from all other keys; empty: made at need.", secret=True
    )
    token_ttl_seconds: int = _setting(3600, "SPANFEED_TOKEN_TTL_SECONDS", "Life of a session token.", "s")
    public_chat: str = _setting(
        "auto", "SPANFEED_PUBLIC_CHAT", "Visitors of the page may chat: on, off, or auto (only on loopback)."
    )
    open_feeds: bool = _setting(
        False, "SPANFEED_OPEN_FEEDS", "A session's WebSocket is open to whoever knows its uuid4 id."
    )
    metrics_public: bool = _setting(
        False, "SPANFEED_METRICS_PUBLIC", "GET /metrics is open to everybody; else it needs a key with all scopes."
    )
    allowed_origins: str = _setting(
        "", "SPANFEED_ALLOWED_ORIGINS", "Other origins whose pages may connect, separated by commas."
    )
    trusted_proxies: int = _setting(
        0, "SPANFEED_TRUSTED_PROXIES", "Proxies in front whose X-Forwarded headers are believed.", "proxies"
    )
    body_limit_bytes: int = _setting(262_144, "SPANFEED_BODY_LIMIT_BYTES", "Longest request body.", "bytes")
    body_values_limit: int = _setting(
        200_000, "SPANFEED_BODY_VALUES_LIMIT", "Commas and brackets in a JSON body, before it is read.", "values"
    )
    message_limit_characters: int = _setting(
        16_384, "SPANFEED_MESSAGE_LIMIT_CHARACTERS", "Longest chat message.", "characters"
    )
    feedback_comment_limit_characters: int = _setting(
        2_000, "SPANFEED_FEEDBACK_COMMENT_LIMIT_CHARACTERS", "Longest comment of a rating.", "characters"
    )
    messages_per_minute: int = _setting(
        60, "SPANFEED_MESSAGES_PER_MINUTE", "Chat messages per key, visitor or address.", "1/min"
    )
    messages_in_flight_limit: int = _setting(
        5, "SPANFEED_MESSAGES_IN_FLIGHT_LIMIT", "Messages of one session that wait for their answers.", "messages"
    )
    requests_per_minute: int = _setting(
        1_200, "SPANFEED_REQUESTS_PER_MINUTE", "Other requests per key, visitor or address.", "1/min"
    )
    answer_deadline_seconds: float = _setting(
        120.0, "SPANFEED_ANSWER_DEADLINE_SECONDS", "How long POST /chat/ waits for the answer.", "s"
    )

    # The web server
    web_processes: int = _setting(1, "SPANFEED_WEB_PROCESSES", "How many web servers run side by side.", "processes")
    web_threads: int = _setting(64, "SPANFEED_WEB_THREADS", "Requests and open feeds of one web server.", "threads")
    feed_sockets_limit: int = _setting(
        48, "SPANFEED_FEED_SOCKETS_LIMIT", "Open feeds per web process; above: 503.", "sockets"
    )
    feed_sockets_per_session_limit: int = _setting(
        50, "SPANFEED_FEED_SOCKETS_PER_SESSION_LIMIT", "Open feeds per session and process.", "sockets"
    )
    feed_sockets_per_user_limit: int = _setting(
        20, "SPANFEED_FEED_SOCKETS_PER_USER_LIMIT", "Open WebSockets per end user and process; above: 429.", "sockets"
    )
    feed_streams_per_user_limit: int = _setting(
        5,
        "SPANFEED_FEED_STREAMS_PER_USER_LIMIT SSE_MAX_CONNECTIONS_PER_USER",
        "Open event streams per end user and process; above: 429, across sessions 503.",
        "streams",
    )
    feed_sockets_per_address_limit: int = _setting(
        200, "SPANFEED_FEED_SOCKETS_PER_ADDRESS_LIMIT", "Open feeds per address and process; above: 429.", "sockets"
    )
    feed_openings_per_minute: int = _setting(
        600, "SPANFEED_FEED_OPENINGS_PER_MINUTE", "Feeds that one address may try to open.", "1/min"
    )
    feed_sessions_limit: int = _setting(
        20, "SPANFEED_FEED_SESSIONS_LIMIT", "Sessions that one WebSocket may follow.", "sessions"
    )
    relays: int = _setting(
        1, "SPANFEED_RELAYS", "Relays, each of which serves its share of sessions; 0: none.", "relays"
    )
    relay_sockets_limit: int = _setting(
        20_000, "SPANFEED_RELAY_SOCKETS_LIMIT", "Open feeds per relay; above: 503.", "sockets"
    )
    relay_threads: int = _setting(
        4, "SPANFEED_RELAY_THREADS", "Threads of a relay that read what clients missed.", "threads"
    )
    feed_keepalive_seconds: float = _setting(
        30.0, "SPANFEED_FEED_KEEPALIVE_SECONDS", "A keepalive frame after so long without a client message.", "s"
    )
    feed_send_timeout_seconds: float = _setting(
        15.0, "SPANFEED_FEED_SEND_TIMEOUT_SECONDS", "A reader without progress for so long is closed (1013).", "s"
    )
    feed_queue_limit_bytes: int = _setting(
        4_194_304, "SPANFEED_FEED_QUEUE_LIMIT_BYTES", "Waiting frames per feed; above: replayed later.", "bytes"
    )
    feed_frame_limit_bytes: int = _setting(
        4_096, "SPANFEED_FEED_FRAME_LIMIT_BYTES", "Longest frame that a client may send.", "bytes"
    )
    feed_frames_per_second: float = _setting(
        10.0, "SPANFEED_FEED_FRAMES_PER_SECOND", "Frames that a client may send, on the average; above: 4429.", "1/s"
    )
    feed_frames_burst: int = _setting(
        50, "SPANFEED_FEED_FRAMES_BURST", "Frames that it may send at once after a quiet time.", "frames"
    )
    feed_ping_seconds: float = _setting(
        25.0, "SPANFEED_FEED_PING_SECONDS", "A silent client is pinged; silent as long again: dropped. 0: none.", "s"
    )
    feed_return_limit_ms: int = _setting(
        3_000, "SPANFEED_FEED_RETURN_LIMIT_MS", "Clients whose feeds end come back at random within so long.", "ms"
    )
    poll_wait_limit_seconds: int = _setting(25, "SPANFEED_POLL_WAIT_LIMIT_SECONDS", "Longest `wait` of a poll.", "s")
    poll_waits_limit: int = _setting(
        32, "SPANFEED_POLL_WAITS_LIMIT", "Polls that wait, per web process; above: answered at once.", "requests"
    )
    poll_cache_limit_entries: int = _setting(
        1_000, "SPANFEED_POLL_CACHE_LIMIT_ENTRIES", "Pages that a web process keeps for other pollers.", "pages"
    )
    poll_cache_limit_bytes: int = _setting(
        16_777_216, "SPANFEED_POLL_CACHE_LIMIT_BYTES", "The same; 0: none is kept.", "bytes"
    )
    poll_cache_seconds: float = _setting(
        5.0, "SPANFEED_POLL_CACHE_SECONDS", "How long a page is kept in which nothing changes.", "s"
    )

    # The bus
    script_timeout_ms: int = _setting(2_000, "SPANFEED_SCRIPT_TIMEOUT_MS", "One call of a stage's script.", "ms")
    script_deadline_seconds: float = _setting(
        30.0, "SPANFEED_SCRIPT_DEADLINE_SECONDS", "How long a stage's begin or end is tried again.", "s"
    )
    emit_deadline_ms: int = _setting(50, "SPANFEED_EMIT_DEADLINE_MS", "Progress and ordinary events.", "ms")
    breaker_failures_limit: int = _setting(
        3, "SPANFEED_BREAKER_FAILURES_LIMIT", "Failed emits in a row after which Redis is left alone.", "failures"
    )
    breaker_open_ms: int = _setting(500, "SPANFEED_BREAKER_OPEN_MS", "For how long, before one trial.", "ms")
    spool_limit_bytes: int = _setting(
        8_388_608, "SPANFEED_SPOOL_LIMIT_BYTES", "A process's events that wait in a file for Redis.", "bytes"
    )
    spool_files_limit: int = _setting(
        64, "SPANFEED_SPOOL_FILES_LIMIT", "Such files; above: a further process keeps none.", "files"
    )
    spool_settle_ms: int = _setting(
        1_000, "SPANFEED_SPOOL_SETTLE_MS", "How long a stage's end waits for its events in the spool.", "ms"
    )
    session_stream_limit_events: int = _setting(
        1_000, "SPANFEED_SESSION_STREAM_LIMIT_EVENTS", "Events kept in Redis per session for replay.", "events"
    )
    session_stream_ttl_seconds: int = _setting(
        3_600, "SPANFEED_SESSION_STREAM_TTL_SECONDS", "How long they are kept after the last one.", "s"
    )
    sequence_ttl_seconds: int = _setting(
        2_592_000, "SPANFEED_SEQUENCE_TTL_SECONDS", "How long a session's numbering outlives its last event.", "s"
    )
    run_ttl_seconds: int = _setting(3_600, "SPANFEED_RUN_TTL_SECONDS", "How long an ended run stays in Redis.", "s")
    emitter_key_ttl_seconds: int = _setting(
        900, "SPANFEED_EMITTER_KEY_TTL_SECONDS", "How long a repeated emit is recognised.", "s"
    )
    spans_per_stage_limit: int = _setting(
        200, "SPANFEED_SPANS_PER_STAGE_LIMIT", "Ordinary spans shown to operators per stage.", "spans"
    )

    # The stages
    worker_processes: int = _setting(4, "SPANFEED_WORKER_PROCESSES", "Children of the worker.", "processes")
    stage_soft_time_limit_seconds: float = _setting(
        90.0, "SPANFEED_STAGE_SOFT_TIME_LIMIT_SECONDS", "A stage is asked to stop.", "s"
    )
    stage_time_limit_seconds: float = _setting(
        100.0, "SPANFEED_STAGE_TIME_LIMIT_SECONDS", "A stage's process is killed.", "s"
    )
    stage_tries_limit: int = _setting(3, "SPANFEED_STAGE_TRIES_LIMIT", "Tries of one stage.", "tries")
    retry_backoff_seconds: float = _setting(
        0.5, "SPANFEED_RETRY_BACKOFF_SECONDS", "Wait before the second try; doubled for each further one.", "s"
    )
    retry_backoff_limit_seconds: float = _setting(
        8.0, "SPANFEED_RETRY_BACKOFF_LIMIT_SECONDS", "Longest wait before a further try.", "s"
    )
    lease_seconds: float = _setting(5.0, "SPANFEED_LEASE_SECONDS", "How long a begun stage is believed alive.", "s")
    lease_renew_seconds: float = _setting(1.0, "SPANFEED_LEASE_RENEW_SECONDS", "How often it is renewed.", "s")
    watch_interval_seconds: float = _setting(
        0.5, "SPANFEED_WATCH_INTERVAL_SECONDS", "How often the watchdog looks for what is due.", "s"
    )
    watch_batch_limit_runs: int = _setting(
        200, "SPANFEED_WATCH_BATCH_LIMIT_RUNS", "Runs that the watchdog looks after in one go.", "runs"
    )
    stage_messages_limit: int = _setting(
        10, "SPANFEED_STAGE_MESSAGES_LIMIT", "Messages sent for one stage before its run is given up.", "messages"
    )
    queue_grace_seconds: float = _setting(
        3.0, "SPANFEED_QUEUE_GRACE_SECONDS", "How long a queued stage may wait before it is looked at.", "s"
    )
    history_turns_limit: int = _setting(
        20, "SPANFEED_HISTORY_TURNS_LIMIT", "Earlier messages that a stage may look at.", "messages"
    )

    # Search and answers
    passages_limit: int = _setting(5, "SPANFEED_PASSAGES_LIMIT", "Passages given to the answer.", "passages")
    search_timeout_seconds: float = _setting(
        10.0, "SPANFEED_SEARCH_TIMEOUT_SECONDS", "Longest search of one collection.", "s"
    )
    document_index: str = _setting(
        "file",
        "SPANFEED_DOCUMENT_INDEX",
        "`file`: in the home folder; `database`: in PostgreSQL, for many machines.",
    )
    embeddings_base_url: str = _setting(
        "", "SPANFEED_EMBEDDINGS_BASE_URL", "OpenAI-compatible endpoint for embeddings; empty: search by words alone."
    )
    embeddings_api_key: str = _setting("", "SPANFEED_EMBEDDINGS_API_KEY", "Its key.", secret=True)
    embeddings_model: str = _setting("", "SPANFEED_EMBEDDINGS_MODEL", "Its model.")
    embeddings_batch_chunks: int = _setting(
        64, "SPANFEED_EMBEDDINGS_BATCH_CHUNKS", "Chunks in one request to it.", "chunks"
    )
    embeddings_connect_timeout_seconds: float = _setting(
        5.0, "SPANFEED_EMBEDDINGS_CONNECT_TIMEOUT_SECONDS", "Reaching it for chunks.", "s"
    )
    embeddings_timeout_seconds: float = _setting(
        30.0, "SPANFEED_EMBEDDINGS_TIMEOUT_SECONDS", "Waiting for the embeddings of one batch.", "s"
    )
    embeddings_query_timeout_ms: int = _setting(
        1_000, "SPANFEED_EMBEDDINGS_QUERY_TIMEOUT_MS", "A question's embedding; after it: by words alone.", "ms"
    )
    embeddings_pause_ms: int = _setting(
        30_000, "SPANFEED_EMBEDDINGS_PAUSE_MS", "Questions leave an endpoint alone that failed so often.", "ms"
    )
    embeddings_task_seconds: float = _setting(
        5.0, "SPANFEED_EMBEDDINGS_TASK_SECONDS", "After so long the task of embeddings lets others work.", "s"
    )
    embeddings_interval_seconds: int = _setting(
        300, "SPANFEED_EMBEDDINGS_INTERVAL_SECONDS", "How often chunks without an embedding are looked for.", "s"
    )
    embeddings_similarity_floor: float = _setting(
        0.5, "SPANFEED_EMBEDDINGS_SIMILARITY_FLOOR", "A passage so similar is given to a model in any words.", "0..1"
    )
    vectors_limit_chunks: int = _setting(
        100_000, "SPANFEED_VECTORS_LIMIT_CHUNKS", "Embeddings kept in the database; above: ChromaDB.", "chunks"
    )
    chroma_timeout_ms: int = _setting(2_000, "SPANFEED_CHROMA_TIMEOUT_MS", "One request to ChromaDB.", "ms")
    refusal_threshold: float = _setting(
        0.68, "SPANFEED_REFUSAL_THRESHOLD", "Confidence below which nothing is claimed.", "0..1"
    )
    extractive_words_per_second: float = _setting(
        40.0, "SPANFEED_EXTRACTIVE_WORDS_PER_SECOND", "Pace of quoted answers; 0: at once.", "words/s"
    )
    planner: str = _setting("rules", "SPANFEED_PLANNER", "Who chooses the tools: rules, or a model where one is set.")
    planner_timeout_seconds: float = _setting(
        10.0, "SPANFEED_PLANNER_TIMEOUT_SECONDS", "How long a model may take to choose; then the rules do.", "s"
    )
    collections_path: str = _setting(
        "", "SPANFEED_COLLECTIONS_PATH", "File that says what each collection is about, TOML; for a model that chooses."
    )
    tools: str = _setting("", "SPANFEED_TOOLS", "Modules with tools of your own, separated by commas.")
    tool_calls_limit: int = _setting(4, "SPANFEED_TOOL_CALLS_LIMIT", "Tools asked for one message by choice.", "calls")
    extract_limit_characters: int = _setting(
        12_000, "SPANFEED_EXTRACT_LIMIT_CHARACTERS", "Text taken out of one document.", "characters"
    )
    openai_base_url: str = _setting("", "OPENAI_BASE_URL", "OpenAI-compatible endpoint; empty: quoted answers.")
    openai_api_key: str = _setting("", "OPENAI_API_KEY", "Its key.", secret=True)
    openai_model: str = _setting("", "OPENAI_MODEL", "Its model.")
    llm_connect_timeout_seconds: float = _setting(
        5.0, "SPANFEED_LLM_CONNECT_TIMEOUT_SECONDS", "Reaching the model's endpoint.", "s"
    )
    llm_stall_timeout_seconds: float = _setting(
        30.0, "SPANFEED_LLM_STALL_TIMEOUT_SECONDS", "Waiting for the first or the next token.", "s"
    )
    llm_first_token_timeout_seconds: float = _setting(
        10.0,
        "SPANFEED_LLM_FIRST_TOKEN_TIMEOUT_SECONDS",
        "Waiting for the first token while there is another endpoint to ask.",
        "s",
    )
    llm_rest_seconds: float = _setting(
        30.0, "SPANFEED_LLM_REST_SECONDS", "An endpoint that failed is asked after the other one for so long.", "s"
    )
    llm_second_base_url: str = _setting(
        "", "SPANFEED_LLM_SECOND_BASE_URL", "Endpoint that is asked when the first one fails; empty: none."
    )
    llm_second_api_key: str = _setting("", "SPANFEED_LLM_SECOND_API_KEY", "Its key.", secret=True)
    llm_second_model: str = _setting("", "SPANFEED_LLM_SECOND_MODEL", "Its model.")
    llm_input_price_per_million: float = _setting(
        0.0, "SPANFEED_LLM_INPUT_PRICE_PER_MILLION", "Price of a million tokens sent; 0: not told.", "1/million"
    )
    llm_output_price_per_million: float = _setting(
        0.0, "SPANFEED_LLM_OUTPUT_PRICE_PER_MILLION", "Price of a million tokens received; 0: not told.", "1/million"
    )
    llm_second_input_price_per_million: float = _setting(
        0.0,
        "SPANFEED_LLM_SECOND_INPUT_PRICE_PER_MILLION",
        "The same of the second endpoint.",
        "1/million",
    )
    llm_second_output_price_per_million: float = _setting(
        0.0,
        "SPANFEED_LLM_SECOND_OUTPUT_PRICE_PER_MILLION",
        "The same of the second endpoint.",
        "1/million",
    )
    memory_limit_tokens: int = _setting(
        2_000, "SPANFEED_MEMORY_LIMIT_TOKENS", "What a model is told of the conversation so far.", "tokens"
    )
    token_frame_interval_ms: int = _setting(
        50, "SPANFEED_TOKEN_FRAME_INTERVAL_MS", "Tokens are gathered for so long into one frame.", "ms"
    )

    # The record
    recorders: int = _setting(
        1,
        "SPANFEED_RECORDERS",
        "Recorders that `spanfeed up` runs; a second one is of use with PostgreSQL.",
        "recorders",
    )
    recorder_batch_limit_events: int = _setting(
        1_000, "SPANFEED_RECORDER_BATCH_LIMIT_EVENTS", "Events in one transaction.", "events"
    )
    recorder_batch_limit_bytes: int = _setting(
        16_777_216, "SPANFEED_RECORDER_BATCH_LIMIT_BYTES", "A transaction that has so many takes no further.", "bytes"
    )
    recorder_batch_wait_ms: int = _setting(50, "SPANFEED_RECORDER_BATCH_WAIT_MS", "How long a batch is gathered.", "ms")
    recorder_alarm_events: int = _setting(
        50_000, "SPANFEED_RECORDER_ALARM_EVENTS", "Events that wait for the recorder: an alarm is raised.", "events"
    )
    recorder_alarm_over_events: int = _setting(
        5_000, "SPANFEED_RECORDER_ALARM_OVER_EVENTS", "No more than so many wait: the alarm is over.", "events"
    )
    log_limit_events: int = _setting(
        1_000_000, "SPANFEED_LOG_LIMIT_EVENTS", "Events in the log; above: progress and spans are dropped.", "events"
    )
    retention_chat_hours: int = _setting(24, "SPANFEED_RETENTION_CHAT_HOURS", "Events of chat stages.", "h")
    retention_audit_hours: int = _setting(8_760, "SPANFEED_RETENTION_AUDIT_HOURS", "Audit events.", "h")
    retention_security_hours: int = _setting(8_760, "SPANFEED_RETENTION_SECURITY_HOURS", "Security events.", "h")
    retention_other_hours: int = _setting(168, "SPANFEED_RETENTION_OTHER_HOURS", "All other events.", "h")
    retention_idempotency_hours: int = _setting(24, "SPANFEED_RETENTION_IDEMPOTENCY_HOURS", "Idempotency keys.", "h")
    retention_overview_minutes_hours: int = _setting(
        72, "SPANFEED_RETENTION_OVERVIEW_MINUTES_HOURS", "Counts by the minute for the overview.", "h"
    )
    retention_overview_hours: int = _setting(
        2_400, "SPANFEED_RETENTION_OVERVIEW_HOURS", "Counts by the hour and by six hours for it.", "h"
    )
    cleanup_interval_seconds: int = _setting(
        3_600, "SPANFEED_CLEANUP_INTERVAL_SECONDS", "How often the scheduled cleanup runs.", "s"
    )

    # Unified events
    unified_events_enabled: bool = _setting(True, "SPANFEED_UNIFIED_EVENTS_ENABLED", "Unified events are emitted.")
    cross_system_routing: bool = _setting(True, "SPANFEED_CROSS_SYSTEM_ROUTING", "Routing rules are applied.")
    high_priority_notifications: bool = _setting(
        True, "SPANFEED_HIGH_PRIORITY_NOTIFICATIONS", "Rules may mark events for a browser notification."
    )
    routing_rules_path: str = _setting(
        "", "SPANFEED_ROUTING_RULES_PATH", "File with routing rules of your own, TOML or JSON."
    )
    handler_timeout_seconds: float = _setting(
        5.0, "SPANFEED_HANDLER_TIMEOUT_SECONDS", "How long one handler may take for one event.", "s"
    )
    handler_queue_limit_events: int = _setting(
        10_000, "SPANFEED_HANDLER_QUEUE_LIMIT_EVENTS", "Events that wait for a process's own handlers.", "events"
    )
    handler_stuck_limit: int = _setting(
        3, "SPANFEED_HANDLER_STUCK_LIMIT", "Calls of one handler that may hang; above: it is left out.", "calls"
    )
    handler_tries_limit: int = _setting(
        5, "SPANFEED_HANDLER_TRIES_LIMIT", "Tries of a durable handler for one event.", "tries"
    )
    handler_log_limit_events: int = _setting(
        100_000, "SPANFEED_HANDLER_LOG_LIMIT_EVENTS", "Stored events that the log keeps for durable handlers.", "events"
    )
    handler_dead_limit_events: int = _setting(
        1_000, "SPANFEED_HANDLER_DEAD_LIMIT_EVENTS", "Events kept that a durable handler could not handle.", "events"
    )
    events_body_limit_bytes: int = _setting(
        4_194_304, "SPANFEED_EVENTS_BODY_LIMIT_BYTES", "Longest body of POST /api/v1/events.", "bytes"
    )
    events_bulk_limit_events: int = _setting(
        1_000, "SPANFEED_EVENTS_BULK_LIMIT_EVENTS", "Events in one such body.", "events"
    )
    custom_events_per_minute: int = _setting(
        6_000, "SPANFEED_CUSTOM_EVENTS_PER_MINUTE", "Custom events over HTTP per key, visitor or address.", "1/min"
    )
    event_types_limit: int = _setting(1_000, "SPANFEED_EVENT_TYPES_LIMIT", "Event types of your own.", "types")
    event_types_cache_seconds: float = _setting(
        2.0, "SPANFEED_EVENT_TYPES_CACHE_SECONDS", "How long a process remembers them.", "s"
    )
    audit_anchor_interval_seconds: int = _setting(
        3_600, "SPANFEED_AUDIT_ANCHOR_INTERVAL_SECONDS", "How often the audit trail's head is written down.", "s"
    )

    monitoring_interval_seconds: float = _setting(
        15.0, "SPANFEED_MONITORING_INTERVAL_SECONDS", "How often operators are told how the system is; 0: never.", "s"
    )
    worker_silence_seconds: float = _setting(
        10.0, "SPANFEED_WORKER_SILENCE_SECONDS", "A worker that says nothing for so long counts as gone.", "s"
    )
    documents_told_limit: int = _setting(
        1_000, "SPANFEED_DOCUMENTS_TOLD_LIMIT", "Documents of one command that are told one by one.", "documents"
    )
    operations_look_limit_events: int = _setting(
        50_000,
        "SPANFEED_OPERATIONS_LOOK_LIMIT_EVENTS",
        "Stored events that one request of the event table looks at.",
        "events",
    )
    operations_export_limit_events: int = _setting(
        100_000, "SPANFEED_OPERATIONS_EXPORT_LIMIT_EVENTS", "Events in one export of the event table.", "events"
    )
    operations_run_limit_events: int = _setting(
        2_000, "SPANFEED_OPERATIONS_RUN_LIMIT_EVENTS", "Events of a run that its trace is made of.", "events"
    )
    document_limit_bytes: int = _setting(
        10_000_000, "SPANFEED_DOCUMENT_LIMIT_BYTES", "The largest file that is indexed.", "bytes"
    )
    document_unpacked_limit_bytes: int = _setting(
        100_000_000, "SPANFEED_DOCUMENT_UNPACKED_LIMIT_BYTES", "To how much text a Word file may unpack.", "bytes"
    )
    document_pages_limit: int = _setting(
        2_000, "SPANFEED_DOCUMENT_PAGES_LIMIT", "The most pages of a PDF file that is indexed.", "pages"
    )
    document_characters_limit: int = _setting(
        10_000_000, "SPANFEED_DOCUMENT_CHARACTERS_LIMIT", "The most text of a file that is indexed.", "characters"
    )
    document_reading_timeout_seconds: float = _setting(
        60.0,
        "SPANFEED_DOCUMENT_READING_TIMEOUT_SECONDS",
        "Processor time for taking the text out of one file; by the clock five times as much.",
        "s",
    )
    document_reading_memory_bytes: int = _setting(
        805_306_368, "SPANFEED_DOCUMENT_READING_MEMORY_BYTES", "Memory of the process that reads files.", "bytes"
    )
    # Subscriptions
    subscriptions_limit: int = _setting(1_000, "SPANFEED_SUBSCRIPTIONS_LIMIT", "Stored subscriptions.", "subscriptions")
    subscriptions_per_owner_limit: int = _setting(
        50,
        "SPANFEED_SUBSCRIPTIONS_PER_OWNER_LIMIT",
        "Stored subscriptions of one key or administrator.",
        "subscriptions",
    )
    webhook_allow_http: bool = _setting(
        False, "SPANFEED_WEBHOOK_ALLOW_HTTP", "Webhooks may also go to http:// addresses."
    )
    webhook_private_networks: str = _setting(
        "",
        "SPANFEED_WEBHOOK_PRIVATE_NETWORKS",
        "Private addresses and networks to which webhooks may go, separated by commas; empty: none.",
    )
    delivery_threads: int = _setting(8, "SPANFEED_DELIVERY_THREADS", "Receivers that are served at once.", "threads")
    delivery_timeout_seconds: float = _setting(
        10.0, "SPANFEED_DELIVERY_TIMEOUT_SECONDS", "One attempt at a webhook, from the name to the answer.", "s"
    )
    delivery_answer_limit_bytes: int = _setting(
        16_384, "SPANFEED_DELIVERY_ANSWER_LIMIT_BYTES", "What is read of a receiver's answer.", "bytes"
    )
    delivery_payload_limit_bytes: int = _setting(
        262_144, "SPANFEED_DELIVERY_PAYLOAD_LIMIT_BYTES", "A larger event is delivered without its data.", "bytes"
    )
    delivery_pending_limit_events: int = _setting(
        1_000, "SPANFEED_DELIVERY_PENDING_LIMIT_EVENTS", "Events that wait for one receiver; above: dropped.", "events"
    )
    delivery_tries_limit: int = _setting(
        15, "SPANFEED_DELIVERY_TRIES_LIMIT", "Attempts for one event, then it is a dead letter.", "tries"
    )
    delivery_backoff_seconds: float = _setting(
        5.0, "SPANFEED_DELIVERY_BACKOFF_SECONDS", "Wait before the second attempt; doubled for each further one.", "s"
    )
    delivery_backoff_limit_seconds: float = _setting(
        3_600.0, "SPANFEED_DELIVERY_BACKOFF_LIMIT_SECONDS", "Longest wait before a further attempt.", "s"
    )
    delivery_circuit_failures_limit: int = _setting(
        5, "SPANFEED_DELIVERY_CIRCUIT_FAILURES_LIMIT", "Failed attempts in a row after which a receiver rests.", "tries"
    )
    delivery_circuit_open_seconds: float = _setting(
        60.0, "SPANFEED_DELIVERY_CIRCUIT_OPEN_SECONDS", "For how long, before one trial.", "s"
    )
    delivery_slice_seconds: float = _setting(
        20.0, "SPANFEED_DELIVERY_SLICE_SECONDS", "How long one receiver is served before the others' turn.", "s"
    )
    retention_deliveries_hours: int = _setting(
        168, "SPANFEED_RETENTION_DELIVERIES_HOURS", "The delivery log, and what could not be delivered.", "h"
    )
    smtp_host: str = _setting("", "SPANFEED_SMTP_HOST", "Server that takes e-mails; empty: none are sent.")
    smtp_port: int = _setting(587, "SPANFEED_SMTP_PORT", "Its port.", "port")
    smtp_security: str = _setting("starttls", "SPANFEED_SMTP_SECURITY", "How it is spoken to: starttls, tls or none.")
    smtp_user: str = _setting("", "SPANFEED_SMTP_USER", "Its user; empty: without logging in.")
    smtp_password: str = _setting("", "SPANFEED_SMTP_PASSWORD", "Its password.", secret=True)
    smtp_from: str = _setting("", "SPANFEED_SMTP_FROM", "From whom e-mails come.")
    smtp_timeout_seconds: float = _setting(
        20.0, "SPANFEED_SMTP_TIMEOUT_SECONDS", "How long it may take for each of its answers.", "s"
    )
    mail_digest_seconds: float = _setting(
        60.0, "SPANFEED_MAIL_DIGEST_SECONDS", "Events of so long come in one e-mail.", "s"
    )
    mail_digest_limit_events: int = _setting(
        100, "SPANFEED_MAIL_DIGEST_LIMIT_EVENTS", "Events in one e-mail.", "events"
    )

    # Alerts
    alert_rules_path: str = _setting(
        "", "SPANFEED_ALERT_RULES_PATH", "File with alert rules, TOML or JSON, beside the stored ones."
    )
    alert_interval_seconds: float = _setting(
        5.0, "SPANFEED_ALERT_INTERVAL_SECONDS", "How often alert rules are looked at.", "s"
    )
    alert_rules_limit: int = _setting(
        200, "SPANFEED_ALERT_RULES_LIMIT", "Stored alert rules, rules in the file, and silences.", "rules"
    )
    retention_alerts_hours: int = _setting(8_760, "SPANFEED_RETENTION_ALERTS_HOURS", "The history of alerts.", "h")

    # Traces
    otlp_endpoint: str = _setting(
        "",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_EXPORTER_OTLP_ENDPOINT",
        "Ended spans are exported there; the other standard OTEL_ variables are honoured too.",
    )
    trace_url_template: str = _setting(
        "",
        "SPANFEED_TRACE_URL_TEMPLATE",
        "Address of a trace in your viewer, with `{trace_id}` and, if wanted, `{span_id}`; empty: no links.",
    )
    flower_url_template: str = _setting(
        "", "SPANFEED_FLOWER_URL_TEMPLATE", "Address of a task in Flower, with `{task_id}`; empty: no links."
    )
    traces_exporter: str = _setting("otlp", "OTEL_TRACES_EXPORTER", "`none` turns the export off.")

    # Redaction
    redaction: bool = _setting(
        True, "SPANFEED_REDACTION", "Secrets and personal data are taken out of events, spans and logs."
    )
    redaction_packs: str = _setting(
        "en,fr,sw", "SPANFEED_REDACTION_PACKS", "Languages whose national ids are recognised: en, fr, sw, es, pt."
    )
    redaction_keys: str = _setting(
        "", "SPANFEED_REDACTION_KEYS", "More names of keys whose values are taken out, separated by commas."
    )
    redaction_plugin: str = _setting(
        "", "SPANFEED_REDACTION_PLUGIN", "A function that redacts each text last, as `module:function`."
    )
    redaction_text_limit_characters: int = _setting(
        1_048_576,
        "SPANFEED_REDACTION_TEXT_LIMIT_CHARACTERS",
        "A longer text that may hold a secret is cut.",
        "characters",
    )
    span_content_attributes: str = _setting(
        "",
        "SPANFEED_SPAN_CONTENT_ATTRIBUTES",
        "Attributes with prompts and answers that exported spans keep, separated by commas; empty: none.",
    )

    # Tests of faults
    failpoints: str = _setting(
        "", "SPANFEED_FAILPOINTS", "Places at which a process kills itself or waits: only for tests of faults."
    )

    # Flower
    flower_port: int = _setting(5555, "SPANFEED_FLOWER_PORT", "Flower's port; always on loopback.", "port")
    flower_user: str = _setting("spanfeed", "SPANFEED_FLOWER_USER", "Flower's user.")
    flower_password: str = _setting(
        "", "SPANFEED_FLOWER_PASSWORD", "Flower's password; empty: made on first start.", secret=True
    )

    ENVIRONMENT_FILE: ClassVar[str] = ".env"

    def __repr__(self) -> str:
        shown = (
            f"{f.name}={'***' if f.metadata['secret'] and getattr(self, f.name) else repr(getattr(self, f.name))}"
            for f in dataclasses.fields(self)
        )
        return f"Settings({', '.join(shown)})"

    @property
    def home_path(self) -> Path:
        """The home folder, absolute."""
        return Path(self.home).expanduser().resolve()

    @property
    def sqlalchemy_url(self) -> str:
        """`database_url` as SQLAlchemy reads it; the seeds' spellings are accepted."""
        url = self.database_url
        if not url:
            return f"sqlite:///{self.home_path / 'spanfeed.db'}"
        scheme, separator, rest = url.partition("://")
        if scheme in {"postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2", "postgresql+psycopg"}:
            return f"postgresql+psycopg{separator}{rest}"
        if scheme.startswith("sqlite"):
            return f"sqlite{separator}{rest}"
        raise SettingError(f"DATABASE_URL must begin with postgresql:// or sqlite:///, not {scheme}://")

    @property
    def otlp_enabled(self) -> bool:
        """Whether ended spans are exported."""
        return bool(self.otlp_endpoint) and self.traces_exporter.lower() != "none"

    @property
    def celery_broker_url(self) -> str:
        """The broker's address: its own, or the bus's Redis."""
        return self.broker_url or self.redis_url

    @property
    def origins(self) -> frozenset[str]:
        """The allowed origins, lower case."""
        return frozenset(o.strip().rstrip("/").lower() for o in self.allowed_origins.split(",") if o.strip())

    @property
    def public_chat_enabled(self) -> bool:
        """Whether a visitor without a key may chat."""
        word = self.public_chat.lower()
        if word == "auto":
            return self.host in {"127.0.0.1", "localhost", "::1"}
        return word in _TRUE

    def environment(self) -> dict[str, str]:
        """Every setting as environment variables, for a child process; OpenTelemetry's own are not touched."""
        names = ((f.metadata["env"][0], getattr(self, f.name)) for f in dataclasses.fields(self))
        return {name: str(value) for name, value in names if not name.startswith("OTEL_")}

    def secrets(self) -> list[str]:
        """The secret values: keys and passwords, also those that stand in addresses."""
        given = [getattr(self, f.name) for f in dataclasses.fields(self) if f.metadata["secret"]]
        found = {value for value in given if value and "://" not in value}
        for url in given:
            with contextlib.suppress(ValueError):
                found |= {password, unquote(password)} if (password := urlsplit(url).password) else set()
        return sorted(found)

    def hide_secrets(self, text: str) -> str:
        """`text` with every secret value cut out, for error messages and logs."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.metadata["secret"] and isinstance(value, str) and len(value) > 3:
                text = text.replace(value, "***")
        return text


def _parse(field: dataclasses.Field[Any], kind: type, text: str, variable: str) -> Any:
    try:
        if kind is bool:
            word = text.strip().lower()
            if word not in _TRUE | _FALSE:
                raise ValueError
            return word in _TRUE
        if kind is str:
            return text.strip()
        value = kind(text.strip())
    except ValueError:
        shown = "that value" if field.metadata["secret"] else repr(text)
        raise SettingError(f"{variable} must be a {kind.__name__}, not {shown}") from None
    if not math.isfinite(value):
        raise SettingError(f"{variable} must be a number with an end, not {text.strip()}")
    if value < 0:
        raise SettingError(f"{variable} must not be negative, but is {value}")
    if field.metadata["unit"] == "port" and not 0 < value < 65_536:
        raise SettingError(f"{variable} must be a port from 1 to 65535, but is {value}")
    return value


def read_environment_file(path: Path) -> dict[str, str]:
    """The variables of a `.env` file: NAME=value a line, # comments, quotes around a value."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingError(f"{path.name} cannot be read as UTF-8 text") from None
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.removeprefix("export ").partition("=")
        if not separator:
            raise SettingError(f"{path.name}, line {number}: expected NAME=value")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found


def _value_of(variable: str, environment: Mapping[str, str]) -> str | None:
    file = environment.get(f"{variable}_FILE")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingError(f"{variable}_FILE cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingError(f"{variable}_FILE holds no UTF-8 text") from None
    return environment.get(variable)


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process: the environment, then `.env`, then the defaults.

    A variable NAME may also be given as NAME_FILE, the path of a file that holds it.
    Raises SettingError when a value cannot be used.
    """
    if environment is None:
        sources: list[Mapping[str, str]] = [os.environ, read_environment_file(Path(Settings.ENVIRONMENT_FILE))]
    else:
        sources = [environment]
    kinds = typing.get_type_hints(Settings)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        # Source by source: no name of the file wins over another name of the same setting in the environment.
        for source, variable in itertools.product(sources, field.metadata["env"]):
            text = _value_of(variable, source)
            if text is not None and text.strip():
                values[field.name] = _parse(field, kinds[field.name], text, variable)
                break
    return Settings(**values)
