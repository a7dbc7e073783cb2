"""The JSON of answers and conversations, as the first seed's clients read it."""

from __future__ import annotations

from typing import Any

from flask import Response

from pipeline.catalog import reason_text
from pipeline.event import encode
from pipeline.redaction import redactor_of
from pipeline.store.conversations import ASSISTANT, Message, Session
from pipeline.store.moments import time_text
from web.state import web_state


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response, by the one encoder."""
    response = Response(encode(value), status, content_type="application/json")
    response.headers.update(headers or {})
    return response


def with_warnings(value: dict[str, Any], asked: str) -> dict[str, Any]:
    """The reply to a message with what its author should know of it: that it holds personal data, and of what kinds."""
    kinds = redactor_of(web_state().settings).kinds(asked)
    return value | {"warnings": [{"code": "personal_data", "kinds": kinds}] if kinds else []}


def _usage(answer: dict[str, Any]) -> dict[str, Any] | None:
    usage = answer.get("usage")
    return None if usage is None else dict(usage)


def answer_json(message: Message) -> dict[str, Any]:
    """The answer of `POST /chat/` from the assistant's message."""
    answer = message.answer or {}
    return {
        "session_id": message.session_id,
        "message_id": message.message_id,
        "answer": message.content,
        "sources": answer.get("sources", []),
        "confidence": answer.get("confidence", 0.0),
        "retriever_type": answer.get("retriever_type", ""),
        "usage": _usage(answer),
        "recommended_follow_up_questions": _follow_ups(answer),
        "trace_id": message.trace_id,
        "refused": answer.get("refused", False),
        "checks": answer.get("checks"),
    }


def _follow_ups(answer: dict[str, Any]) -> list[dict[str, Any]]:
    # They come best first; the score only says so in numbers.
    return [
        {"question": question, "relevance_score": round(1.0 - index * 0.1, 2)}
        for index, question in enumerate(answer.get("follow_ups", []))
    ]


def message_json(asked: Message, answered: Message | None, run_state: str) -> dict[str, Any]:
    """One exchange: how the question stands, and what has been said."""
    status = asked.status if asked.status != "accepted" else run_state
    reply: dict[str, Any] = {
        "session_id": asked.session_id,
        "message_id": asked.message_id,
        "status": status,
        "answer": None,
        "sources": [],
        "confidence": None,
        "retriever_type": None,
        "usage": None,
        "recommended_follow_up_questions": [],
        "trace_id": asked.trace_id,
        "refused": False,
        "checks": None,
        "reason": asked.reason,
        "error_message": reason_text(asked.reason, asked.language) if asked.reason else None,
        "partial": answered.partial if answered else False,
    }
    return reply if answered is None else reply | answer_json(answered)


def conversation_json(session: Session, messages: list[Message], total: int) -> dict[str, Any]:
    """A whole session."""
    return {
        "session_id": session.session_id,
        "messages": [_turn_json(message) for message in messages],
        "user_id": session.user_id,
        "created_at": time_text(session.created_at),
        "updated_at": time_text(session.updated_at),
        "message_count": total,
        "num_messages": total,
    }


def _turn_json(message: Message) -> dict[str, Any]:
    answer = message.answer or {}
    metadata = {**(message.metadata or {}), "status": message.status, "reason": message.reason}
    if message.role == ASSISTANT:
        metadata |= {"partial": message.partial, **answer}
    return {
        "id": message.id,
        "message_id": message.message_id,
        "message_type": message.role,
        "message_object": {"role": message.role, "content": message.content},
        "content": message.content,
        "timestamp": time_text(message.created_at),
        "metadata": metadata,
    }
