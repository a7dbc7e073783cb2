"""The shapes of replies that no model makes; tests compare them with what is really answered."""

from __future__ import annotations

from pipeline.catalog import Audience
from pipeline.event import Category, Priority, Status
from pipeline.store import alerts, deliveries
from web.contract.shapes import (
    FLAG,
    MOMENT,
    NUMBER,
    OBJECT,
    SESSION_ID,
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
from web.policy import OF_A_KEY, Scope

MESSAGE_STATUS = one_of(("queued", "running", "completed", "failed", "cancelled"))
_ERRORS = many(thing(type=TEXT, loc=many({"type": ["string", "integer"]}), msg=TEXT, input={}))

PROBLEM = thing(
    fields("reason session_id message_id trace_id", TEXT),
    type={"type": "string", "pattern": "^urn:spanfeed:problem:"},
    title=TEXT,
    status={"type": "integer", "minimum": 400, "maximum": 599},
    detail={"anyOf": [TEXT, _ERRORS]},
    instance=TEXT,
)
EVENT = thing(
    id=WHOLE,
    seq=maybe(WHOLE),
    timestamp=MOMENT,
    event_type=TEXT,
    event_status=maybe(one_of(Status)),
    category=one_of(Category),
    priority=one_of(Priority),
    **fields("session_id message_id user_id correlation_id trace_id span_id parent_span_id task_id", maybe(TEXT)),
    attempt=maybe(WHOLE),
    event_data=maybe(OBJECT),
    metadata=OBJECT,
    user_message=maybe(TEXT),
    processing_time_ms=maybe(NUMBER),
    queue_time_ms=maybe(NUMBER),
    source_system=TEXT,
    **fields("reason error_type", maybe(TEXT)),
)
_SOURCE = thing(
    number=WHOLE,
    title=TEXT,
    url=maybe(TEXT),
    snippet=TEXT,
    path=TEXT,
    collection=TEXT,
    start=WHOLE,
    end=WHOLE,
)
_WARNINGS = many(thing(code=TEXT, kinds=many(TEXT)))
_ANSWER: dict[str, Schema] = {
    "session_id": SESSION_ID,
    "message_id": TEXT,
    "sources": many(_SOURCE),
    "usage": maybe(OBJECT),
    "recommended_follow_up_questions": many(thing(question=TEXT, relevance_score=NUMBER)),
    "trace_id": TEXT,
    "refused": FLAG,
    "checks": maybe(OBJECT),
}
ANSWER = thing(answer=TEXT, confidence=NUMBER, retriever_type=TEXT, warnings=_WARNINGS, **_ANSWER)
ACCEPTED = thing(session_id=SESSION_ID, message_id=TEXT, status=one_of(["accepted"]), warnings=_WARNINGS)
EXCHANGE = thing(
    answer=maybe(TEXT),
    confidence=maybe(NUMBER),
    retriever_type=maybe(TEXT),
    status=MESSAGE_STATUS,
    reason=maybe(TEXT),
    error_message=maybe(TEXT),
    partial=FLAG,
    **_ANSWER,
)
_TURN = thing(
    id=WHOLE,
    message_id=TEXT,
    message_type=one_of(["user", "assistant"]),
    message_object=thing(role=TEXT, content=TEXT),
    content=TEXT,
    timestamp=MOMENT,
    metadata=OBJECT,
)
CONVERSATION = thing(
    session_id=SESSION_ID,
    messages=many(_TURN),
    user_id=maybe(TEXT),
    **fields("created_at updated_at", MOMENT),
    **fields("message_count num_messages", WHOLE),
)
CANCELLED = thing(session_id=SESSION_ID, message_id=TEXT, status=TEXT, cancelled=FLAG)
FEEDBACK = thing(
    session_id=SESSION_ID,
    message_id=TEXT,
    rating={"anyOf": [one_of(["up", "down"]), {"type": "integer", "minimum": 1, "maximum": 5}]},
    comment=maybe(TEXT),
    changed=FLAG,
    **fields("created_at updated_at", MOMENT),
)
SESSION_TOKEN = thing(token=TEXT, session_id=SESSION_ID, expires_in=WHOLE)
USER_TOKEN = thing(token=TEXT, user_id=TEXT, expires_in=WHOLE)
SAID = thing(message=TEXT)
PAGE = thing(
    {"reset": FLAG, "reason": one_of(["epoch", "future"]), "gap": FLAG, "first_available": WHOLE},
    session_id=SESSION_ID,
    events=many(ref("Event")),
    total_count=WHOLE,
    has_more=FLAG,
    next_after=maybe(WHOLE),
    epoch=maybe(TEXT),
)
STAGE = thing(
    key=TEXT,
    first_id=WHOLE,
    event_type=TEXT,
    **fields("span_id parent_span_id event_status reason", maybe(TEXT)),
    sentence=TEXT,
    **fields("started_at ended_at", maybe(MOMENT)),
    **fields("processing_time_ms queue_time_ms", maybe(NUMBER)),
    attempt=NUMBER,
    notes=many(thing(id=WHOLE, attempt=NUMBER, reason=maybe(TEXT), sentence=TEXT)),
    data=OBJECT,
    children=many(ref("Stage")),
)
_MESSAGE = thing(
    message_id=TEXT,
    status=MESSAGE_STATUS,
    sentence=maybe(TEXT),
    **fields("started_at ended_at", maybe(MOMENT)),
    failure=maybe(thing(sentence=TEXT, reason=maybe(TEXT), stage=maybe(TEXT))),
    stages=many(ref("Stage")),
    whole=FLAG,
    answer=maybe(thing(attempt=WHOLE, offset=WHOLE, text=TEXT)),
)
SNAPSHOT = thing(
    session_id=SESSION_ID,
    epoch=TEXT,
    last_id=WHOLE,
    next_after=WHOLE,
    has_more=FLAG,
    messages=many(_MESSAGE),
    events=many(ref("Event")),
)
SENT = thing(event_id=TEXT, id=maybe(WHOLE), success=FLAG, event_type=TEXT, kept=FLAG)
_RESULT = thing(
    {
        "event_id": TEXT,
        "id": maybe(WHOLE),
        "kept": FLAG,
        "error": thing(status=WHOLE, type=TEXT, detail={"anyOf": [TEXT, _ERRORS]}),
    },
    index=WHOLE,
    success=FLAG,
)
RESULTS = thing(accepted=WHOLE, refused=WHOLE, results=many(_RESULT))
TRIED = thing(message=TEXT, event_id=TEXT, success=FLAG, event_type=TEXT)
_COUNTS = {
    **fields("emitted processed errors handlers handler_errors dropped", WHOLE),
    **fields("by_category by_type by_priority", mapped(WHOLE)),
}
STATISTICS = thing(
    **fields("total_connections active_connections your_connections user_connections", WHOLE),
    connections_by_user=mapped(WHOLE),
    open_feeds=mapped(WHOLE),
    total_events_sent=WHOLE,
    events_per_second=NUMBER,
    **fields("total_events events_last_hour events_last_day", WHOLE),
    most_common_type=maybe(TEXT),
    **_COUNTS,
    scope=one_of(["all", "process"]),
    process=thing(**_COUNTS),
)
EVENT_TYPE = thing(
    event_type=TEXT,
    category=one_of(Category),
    priority=one_of(Priority),
    audience=one_of(Audience),
    schema=maybe(OBJECT),
    texts=mapped(TEXT),
    made_by=TEXT,
    **fields("created_at updated_at", MOMENT),
)
SUBSCRIPTION = thing(
    {**fields("url email", TEXT), "secret": TEXT},
    id=TEXT,
    **fields("owner name", TEXT),
    sees=TEXT,
    channel=one_of(["webhook", "email"]),
    event_types=many(TEXT),
    categories=many(one_of(Category)),
    priorities=many(one_of(Priority)),
    **fields("session_id user_id", maybe(TEXT)),
    enabled=FLAG,
    circuit=one_of(["open", "closed"]),
    failures=WHOLE,
    deliveries=thing(**fields("pending delivered dead dropped", WHOLE)),
    **fields("created_at updated_at", MOMENT),
)
_DELIVERY = thing(
    id=WHOLE,
    **fields("webhook_id event_type", TEXT),
    status=one_of(deliveries.STATUSES),
    attempts=WHOLE,
    created_at=MOMENT,
    **fields("tried_at due_at", maybe(MOMENT)),
    http_status=maybe(WHOLE),
    latency_ms=maybe(NUMBER),
    error=maybe(TEXT),
)
DELIVERIES = thing(deliveries=many(_DELIVERY), has_more=FLAG, next_before=maybe(WHOLE))
_ALERT = thing(
    id=WHOLE,
    rule=TEXT,
    status=one_of(alerts.STATUSES),
    severity=TEXT,
    **fields("value threshold", maybe(NUMBER)),
    told=FLAG,
    since=MOMENT,
    **fields("fired_at resolved_at", maybe(MOMENT)),
)
ALERTS = thing(alerts=many(_ALERT), has_more=FLAG, next_before=maybe(WHOLE))
SILENCE = thing(id=WHOLE, **fields("rule reason made_by", TEXT), **fields("created_at until", MOMENT))
KEY = thing(
    {"key": TEXT},
    **fields("id line name", TEXT),
    scopes=many(one_of(OF_A_KEY)),
    user_id=maybe(TEXT),
    created_by=TEXT,
    created_at=MOMENT,
    **fields("expires_at revoked_at last_used_at", maybe(MOMENT)),
)
ME = thing(
    id=TEXT,
    scopes=many(one_of(Scope)),
    session_id=maybe(SESSION_ID),
    own_sessions_only=FLAG,
    expires_at=maybe(NUMBER),
)
HEALTHY = thing(status=one_of(["healthy"]))
READY = thing(status=one_of(["ready", "not ready"]), checks=mapped(TEXT))

QUEUED = thing(message=TEXT, webhook_id=TEXT)
AGAIN = thing(message=TEXT, count=WHOLE)
LOGGED_IN = thing(id=TEXT)
NEW_SESSION = thing(session_id=SESSION_ID)
EVENT_TYPES = thing(event_types=many(ref("EventType")))
SUBSCRIPTIONS = thing(subscriptions=many(ref("Subscription")))
ALERT_RULES = thing(rules=many(ref("AlertRuleShown")))
SILENCES = thing(silences=many(ref("Silence")))
KEYS = thing(keys=many(ref("Key")))
DOCUMENT = {**thing({"openapi": TEXT, "asyncapi": TEXT}, info=OBJECT), "additionalProperties": True}
