"""What `spanfeed doctor --security` looks at: secrets, doors, the servers around us, redaction and the audit trail."""

from __future__ import annotations

import ipaddress
import socket
import stat
from urllib.parse import parse_qs, urlsplit

from pipeline.settings import Settings
from pipeline.store import audit, audit_chain, inspect
from web.doctor.lines import Line, fault, ok, warning
from web.doctor.patient import Patient

_LOOPBACK_NAMES = {"localhost", "", None}
_SHORTEST_KEY = 20
_SHORTEST_SECRET = 32
_KNOWN_WORDS = ("changeme", "change-me", "change_me", "secret-key", "default", "example", "password", "your-")
_CONNECT_SECONDS = 0.5
_FINDINGS_SHOWN = 3


def is_loopback(host: str | None) -> bool:
    """Whether a host's name or address is this machine alone; a name that is not known counts as another machine."""
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def secret_values(patient: Patient) -> list[Line]:
    """No secret is missing, short or a word that stands in every example."""
    settings = patient.settings
    given = {
        "SPANFEED_SECRET_KEY": (settings.secret_key, _SHORTEST_SECRET, "secret_key"),
        "SPANFEED_API_KEY": (settings.api_key, _SHORTEST_KEY, "api_key"),
        "GOVSTACK_API_KEY": (settings.reader_api_key, _SHORTEST_KEY, None),
        "GOVSTACK_ADMIN_API_KEY": (settings.admin_api_key, _SHORTEST_KEY, None),
        "SPANFEED_FLOWER_PASSWORD": (settings.flower_password, 12, "flower_password"),
        "SPANFEED_AUDIT_KEY": (settings.audit_key, _SHORTEST_SECRET, "audit_key"),
    }
    weak, missing = [], []
    for name, (value, shortest, file) in given.items():
        if value and (len(value) < shortest or any(word in value.lower() for word in _KNOWN_WORDS)):
            weak.append(name)
        elif not value and name == "SPANFEED_SECRET_KEY" and not (settings.home_path / str(file)).exists():
            missing.append(name)
    if weak:
        mend = "make new ones: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        return [fault("secrets", f"short, or a word of an example: {', '.join(weak)}", mend)]
    if missing:
        found = f"{', '.join(missing)} is not set, and none is kept in {settings.home_path}"
        return [warning("secrets", found, "set it, or let `spanfeed up` make it")]
    return [ok("secrets", "none is short or a word of an example")]


def home_folder(patient: Patient) -> list[Line]:
    """Nobody else may enter the home folder."""
    home = patient.settings.home_path
    if home.exists() and stat.S_IMODE(home.stat().st_mode) & 0o077:
        return [warning("home folder", f"others may enter {home}", f"chmod 700 {home}")]
    return [ok("home folder", f"only its owner may enter {home}" if home.exists() else "there is none yet")]


def doors(patient: Patient) -> list[Line]:
    """Who gets in without a key, over what, and whose word on addresses is believed."""
    settings = patient.settings
    local = is_loopback(settings.host)
    return [_public_chat(settings, local), _open_feeds(settings), _tls(settings, local), _proxies(settings, local)]


def _public_chat(settings: Settings, local: bool) -> Line:
    if not settings.public_chat_enabled:
        return ok("public chat", "off: everybody needs a key or a token")
    if local and not settings.trusted_proxies:
        return ok("public chat", f"on, for this machine alone ({settings.host})")
    where = f"on {settings.host}" if not local else "behind a proxy"
    return warning("public chat", f"visitors without a key may chat {where}", "SPANFEED_PUBLIC_CHAT=off")


def _open_feeds(settings: Settings) -> Line:
    if settings.open_feeds:
        found = "a session's feed is open to whoever knows its id"
        return warning("open feeds", found, "SPANFEED_OPEN_FEEDS=off, and give the frontend session tokens")
    return ok("open feeds", "off")


def _tls(settings: Settings, local: bool) -> Line:
    plain = [o for o in sorted(settings.origins) if o.startswith("http://") and not is_loopback(urlsplit(o).hostname)]
    if not local and not settings.trusted_proxies:
        found = f"the web server speaks plain HTTP on {settings.host}"
        mend = "SPANFEED_HOST=127.0.0.1 and a proxy with TLS in front; see deploy/nginx"
        return warning("tls", found, mend)
    if plain:
        found = f"pages without TLS may connect: {', '.join(plain)}"
        return warning("tls", found, "name https:// origins in SPANFEED_ALLOWED_ORIGINS")
    return ok("tls", "a proxy's affair: this server is not reached from elsewhere" if local else "a proxy's affair")


def _proxies(settings: Settings, local: bool) -> Line:
    count = settings.trusted_proxies
    if count and not local:
        found = (
            f"{count} proxies are believed, but {settings.host} can be reached past them: a client can name any address"
        )
        return warning("trusted proxies", found, "SPANFEED_HOST=127.0.0.1, or a firewall")
    return ok("trusted proxies", f"{count} believed" if count else "none is believed")


def servers(patient: Patient) -> list[Line]:
    """Redis, the broker and the database ask for a password, and are reached by TLS where they are elsewhere."""
    settings = patient.settings
    lines = [_server("redis access", "REDIS_URL", settings.redis_url, "rediss")] if settings.redis_url else []
    if settings.broker_url:
        lines.append(_server("broker access", "SPANFEED_BROKER_URL", settings.broker_url, "rediss", "amqps"))
    if not settings.sqlalchemy_url.startswith("sqlite"):
        lines.append(_database(settings.sqlalchemy_url))
    return lines


def _server(name: str, variable: str, url: str, *safe: str) -> Line:
    parts = urlsplit(url)
    local = parts.scheme == "unix" or is_loopback(parts.hostname)
    if not parts.password and parts.scheme != "unix":
        found = "everybody on this machine may use it" if local else f"{parts.hostname} is used without a password"
        say = warning if local else fault
        return say(name, found, f"set a password (deploy/redis/users.acl) and put it into {variable}")
    if not local and parts.scheme not in safe:
        found = f"{parts.hostname} is reached without TLS"
        return warning(name, found, f"{variable}={safe[0]}://…")
    if "ssl_cert_reqs=none" in parts.query.lower():
        return fault(name, "the server's certificate is not looked at", f"take ssl_cert_reqs out of {variable}")
    return ok(name, "with a password, " + ("on this machine" if local else "by TLS"))


def _database(url: str) -> Line:
    parts = urlsplit(url)
    mode = parse_qs(parts.query).get("sslmode", [""])[0]
    if not is_loopback(parts.hostname) and mode not in {"require", "verify-ca", "verify-full"}:
        return warning(
            "database access", f"{parts.hostname} is reached without TLS", "DATABASE_URL=…?sslmode=verify-full"
        )
    return ok("database access", "on this machine" if is_loopback(parts.hostname) else f"by TLS ({mode})")


def flower(patient: Patient) -> list[Line]:
    """Flower is reached from this machine alone: two of its pages answer without a password."""
    port = patient.settings.flower_port
    address = _own_address()
    if address is not None and _answers(address, port):
        return [
            fault(
                "flower", f"port {port} answers on {address}", "start it by `spanfeed flower`, or --address=127.0.0.1"
            )
        ]
    return [ok("flower", f"port {port} does not answer beyond this machine")]


def _own_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: this only asks which of this machine's addresses others would see.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if is_loopback(address) else address


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def content(patient: Patient) -> list[Line]:
    """Secrets and personal data do not leave the processes, nor prompts and answers; no test of faults is armed."""
    settings = patient.settings
    lines = [ok("redaction", f"on, with national ids of {settings.redaction_packs or 'no language'}")]
    if not settings.redaction:
        lines = [
            warning("redaction", "off: secrets and personal data stand in events and logs", "SPANFEED_REDACTION=on")
        ]
    if settings.span_content_attributes and settings.otlp_enabled:
        found = f"spans carry what was said: {settings.span_content_attributes}"
        lines.append(warning("span content", found, "empty SPANFEED_SPAN_CONTENT_ATTRIBUTES, unless you mean it"))
    if settings.failpoints:
        lines.append(fault("failpoints", "processes kill themselves on purpose", "unset SPANFEED_FAILPOINTS"))
    return lines


def audit_trail(patient: Patient) -> list[Line]:
    """The chain of the audit trail is whole."""
    file = inspect.file_of(patient.settings)
    if file is not None and not file.exists():
        return [ok("audit trail", "there is no database yet")]
    head = audit.head(patient.store)
    if head is None and not audit_chain.anchors_path(patient.settings).exists():
        return [ok("audit trail", "it is empty")]
    found = list(audit_chain.verify(patient.store))
    if found:
        shown = "; ".join(f"{one.fault} at entry {one.number}" for one in found[:_FINDINGS_SHOWN])
        return [fault("audit trail", f"{len(found)} findings: {shown}", "spanfeed audit verify shows all of them")]
    return [ok("audit trail", f"{head[0] if head else 0} entries, the chain is whole")]
