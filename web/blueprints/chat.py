"""Chat: a message goes in; the answer comes back, or a 202 at once."""

from __future__ import annotations

import re
import uuid

from flask import Blueprint, Response, request
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, set_span_in_context

from pipeline import catalog, semconv
from pipeline.context import Audience, trace_of
from pipeline.errors import BusUnavailable
from pipeline.event import is_session_id
from pipeline.store import conversations
from pipeline.store.conversations import ASSISTANT
from tasks.chat import submit
from web import query
from web.auth import Scope, authorize, needs, not_found, principal
from web.body import parse, read_json
from web.errors import Problem, invalid
from web.extensions import limiter, messages_limit, requests_limit
from web.replies import answer_json, conversation_json, json_response, message_json
from web.schemas import ChatRequest
from web.state import web_state
from web.waiting import Ending, Waiter

blueprint = Blueprint("chat", __name__)
_COLLECTION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METADATA_KEYS_LIMIT = 200
_METADATA_VALUE_LIMIT_CHARACTERS = 16_384


@blueprint.post("/chat/")
@limiter.limit(messages_limit)
@needs(Scope.WRITE)
def chat() -> Response:
    """Answers a message from all collections."""
    return _chat(None)


@blueprint.post("/chat/<collection>")
@limiter.limit(messages_limit)
@needs(Scope.WRITE)
def chat_with_collection(collection: str) -> Response:
    """Answers a message from one collection."""
    if not _COLLECTION.fullmatch(collection):
        raise invalid("path", "collection", "a collection's name is 1 to 64 of A-Z a-z 0-9 . _ -", "invalid_name")
    return _chat(collection)


def _chat(collection: str | None) -> Response:
    state = web_state()
    body = parse(ChatRequest, read_json())
    _check_limits(body)
    who = principal()
    session_id = body.session_id or who.session_id or str(uuid.uuid4())
    session = conversations.find_session(state.store, session_id)
    if session is not None or who.session_id is not None or who.owns_only:
        authorize(session_id, session, make=not who.owns_only)
    language = catalog.language_of(body.language or (session.language if session else None))
    # Whom the key stands for is the application's word; a visitor or a token is its own user.
    user_id = who.id if who.owns_only or who.session_id else body.user_id
    audience = Audience(session_id, str(uuid.uuid4()), user_id, language)
    tracer = state.tracing.tracer()
    attributes = {semconv.SESSION_ID: session_id, semconv.SPANFEED_MESSAGE_ID: audience.message_id}
    # A context of its own: a trace id sent by a client is not to be trusted.
    span = tracer.start_span("POST /chat", Context(), SpanKind.SERVER, attributes)
    context = set_span_in_context(span, Context())
    try:
        if "respond-async" in request.headers.get("Prefer", ""):
            _accept(audience, body, who.id, collection, context)
            return _accepted(audience)
        with Waiter(state, session_id, audience.message_id) as waiter:
            _accept(audience, body, who.id, collection, context)
            ending = waiter.wait(state.settings.answer_deadline_seconds)
        return _accepted(audience) if ending is None else _ended(audience, ending, context)
    finally:
        span.end()


def _check_limits(body: ChatRequest) -> None:
    limit = web_state().settings.message_limit_characters
    if len(body.message) > limit:
        raise invalid("body", "message", f"must have at most {limit} characters", "too_long", len(body.message))
    if body.metadata is not None:
        if len(body.metadata) > _METADATA_KEYS_LIMIT:
            raise invalid("body", "metadata", f"must have at most {_METADATA_KEYS_LIMIT} keys", "too_many_keys")
        for key, value in body.metadata.items():
            if len(str(value)) > _METADATA_VALUE_LIMIT_CHARACTERS:
                raise invalid("body", "metadata", f"the value of {key[:50]} is too long", "too_long")


def _accept(audience: Audience, body: ChatRequest, owner: str, collection: str | None, context: Context) -> None:
    """Stores the message and sends it. Raises Problem by way of the errors of bus and store; then nothing stays."""
    state = web_state()
    made = conversations.accept_message(
        state.store,
        session_id=audience.session_id,
        message_id=audience.message_id,
        content=body.message,
        language=audience.language,
        owner=owner,
        user_id=audience.user_id,
        collection=collection,
        metadata=body.metadata,
        trace_id=trace_of(context)[0],
    )
    try:
        submit(state.bus, audience, context)
    except BusUnavailable:
        conversations.discard_message(state.store, audience.message_id, audience.session_id if made else None)
        raise


def _location(audience: Audience) -> str:
    return f"/chat/{audience.session_id}/messages/{audience.message_id}"


def _accepted(audience: Audience) -> Response:
    value = {"session_id": audience.session_id, "message_id": audience.message_id, "status": "accepted"}
    return json_response(value, 202, {"Location": _location(audience)})


def _ended(audience: Audience, ending: Ending, context: Context) -> Response:
    if ending.answer is not None:
        return json_response(answer_json(ending.answer))
    raise Problem(
        503,
        f"answer_{ending.reason}",
        ending.sentence,
        {"Retry-After": "5", "Location": _location(audience)},
        reason=ending.reason,
        session_id=audience.session_id,
        message_id=audience.message_id,
        trace_id=trace_of(context)[0],
    )


@blueprint.get("/chat/<session_id>")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def conversation(session_id: str) -> Response:
    """The session with its messages."""
    state = web_state()
    session = conversations.find_session(state.store, query.checked_session_id(session_id))
    authorize(session_id, session)
    if session is None:
        raise not_found()
    messages = conversations.conversation(state.store, session_id)
    return json_response(conversation_json(session, messages, conversations.count_messages(state.store, session_id)))


@blueprint.delete("/chat/<session_id>")
@limiter.limit(requests_limit)
@needs(Scope.DELETE)
def delete_conversation(session_id: str) -> Response:
    """Deletes the session's messages."""
    state = web_state()
    session = conversations.find_session(state.store, query.checked_session_id(session_id))
    authorize(session_id, session)
    messages = conversations.conversation(state.store, session_id)
    conversations.delete_session(state.store, session_id)
    state.bus.forget_session(session_id, [message.message_id for message in messages])
    return json_response({"message": f"Chat session {session_id} deleted successfully"})


@blueprint.get("/chat/<session_id>/messages/<message_id>")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def message(session_id: str, message_id: str) -> Response:
    """One exchange: how it stands, and the answer when there is one."""
    state = web_state()
    authorize(session_id, conversations.find_session(state.store, query.checked_session_id(session_id)))
    asked = conversations.find_message(state.store, message_id) if is_session_id(message_id) else None
    if asked is None or asked.session_id != session_id:
        raise Problem(404, "not_found", "Message not found")
    answered = conversations.find_message(state.store, message_id, ASSISTANT)
    run_state = "queued"
    if asked.status == "accepted":
        try:
            run = state.bus.run_state(message_id)
            run_state = run.status if run.status in {"failed", "cancelled"} else run.state or "queued"
        except BusUnavailable:
            run_state = "queued"
    return json_response(message_json(asked, answered, "running" if run_state == "ended" else run_state))


@blueprint.post("/chat/<session_id>/token")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def session_token(session_id: str) -> Response:
    """A short-lived token for one session, for a browser that must not know the key."""
    state = web_state()
    session = conversations.find_session(state.store, query.checked_session_id(session_id))
    authorize(session_id, session, make=not principal().owns_only)
    token = state.doors.make_token(session_id, principal().id)
    ttl = state.settings.token_ttl_seconds
    return json_response({"token": token, "session_id": session_id, "expires_in": ttl}, 201)
