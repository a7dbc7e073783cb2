"""E-mails for subscribers: the events of a while in one mail, sent by SMTP."""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections.abc import Sequence
from email.message import EmailMessage

import orjson

from pipeline.errors import SettingError
from pipeline.event import clean_text
from pipeline.settings import Settings
from pipeline.store.deliveries import Work
from pipeline.store.subscriptions import Subscription
from pipeline.subscriptions.receiver import Outcome

SECURITIES = ("starttls", "tls", "none")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_ADDRESS_CHARACTERS = 254
_LINE_CHARACTERS = 500


def is_address(text: str) -> bool:
    """Whether a mail can be sent there: an ordinary address in ASCII, without a name."""
    return len(text) <= _ADDRESS_CHARACTERS and bool(_ADDRESS.fullmatch(text))


def check(settings: Settings) -> None:
    """Raises SettingError where no mail can be sent with these settings."""
    if not settings.smtp_host:
        raise SettingError("SPANFEED_SMTP_HOST is not set: no e-mails are sent")
    if settings.smtp_security not in SECURITIES:
        raise SettingError(f"SPANFEED_SMTP_SECURITY must be one of {', '.join(SECURITIES)}")
    if not is_address(settings.smtp_from):
        raise SettingError("SPANFEED_SMTP_FROM must be an e-mail address")


def message_of(one: Subscription, works: Sequence[Work], settings: Settings) -> EmailMessage:
    """The mail for these events, a line each. Sent again it has the same Message-ID."""
    count = len(works)
    message = EmailMessage()
    message["From"] = settings.smtp_from
    message["To"] = one.target
    name = " ".join(clean_text(one.name).split())
    message["Subject"] = f"{name}: {count} event{'' if count == 1 else 's'}"
    domain = settings.smtp_from.partition("@")[2]
    message["Message-ID"] = f"<{one.subscription_id}.{works[0].event_id}.{works[-1].event_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [_line(work) for work in works]
    message.set_content("\n".join([*lines, "", f"Subscription {one.subscription_id} of Spanfeed.", ""]))
    return message


def _line(work: Work) -> str:
    said = orjson.loads(work.payload)
    sentence = str(said["data"].get("user_message") or "")
    return " ".join(clean_text(f"{said['timestamp']}  {said['type']}  {sentence}", _LINE_CHARACTERS).split("\n"))


def send(one: Subscription, works: Sequence[Work], settings: Settings) -> Outcome:
    """Hands one mail with these events to the server; never raises for what the server does."""
    started = time.monotonic()
    error: str | None = None
    try:
        check(settings)
        _hand_over(message_of(one, works, settings), settings)
    except SettingError as wrong:
        error = str(wrong)
    except smtplib.SMTPRecipientsRefused:
        error = "the mail server refuses the recipient"
    except smtplib.SMTPAuthenticationError:
        error = "the mail server refuses user or password"
    except smtplib.SMTPResponseException as refused:
        error = f"the mail server answered {refused.smtp_code}"
    except (TimeoutError, OSError, smtplib.SMTPException):
        error = "the mail server cannot be reached"
    return Outcome(error, int((time.monotonic() - started) * 1000))


def _hand_over(message: EmailMessage, settings: Settings) -> None:
    where, seconds = (settings.smtp_host, settings.smtp_port), settings.smtp_timeout_seconds
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if settings.smtp_security == "tls":
        server = smtplib.SMTP_SSL(*where, timeout=seconds, context=context)
    else:
        server = smtplib.SMTP(*where, timeout=seconds)
    with server:
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password)
        server.send_message(message)
