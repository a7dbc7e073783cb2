"""`spanfeed up` where it refuses, each time in one sentence; what it prints; what it indexes."""

from __future__ import annotations

import dataclasses
import json
import shlex
import socket
from pathlib import Path

import pytest

import celeryconfig
from pipeline.errors import SettingError
from pipeline.settings import Settings
from tasks.deliveries import QUEUE
from web.up import children, ports
from web.up.banner import banner
from web.up.command import up
from web.up.first_start import SampleDocuments
from web.up.flower import flower_argv, flower_environment
from web.up.worker import beat_argv, deliver_argv, exec_deliver, worker_argv


def test_a_port_in_use_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The newcomer whose port 5000 is taken would read a traceback."""
    with socket.create_server(("127.0.0.1", ports.private())) as taken:
        port = taken.getsockname()[1]
        assert up(Settings(home=str(tmp_path), port=port)) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"Port {port} is in use by another program; choose another: make run PORT=")
    assert said.err.count("\n") == 1
    assert said.out == ""
    instead = int(said.err.rsplit("=", 1)[1])
    assert not ports.why_not("127.0.0.1", instead)


def test_a_chosen_port_for_flower_in_use_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Flower would quietly be somewhere else than where its owner put it."""
    with socket.create_server(("127.0.0.1", ports.private())) as taken:
        port = taken.getsockname()[1]
        assert up(Settings(home=str(tmp_path), port=ports.private(), flower_port=port)) == 1
    assert f"Flower's port {port} is taken" in capsys.readouterr().err


def test_chroma_is_refused_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever set CHROMA_HOST would believe that it is used."""
    assert up(Settings(home=str(tmp_path / "var"), chroma_host="localhost")) == 1
    assert capsys.readouterr().err.startswith("CHROMA_HOST is set, but")
    assert not (tmp_path / "var").exists()


def test_a_host_that_is_not_here_is_one_sentence() -> None:
    """A mistyped SPANFEED_HOST would be blamed on the port."""
    for host in ("192.0.2.1", "no such host"):
        with pytest.raises(SettingError, match="is not an address of this machine"):
            ports.require(host, 5_000)


def test_the_block_holds_all_that_is_needed() -> None:
    """The newcomer would have to look for the address, the key or the way to ask."""
    given = Settings(port=5_001, home="/srv/feed")
    settings = dataclasses.replace(given, api_key="sf_abc", flower_password="pw", flower_port=5_556)
    text = banner(settings, given)
    addresses = ("http://127.0.0.1:5001/\n", "http://127.0.0.1:5001/dashboard\n", "http://127.0.0.1:5556/")
    for part in (*addresses, "user spanfeed, password pw", "sf_abc"):
        assert part in text
    words = shlex.split(next(line for line in text.splitlines() if "curl" in line))
    assert words[1] == "http://127.0.0.1:5001/chat/"
    assert "X-API-Key: sf_abc" in words
    assert set(json.loads(words[-1])) == {"message"}


def test_the_block_does_not_show_a_secret_of_the_owners_choice() -> None:
    """A production key would be in the log of the terminal."""
    given = Settings(api_key="sf_production", flower_password="hidden", host="0.0.0.0")
    text = banner(given, given)
    assert "sf_production" not in text
    assert "hidden" not in text
    assert "$SPANFEED_API_KEY" in text
    assert "http://127.0.0.1:5000/" in text


def test_the_samples_are_indexed_once_and_again_when_they_change(tmp_path: Path) -> None:
    """Every start would take as long as the first, or answers would come from old documents."""
    documents = tmp_path / "docs"
    (documents / "deep").mkdir(parents=True)
    samples = SampleDocuments(documents, tmp_path)
    assert not samples.due()
    (documents / "deep" / "a.md").write_text("# A")
    assert samples.due()
    samples.remember()
    assert not SampleDocuments(documents, tmp_path).due()
    (documents / "deep" / "a.md").write_text("# B")
    assert samples.due()


def test_a_worker_may_be_told_its_queues_its_name_and_its_size() -> None:
    """A busy stage could not be given a worker of its own."""
    settings = Settings(worker_processes=3, log_level="warning")
    every = worker_argv(settings)
    assert "--concurrency=3" in every
    assert "--loglevel=WARNING" in every
    assert "--task-events" in every
    assert not any(word.startswith("--queues") for word in every)
    one = worker_argv(settings, ("spanfeed.search", "spanfeed.think"), "searcher", 1)
    assert {"--queues=spanfeed.search,spanfeed.think", "--hostname=searcher@%h", "--concurrency=1"} <= set(one)


def test_deliveries_have_a_worker_of_their_own() -> None:
    """Slow receivers would take the children that the chat's stages need."""
    words = set(deliver_argv(Settings(delivery_threads=5)))
    assert {f"--queues={QUEUE}", "--pool=threads", "--concurrency=5"} <= words
    assert QUEUE not in {queue.name for queue in celeryconfig.task_queues}
    assert deliver_argv(Settings()) in [spec.argv for spec in children.later(Settings())]
    with pytest.raises(SettingError, match="SPANFEED_SECRET_KEY"):
        exec_deliver(Settings(redis_url="redis://127.0.0.1:1/0"))


def test_the_scheduler_remembers_in_the_home_folder(tmp_path: Path) -> None:
    """Its files would lie about in whatever folder it was started from."""
    assert f"--schedule={tmp_path / 'beat-schedule'}" in beat_argv(Settings(home=str(tmp_path)))


def test_flowers_password_is_in_no_list_of_processes() -> None:
    """Every user of the machine could read the password from `ps`."""
    settings = Settings(flower_password="hidden", flower_user="me")
    assert not any("hidden" in word for word in flower_argv(settings))
    assert "--address=127.0.0.1" in flower_argv(settings)
    assert flower_environment(settings) == {"FLOWER_BASIC_AUTH": "me:hidden"}


@pytest.mark.parametrize("password", ["one,two", "grün"])
def test_a_password_that_flower_would_misread_is_refused(password: str) -> None:
    """Flower would take half of the password, or fail at each login."""
    with pytest.raises(SettingError, match="SPANFEED_FLOWER_PASSWORD"):
        flower_environment(Settings(flower_password=password))
