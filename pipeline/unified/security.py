"""Security events in one call each: sign-ins, suspicious activity, limits that were exceeded."""

from __future__ import annotations

from typing import Any

from pipeline.unified.emit import Data, emit_security_event
from pipeline.unified.emitted import Emitted


def emit_login_event(
    success: bool,
    user_id: str | None = None,
    ip_address: str | None = None,
    user_agent: str | None = None,
    details: Data | None = None,
    **fields: Any,
) -> Emitted:
    """`auth.login_success` or `auth.login_failure`."""
    name = "auth.login_success" if success else "auth.login_failure"
    data = _data(details, success=success, user_id=user_id, ip_address=ip_address, user_agent=user_agent)
    return emit_security_event(name, data, user_id=user_id, **fields)


def emit_suspicious_activity(
    activity_type: str,
    user_id: str | None = None,
    ip_address: str | None = None,
    details: Data | None = None,
    **fields: Any,
) -> Emitted:
    """`suspicious.<activity_type>`, such as `suspicious.brute_force`. The user is not told: it may be the intruder."""
    data = _data(details, activity_type=activity_type, user_id=user_id, ip_address=ip_address)
    fields.setdefault("audience", "operator")
    return emit_security_event(f"suspicious.{activity_type}", data, user_id=user_id, **fields)


def emit_rate_limit_exceeded(
    user_id: str | None = None,
    ip_address: str | None = None,
    endpoint: str | None = None,
    details: Data | None = None,
    **fields: Any,
) -> Emitted:
    """`rate_limit.exceeded`."""
    data = _data(details, user_id=user_id, ip_address=ip_address, endpoint=endpoint)
    return emit_security_event("rate_limit.exceeded", data, user_id=user_id, **fields)


def _data(details: Data | None, **said: Any) -> Data:
    """What is known, with the details beside it and, as the second seed has them, under `details`."""
    details = details or {}
    return {**details, **{name: value for name, value in said.items() if value is not None}, "details": details}
