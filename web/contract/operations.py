"""What each route takes and answers, by its endpoint; its path, methods and scope are read from the app itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from web.contract.parameters import FILTERS

JSON = "application/json"
STREAM = "text/event-stream"
_PAGES = ("limit", "before")
_TABLE = ("range", "from", "to", *FILTERS, "session", "user", "message_id", "text")
_RESUMED = ("after", "epoch", *FILTERS, "Last-Event-ID")


@dataclasses.dataclass(frozen=True)
class Operation:
    """One route. `replies`: the schema of each good status, None for a body that is no JSON or is none.

    `body`: the schema of what is sent, `body_may_miss` where nothing need be sent. `problems` are the refusals beyond
    those that the route's kind brings. `media`: the type of a good reply.
    """

    tag: str
    replies: Mapping[int, str | None]
    body: str | None = None
    body_may_miss: bool = False
    takes: tuple[str, ...] = ()
    problems: tuple[int, ...] = ()
    media: str = JSON
    also: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Schemas of bodies of other media types."""
    limited: bool = True
    located: int = 0
    """The status of the reply that says in `Location` where to find what was made."""


def _feed(**more: str) -> Operation:
    return Operation(
        "Feeds", {200: None}, takes=(*more.values(), *_RESUMED), problems=(400, 404, 422, 501), media=STREAM
    )


_CHAT = Operation(
    "Chat",
    {200: "Answer", 202: "Accepted"},
    body="ChatRequest",
    takes=("Prefer", "Idempotency-Key"),
    problems=(404,),
    located=202,
)
_POLL = ("If-None-Match",)
_DOCUMENT = Operation("Documents", {200: "Document", 304: None}, takes=_POLL)
_HEALTH = Operation("Health", {200: "Healthy"}, limited=False)

OPERATIONS: dict[str, Operation] = {
    "chat.chat": _CHAT,
    "chat.chat_with_collection": _CHAT,
    "chat.conversation": Operation("Chat", {200: "Conversation"}, problems=(404, 422)),
    "chat.delete_conversation": Operation("Chat", {200: "Said"}, problems=(404, 422)),
    "chat.message": Operation("Chat", {200: "Exchange"}, problems=(404, 422)),
    "chat.cancel_message": Operation("Chat", {200: "Cancelled"}, problems=(404, 422)),
    "chat.retry_message": Operation("Chat", {202: "Accepted"}, problems=(404, 409, 422), located=202),
    "feedback.give_feedback": Operation(
        "Chat", {200: "Feedback", 201: "Feedback"}, body="NewFeedback", problems=(404,)
    ),
    "chat.session_token": Operation("Chat", {201: "SessionToken"}, problems=(404, 422)),
    "events.session_events": Operation(
        "Polling",
        {200: "Page", 304: None},
        takes=("after", "since", "limit", "epoch", "wait", *FILTERS, *_POLL),
        problems=(404, 422),
    ),
    "events.latest_events": Operation(
        "Polling", {200: "Page", 304: None}, takes=("count", *FILTERS, *_POLL), problems=(404, 422)
    ),
    "events.session_snapshot": Operation(
        "Polling", {200: "Snapshot", 304: None}, takes=("messages", "limit", *_POLL), problems=(404, 422)
    ),
    "stream.session_stream": _feed(),
    "unified_streams.user_stream": _feed(user="user_id"),
    "unified_streams.operators_stream": _feed(),
    "feed.session_feed": Operation(
        "Feeds", {101: None}, takes=("after", "epoch", *FILTERS), problems=(400, 404, 422, 426)
    ),
    "unified_streams.user_token": Operation("Feeds", {201: "UserToken"}, body="ForUser", body_may_miss=True),
    "unified_tests.test_event": Operation("Events", {200: "Tried"}, body="TestEvent", body_may_miss=True),
    "unified_tests.broadcast_test": Operation("Events", {200: "Tried"}, body="TestEvent", body_may_miss=True),
    "unified_tests.stats": Operation("Events", {200: "Statistics"}),
    "custom_events.send_events": Operation(
        "Events",
        {200: "Results", 201: "Sent", 202: "Sent"},
        body="NewEvents",
        also={"application/x-ndjson": "Lines"},
        problems=(404,),
    ),
    "event_types.list_types": Operation("Events", {200: "EventTypes"}),
    "event_types.save_type": Operation("Events", {200: "EventType", 201: "EventType"}, body="EventTypeDefinition"),
    "event_types.remove_type": Operation("Events", {200: "Said"}, problems=(404,)),
    "subscriptions.create_subscription": Operation(
        "Subscriptions", {201: "Subscription"}, body="SubscriptionWanted", problems=(404, 409), located=201
    ),
    "subscriptions.list_subscriptions": Operation("Subscriptions", {200: "Subscriptions"}),
    "subscriptions.show_subscription": Operation("Subscriptions", {200: "Subscription"}, problems=(404,)),
    "subscriptions.change_subscription": Operation(
        "Subscriptions", {200: "Subscription"}, body="SubscriptionWanted", problems=(404,)
    ),
    "subscriptions.remove_subscription": Operation("Subscriptions", {200: "Said"}, problems=(404,)),
    "subscriptions.rotate_secret": Operation("Subscriptions", {200: "Subscription"}, problems=(404, 409)),
    "subscriptions.send_test": Operation("Subscriptions", {202: "Queued"}, problems=(404, 409)),
    "subscriptions.list_deliveries": Operation(
        "Subscriptions", {200: "Deliveries"}, takes=(*_PAGES, "delivery_status"), problems=(404, 422)
    ),
    "subscriptions.retry_all": Operation("Subscriptions", {202: "Again"}, problems=(404,)),
    "subscriptions.retry_one": Operation("Subscriptions", {202: "Again"}, problems=(404,)),
    "alerts.list_rules": Operation("Alerts", {200: "AlertRules"}),
    "alerts.save_rule": Operation(
        "Alerts", {200: "AlertRuleShown", 201: "AlertRuleShown"}, body="AlertRule", problems=(409,)
    ),
    "alerts.remove_rule": Operation("Alerts", {200: "Said"}, problems=(404,)),
    "alerts.list_alerts": Operation(
        "Alerts", {200: "Alerts"}, takes=(*_PAGES, "alert_status", "rule"), problems=(422,)
    ),
    "alerts.list_silences": Operation("Alerts", {200: "Silences"}),
    "alerts.make_silence": Operation("Alerts", {201: "Silence"}, body="NewSilence", problems=(409,)),
    "alerts.end_silence": Operation("Alerts", {200: "Said"}, problems=(404,)),
    "operations.overview": Operation(
        "Operations", {200: "Overview"}, takes=("range", "from", "to", *FILTERS), problems=(422,)
    ),
    "operations.list_events": Operation(
        "Operations", {200: "EventTable"}, takes=(*_TABLE, "event_before", "limit"), problems=(422,)
    ),
    "operations.export_events": Operation(
        "Operations", {200: None}, takes=("format", *_TABLE), problems=(422,), media="text/csv"
    ),
    "traces.list_sessions": Operation(
        "Operations", {200: "Sessions"}, takes=("q", "session_before", "limit"), problems=(422,)
    ),
    "traces.list_runs": Operation("Operations", {200: "Runs"}, takes=("event_before", "limit"), problems=(404, 422)),
    "traces.run_trace": Operation("Operations", {200: "Trace"}, problems=(404,)),
    "keys.create_key": Operation("Keys", {201: "Key"}, body="NewKey", problems=(409,), located=201),
    "keys.list_keys": Operation("Keys", {200: "Keys"}),
    "keys.rotate_key": Operation(
        "Keys", {201: "Key"}, body="Rotation", body_may_miss=True, problems=(404, 409), located=201
    ),
    "keys.revoke_key": Operation("Keys", {200: "Said"}, problems=(404,)),
    "login.login": Operation("Logging in", {200: "LoggedIn"}, body="Login"),
    "login.logout": Operation("Logging in", {200: "Said"}),
    "login.me": Operation("Logging in", {200: "Me"}),
    "page.page": Operation("Page", {200: None}, media="text/html", limited=False),
    "page.dashboard": Operation("Page", {200: None}, media="text/html", limited=False),
    "page.new_session": Operation("Page", {201: "NewSession"}),
    "health.health": _HEALTH,
    "health.ready": Operation("Health", {200: "Ready", 503: "Ready"}, limited=False),
    "metrics.metrics": Operation("Health", {200: None}, media="text/plain", limited=False),
    "contract.openapi": _DOCUMENT,
    "contract.asyncapi": _DOCUMENT,
    "contract.docs": Operation("Documents", {200: None, 304: None}, takes=_POLL, media="text/html"),
}
"""Every route but the page's files."""

PUBLIC = {"page.page", "page.dashboard", "page.new_session", "login.login"}
"""What may be asked without a credential, beyond what its policy calls public."""
