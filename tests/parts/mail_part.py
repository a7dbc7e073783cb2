"""A mail server that takes every mail and remembers it: the part of SMTP that a sender needs."""

from __future__ import annotations

import base64
import email
import email.policy
import socketserver
import ssl
import threading
from email.message import EmailMessage
from pathlib import Path
from typing import Any


class MailPart:
    """Listens on 127.0.0.1. `refuses` makes it answer RCPT with 550.

    With a certificate it takes mails over TLS alone: from the beginning (`at_once`) or after STARTTLS; and only from
    whoever has logged in as `user` with `password`.
    """

    def __init__(self, certificate: Path | None = None, at_once: bool = False) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refuses = False
        self.user, self.password = "mailer", "a mail password"
        part = self
        context: ssl.SSLContext | None = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate / "fullchain.pem", certificate / "privkey.pem")

        class Handler(socketserver.StreamRequestHandler):
            def setup(self) -> None:
                super().setup()
                self.known = context is None
                if at_once:
                    self._encrypt()

            def _encrypt(self) -> None:
                assert context is not None
                self.connection = context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

            def finish(self) -> None:
                super().finish()
                self.connection.close()

            def handle(self) -> None:
                self._say("220 mail.test")
                while raw := self.rfile.readline():
                    word = raw.split()[0].upper() if raw.split() else b""
                    if word == b"EHLO" and context is not None:
                        self._say("250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN")
                    elif word == b"STARTTLS":
                        self._say("220 go on")
                        self._encrypt()
                    elif word == b"AUTH":
                        said = base64.b64decode(raw.split()[2]).split(b"\0")
                        is_safe = isinstance(self.connection, ssl.SSLSocket)
                        self.known = is_safe and said[1:] == [part.user.encode(), part.password.encode()]
                        self._say("235 welcome" if self.known else "535 no")
                    elif word == b"MAIL" and not self.known:
                        self._say("530 who are you")
                    elif word == b"DATA":
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
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign,misc]
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
