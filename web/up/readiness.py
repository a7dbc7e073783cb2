"""Asks the web server whether it is ready, beside the supervisor's loop."""

from __future__ import annotations

import http.client
import threading

from pipeline.settings import Settings

_ANSWER_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
_BODY_LIMIT_BYTES = 2_000


def reachable_host(settings: Settings) -> str:
    """The host to reach the web server at from this machine, as written in a URL."""
    everywhere = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound  # nosec
    host = everywhere.get(settings.host, settings.host)
    return f"[{host}]" if ":" in host else host


class ReadyProbe:
    """Asks for /readyz in a thread until the answer is 200 or `close` is called.

    A thread, since the server accepts the connection long before it answers, and the loop must hear
    a Ctrl-C or a dying child meanwhile.
    """

    def __init__(self, settings: Settings) -> None:
        self._host = reachable_host(settings).strip("[]")
        self._port = settings.port
        self._closed = threading.Event()
        self._ready = threading.Event()
        self.last_answer = ""
        self._thread = threading.Thread(target=self._ask_on, name="readiness", daemon=True)
        self._thread.start()

    def ready(self) -> bool:
        """Whether the server has answered 200."""
        return self._ready.is_set()

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()

    def _ask_on(self) -> None:
        while not self._closed.is_set():
            if self._ask():
                self._ready.set()
                return
            self._closed.wait(_PAUSE_SECONDS)

    def _ask(self) -> bool:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/readyz")
            reply = connection.getresponse()
            body = reply.read(_BODY_LIMIT_BYTES).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        self.last_answer = f"{reply.status} {body}".strip()
        return reply.status == 200
