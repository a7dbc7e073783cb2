"""Redaction of texts, JSON and log records: secrets go, ordinary words stay, and it never gives what it cannot read."""

from __future__ import annotations

import io
import logging
import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import redaction_logs
from pipeline import settings as settings_table
from pipeline.errors import SettingError
from pipeline.event import METADATA_LIMIT_BYTES, Category, Identity, Priority, State, Status
from pipeline.late import Append, Late, packed
from pipeline.redaction import DEFAULT, FAILED_JSON, Redactor, plugin_of, redactor_of
from pipeline.redaction_patterns import MARK
from tests.parts.stack import ROOT
from tests.pipeline.planted import NAMED, NAMED_VALUES, ORDINARY, SECRETS

PLANTED = [secret for secret, _ in SECRETS]
MARKS = ("[mail]", "[phone]", "[card]", "[iban]", "[id]", "[key]", "[token]", MARK, "***")


def decoded(fragment: bytes) -> dict[str, object]:
    """A fragment as the object that it is a part of."""
    return dict(orjson.loads(b"{" + fragment + b"}"))


def raising(_: str) -> str:
    """A plug-in that cannot do its work."""
    raise RuntimeError("joe.bloggs@example.org")


def shouting(text: str) -> str:
    """A plug-in that knows a word of its own."""
    return text.replace("Quillon", "[name]")


def chatting(text: str) -> str:
    """A plug-in that logs what it is given."""
    logging.getLogger("plugin").warning("asked for %s", text)
    return text


@pytest.mark.parametrize(("secret", "sentence"), SECRETS, ids=range(len(SECRETS)))
def test_a_secret_is_taken_out_of_a_sentence(secret: str, sentence: str) -> None:
    """Without this a password or a phone number would be read by whoever reads events, traces or logs."""
    found = DEFAULT.text(sentence)
    assert secret not in found
    assert any(mark in found for mark in MARKS), found
    assert secret not in orjson.loads(DEFAULT.json(orjson.dumps({"k": [{"t": sentence}]})))["k"][0]["t"]


@pytest.mark.parametrize("sentence", ORDINARY, ids=range(len(ORDINARY)))
def test_an_ordinary_sentence_stays(sentence: str) -> None:
    """Without this users would read holes in sentences in which nothing was secret."""
    assert DEFAULT.text(sentence) == sentence
    assert DEFAULT.kinds(sentence) == []


def test_there_is_enough_planted_and_enough_ordinary() -> None:
    """Without this the two corpora could shrink until they prove nothing."""
    assert len(SECRETS) >= 60
    assert len(ORDINARY) >= 100


def test_values_under_denied_names_are_taken_out() -> None:
    """Without this a password that looks like a word would be stored, because no pattern can know it."""
    found = DEFAULT.json(orjson.dumps({"outer": [NAMED], "total_tokens": 812, "keyword": "kept", "token": None}))
    assert not any(word in found.decode() for word in NAMED_VALUES)
    data = orjson.loads(found)
    assert set(data["outer"][0]) == set(NAMED)
    assert (data["total_tokens"], data["keyword"], data["token"]) == (812, "kept", None)
    assert b"4111" not in DEFAULT.json(b'{"number":4111111111111111}')


def test_a_name_may_be_a_secret_itself_and_more_names_may_be_denied() -> None:
    """Without this a dictionary keyed by mail address would show all of them."""
    assert DEFAULT.json(b'{"joe@example.org":1}') == b'{"[mail]":1}'
    own = Redactor(keys=["Customer No"])
    assert own.json(b'{"customer_no":"7","customerNo":"8","other":"9"}') == (
        b'{"customer_no":"[redacted]","customerNo":"[redacted]","other":"9"}'
    )


def test_this_installations_own_secrets_are_known() -> None:
    """Without this a library's error text could show the key that the settings hold."""
    given = settings_table.load(
        {"SPANFEED_API_KEY": "just-words-and-hyphens", "DATABASE_URL": "postgresql://u:wordlike@h/d", "REDIS_URL": ""}
    )
    found = redactor_of(given).text("refused just-words-and-hyphens for wordlike")
    assert found == "refused [redacted] for [redacted]"


def test_an_events_texts_data_and_metadata_are_redacted() -> None:
    """Without this an error's text would carry a database's password into every feed."""
    for secret, sentence in SECRETS:
        fragment = State(
            Status.FAILED, sentence, {"error": sentence, "l": [sentence]}, {"m": sentence}, sentence, sentence, "task"
        ).fragment()
        found = decoded(fragment)
        assert secret not in orjson.dumps(found).decode(), sentence
        assert found["task_id"] == "task"


def test_a_text_is_redacted_before_it_is_cut() -> None:
    """Without this half of a key would stay in a long text, because the half looks like nothing."""
    text = "x" * 490 + " ghp_16C7e42F292c6912E7710c838347Ae178B4a"
    assert "ghp_" not in str(decoded(State(Status.FAILED, text).fragment())["user_message"])


def test_an_event_that_grows_by_redaction_is_never_lost() -> None:
    """Without this an event at the limit of size would be refused because its markers are longer than its secrets."""
    metadata = {"k": [{"pwd": 1}] * ((METADATA_LIMIT_BYTES - 100) // 10)}
    assert b'"metadata":' + FAILED_JSON in State(Status.PROGRESS, None, None, metadata).fragment()


def test_what_waits_in_the_spool_is_redacted() -> None:
    """Without this secrets would lie in a file while Redis is away."""
    identity = Identity("document.uploaded", Category.WORKFLOW, Priority.NORMAL, source_system="joe@example.org")
    for secret, sentence in SECRETS:
        state = State(Status.FAILED, sentence, {"e": sentence}, {"m": sentence}, error_type=sentence)
        entry = packed(Append(identity, state, "key", failed_text=sentence), 1, False, 0)
        assert secret not in orjson.dumps(orjson.loads(entry.body)).decode(), sentence
        again = Late.unpacked(entry).emit
        assert again.state.fragment() == state.fragment()


def test_it_fails_closed_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Without this a fault in redaction would let everything through, or lose the event."""
    broken = Redactor(plugin=raising)
    assert broken.text("secret words") == MARK
    assert broken.json(b'{"a":"secret words"}') == FAILED_JSON
    assert broken.value("secret words", "name") == MARK
    fragment = State(Status.COMPLETED, "secret words", {"a": "secret words"}).fragment(broken)
    assert decoded(fragment)["event_status"] == "completed"
    assert b"secret words" not in fragment
    assert broken.failures > 3
    assert len(caplog.records) == 1
    assert "RuntimeError" in caplog.text
    assert "example.org" not in caplog.text


def test_data_that_is_too_deep_becomes_the_marker() -> None:
    """Without this a secret could hide below the depth that is looked at."""
    deep: object = "joe@example.org"
    for _ in range(60):
        deep = {"d": deep}
    found = DEFAULT.json(orjson.dumps(deep))
    assert b"joe" not in found
    assert MARK.encode() in found


def test_a_plug_in_comes_last_and_one_that_cannot_be_loaded_is_refused() -> None:
    """Without this an installation could not add what it knows of its own users."""
    given = settings_table.load({"SPANFEED_REDACTION_PLUGIN": "tests.pipeline.test_redaction:shouting"})
    assert redactor_of(given).text("the zebra Quillon, joe@example.org") == "the zebra [name], [mail]"
    for path in ("no.such.module:f", "tests.pipeline.test_redaction:none", "nothing"):
        with pytest.raises(SettingError, match="SPANFEED_REDACTION_PLUGIN"):
            plugin_of(path)


def test_it_can_be_turned_off_and_packs_chosen() -> None:
    """Without this an installation without personal data could not keep its numbers."""
    off = redactor_of(settings_table.load({"SPANFEED_REDACTION": "off"}))
    assert off.text("joe@example.org") == "joe@example.org"
    assert off.json(b'{"password":"x"}') == b'{"password":"x"}'
    some = redactor_of(settings_table.load({"SPANFEED_REDACTION_PACKS": "es, pt"}))
    assert some.text("12345678Z 529.982.247-25 078-05-1120") == "[id] [id] 078-05-1120"
    with pytest.raises(SettingError, match="klingon"):
        redactor_of(settings_table.load({"SPANFEED_REDACTION_PACKS": "klingon"}))


ADVERSARIAL = (
    "a" * 1_000_000 + "@",
    "a@" * 500_000,
    "a@a.a" * 200_000,
    "1 " * 500_000,
    "1" * 1_000_000,
    "01 " * 333_000,
    "+1 (" * 250_000,
    "4111 " * 200_000,
    "eyJ-" * 250_000,
    "eyJ" * 333_000,
    "://a:" * 200_000,
    "password:" * 111_000,
    "password = " * 90_000,
    "cookie: " * 125_000,
    "authorization: bearer " * 45_000,
    "passport no " * 83_000,
    "-----BEGIN PRIVATE KEY-----" * 37_000,
    "sk-" * 333_000,
    "AB12 " * 200_000,
    "kitambulisho namba " * 52_000,
)


def _seconds(text: str) -> float:
    began = time.thread_time()
    DEFAULT.text(text)
    return time.thread_time() - began


@pytest.mark.parametrize("text", ADVERSARIAL, ids=[text[:12] for text in ADVERSARIAL])
def test_a_hostile_text_of_a_megabyte_costs_little(text: str) -> None:
    """Without this one message could keep a process busy for minutes."""
    # The best of three: somebody else's work on the same core is none of ours.
    assert min(_seconds(text) for _ in range(3)) < 2.0


TEXTS = st.lists(
    st.one_of(
        st.sampled_from([sentence for _, sentence in SECRETS] + PLANTED + ORDINARY + list(MARKS)),
        st.text(max_size=12),
        st.sampled_from(
            ["@", ".", ":", "=", '"', "'", " ", "+", "0", "4", "\\", "password", "token", "Bearer ", "://"]
        ),
    ),
    max_size=8,
).map("".join)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_redaction_is_idempotent_and_bounded(text: str) -> None:
    """Without this an event that is sent late would differ from the one that was sent at once, and come twice."""
    small = Redactor(text_limit_characters=200)
    for redactor in (DEFAULT, small):
        once = redactor.text(text)
        assert redactor.text(once) == once
    encoded = orjson.dumps({"a": text, "b": [text]})
    assert DEFAULT.json(DEFAULT.json(encoded)) == DEFAULT.json(encoded)
    # A marker is at most seven characters longer than what it replaces.
    assert len(small.text(text)) <= 200 + 10 * 200
    assert len(decoded(State(Status.PROGRESS, text).fragment())["user_message"] or "") <= 500  # type: ignore[arg-type]


# Log records


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What a handler writes, with redaction installed."""
    before = logging.getLogRecordFactory()
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logging.getLogger("planted").addHandler(handler)
    redaction_logs.install(DEFAULT)
    yield out
    logging.setLogRecordFactory(before)
    logging.getLogger("planted").removeHandler(handler)


def test_log_records_are_redacted_with_their_exceptions(lines: io.StringIO) -> None:
    """Without this the text of an exception would put a password into the log."""
    logger = logging.getLogger("planted")
    for _, sentence in SECRETS:
        logger.warning("plain %s", sentence)
        logger.warning(sentence.replace("%", "%%"))
        try:
            raise ValueError(sentence)
        except ValueError:
            logger.exception("failed", stack_info=True)
    said = lines.getvalue()
    assert said.count("Traceback") == len(SECRETS)
    assert [secret for secret in PLANTED if secret in said] == []


def test_what_an_address_hides_is_found(lines: io.StringIO) -> None:
    """Without this whoever reads the log would read what a client has put into an address, a few signs aside."""
    logger = logging.getLogger("planted")
    logger.warning("GET /chat/joe%%40example.org/%s", "password%3Dhunter2")
    logger.warning("GET /a%20b is 100% harmless")
    assert lines.getvalue() == "GET /chat/[mail]/password=[redacted]\nGET /a%20b is 100% harmless\n"


_FORGED = "x\n2026-11-24 12:00:00 INFO administrator logged in"
_STEERING = ("\n", "\r", "\r\n", "\v", "\f", "\x1b[2J", "\x00", "\x7f", "\x85", "\x9b31m", "\u2028", "\u2029", "\u202e")


@pytest.mark.parametrize("enabled", [True, False], ids=["redacted", "as it is"])
def test_a_record_is_one_line_whatever_is_put_in(lines: io.StringIO, enabled: bool) -> None:
    """Without this a stranger could write lines into the log that look like the program's own, or clear a terminal."""
    redaction_logs.install(Redactor(enabled=enabled))
    logger, records = logging.getLogger("planted"), 0
    for put_in in (_FORGED, *_STEERING):
        logger.warning(put_in.replace("%", "%%"))
        logger.warning("path %s", put_in)
        logger.warning("%(a)s", {"a": put_in})
        try:
            raise type(f"Own{put_in}", (ValueError,), {})(put_in) from KeyError(put_in)
        except ValueError:
            logger.exception("failed %s", put_in, stack_info=True)
        records += 4
    said = lines.getvalue()
    assert len(said.splitlines()) == records
    assert said.count("Traceback") >= records / 4
    assert not [letter for letter in set(said) if letter != "\n" and (letter < " " or "\x7f" <= letter <= "\x9f")]
    assert "\u202e" not in said


def test_a_record_whose_arguments_do_not_fit_is_not_written_as_it_is(
    lines: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without this logging would print the arguments to stderr, secrets and all."""
    logging.getLogger("planted").warning("%d", "joe@example.org")
    assert MARK in lines.getvalue()
    assert "joe@" not in lines.getvalue() + capsys.readouterr().err


def test_a_plug_in_that_logs_is_not_asked_about_its_own_lines(lines: io.StringIO) -> None:
    """Without this a plug-in that logs would call itself until the process dies."""
    redactor = Redactor(plugin=chatting)
    redaction_logs.install(redactor)
    logging.getLogger("planted").warning("hello joe@example.org")
    assert lines.getvalue() == "hello [mail]\n"
    assert redactor.failures == 0


@pytest.mark.parametrize(
    "setup",
    [
        "import celeryconfig",
        "from web import gunicorn_config",
        "from web import cli; cli._load()",
    ],
)
def test_every_process_redacts_its_log(setup: str) -> None:
    """Without this one of the processes would write what all the others hide."""
    say = "import logging; logging.getLogger('own').warning('joe@example.org and %s', 'nyoka-word')"
    environment = {**os.environ, "SPANFEED_API_KEY": "nyoka-word", "SPANFEED_HOME": "unused"}
    done = subprocess.run(
        [sys.executable, "-c", f"{setup}; {say}"], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "[mail] and [redacted]" in done.stderr
    assert "joe@" not in done.stderr + done.stdout


def test_ids_are_left_alone() -> None:
    """Without this now and then an event could not be found by the trace or the message that it names."""
    chance = random.Random(7)
    ids = {str(n): f"{chance.getrandbits(128):032x}" for n in range(20_000)}
    named = {str(n): str(uuid.UUID(int=chance.getrandbits(128), version=4)) for n in range(20_000)}
    for found in (ids, named):
        assert orjson.loads(Redactor().json(orjson.dumps(found))) == found
