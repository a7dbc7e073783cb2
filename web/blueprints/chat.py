"""Chat: a message goes in; the answer comes back, or a 202 at once."""

from __future__ import annotations

import contextlib
import re
import uuid

from flask import Blueprint, Response, current_app, request
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, set_span_in_context

from pipeline import catalog, semconv
from pipeline.context import Audience, trace_of
from pipeline.errors import BusUnavailable
from pipeline.store import conversations
from pipeline.store.conversations import ASSISTANT
from pipeline.store.idempotency import IdempotencyKey
from pipeline.unified.chat_happenings import conversation_ended
from tasks.chat import cancel, submit
from web import query
from web.acts import audit_request
from web.auth import Scope, Target, authorize, needs, not_found, principal
from web.body import parse, read_json
from web.errors import Problem, invalid
from web.exchanges import find_exchange
from web.extensions import limited_messages, limiter, requests_limit
from web.idempotency import idempotency_key
from web.replies import answer_json, conversation_json, json_response, message_json, with_warnings
from web.schemas import ChatRequest
from web.state import WebState, web_state
from web.told_chats import tell_accepted
from web.waiting import Ending, Waiter

blueprint = Blueprint("chat", __name__)
_COLLECTION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METADATA_KEYS_LIMIT = 200
_METADATA_VALUE_LIMIT_CHARACTERS = 16_384


@blueprint.post("/chat/")
@limited_messages
@needs(Scope.WRITE)
def chat() -> Response:
    """Answers a message from all collections."""
    return _chat(None)


@blueprint.post("/chat/<collection>")
@limited_messages
@needs(Scope.WRITE)
def chat_with_collection(collection: str) -> Response:
    """Answers a message from one collection."""
    if not _COLLECTION.fullmatch(collection):
        raise invalid("path", "collection", "a collection's name is 1 to 64 of A-Z a-z 0-9 . _ -", "invalid_name")
    return _chat(collection)


def _target(session_id: str, session: conversations.Session | None, must_exist: bool = True) -> Target:
    return Target(session_id, session.owner if session else None, must_exist)


def _chat(collection: str | None) -> Response:
    state = web_state()
    body = parse(ChatRequest, read_json())
    _check_limits(body)
    who = principal()
    session_id = body.session_id or who.session_id or str(uuid.uuid4())
    session = conversations.find_session(state.store, session_id)
    # A key of one user begins sessions under ids that are made up here, never under ids that it has guessed.
    begins = body.session_id is None and who.session_id is None and who.key_id is not None
    if not begins and (session is not None or who.session_id is not None or who.owns_only):
        authorize(who, Scope.WRITE, _target(session_id, session, must_exist=who.owns_only))
    language = catalog.language_of(body.language or (session.language if session else None))
    # Whom the key stands for is the application's word; a visitor or a token is its own user.
    user_id = who.id if who.owns_only or who.session_id else body.user_id
    audience = Audience(session_id, str(uuid.uuid4()), user_id, language)
    key = idempotency_key(request, who.id, collection)
    attributes = {semconv.SESSION_ID: session_id, semconv.SPANFEED_MESSAGE_ID: audience.message_id}
    # A context of its own: a trace id sent by a client is not to be trusted.
    span = state.tracing.tracer().start_span("POST /chat", Context(), SpanKind.SERVER, attributes)
    context = set_span_in_context(span, Context())
    with contextlib.ExitStack() as stack:
        stack.callback(span.end)
        waiter = None
        if "respond-async" not in request.headers.get("Prefer", ""):
            with contextlib.suppress(BusUnavailable):
                # Without Redis nobody can wait; the message is accepted all the same, and answered later.
                waiter = stack.enter_context(Waiter(state, session_id, audience.message_id))
        replayed = _accept(audience, body, who.id, collection, context, key)
        if replayed is not None:
            return _replayed(state, *replayed, body.message)
        tell_accepted(state, audience, begun=session is None)
        ending = waiter.wait(state.settings.answer_deadline_seconds) if waiter else None
        return _accepted(audience, body.message) if ending is None else _ended(audience, ending, context, body.message)


def _replayed(state: WebState, session_id: str, message_id: str, asked: str) -> Response:
    """The reply for a request that was made before: the same message, as far as it has come."""
    audience = Audience(session_id, message_id, None, "en")
    if "respond-async" in request.headers.get("Prefer", ""):
        reply = _accepted(audience, asked)
    else:
        with Waiter(state, session_id, message_id) as waiter:
            ending = waiter.wait(state.settings.answer_deadline_seconds, at_once=True)
        reply = _accepted(audience, asked) if ending is None else _ended(audience, ending, Context(), asked)
    reply.headers["Idempotent-Replayed"] = "true"
    return reply


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


def _accept(
    audience: Audience,
    body: ChatRequest,
    owner: str,
    collection: str | None,
    context: Context,
    key: IdempotencyKey | None = None,
) -> tuple[str, str] | None:
    """Stores the message and sends it; when the key was used before, the session and message that it stands for.

    Without Redis the message is accepted all the same: the watchdog sends it when Redis is back. Raises
    StoreUnavailable; then nothing was accepted.
    """
    state = web_state()
    before = conversations.accept_message(
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
        key=key,
        in_flight_limit=state.settings.messages_in_flight_limit,
    )
    if before is not None:
        return before
    try:
        submit(state.bus, audience, context)
    except BusUnavailable as error:
        current_app.logger.warning("message %s waits to be sent: %s", audience.message_id, error)
    return None


def _location(audience: Audience) -> str:
    return f"/chat/{audience.session_id}/messages/{audience.message_id}"


def _accepted(audience: Audience, asked: str) -> Response:
    value = {"session_id": audience.session_id, "message_id": audience.message_id, "status": "accepted"}
    return json_response(with_warnings(value, asked), 202, {"Location": _location(audience)})


def _ended(audience: Audience, ending: Ending, context: Context, asked: str) -> Response:
    if ending.answer is not None:
        return json_response(with_warnings(answer_json(ending.answer), asked))
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
    authorize(principal(), Scope.READ, _target(session_id, session))
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
    authorize(principal(), Scope.DELETE, _target(session_id, session))
    messages = conversations.conversation(state.store, session_id)
    conversations.delete_session(state.store, session_id)
    audit_request("sessions.delete", "session", session_id, owner=session.owner if session else None)
    conversation_ended(state.events, session_id, session.user_id if session else None, len(messages))
    state.bus.forget_session(session_id, [message.message_id for message in messages])
    return json_response({"message": f"Chat session {session_id} deleted successfully"})


@blueprint.get("/chat/<session_id>/messages/<message_id>")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def message(session_id: str, message_id: str) -> Response:
    """One exchange: how it stands, and the answer when there is one."""
    state = web_state()
    _, asked = find_exchange(Scope.READ, session_id, message_id)
    answered = conversations.find_message(state.store, message_id, ASSISTANT)
    run_state = "queued"
    if asked.status == "accepted":
        try:
            run = state.bus.run_state(message_id)
            run_state = run.status if run.status in {"failed", "cancelled"} else run.state or "queued"
        except BusUnavailable:
            run_state = "queued"
    return json_response(message_json(asked, answered, "running" if run_state == "ended" else run_state))


@blueprint.post("/chat/<session_id>/messages/<message_id>/cancel")
@limiter.limit(requests_limit)
@needs(Scope.WRITE)
def cancel_message(session_id: str, message_id: str) -> Response:
    """Stops the answer; what had been said is kept, marked as partial."""
    state = web_state()
    session, asked = find_exchange(Scope.WRITE, session_id, message_id)
    value = {"session_id": session_id, "message_id": message_id}
    if asked.status != "accepted":
        return json_response({**value, "status": asked.status, "cancelled": False})
    audience = Audience(session_id, message_id, session.user_id if session else None, asked.language)
    cancelled = cancel(state.bus, audience)
    run = state.bus.run_state(message_id)
    return json_response({**value, "status": run.status or asked.status, "cancelled": cancelled})


@blueprint.post("/chat/<session_id>/messages/<message_id>/retry")
@limited_messages
@needs(Scope.WRITE)
def retry_message(session_id: str, message_id: str) -> Response:
    """Asks a message that failed or was stopped again, as a new message."""
    state = web_state()
    session, asked = find_exchange(Scope.WRITE, session_id, message_id)
    run = state.bus.run_state(message_id)
    if asked.status not in {"failed", "cancelled"} and run.status not in {"failed", "cancelled"}:
        raise Problem(409, "not_failed", "Only a message that failed or was stopped can be tried again.")
    user_id = session.user_id if session else None
    audience = Audience(session_id, str(uuid.uuid4()), user_id, asked.language)
    body = ChatRequest(message=asked.content, metadata={**(asked.metadata or {}), "retry_of": message_id})
    span = state.tracing.tracer().start_span("POST /chat", Context(), SpanKind.SERVER)
    try:
        _accept(audience, body, principal().id, asked.collection, set_span_in_context(span, Context()))
        tell_accepted(state, audience, begun=False)
    finally:
        span.end()
    return _accepted(audience, asked.content)


@blueprint.post("/chat/<session_id>/token")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def session_token(session_id: str) -> Response:
    """A short-lived token for one session, for a browser that must not know the key."""
    state = web_state()
    session = conversations.find_session(state.store, query.checked_session_id(session_id))
    authorize(principal(), Scope.READ, _target(session_id, session, must_exist=principal().owns_only))
    token = state.doors.token_for(principal(), session_id)
    ttl = state.settings.token_ttl_seconds
    return json_response({"token": token, "session_id": session_id, "expires_in": ttl}, 201)
