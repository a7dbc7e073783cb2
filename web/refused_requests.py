"""After a refused request: where it came from is told, once its client has the answer."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request

from web.errors import request_id
from web.state import web_state

_REFUSED = {401, 429}


def whereabouts() -> dict[str, Any]:
    """Where this request comes from and goes to, as security events say it: the route, never the address itself."""
    return {
        "ip_address": request.remote_addr or "unknown",
        "method": request.method,
        "route": request.url_rule.rule if request.url_rule is not None else None,
        "request_id": request_id(),
    }


def register(app: Flask) -> None:
    """Tells of what `web.auth` or the login has noted in `g.refusal`, where the request was refused for it."""

    @app.after_request
    def tell_refusal(response: Response) -> Response:
        refusal = g.get("refusal")
        if refusal is not None and response.status_code in _REFUSED:
            refusals, where = web_state().refusals, whereabouts()
            # Nobody waits for the telling.
            response.call_on_close(lambda: refusals.tell(refusal, where))
        return response
