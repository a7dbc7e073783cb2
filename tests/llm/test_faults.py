"""Endpoints that refuse, are overloaded, or are not there."""

from __future__ import annotations

import datetime
import email.utils
import socket
import sys
import time

import httpx
import pytest

from pipeline.errors import SettingError, StageFailed, TransientFault
from tasks.llm.faults import of_exception, retry_after_seconds
from tasks.llm.openai import OpenAIModel
from tests.llm.conftest import KEY
from tests.llm.samples import ask
from tests.stand_in import StandIn

SECRETS = (KEY, "How do I turn it off?", "body that nobody may see")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_a_status_that_may_pass(stand_in: StandIn, model: OpenAIModel, status: int) -> None:
    """A user would lose the answer to a moment of overload."""
    stand_in.script(fail_first=1, fail_status=status, retry_after="2")
    told = ask(model)
    assert isinstance(told.error, TransientFault)
    assert told.error.retry_after_seconds == 2.0
    assert ask(model).answer is not None
    assert len(stand_in.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422])
def test_a_status_that_stays(stand_in: StandIn, model: OpenAIModel, status: int) -> None:
    """A user would wait for attempts that cannot succeed, or read a key in the error."""
    stand_in.script(fail_first=1, fail_status=status, fail_body=f'{{"error": "{SECRETS[0]} {SECRETS[2]}"}}')
    told = ask(model)
    assert isinstance(told.error, StageFailed)
    assert str(told.error).startswith("The ")
    assert str(told.error).endswith(".")
    assert not any(secret in str(told.error) for secret in SECRETS)
    assert len(stand_in.requests) == 1


def test_a_redirect_is_not_followed(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user's key would be carried to another host."""
    stand_in.script(fail_first=1, fail_status=307)
    assert isinstance(ask(model).error, StageFailed)


def test_stream_options_refused_twice(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would wait for ever on an endpoint that names stream_options in every refusal."""
    stand_in.script(fail_first=9, fail_status=400, fail_body="stream_options")
    assert isinstance(ask(model).error, StageFailed)
    assert len(stand_in.requests) == 2


def test_nobody_listens() -> None:
    """A user would lose the answer while the endpoint restarts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    told = ask(OpenAIModel(f"http://127.0.0.1:{port}/v1", KEY, "m", 5.0, 5.0))
    assert isinstance(told.error, TransientFault)
    assert "cannot be reached" in str(told.error)
    assert str(port) not in str(told.error)


def test_a_name_that_is_none() -> None:
    """A user would lose the answer while names cannot be resolved."""
    told = ask(OpenAIModel("http://endpoint.invalid/v1", KEY, "m", 5.0, 10.0))
    assert isinstance(told.error, TransientFault)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops connections beyond a full backlog")
def test_a_host_that_does_not_answer() -> None:
    """A user would wait for minutes on a host that is not there."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        try:
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(server.getsockname())
            begun = time.monotonic()
            told = ask(OpenAIModel(f"http://127.0.0.1:{server.getsockname()[1]}/v1", KEY, "m", 0.3, 30.0))
            assert isinstance(told.error, TransientFault)
            assert "cannot be reached" in str(told.error)
            assert 0.25 < time.monotonic() - begun < 10.0
        finally:
            for client in waiting:
                client.close()


def test_tls_where_there_is_none(stand_in: StandIn) -> None:
    """A user would see a stack trace for an address that begins with https by mistake."""
    told = ask(OpenAIModel(stand_in.base_url.replace("http://", "https://"), KEY, "m", 10.0, 10.0))
    assert isinstance(told.error, TransientFault)


@pytest.mark.parametrize("stray", ["\n", "\u2026", "\x7f"])
def test_a_key_that_cannot_be_sent(stray: str) -> None:
    """A user would read the key in an error when it was pasted with a stray character."""
    with pytest.raises(SettingError) as caught:
        OpenAIModel("http://localhost/v1", f"{KEY}{stray}", "m", 10.0, 10.0)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("raised", "kind", "sentence"),
    [
        (httpx.LocalProtocolError(KEY), StageFailed, "malformed"),
        (httpx.UnsupportedProtocol(KEY), StageFailed, "malformed"),
        (httpx.PoolTimeout(KEY), TransientFault, "cannot be reached"),
        (httpx.ReadTimeout(KEY), TransientFault, "silent"),
        (httpx.WriteError(KEY), TransientFault, "broke off"),
        (httpx.DecodingError(KEY), TransientFault, "broke off"),
    ],
)
def test_what_the_http_client_raises(raised: httpx.HTTPError, kind: type[Exception], sentence: str) -> None:
    """A user would read an address or a key in the error."""
    fault = of_exception(raised)
    assert type(fault) is kind
    assert sentence in str(fault)
    assert KEY not in str(fault)


@pytest.mark.parametrize(
    ("address", "model"),
    [
        ("", "m"),
        ("localhost:8000/v1", "m"),
        ("ftp://host/v1", "m"),
        ("http:///v1", "m"),
        ("http://h\x00/v1", "m"),
        ("http://host/v1", ""),
    ],
)
def test_settings_that_cannot_work(address: str, model: str) -> None:
    """A user would learn of a wrong setting only from failing answers."""
    with pytest.raises(SettingError):
        OpenAIModel(address, KEY, model, 5.0, 5.0)


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai/v1", "azure.ai.openai"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://notgroq.com/v1", "openai"),
        ("http://localhost:11434/v1", "openai"),
    ],
)
def test_the_provider_is_one_of_few_words(address: str, provider: str) -> None:
    """An operator would get a line of the dashboard for every host."""
    assert OpenAIModel(address, KEY, "m", 5.0, 5.0).provider == provider


def test_the_key_is_not_shown() -> None:
    """A user would find the key in a log that prints the model."""
    model = OpenAIModel("http://localhost/v1", KEY, "m", 5.0, 5.0)
    assert KEY not in repr(model) + repr(model.endpoint) + repr(model.endpoint.call({}))


def _http_date(seconds: float) -> str:
    return email.utils.format_datetime(
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=seconds), True
    )


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("86400", 60.0),
        ("inf", 60.0),
        (_http_date(7), 7.0),
        (_http_date(-7), 0.0),
        (_http_date(86_400), 60.0),
    ],
)
def test_retry_after(told: str | None, seconds: float | None) -> None:
    """A user would be refused again by asking too early, or wait for a day."""
    assert retry_after_seconds(told, _http_date(0)) == seconds


def test_retry_after_by_our_own_clock() -> None:
    """A user would be refused again where the endpoint does not tell its time."""
    date = email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30), True)
    seconds = retry_after_seconds(date)
    assert seconds is not None
    assert 0.0 < seconds <= 30.0
