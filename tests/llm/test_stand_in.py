"""The stand-in itself: what every other test of answers rests on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.stand_in import StandIn

ROOT = Path(__file__).parents[2]


@pytest.fixture
def http(stand_in: StandIn) -> httpx.Client:
    """A plain client of the stand-in."""
    return httpx.Client(base_url=stand_in.root_url, timeout=10.0, trust_env=False)


def complete(http: httpx.Client, **fields: object) -> httpx.Response:
    """Asks for a completion."""
    return http.post("/v1/chat/completions", json={"model": "m", "messages": [], **fields})


def test_models(http: httpx.Client) -> None:
    """A user's tool that lists the models would find none."""
    with http:
        assert http.get("/v1/models").json()["data"][0]["id"] == "stand-in"


def test_an_answer_in_one_piece(http: httpx.Client) -> None:
    """A test without streaming could not use the stand-in."""
    with http:
        told = complete(http).json()
    assert told["choices"][0]["message"]["content"] == "The documents do not hold the answer."
    assert told["usage"]["completion_tokens"] == 7


def test_control_over_http(stand_in: StandIn, http: httpx.Client) -> None:
    """A test in another process could not tell the stand-in what to do."""
    with http:
        assert http.post("/control", json={"words": ["a ", "b"], "step": True}).status_code == 200
        assert http.post("/release", json={"count": 2}).status_code == 200
        text = complete(http, stream=True).text
        assert '"a "' in text
        assert text.endswith("data: [DONE]\n\n")
        (request,) = http.get("/requests").json()["requests"]
    assert request["body"]["stream"] is True
    assert stand_in.requests[0].body == request["body"]


@pytest.mark.parametrize("fields", [{"wrods": []}, {"quirks": ["odd"]}])
def test_a_misspelt_script_is_refused(stand_in: StandIn, http: httpx.Client, fields: dict[str, object]) -> None:
    """A test would pass because its command was not understood."""
    with http:
        assert http.post("/control", json=fields).status_code == 400
    with pytest.raises(ValueError, match="no such"):
        stand_in.script(**fields)


def test_odd_requests(http: httpx.Client) -> None:
    """A test that asks at a wrong address would hang."""
    with http:
        assert http.get("/elsewhere").status_code == 404
        assert http.post("/elsewhere").status_code == 404
        assert http.post("/control", content=b"{").status_code == 400


def test_failures_are_counted(stand_in: StandIn, http: httpx.Client) -> None:
    """A test of retries would see more or fewer failures than it asked for."""
    stand_in.script(fail_first=2, fail_status=503, retry_after="1")
    with http:
        replies = [complete(http) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [503, 503, 200]
    assert replies[0].headers["retry-after"] == "1"
    stand_in.forget()
    assert stand_in.requests == []


def test_no_request_is_waited_for_in_vain(stand_in: StandIn) -> None:
    """A test would hang when the request it waits for never comes."""
    with pytest.raises(AssertionError, match="only 0 of 1"):
        stand_in.wait_for_requests(1, timeout=0.05)


def test_as_a_process_of_its_own() -> None:
    """A test of whole processes could not start the stand-in beside them."""
    command = [sys.executable, "-m", "tests.stand_in", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            base_url = process.stdout.readline().strip()
            assert httpx.get(f"{base_url}/models", timeout=10.0, trust_env=False).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(10.0) == 0
        finally:
            process.kill()


def test_ending_it_frees_who_waits() -> None:
    """A test would hang at its end when an answer is still being held back."""
    with StandIn() as stand_in:
        stand_in.script(words=["a"], stall_after=0)
        with httpx.stream(
            "POST", f"{stand_in.base_url}/chat/completions", json={"stream": True}, timeout=10.0, trust_env=False
        ) as reply:
            assert reply.status_code == 200
            stand_in.close()
            with pytest.raises(httpx.RemoteProtocolError):
                reply.read()
