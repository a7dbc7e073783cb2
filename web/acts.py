"""Auditing what a request of an administrator has done."""

from __future__ import annotations

from typing import Any

from flask import request

from pipeline.unified.acts import Act, audit_act
from web.auth import principal
from web.errors import request_id
from web.state import web_state


def audit_request(
    action: str, object_type: str, object_id: str | None, actor: str = "", told: bool = True, **details: Any
) -> None:
    """Writes that this request did it. A refused request is never told here. `actor`: where nobody is known yet.

    `told` False: another event tells of it already.
    """
    state = web_state()
    act = Act(
        actor=actor or principal().id,
        action=action,
        object_type=object_type,
        object_id=object_id,
        details=details,
        ip_address=request.remote_addr,
        request_id=request_id(),
    )
    audit_act(state.events, state.store, act, told)
