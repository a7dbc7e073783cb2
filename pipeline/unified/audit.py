"""Audit entries in one call each: what was done to a resource, and who proved who they are."""

from __future__ import annotations

from typing import Any

from pipeline.unified.emit import Data, emit_audit_event
from pipeline.unified.emitted import Emitted


def emit_resource_audit(
    action: str,
    resource_type: str,
    resource_id: str,
    success: bool = True,
    user_id: str | None = None,
    details: Data | None = None,
    **fields: Any,
) -> Emitted:
    """`<resource_type>.<action>`, such as `model.delete`."""
    data = {
        **(details or {}),
        "action": action,
        "resource_type": resource_type,
        "resource_id": resource_id,
        f"{resource_type}_id": resource_id,
        **_result(success),
    }
    return emit_audit_event(f"{resource_type}.{action}", data, user_id=user_id, **fields)


def emit_authentication_audit(
    action: str,
    success: bool,
    user_id: str | None = None,
    session_id: str | None = None,
    ip_address: str | None = None,
    user_agent: str | None = None,
    details: Data | None = None,
    **fields: Any,
) -> Emitted:
    """`auth.<action>`."""
    more = {"ip_address": ip_address, "user_agent": user_agent}
    known = {name: value for name, value in more.items() if value is not None}
    data = {**(details or {}), "action": action, **known, **_result(success)}
    return emit_audit_event(f"auth.{action}", data, user_id=user_id, session_id=session_id, **fields)


def _result(success: bool) -> Data:
    return {"success": success, "result": "success" if success else "failure"}
