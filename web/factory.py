"""Putting the Flask app together."""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from pipeline import search_settings
from pipeline import settings as settings_table
from pipeline.alerting.rules import rules_of_file
from pipeline.bus import open_bus
from pipeline.errors import SettingError
from pipeline.settings import Settings
from pipeline.store import open_store
from pipeline.tracing import Tracing
from pipeline.unified import EventSystem, event_router
from pipeline.unified.rules import load_rules
from web import auth, cors, errors, extensions, headers, limits, refused_requests
from web.administrators import Administrators
from web.blueprints import (
    alerts,
    chat,
    contract,
    custom_events,
    event_types,
    events,
    feedback,
    health,
    keys,
    login,
    metrics,
    operations,
    page,
    stream,
    subscriptions,
    traces,
    unified_streams,
    unified_tests,
)
from web.blueprints import feed as feed_routes
from web.cli import register_commands
from web.event_types import EventTypes
from web.feed.listener import Listener
from web.keyring import KeyRing
from web.operations.links import Links
from web.refusals import Refusals
from web.state import WebState, set_state

_SECRET_KEY_CHARACTERS = 32
_LIMITER_TIMEOUT_SECONDS = 0.5


def make_app(settings: Settings | None = None) -> Flask:
    """See `web.create_app`."""
    settings = settings or settings_table.load()
    search_settings.check(settings)
    if len(settings.secret_key) < _SECRET_KEY_CHARACTERS:
        raise SettingError(
            f"SPANFEED_SECRET_KEY must have at least {_SECRET_KEY_CHARACTERS} characters; `spanfeed up` makes one"
        )
    # A rule that cannot be used is told now, not at the first event.
    load_rules(settings)
    rules_of_file(settings)
    Links(settings)
    logging.getLogger("spanfeed").setLevel(settings.log_level)
    app = Flask("web", static_folder="static", root_path=str(Path(__file__).parent))
    app.config.update(
        MAX_CONTENT_LENGTH=settings.body_limit_bytes,
        SECRET_KEY=settings.secret_key,
        RATELIMIT_STORAGE_URI=settings.redis_url or "memory://",
        RATELIMIT_STORAGE_OPTIONS=(
            {
                "socket_timeout": _LIMITER_TIMEOUT_SECONDS,
                "socket_connect_timeout": _LIMITER_TIMEOUT_SECONDS,
                "wrap_exceptions": True,
            }
            if settings.redis_url
            else {}
        ),
        # A share comes back little by little: with fixed minutes two shares could be used up around a minute's end.
        RATELIMIT_STRATEGY="sliding-window-counter",
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
        # Of several requests that find Redis away at once the extension lets only the first go on with its memory;
        # the others would be an error of the server.
        RATELIMIT_SWALLOW_ERRORS=True,
        RATELIMIT_HEADERS_ENABLED=True,
        SOCK_SERVER_OPTIONS={"thread_class": feed_routes.NoThread},
    )
    if settings.trusted_proxies > 0:
        # Only what the proxies themselves have added counts: it is read from the right, one entry for each.
        proxies = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    app.url_map.strict_slashes = False
    # `//` is not `/`: a proxy's rule for one path must not be got around by another spelling.
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    bus, store = open_bus(settings), open_store(settings)
    unified = EventSystem(event_router, settings, bus, store)
    state = WebState(
        settings=settings,
        bus=bus,
        store=store,
        tracing=Tracing(settings, component="web"),
        listener=Listener(bus),
        doors=auth.Doors(settings, KeyRing(settings, store), Administrators(settings, store)),
        events=unified,
        event_types=EventTypes(settings, store),
        refusals=Refusals(settings, bus, unified),
    )
    set_state(app, state)
    if settings.open_feeds:
        app.logger.warning("SPANFEED_OPEN_FEEDS is on: a session's feed is open to whoever knows its id")
    errors.register(app)
    headers.register(app)
    cors.register(app, settings)
    auth.register(app)
    refused_requests.register(app)
    limits.register(app)
    extensions.register(app)
    metrics.add_to(app, state)
    feeds = (events, feed_routes, stream, unified_streams, unified_tests)
    told = (custom_events, event_types, subscriptions, alerts, operations, traces)
    for routes in (chat, feedback, *feeds, *told, health, page, keys, login, contract):
        app.register_blueprint(routes.blueprint)
    register_commands(app.cli)
    return app
