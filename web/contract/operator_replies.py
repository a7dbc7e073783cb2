"""The shapes of what operators' pages are answered."""

from __future__ import annotations

from pipeline.event import Category
from web.contract.shapes import (
    FLAG,
    MOMENT,
    NUMBER,
    OBJECT,
    TEXT,
    WHOLE,
    Schema,
    fields,
    many,
    mapped,
    maybe,
    one_of,
    ref,
    thing,
)

_PERCENTILES = fields("p50 p95 p99", maybe(NUMBER))
_TILES = thing(
    **fields("events failures", WHOLE),
    events_per_second=NUMBER,
    runs=maybe(WHOLE),
    **fields("runs_per_minute error_share", maybe(NUMBER)),
    connections=mapped(WHOLE),
    feeds_behind=WHOLE,
    feed_lag_ms=maybe(thing(**_PERCENTILES)),
    queues=maybe(mapped(WHOLE)),
    recorder=maybe(thing(**fields("waiting_events lag_ms", WHOLE))),
    redis=maybe(thing(**fields("memory_bytes memory_limit_bytes", WHOLE))),
    workers=maybe(thing(alive=WHOLE)),
)
_STAGE = thing(
    event_type=TEXT,
    category=one_of(Category),
    **fields("events completed failed timed", WHOLE),
    **fields("error_share mean_ms p50_ms p95_ms p99_ms", maybe(NUMBER)),
)
OVERVIEW = thing(
    {"from": MOMENT},
    to=MOMENT,
    **fields("bucket_seconds rolled_up_seconds", WHOLE),
    times=many(WHOLE),
    tiles=_TILES,
    stages=many(_STAGE),
    series=thing(
        **fields("volume errors", mapped(many(WHOLE))),
        latency=mapped(thing(**fields("p50 p95 p99", many(maybe(NUMBER))))),
    ),
    heat_map=thing(bounds_ms=many(WHOLE), counts=many(many(WHOLE))),
)
EVENT_TABLE = thing(events=many(ref("Event")), has_more=FLAG, next=maybe(WHOLE))
_SESSION = thing(
    **fields("session_id owner language", TEXT),
    **fields("user_id last_status", maybe(TEXT)),
    **fields("created_at updated_at", MOMENT),
    runs=WHOLE,
)
SESSIONS = thing(sessions=many(_SESSION), has_more=FLAG, next=maybe(TEXT))
_STATUS = one_of(("queued", "running", "completed", "failed", "cancelled", "accepted"))
_RUN = thing(
    **fields("message_id language", TEXT),
    **fields("reason collection trace_id", maybe(TEXT)),
    status=_STATUS,
    partial=FLAG,
    **fields("created_at updated_at", MOMENT),
    duration_ms=maybe(NUMBER),
)
RUNS = thing(session_id=TEXT, runs=many(_RUN), has_more=FLAG, next=maybe(WHOLE))
_LINK: Schema = maybe({"type": "string", "pattern": "^https?://"})
_SPAN = thing(
    **fields("id event_type name", TEXT),
    **fields("span_id parent reason error_type sentence task_id", maybe(TEXT)),
    attempt=WHOLE,
    state=one_of(("queued", "running", "completed", "failed", "cancelled", "lost")),
    start=NUMBER,
    **fields("end queued_ms duration_ms age_ms", maybe(NUMBER)),
    **fields("first_id last_id", maybe(WHOLE)),
    attributes=OBJECT,
    critical=FLAG,
    links=thing(flower=_LINK, trace=_LINK),
)
TRACE = thing(
    message_id=TEXT,
    **fields("session_id reason trace_id language", maybe(TEXT)),
    status=_STATUS,
    **fields("open whole", FLAG),
    **fields("start end duration_ms", maybe(NUMBER)),
    now=NUMBER,
    last_id=WHOLE,
    epoch=TEXT,
    spans=many(_SPAN),
    critical_path=many(TEXT),
    links=thing(trace=_LINK),
)
