"""Mails to a server that takes them over TLS alone, from whoever has logged in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.mail_part import MailPart
from tests.parts.webhook_part import make_certificate
from tests.subscriptions.test_delivering import Make, emit

DOORS = ["starttls", "tls"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the name localhost."""
    return make_certificate(tmp_path_factory.mktemp("certificate"), "localhost")


@pytest.fixture(params=DOORS)
def mails(request: pytest.FixtureRequest, certificate: Path) -> Iterator[tuple[str, MailPart]]:
    """A server of each kind."""
    part = MailPart(certificate, at_once=request.param == "tls")
    yield request.param, part
    part.close()


def _sent(make: Make, security: str, part: MailPart, **more: str) -> tuple[str, str | None]:
    """What the delivery log says of one event."""
    settings = {
        "SPANFEED_SMTP_HOST": "localhost",
        "SPANFEED_SMTP_PORT": str(part.port),
        "SPANFEED_SMTP_SECURITY": security,
        "SPANFEED_SMTP_FROM": "spanfeed@example.org",
        "SPANFEED_SMTP_USER": part.user,
        "SPANFEED_SMTP_PASSWORD": part.password,
        "SPANFEED_MAIL_DIGEST_SECONDS": "0",
        "SPANFEED_DELIVERY_CIRCUIT_FAILURES_LIMIT": "1",
        **more,
    }
    delivering = make(**settings)
    one = delivering.subscribe("ops@example.org")
    emit(delivering)
    delivering.run()
    [row] = delivering.log(one)
    return row.status, row.error


def test_a_mail_goes_encrypted_to_a_server_that_knows_us(
    make: Make, mails: tuple[str, MailPart], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this mails would go to no ordinary mail server, or user and password over an open line."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "fullchain.pem"))
    security, part = mails
    assert _sent(make, security, part) == ("delivered", None)
    assert len(part.mails) == 1


def test_a_wrong_password_is_said(
    make: Make, mails: tuple[str, MailPart], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this nobody would know why no mail comes."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "fullchain.pem"))
    security, part = mails
    found = _sent(make, security, part, SPANFEED_SMTP_PASSWORD="another")
    assert found == ("pending", "the mail server refuses user or password")
    assert part.mails == []


def test_a_server_that_nobody_vouches_for_gets_no_password(make: Make, mails: tuple[str, MailPart]) -> None:
    """Without this whoever stands in between could read mails and the password."""
    security, part = mails
    status, error = _sent(make, security, part)
    assert (status, error) == ("pending", "the mail server cannot be reached")
    assert part.mails == []
