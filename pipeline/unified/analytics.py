"""Analytics in one call each: which variant of an experiment somebody was shown."""

from __future__ import annotations

import uuid
from typing import Any

from pipeline.unified.emit import Data, emit_analytics_event
from pipeline.unified.emitted import Emitted

_SPACE = uuid.UUID("5f0c1c58-9f0b-5c0e-8a55-2a7d3f5a8c11")
"""Any number, the same for all: an exposure's id is computed."""


def emit_experiment_exposure(
    experiment: str,
    variant: str,
    user_id: str | None = None,
    session_id: str | None = None,
    details: Data | None = None,
    **fields: Any,
) -> Emitted:
    """`experiment.exposure`: this user, or this session, was shown this variant, such as one of two prompts.

    Said again within the time in which repeats are recognised, it is the same event.
    """
    unit = f"user\n{user_id}" if user_id is not None else f"session\n{session_id}"
    if user_id is not None or session_id is not None:
        fields.setdefault("id", str(uuid.uuid5(_SPACE, f"{experiment}\n{variant}\n{unit}")))
    data = {**(details or {}), "experiment": experiment, "variant": variant}
    return emit_analytics_event("experiment.exposure", data, user_id=user_id, session_id=session_id, **fields)
