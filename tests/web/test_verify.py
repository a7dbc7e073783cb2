"""`spanfeed events verify` on a real log and a real database: what is wrong is found, and ended where it is open."""

from __future__ import annotations

import concurrent.futures
import datetime
import json
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from sqlalchemy import update

from pipeline.event import Category, Identity, Priority, State, Status
from pipeline.store import conversations
from pipeline.store.models import messages
from tasks.chat import close_lost, look_after_unsent
from tests.parts.postgres_part import PostgresPart
from tests.pipeline.driven import NEWEST, DrivenRun, kept
from tests.web.site import SECRET, Site
from web.cli import main
from web.commands.verification import recorded

Verify = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, make_site: Callable[..., Site]) -> Site:
    """An app on each database, that waits for nobody."""
    given = {"SPANFEED_QUEUE_GRACE_SECONDS": "0"}
    if request.param == "postgresql":
        part: PostgresPart = request.getfixturevalue("postgres")
        given["DATABASE_URL"] = part.new_database()
    return make_site(**given).migrated()


@pytest.fixture
def verify(site: Site, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """Runs the command on the site and gives its status and what it wrote; the last is the summary."""
    for name, value in site.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SPANFEED_SECRET_KEY", SECRET)

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        done = CliRunner().invoke(main, ["events", "verify", "--json", *arguments])
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]

    return run


def _run(site: Site, session_id: str = "s") -> DrivenRun:
    """A message's run, as far as its second stage: R[ R] T[."""
    driven = DrivenRun(site.bus, session_id)
    driven.message_id = site.say(session_id)
    driven.ids = (session_id, driven.message_id)
    driven.submit()
    driven.stage("receive", "R", to="think")
    driven.begin("think", "T")
    return driven


def _finish(site: Site, driven: DrivenRun) -> None:
    driven.end("think", "T", to="generate")
    driven.stage("generate", "G", to="save")
    conversations.save_answer(site.store, message_id=driven.message_id, content="seven", answer={}, confidence=1.0)
    driven.stage("save", "V")


def _lose(site: Site, driven: DrivenRun) -> None:
    """As Redis does that comes back without its data: the run is not known any more."""
    site.bus._stage.delete(f"sf:{{0}}:run:{driven.message_id}")
    site.bus._stage.delete("sf:{0}:due")


def _kinds(found: list[dict[str, Any]]) -> list[str]:
    return [line["kind"] for line in found if line["kind"] not in {"summary", "closed"}]


def test_what_is_right_is_called_right(site: Site, verify: Verify) -> None:
    """Without this an operator could not tell a sound record from a broken one."""
    driven = _run(site)
    _finish(site, driven)
    status, found = verify()
    assert (status, found) == (0, [{"kind": "summary", "events": 8, "findings": {}}])
    site.recorder().run_until_empty()
    assert verify()[0] == 0


def test_a_run_that_lives_is_no_finding(site: Site, verify: Verify) -> None:
    """Without this every message that is being answered would be reported, and `--close` would kill it."""
    driven = _run(site)
    assert verify("--close")[0] == 0
    _finish(site, driven)
    assert verify()[0] == 0


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "in the log"])
def test_what_a_lost_run_left_open_is_found_and_ended_once(site: Site, verify: Verify, stored: bool) -> None:
    """Without this a spinner would turn for ever, and nobody could stop it."""
    driven = _run(site)
    if stored:
        site.recorder().run_until_empty()
    _lose(site, driven)
    status, found = verify()
    assert (status, _kinds(found)) == (1, ["open", "no-ending"])
    assert {line["message_id"] for line in found[:-1]} == {driven.message_id}
    status, found = verify("--close")
    assert (status, found[-1]["closed"]) == (1, 2)
    ended = [orjson.loads(event.wire) for event in kept(site.bus, "s")][3:]
    assert [(e["event_type"], e["event_status"], e["reason"]) for e in ended] == [
        ("agent_thinking", "failed", "worker_lost"),
        ("error", "failed", "worker_lost"),
    ]
    assert [e["seq"] for e in ended] == [4, 5]
    # With the one that tells that an administrator has closed them.
    assert verify("--close") == (0, [{"kind": "summary", "events": 6, "findings": {}, "closed": 0}])
    site.recorder().run_until_empty()
    message = conversations.find_message(site.store, driven.message_id)
    assert message is not None
    assert (message.status, message.reason) == ("failed", "worker_lost")
    assert verify()[0] == 0


def test_children_are_ended_before_their_parents_and_operators_spans_too(site: Site, verify: Verify) -> None:
    """Without this a tree of spans would have branches that outlive their trunk."""
    driven = _run(site)
    driven.end("think", to="search")
    driven.begin("search", "S(docs)")
    ordinary = Identity("span", Category.MONITORING, Priority.LOW, message_id=driven.message_id, span_id="ab" * 8)
    site.bus.append(ordinary, State(Status.STARTED, None, {"name": "GET"}), "o", audience="operator")
    _lose(site, driven)
    status, found = verify("--close")
    assert (status, found[-1]["closed"]) == (1, 4)
    told = [event for event in recorded(site.bus, site.store, 0, NEWEST) if event.category != "audit"]
    assert [event.event_type for event in told[-4:]] == ["span", "tool_search_documents", "agent_thinking", "error"]
    assert [event.seq for event in told if event.event_type == "span"] == [None, None]
    assert verify()[0] == 0


def test_the_watchdog_and_verify_end_a_run_once(site: Site, verify: Verify) -> None:
    """Without this a message would be told twice that it failed, when both notice."""
    driven = _run(site)
    site.recorder().run_until_empty()
    _lose(site, driven)
    assert look_after_unsent(site.bus, site.store, 0, 100) == 1
    starts = [event for event in recorded(site.bus, site.store, 0, NEWEST) if event.event_type == "agent_thinking"]
    close_lost(site.bus, site.store, driven.message_id, [starts[0].identity()])
    assert [orjson.loads(event.wire)["event_status"] for event in kept(site.bus, "s")][3:] == ["failed", "failed"]
    assert verify()[0] == 0


def test_a_message_that_was_never_sent_is_found_and_ended(site: Site, verify: Verify) -> None:
    """Without this a question that nobody works on would wait without a word."""
    message_id = site.say("s")
    status, found = verify()
    assert (status, _kinds(found)) == (1, ["no-ending"])
    assert verify("--close")[1][-1]["closed"] == 1
    # The watchdog does not send what was ended.
    assert look_after_unsent(site.bus, site.store, 0, 100) == 0
    assert verify()[0] == 0
    site.recorder().run_until_empty()
    assert conversations.find_message(site.store, message_id).status == "failed"  # type: ignore[union-attr]
    assert verify()[0] == 0


def test_a_completed_message_without_an_answer_is_found(site: Site, verify: Verify) -> None:
    """Without this an answer that was lost from the database would be missed by its reader alone."""
    message_id = site.say("s")
    with site.store.write() as connection:
        connection.execute(update(messages).where(messages.c.message_id == message_id).values(status="completed"))
    status, found = verify("--close")
    assert (status, _kinds(found)) == (1, ["no-answer"])
    assert found[-1]["closed"] == 0


def test_events_that_are_doubled_or_gone_are_found(site: Site, verify: Verify) -> None:
    """Without this a record with holes would pass for a whole one."""
    driven = _run(site)
    _finish(site, driven)
    site.bus.append(driven.identity("V"), State(Status.COMPLETED, "again"), "doubled")
    entries = [entry.entry_id for entry in site.bus.log.read_log(0, NEWEST, 100)]
    site.bus._stage.xdel("sf:{0}:log", entries[3], entries[4])
    status, found = verify()
    assert status == 1
    # The end of T is gone, and the start of G.
    assert sorted(_kinds(found)) == ["ended-twice", "missing", "not-started", "open"]
    assert found[-1]["findings"] == {"ended-twice": 1, "missing": 1, "not-started": 1, "open": 1}
    assert "numbers 4 to 5 are missing" in next(line["text"] for line in found if line["kind"] == "missing")


def test_the_look_can_be_narrowed(site: Site, verify: Verify) -> None:
    """Without this one session among millions could not be looked at."""
    bad, good = _run(site, "bad"), _run(site, "good")
    _finish(site, good)
    _lose(site, bad)
    assert verify("--session", "good")[0] == 0
    assert _kinds(verify("--session", "bad")[1]) == ["open", "no-ending"]
    assert verify("--since-hours", "1")[0] == 1
    with site.store.write() as connection:
        old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        connection.execute(update(messages).where(messages.c.message_id == bad.message_id).values(created_at=old))
    assert verify("--since-hours", "0.0000001") == (0, [{"kind": "summary", "events": 0, "findings": {}}])


def test_stored_and_unstored_events_are_read_once_in_order(site: Site) -> None:
    """Without this an event that is being stored during the look would be seen twice, or not at all."""
    ids = site.emit("s", 25)
    site.recorder().run_until_empty()
    site.bus.log.trim()
    ids += site.emit("s", 25)
    # Both in the log and in the database: stored by one that died before it acknowledged.
    site.recorder().run_until_empty()
    ids += site.emit("s", 25)
    for page in (1, 7, 1_000):
        told = recorded(site.bus, site.store, 0, ids[-2], page_entries=page)
        assert [event.id for event in told] == ids[:-1]
    assert [event.id for event in recorded(site.bus, site.store, ids[3], ids[9], "s")] == ids[4:10]
    assert not list(recorded(site.bus, site.store, 0, NEWEST, "other"))


def test_beside_a_running_system_nobody_is_accused(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this `--close` would end messages that are being answered, or stored, at that moment."""
    site = make_site()
    for name, value in site.settings.environment().items():
        monkeypatch.setenv(name, value)
    stopped = threading.Event()

    def work(worker: int) -> int:
        runs = 0
        while not stopped.is_set():
            _finish(site, _run(site, f"s-{worker}-{runs}"))
            runs += 1
        return runs

    def store() -> None:
        while not stopped.is_set():
            site.recorder().run_until_empty()
            site.bus.log.trim()
            stopped.wait(0.02)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        working = [pool.submit(work, number) for number in range(2)]
        storing = pool.submit(store)
        try:
            looks = [CliRunner().invoke(main, ["events", "verify", "--close"]) for _ in range(20)]
        finally:
            stopped.set()
        assert min(future.result(30) for future in working) > 1
        storing.result(30)
    assert {look.exit_code for look in looks} == {0}, "".join(look.stdout for look in looks)


def test_people_read_lines(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this an operator would have to read JSON at night."""
    driven = _run(site)
    _lose(site, driven)
    for name, value in site.settings.environment().items():
        monkeypatch.setenv(name, value)
    lines = CliRunner().invoke(main, ["events", "verify", "--close"]).stdout.splitlines()
    assert lines[0].startswith(f"open           session s message {driven.message_id} event ")
    assert "agent_thinking started" in lines[0]
    assert lines[2] == f"closed         message {driven.message_id}: 2 events written"
    assert lines[3] == "3 events: 1 open, 1 no-ending; 2 events written to close"
    assert CliRunner().invoke(main, ["events", "verify"]).stdout == "6 events: nothing is wrong\n"


def test_without_redis_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Without this an operator would read a page of Python, or take everything that runs for lost."""
    monkeypatch.setenv("SPANFEED_HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    done = CliRunner().invoke(main, ["events", "verify"])
    assert done.exit_code == 1
    assert done.output == "Error: Redis did not answer: ConnectionError\n"
