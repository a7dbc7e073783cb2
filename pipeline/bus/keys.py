"""The names of keys and channels. `{0}` is the shard's hash tag: all keys of a script lie on one cluster node."""

from __future__ import annotations

_TAG = "sf:{0}:"

CLOCK = f"{_TAG}clock"
LOG = f"{_TAG}log"
DUE = f"{_TAG}due"
CHANNELS = f"{_TAG}feed:"
OPERATORS = f"{CHANNELS}operators"
EVERYONE = f"{CHANNELS}everyone"
"""Where events for all users are announced; a user's feed follows it beside `user_channel`."""
EPOCHS = f"{CHANNELS}epoch"
"""Where a new epoch of the log is announced."""
BEGUN = f"{_TAG}begun"
ALARM = f"{_TAG}alarm"
"""There while the recorder is behind and that was told."""
FULL = f"{_TAG}full"
"""There while the log is full and that was told."""
WORKERS = f"{_TAG}workers"
"""The workers, by when they last said that they live."""
RECORDING = f"{_TAG}recording"
"""The recorders, likewise: Redis 7.0 does not see a consumer that waits in vain."""
RECORDERS = "recorder"
"""The consumer group of the recorder."""
HANDLERS_LOST = f"{_TAG}handlers-lost"
"""The durable handlers for which the log could not keep all that they had not read."""
_HANDLERS = "handlers:"


def session_stream(session_id: str) -> str:
    """The stream of a session's newest events."""
    return f"{_TAG}session:{session_id}"


def sequence(session_id: str) -> str:
    """The counter of a session's events."""
    return f"{_TAG}seq:{session_id}"


def run(message_id: str) -> str:
    """The hash of a message's run."""
    return f"{_TAG}run:{message_id}"


def answer(message_id: str) -> str:
    """The answer so far."""
    return f"{_TAG}answer:{message_id}"


def answering(session_id: str) -> str:
    """What is there while an answer of the session may be kept."""
    return f"{_TAG}answering:{session_id}"


def spans(message_id: str) -> str:
    """The message's ordinary spans that are open."""
    return f"{_TAG}spans:{message_id}"


def once(emitter_key: str) -> str:
    """What remembers an emitter key."""
    return f"{_TAG}once:{emitter_key}"


def turn(work: str) -> str:
    """There while a process has taken its turn at what only one is to do."""
    return f"{_TAG}turn:{work}"


def failures(address: str) -> str:
    """When sign-ins of an address failed."""
    return f"{_TAG}failures:{address}"


def failures_told(address: str) -> str:
    """There while it was told that an address tries too many."""
    return f"{_TAG}failures-told:{address}"


def handler_group(name: str) -> str:
    """The consumer group of a durable handler."""
    return f"{_HANDLERS}{name}"


def handler_name(group: str) -> str | None:
    """The durable handler whose consumer group this is, None when it is none."""
    return group.removeprefix(_HANDLERS) if group.startswith(_HANDLERS) else None


def handler_dead(name: str) -> str:
    """The events that a durable handler could not handle."""
    return f"{_TAG}handlers-dead:{name}"


def session_channel(session_id: str) -> str:
    """The channel of a session's frames."""
    return f"{CHANNELS}session:{session_id}"


def user_channel(user_id: str) -> str:
    """The channel of a user's events, of whatever session."""
    return f"{CHANNELS}user:{user_id}"


def events(session_id: str) -> list[str]:
    """The first four keys of every script that writes events."""
    return [CLOCK, LOG, session_stream(session_id), sequence(session_id)]
