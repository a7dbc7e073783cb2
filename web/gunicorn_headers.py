"""Keeping gunicorn's name out of its answers: it has no setting for that."""

from __future__ import annotations

from gunicorn.http.wsgi import Response


def hide_server() -> None:
    """Takes the Server header out of what gunicorn adds by itself; in this process, from now on."""
    given = Response.default_headers

    def default_headers(response: Response) -> list[str]:
        return [line for line in given(response) if not line.startswith("Server:")]

    Response.default_headers = default_headers
