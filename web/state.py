"""What the app's requests share: settings and connections."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app

from pipeline.bus import Bus
from pipeline.settings import Settings
from pipeline.store import Store
from pipeline.tracing import Tracing
from pipeline.unified import EventSystem
from web.feed.listener import Listener

if TYPE_CHECKING:
    from web.auth import Doors
    from web.event_types import EventTypes
    from web.refusals import Refusals

_NAME = "spanfeed"


@dataclasses.dataclass(frozen=True)
class WebState:
    """One app's settings and connections."""

    settings: Settings
    bus: Bus
    store: Store
    tracing: Tracing
    listener: Listener
    doors: Doors
    events: EventSystem
    event_types: EventTypes
    refusals: Refusals


def set_state(app: Flask, state: WebState) -> None:
    """Gives the app its state."""
    app.extensions[_NAME] = state


def web_state() -> WebState:
    """The state of the app that answers this request."""
    return cast(WebState, current_app.extensions[_NAME])
