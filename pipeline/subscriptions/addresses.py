"""Where a webhook may go: which URLs are accepted, and which addresses may be connected to.

A name is resolved once, every address that it has is judged, and the connection goes to an address that was judged.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import ipaddress
import re
import socket
import threading
from collections.abc import Iterable
from urllib.parse import urlsplit

from pipeline.errors import SettingError, TargetRefused
from pipeline.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
URL_LIMIT_CHARACTERS = 2_000
_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII without spaces and without the backslash, which some readers take for a slash."""
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
        # A cloud's metadata behind an address that looks public.
        "168.63.129.16/32 "
        "::/96 ::ffff:0:0:0/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 "
        "fc00::/7 fe80::/10 fec0::/10 ff00::/8"
    ).split()
)
"""Beside what Python's own table says; that differs from version to version."""
_EMBEDDING = ipaddress.ip_network("64:ff9b::/96")
"""Addresses in which an IPv4 address stands, to which a gateway sends on."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A URL, taken apart. `host` is a name or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str, settings: Settings) -> Target:
    """What a URL means. Raises TargetRefused for one that no webhook may have; no name is looked up yet."""
    if not 0 < len(url) <= URL_LIMIT_CHARACTERS or not _URL.fullmatch(url):
        raise TargetRefused(f"a URL has 1 to {URL_LIMIT_CHARACTERS} ASCII characters, no spaces and no backslash")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise TargetRefused("this is no URL") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.webhook_allow_http):
        raise TargetRefused("the URL must begin with https://")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise TargetRefused("the URL must not hold a user's name or password")
    if parts.fragment or "#" in url:
        raise TargetRefused("the URL must not hold a fragment (#)")
    if port == 0:
        raise TargetRefused("port 0 is none")
    host = _checked_host(host, bracketed="[" in parts.netloc)
    literal = _literal(host)
    if literal is not None and not is_allowed(literal, private_networks(settings)):
        raise TargetRefused("the receiver's address is private or reserved")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path)


def _checked_host(host: str, bracketed: bool) -> str:
    if bracketed:
        try:
            found = ipaddress.IPv6Address(host)
        except ValueError:
            raise TargetRefused("what stands in brackets is no IPv6 address") from None
        if found.scope_id is not None:
            raise TargetRefused("an address with a zone is refused")
        return str(found)
    host = host.removesuffix(".")
    labels = host.split(".")
    if not host or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise TargetRefused("the host is no name; a name with other letters is written as xn--…")
    if _NUMERIC.fullmatch(labels[-1]):
        # Decimal, octal, hexadecimal and short forms are read as an address by some, and as a name by others.
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise TargetRefused("an address is written as four decimal numbers") from None
    return host


def _literal(host: str) -> Address | None:
    """The address that a host is, None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def private_networks(settings: Settings) -> tuple[Network, ...]:
    """The networks of receivers that may be private. Raises SettingError."""
    found = []
    for word in settings.webhook_private_networks.replace(",", " ").split():
        try:
            found.append(ipaddress.ip_network(word))
        except ValueError:
            raise SettingError(f"SPANFEED_WEBHOOK_PRIVATE_NETWORKS: {word} is no network such as 10.1.0.0/16") from None
    return tuple(found)


def is_allowed(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether a webhook may connect to this address: a public one, or one of the allowed networks'."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in _EMBEDDING:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address.version == network.version and address in network for network in _REFUSED)


def resolved(target: Target, settings: Settings, timeout_seconds: float) -> list[Address]:
    """The addresses to connect to, each as good as the others.

    Raises TargetRefused where any address of the name may not be connected to. A name without an address sounds the
    same: which private names there are is nobody's business.
    """
    allowed = private_networks(settings)
    found = _addresses(target, timeout_seconds)
    if not found or not all(is_allowed(address, allowed) for address in found):
        raise TargetRefused("the receiver's name has no address that may be used", passing=True)
    return found


def _addresses(target: Target, timeout_seconds: float) -> list[Address]:
    literal = _literal(target.host)
    if literal is not None:
        return [literal]
    try:
        raw = _looked_up(target, timeout_seconds)
    except TimeoutError:
        raise TargetRefused("the name could not be looked up in time", passing=True) from None
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(entry[4][0])) for entry in raw]


def _looked_up(target: Target, timeout_seconds: float) -> list[tuple[object, object, object, str, tuple[object, ...]]]:
    """As `socket.getaddrinfo`, which knows no deadline: a look-up that takes too long is left behind in its thread."""
    done: concurrent.futures.Future[list[tuple[object, object, object, str, tuple[object, ...]]]]
    done = concurrent.futures.Future()

    def look() -> None:
        try:
            done.set_result(list(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            done.set_exception(error)

    threading.Thread(target=look, name="webhook-name", daemon=True).start()
    return done.result(timeout_seconds)
