"""Where webhooks may go: everything that could lead inside is refused, and the address that was judged is used."""

from __future__ import annotations

import ipaddress
import socket
import threading

import pytest

from pipeline.errors import SettingError, TargetRefused
from pipeline.settings import Settings, load
from pipeline.subscriptions.addresses import Target, is_allowed, private_networks, resolved, target_of
from pipeline.subscriptions.receiver import post

HTTP = load({"SPANFEED_WEBHOOK_ALLOW_HTTP": "true"})
REFUSED = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://127.0.0.1./",
    "https://127.255.255.254:8443/x",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.5.4/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://100.100.100.200/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://168.63.129.16/machine",
    "https://192.0.0.192/opc/v1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fd00:ec2::254]/latest/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[127.0.0.1]/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://127.0.0.1\\@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://user@example.com/",
    "https://user:secret@127.0.0.1/",
    "https://example.com@127.0.0.1/",
    "https://example.com#@127.0.0.1/",
    "https://exa mple.com/",
    "https://example.com/\r\nX-Evil: 1",
    "https://example.com/a\tb",
    "https://%31%32%37.0.0.1/",
    "https:///etc/passwd",
    "https://",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://-example.com/",
    "https://example..com/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "javascript:alert(1)",
    "//example.com/",
    "example.com",
    "https://" + "a" * 2_000 + ".com/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_could_lead_inside_is_refused(url: str) -> None:
    """Without this a subscriber could have the server speak with its own network."""
    with pytest.raises(TargetRefused):
        target_of(url, Settings())


@pytest.mark.parametrize("url", [url.replace("https://", "http://") for url in REFUSED if url.startswith("https://1")])
def test_plain_http_opens_no_other_door(url: str) -> None:
    """Without this the setting for http would let private addresses in."""
    with pytest.raises(TargetRefused):
        target_of(url, HTTP)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com", Target("https", "example.com", 443, "/")),
        ("https://Example.com./a?b=c%20d", Target("https", "example.com", 443, "/a?b=c%20d")),
        ("https://8.8.8.8:8443/x", Target("https", "8.8.8.8", 8443, "/x")),
        ("https://[2606:4700::1111]/", Target("https", "2606:4700::1111", 443, "/")),
        ("https://xn--bcher-kva.example/", Target("https", "xn--bcher-kva.example", 443, "/")),
    ],
)
def test_an_ordinary_receiver_is_accepted(url: str, target: Target) -> None:
    """Without this nobody could have a webhook."""
    assert target_of(url, Settings()) == target


def _resolves(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Has names stand for these addresses, one list after the other; gives the names that were asked for."""
    asked: list[str] = []

    def look(host: str, port: int, **_: object) -> list[tuple[object, object, object, str, tuple[str, int]]]:
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return asked


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["fe80::1%2"], []],
    ids=str,
)
def test_a_name_with_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    """Without this a name that anybody can register would lead inside; all refusals sound the same."""
    _resolves(monkeypatch, addresses)
    with pytest.raises(TargetRefused, match=r"^the receiver's name has no address that may be used$"):
        resolved(Target("https", "inside.example", 443, "/"), Settings(), 5)


def test_a_name_is_looked_up_once_and_its_address_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this a name that changes between the look and the connection would lead inside."""
    connected: list[str] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    asked = _resolves(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    outcome = post("https://rebinding.example/", {}, b"{}", Settings())
    assert (outcome.error, asked, connected) == ("the connection was refused", ["rebinding.example"], ["93.184.215.14"])


def test_a_name_that_is_not_found_in_time_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this a name server that says nothing would keep a thread for a minute."""
    let_go = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [let_go.wait(60)][1:])
    with pytest.raises(TargetRefused, match="in time"):
        resolved(Target("https", "slow.example", 443, "/"), Settings(), 0.1)
    let_go.set()


def test_private_receivers_are_let_in_by_network_alone() -> None:
    """Without this a receiver in the own network could not be used, or one entry would open all of it."""
    allowed = private_networks(load({"SPANFEED_WEBHOOK_PRIVATE_NETWORKS": "10.1.0.0/16, 127.0.0.1"}))
    judged = {
        text: is_allowed(ipaddress.ip_address(text), allowed)
        for text in ("10.1.2.3", "10.2.0.1", "127.0.0.1", "127.0.0.2", "::ffff:10.1.2.3", "::1", "8.8.8.8")
    }
    assert judged == {
        "10.1.2.3": True,
        "10.2.0.1": False,
        "127.0.0.1": True,
        "127.0.0.2": False,
        "::ffff:10.1.2.3": True,
        "::1": False,
        "8.8.8.8": True,
    }
    with pytest.raises(SettingError):
        private_networks(load({"SPANFEED_WEBHOOK_PRIVATE_NETWORKS": "inside.example"}))
