"""A mail server that takes every mail and remembers it: the part of SMTP that a sender needs."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from email.message import EmailMessage
from typing import Any


class MailPart:
    """Listens on 127.0.0.1. `refuses` makes it answer RCPT with 550."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refuses = False
        part = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 mail.test")
                for raw in self.rfile:
                    word = raw.split()[0].upper() if raw.split() else b""
                    if word == b"DATA":
                        self._say("354 go on")
                        part.mails.append(self._message())
                        self._say("250 taken")
                    elif word == b"QUIT":
                        self._say("221 bye")
                        return
                    elif word == b"RCPT" and part.refuses:
                        self._say("550 unknown")
                    else:
                        if word == b"RCPT":
                            part.recipients.append(raw.decode().partition("<")[2].partition(">")[0])
                        self._say("250 ok")

            def _message(self) -> EmailMessage:
                lines = []
                while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                    lines.append(line.removeprefix(b"."))
                found: Any = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                return found  # type: ignore[no-any-return]

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
