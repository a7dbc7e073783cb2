"""The router and the event system of this process, that everybody shares."""

from __future__ import annotations

from typing import Any

from pipeline.settings import Settings
from pipeline.unified.emitted import Done
from pipeline.unified.router import EventRouter
from pipeline.unified.system import EventSystem

event_router = EventRouter()
"""Where handlers of this process are added."""

unified_event_manager = EventSystem(event_router)
"""Reads the settings from the environment at the first emit, unless `initialize_event_system` was called."""


def initialize_event_system(settings: Settings | None = None) -> Done:
    """Reads settings and rules, so that a fault in them shows at the start. Raises SettingError."""
    return unified_event_manager.initialize(settings)


def shutdown_event_system() -> Done:
    """Waits for this process's handlers, at most 5 seconds, and ends the connections."""
    return unified_event_manager.shutdown()


def is_initialized() -> bool:
    """Whether the event system is in use."""
    return unified_event_manager.is_initialized()


def get_event_stats() -> dict[str, Any]:
    """What all processes have emitted, and this one, see `EventSystem.get_stats`."""
    return unified_event_manager.get_stats()


def get_health_status() -> dict[str, Any]:
    """How the event system of this process stands, see `EventSystem.get_health_status`."""
    return unified_event_manager.get_health_status()
