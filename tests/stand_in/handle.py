"""The stand-in as a test holds it: a context manager around a server in a thread."""

from __future__ import annotations

import threading
import types
from typing import Any

from tests.stand_in.script import Script
from tests.stand_in.server import MODEL, Server
from tests.stand_in.state import Request

WAIT_SECONDS = 10.0


class StandIn:
    """`with StandIn() as model:`: listening from the first line on, gone after the last.

    Any process of this machine may ask it at `base_url`; scripts, releases and the record are those of this handle.
    """

    def __init__(self, port: int = 0) -> None:
        self.model = MODEL
        self._server = Server(port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="stand-in", daemon=True)

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Breaks what is still being answered and stops listening; harmless when repeated."""
        self._server.state.close()
        self._server.shutdown()
        self._thread.join(WAIT_SECONDS)
        self._server.server_close()
        self._server.state.wait_until_idle(WAIT_SECONDS)

    @property
    def root_url(self) -> str:
        """Where the control routes are: `{root_url}/control`, `/release`, `/requests`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL must be."""
        return f"{self.root_url}/v1"

    def script(self, **fields: Any) -> None:
        """Behaves by these fields of a Script from the next request on; without any, as at the start."""
        self._server.state.play(Script.from_fields(fields))

    def release(self, n: int = 1) -> None:
        """In step mode, lets `n` more words pass."""
        self._server.state.release(n)

    @property
    def requests(self) -> list[Request]:
        """The requests for completions so far, oldest first."""
        return self._server.state.requests()

    def forget(self) -> None:
        """Empties `requests`."""
        self._server.state.forget()

    def wait_for_requests(self, n: int, timeout: float = WAIT_SECONDS) -> list[Request]:
        """The requests, once there are `n`; fails the test when they do not come within `timeout` seconds."""
        assert self._server.state.wait_for_requests(n, timeout), f"only {len(self.requests)} of {n} requests came"
        return self.requests

    def wait_until_idle(self, timeout: float = WAIT_SECONDS) -> None:
        """Returns once every answer has ended or lost its client; fails the test when one is still open."""
        assert self._server.state.wait_until_idle(timeout), "an answer is still being given"
