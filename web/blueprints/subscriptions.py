"""Subscriptions: made, listed, shown, changed and removed by their owners, and the log of what was delivered."""

from __future__ import annotations

import datetime
from typing import Any

from flask import Blueprint, Response

from pipeline.store import conversations, deliveries, subscriptions
from pipeline.store import keys as stored_keys
from pipeline.store.deliveries import Delivery, Draft
from pipeline.store.moments import id_at, known_time_text, timestamp_text
from pipeline.store.subscriptions import Subscription
from pipeline.subscriptions.delivering import WEBHOOK
from pipeline.subscriptions.payload import TEST_TYPE, payload_of_test, webhook_id
from pipeline.subscriptions.signing import secret_of
from web import query
from web.acts import audit_request
from web.auth import Scope, Target, authorize, needs, principal
from web.body import parse, read_json
from web.errors import Problem
from web.extensions import limiter, requests_limit
from web.replies import json_response
from web.state import web_state
from web.subscriptions import Wanted, changes, is_subscriber, made, may_change, shown

blueprint = Blueprint("subscriptions", __name__)
_PATH = "/api/v1/subscriptions"
_PAGE_LIMIT = 500


def _own(subscription_id: str) -> Subscription:
    """The asker's subscription; one that is somebody else's looks like none."""
    one = subscriptions.find(web_state().store, subscription_id)
    if one is None or not may_change(principal(), one):
        raise Problem(404, "not_found", "Subscription not found")
    return one


def _json(one: Subscription, **more: Any) -> dict[str, Any]:
    counts = deliveries.counts(web_state().store, [one.subscription_id])
    return {**shown(one, counts[one.subscription_id]), **more}


def _secret(one: Subscription) -> dict[str, str]:
    if one.channel != WEBHOOK:
        return {}
    return {"secret": secret_of(web_state().settings, one.subscription_id, one.secret_version)}


def _check_session(session_id: str | None) -> None:
    who = principal()
    if session_id is not None and who.owns_only:
        session = conversations.find_session(web_state().store, session_id)
        authorize(who, Scope.READ, Target(session_id, session.owner if session else None))


def _key_family() -> str | None:
    key_id = principal().key_id
    found = None if key_id is None else stored_keys.find(web_state().store, key_id)
    return None if found is None else found.family


@blueprint.post(_PATH)
@limiter.limit(requests_limit)
@needs(Scope.READ)
def create_subscription() -> Response:
    """Makes a subscription: 201, with the secret of a webhook, which is shown this once."""
    state = web_state()
    wanted = parse(Wanted, read_json())
    one = made(wanted, principal(), _key_family(), state.bus.clock()[1], state.settings)
    _check_session(one.session_id)
    settings = state.settings
    if not subscriptions.add(state.store, one, settings.subscriptions_limit, settings.subscriptions_per_owner_limit):
        raise Problem(409, "too_many_subscriptions", "There are too many subscriptions already.")
    audit_request("subscription.create", "subscription", one.subscription_id)
    return json_response(_json(one, **_secret(one)), 201, {"Location": f"{_PATH}/{one.subscription_id}"})


@blueprint.get(_PATH)
@limiter.limit(requests_limit)
@needs(Scope.READ)
def list_subscriptions() -> Response:
    """The asker's subscriptions, the newest first; an administrator sees all."""
    who, store = principal(), web_state().store
    owner = None if Scope.ADMIN in who.scopes else who.id
    found = subscriptions.listed(store, owner) if is_subscriber(who) else []
    counts = deliveries.counts(store, [one.subscription_id for one in found])
    return json_response({"subscriptions": [shown(one, counts[one.subscription_id]) for one in found]})


@blueprint.get(f"{_PATH}/<subscription_id>")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def show_subscription(subscription_id: str) -> Response:
    """One subscription."""
    return json_response(_json(_own(subscription_id)))


@blueprint.patch(f"{_PATH}/<subscription_id>")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def change_subscription(subscription_id: str) -> Response:
    """Changes what is sent; everything else stays."""
    one = _own(subscription_id)
    values = changes(parse(Wanted, read_json()), one, web_state().settings)
    _check_session(values.get("session_id"))
    subscriptions.change(web_state().store, subscription_id, **values)
    audit_request("subscription.update", "subscription", one.subscription_id)
    return json_response(_json(_own(subscription_id)))


@blueprint.delete(f"{_PATH}/<subscription_id>")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def remove_subscription(subscription_id: str) -> Response:
    """Removes a subscription, and what waits for it."""
    one = _own(subscription_id)
    subscriptions.remove(web_state().store, subscription_id)
    audit_request("subscription.delete", "subscription", one.subscription_id)
    return json_response({"message": f"Subscription {subscription_id} removed"})


@blueprint.post(f"{_PATH}/<subscription_id>/secret")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def rotate_secret(subscription_id: str) -> Response:
    """Makes another secret in the place of the one that is; shown this once."""
    one = _own(subscription_id)
    if one.channel != WEBHOOK:
        raise Problem(409, "no_secret", "Only a webhook has a secret.")
    subscriptions.change(web_state().store, subscription_id, secret_version=one.secret_version + 1)
    audit_request("subscription.rotate_secret", "subscription", one.subscription_id)
    one = _own(subscription_id)
    return json_response(_json(one, **_secret(one)))


@blueprint.post(f"{_PATH}/<subscription_id>/test")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def send_test(subscription_id: str) -> Response:
    """Queues a test delivery, which the delivery log tells about: 202."""
    one, state = _own(subscription_id), web_state()
    now = datetime.datetime.now(datetime.UTC)
    number = id_at(now)
    body = payload_of_test(subscription_id, timestamp_text(number))
    draft = Draft(subscription_id, -number, TEST_TYPE, now, body)
    if not one.enabled or not deliveries.queue(state.store, [draft], state.settings.delivery_pending_limit_events):
        raise Problem(409, "not_queued", "The subscription is turned off, or too much waits for it already.")
    return json_response({"message": "Test delivery queued", "webhook_id": webhook_id(-number)}, 202)


@blueprint.get(f"{_PATH}/<subscription_id>/deliveries")
@limiter.limit(requests_limit)
@needs(Scope.READ)
def list_deliveries(subscription_id: str) -> Response:
    """A page of the delivery log, the newest first."""
    _own(subscription_id)
    asked = query.Pager(deliveries.STATUSES, _PAGE_LIMIT)
    page = deliveries.page(web_state().store, subscription_id, asked.asked, asked.before, asked.status)
    return json_response(asked.reply("deliveries", page, _delivery))


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "webhook_id": webhook_id(one.event_id),
        "event_type": one.event_type,
        "status": one.status,
        "attempts": one.attempts,
        "created_at": known_time_text(one.created_at),
        "tried_at": known_time_text(one.tried_at),
        "due_at": known_time_text(one.due_at) if one.status == deliveries.PENDING else None,
        "http_status": one.http_status,
        "latency_ms": one.latency_ms,
        "error": one.error,
    }


@blueprint.post(f"{_PATH}/<subscription_id>/deliveries/retry")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def retry_all(subscription_id: str) -> Response:
    """Sends all dead letters of a subscription again."""
    return _again(subscription_id, None)


@blueprint.post(f"{_PATH}/<subscription_id>/deliveries/<delivery_id>/retry")
@limiter.limit(requests_limit)
@needs(Scope.ADMIN)
def retry_one(subscription_id: str, delivery_id: str) -> Response:
    """Sends a dead letter again."""
    if not (delivery_id.isascii() and delivery_id.isdigit() and len(delivery_id) < 16):
        raise Problem(404, "not_found", "There is no such dead letter")
    return _again(subscription_id, int(delivery_id))


def _again(subscription_id: str, delivery_id: int | None) -> Response:
    one = _own(subscription_id)
    count = deliveries.again(web_state().store, subscription_id, delivery_id)
    if delivery_id is not None and not count:
        raise Problem(404, "not_found", "There is no such dead letter")
    audit_request("subscription.retry", "subscription", one.subscription_id)
    return json_response({"message": f"{count} deliveries are tried again", "count": count}, 202)
