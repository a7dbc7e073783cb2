"""Silence, giving up, and what is left behind."""

from __future__ import annotations

import contextvars
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from pipeline.errors import FenceLost, TransientFault
from tasks.llm import reader
from tasks.llm.openai import OpenAIModel
from tests.llm.samples import Told, ask, collect, eventually, never, question
from tests.stand_in import StandIn

ROOT = Path(__file__).parents[2]
WORDS = ("one ", "two ", "three ")


def no_reader_is_left() -> bool:
    """Whether every thread of the client ends."""
    return eventually(lambda: all(thread.name != "model-reader" for thread in threading.enumerate()))


def open_files() -> int:
    """How many files and sockets this process holds."""
    return psutil.Process().num_fds()


@pytest.mark.parametrize(
    ("script", "stall", "text"),
    [({"silent": True}, 0.5, ""), ({"stall_after": 0}, 0.5, ""), ({"stall_after": 2}, 1.5, "one two ")],
)
def test_silence_has_an_end(stand_in: StandIn, script: dict[str, object], stall: float, text: str) -> None:
    """A user would wait for ever on an endpoint that has gone silent, before its first word or after it."""
    stand_in.script(words=WORDS, **script)
    begun = time.monotonic()
    told = ask(OpenAIModel(stand_in.base_url, "", "m", 10.0, stall))
    assert stall <= time.monotonic() - begun < stall + 8.0
    assert isinstance(told.error, TransientFault)
    assert "silent" in str(told.error)
    assert told.text == text
    stand_in.wait_until_idle()
    assert no_reader_is_left()


def test_comments_are_no_sign_of_life(stand_in: StandIn, hasty: OpenAIModel) -> None:
    """A user would wait for ever on a proxy that keeps a dead model's connection alive."""
    stand_in.script(raw=[": keep-alive\n\n", 'data: {"choices": []}\n\n'] * 2_000, pace_seconds=0.01)
    told = ask(hasty)
    assert isinstance(told.error, TransientFault)
    assert "silent" in str(told.error)
    stand_in.wait_until_idle()


def test_a_slow_model_is_not_silent(stand_in: StandIn) -> None:
    """A user would lose every answer that takes longer than the stall timeout as a whole."""
    stand_in.script(words=["w "] * 9, pace_seconds=0.2)
    assert ask(OpenAIModel(stand_in.base_url, "", "m", 10.0, 1.5)).text == "w " * 9


def test_the_caller_gets_its_turn_while_nothing_comes(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would see gathered words only when the next one comes."""
    stand_in.script(words=WORDS, step=True)
    stream = model.stream(question(), never)
    assert [next(stream) for _ in range(5)] == [""] * 5
    stand_in.release(len(WORDS))
    assert "".join(stream) == "one two three "


@pytest.mark.parametrize("script", [{"silent": True}, {"step": True}, {"stall_after": 1}])
def test_a_stop_is_heard_at_once(stand_in: StandIn, model: OpenAIModel, script: dict[str, object]) -> None:
    """A user who cancels would go on paying for an answer that nobody reads."""
    stand_in.script(words=WORDS, **script)
    stop = threading.Event()
    told = Told()
    asking = threading.Thread(target=lambda: setattr(told, "error", ask(model, stopped=stop.is_set).error))
    asking.start()
    stand_in.wait_for_requests(1)
    begun = time.monotonic()
    stop.set()
    asking.join(8.0)
    # The stall timeout of this client is 10 s.
    assert time.monotonic() - begun < 8.0
    assert isinstance(told.error, FenceLost)
    stand_in.wait_until_idle()
    assert no_reader_is_left()


def test_a_stage_that_is_already_stopped_asks_nothing(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would pay for an answer to a cancelled question."""
    assert isinstance(ask(model, stopped=lambda: True).error, FenceLost)
    assert stand_in.requests == []


def test_stopped_is_looked_at_between_many_words(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user who cancels would still be told all that a fast model has to say."""
    stand_in.script(words=["x"] * 5_000)
    seen: list[str] = []
    with pytest.raises(FenceLost):
        collect(model.stream(question(), lambda: len(seen) >= 100), seen)
    assert len(seen) < 1_000
    stand_in.wait_until_idle()


def test_a_generator_that_is_dropped_closes_its_connection(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would wait for a worker that holds connections of stages long ended."""
    stand_in.script(words=WORDS, stall_after=1)
    stream = model.stream(question(), never)
    assert next(piece for piece in stream if piece) == "one "
    stream.close()
    stand_in.wait_until_idle()
    assert no_reader_is_left()


def test_a_slow_caller_loses_nothing(stand_in: StandIn) -> None:
    """A user would lose words when the worker waits for Redis longer than the stall timeout."""
    words = [f"{number} " for number in range(4 * reader.QUEUE_LIMIT_CHUNKS)]
    stand_in.script(words=words)
    stream = OpenAIModel(stand_in.base_url, "", "m", 10.0, 1.5).stream(question(), never)
    first = next(piece for piece in stream if piece)
    # The time itself is what is tested: longer than the stall timeout.
    time.sleep(1.6)
    assert first + "".join(stream) == "".join(words)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there are no such signals here")
def test_a_soft_time_limit_is_not_swallowed(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would wait for the hard limit, as the soft one is an exception raised by a signal in mid-wait."""

    def limit(_number: int, _frame: object) -> None:
        raise TimeoutError

    def interrupt() -> None:
        stand_in.wait_for_requests(1)
        signal.pthread_kill(main, signal.SIGUSR1)

    stand_in.script(words=WORDS, stall_after=1)
    main = threading.main_thread().ident or 0
    before = signal.signal(signal.SIGUSR1, limit)
    interrupting = threading.Thread(target=interrupt)
    try:
        interrupting.start()
        assert isinstance(ask(model).error, TimeoutError)
    finally:
        interrupting.join(10.0)
        signal.signal(signal.SIGUSR1, before)
    stand_in.wait_until_idle()
    assert no_reader_is_left()


def test_the_context_of_the_caller_reaches_the_client(model: OpenAIModel) -> None:
    """A developer would not find the request to the model under the stage's span."""
    mark = contextvars.ContextVar("mark", default="")
    seen: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(mark.get())

    logger, listener = logging.getLogger("httpx"), Listener(logging.INFO)
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    token = mark.set("stage")
    try:
        ask(model)
    finally:
        mark.reset(token)
        logger.setLevel(level)
        logger.removeHandler(listener)
    assert seen == ["stage"]


def test_many_answers_leave_nothing_behind(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would lose the worker once its threads or open files are used up."""
    stand_in.script(words=WORDS)
    ask(model)
    stand_in.wait_until_idle()
    before = open_files()
    for _ in range(20):
        assert ask(model).answer is not None
    assert no_reader_is_left()
    assert eventually(lambda: open_files() <= before + 3)


FORK = """
import os, sys, warnings
warnings.simplefilter("error")
from tasks.llm.openai import OpenAIModel
from tests.llm.samples import ask
model = OpenAIModel(sys.argv[1], "", "stand-in", 10.0, 10.0)
assert ask(model).answer is not None
child = os.fork()
told = ask(model)
if child == 0:
    os._exit(0 if told.answer is not None else 1)
sys.exit(os.waitpid(child, 0)[1] or (told.answer is None))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_parent_and_child_of_a_fork_both_ask(stand_in: StandIn) -> None:
    """A user would get another user's words, or none, from a worker that was forked after its parent had asked."""
    done = subprocess.run(
        [sys.executable, "-c", FORK, stand_in.base_url],
        cwd=ROOT,
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(stand_in.requests) == 3


def test_many_answers_at_once(stand_in: StandIn, model: OpenAIModel) -> None:
    """A user would get another user's words from a worker that answers in threads."""
    stand_in.script(words=WORDS)
    told: list[Told] = []
    asking = [threading.Thread(target=lambda: told.append(ask(model))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(30.0)
    assert [one.text for one in told] == ["one two three "] * 8
