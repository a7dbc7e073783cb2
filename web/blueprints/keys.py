"""Keys, for administrators: made, listed, rotated, revoked. A key is shown in the one reply that makes it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from pipeline.errors import KeyRefused
from pipeline.store import keys as stored
from pipeline.store.conversations import utc
from pipeline.store.keys import ApiKey
from pipeline.store.moments import known_time_text
from web.acts import audit_request
from web.auth import Scope, needs, principal
from web.body import parse, read_json
from web.errors import Problem, invalid
from web.extensions import limiter, requests_limit
from web.keyring import Locksmith
from web.replies import json_response
from web.schemas import NewKey, Rotation
from web.state import web_state

blueprint = Blueprint("keys", __name__)


def _locksmith() -> Locksmith:
    state = web_state()
    return Locksmith(state.settings, state.store)


def key_json(key: ApiKey) -> dict[str, Any]:
    """A key as administrators see it: everything but the key."""
    return {
        "id": key.key_id,
        "line": key.family,
        "name": key.name,
        "scopes": key.scopes.split(),
        "user_id": key.user_id,
        "created_by": key.created_by,
        "created_at": known_time_text(key.created_at),
        "expires_at": known_time_text(key.expires_at),
        "revoked_at": known_time_text(key.revoked_at),
        "last_used_at": known_time_text(key.last_used_at),
    }


def _told(key: ApiKey) -> dict[str, Any]:
    """What auditors are told of a key."""
    ends = known_time_text(key.expires_at)
    return {"name": key.name, "scopes": key.scopes.split(), "user_id": key.user_id, "expires_at": ends}


def _not_found() -> Problem:
    return Problem(404, "not_found", "Key not found")


@blueprint.after_request
def look_again(response: Response) -> Response:
    """Lets this process know at once what has been changed; the others notice by themselves."""
    ring = web_state().doors.ring
    if ring is not None and request.method != "GET":
        ring.look_again()
    return response


@blueprint.post("/api/v1/keys")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def create_key() -> Response:
    """Makes a key."""
    # While nobody counts, no new rights are given; revoking goes on.
    web_state().bus.ping()
    body = parse(NewKey, read_json())
    ends = None if body.expires_at is None else utc(body.expires_at)
    try:
        key, row = _locksmith().create(body.name, body.scopes, principal().id, body.user_id, ends)
    except KeyRefused as refused:
        if not refused.field:
            raise Problem(409, "too_many_keys", str(refused)) from None
        raise invalid("body", refused.field, str(refused), "refused") from None
    audit_request("keys.create", "key", row.key_id, **_told(row))
    return json_response({**key_json(row), "key": key}, 201, {"Location": f"/api/v1/keys/{row.key_id}"})


@blueprint.get("/api/v1/keys")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def list_keys() -> Response:
    """Every key, the newest first."""
    return json_response({"keys": [key_json(key) for key in stored.listed(web_state().store)]})


@blueprint.post("/api/v1/keys/<key_id>/rotate")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def rotate_key(key_id: str) -> Response:
    """Makes a key in a key's place; the old one lives on for a while."""
    web_state().bus.ping()
    body = parse(Rotation, read_json() if request.content_length or request.mimetype else {})
    try:
        made = _locksmith().rotate(key_id, principal().id, body.overlap_seconds)
    except KeyRefused as refused:
        raise Problem(409, "not_rotatable", str(refused)) from None
    if made is None:
        raise _not_found()
    key, row = made
    audit_request("keys.rotate", "key", key_id, **_told(row), new_key_id=row.key_id)
    return json_response({**key_json(row), "key": key}, 201, {"Location": f"/api/v1/keys/{row.key_id}"})


@blueprint.delete("/api/v1/keys/<key_id>")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def revoke_key(key_id: str) -> Response:
    """Makes a key, and the session tokens made by it, open nothing any more."""
    if not _locksmith().revoke(key_id):
        raise _not_found()
    audit_request("keys.revoke", "key", key_id)
    return json_response({"message": f"Key {key_id} revoked successfully"})
