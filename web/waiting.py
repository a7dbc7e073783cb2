"""Waiting for a message's end, for the clients that want the answer in the reply."""

from __future__ import annotations

import dataclasses
import threading
import time

import orjson

from pipeline.bus import Frame
from pipeline.bus.keys import session_channel
from pipeline.catalog import reason_text
from pipeline.store import conversations
from pipeline.store.conversations import ASSISTANT, Message
from web.closing import closing
from web.feed.listener import Mailbox
from web.state import WebState

_LOOK_SECONDS = 2.0
_ENDINGS = {("saving_message", "completed"), ("error", "failed")}


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a message ended: answered, or failed with a reason and a sentence."""

    answer: Message | None
    reason: str = ""
    sentence: str = ""


class Waiter:
    """Follows a session's feed from before its message is sent until that message's end."""

    def __init__(self, state: WebState, session_id: str, message_id: str) -> None:
        self._state = state
        self._session_id = session_id
        self._message_id = message_id
        self._news = threading.Event()
        self._mailbox = Mailbox(state.settings.feed_queue_limit_bytes, self._news.set)
        self._following = state.listener.following(session_channel(session_id), self._mailbox)

    def __enter__(self) -> Waiter:
        self._following.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._following.__exit__(None, None, None)

    def wait(self, deadline_seconds: float, at_once: bool = False) -> Ending | None:
        """The message's ending, None when it has not come in time or before this process ends.

        `at_once`: it may have come before.
        """
        if at_once:
            self._news.set()
            self._mailbox.fall_behind()
        with closing.telling(self._news.set):
            return self._wait(time.monotonic() + deadline_seconds)

    def _wait(self, deadline: float) -> Ending | None:
        while (left := deadline - time.monotonic()) > 0 and not closing.begun:
            heard = self._news.wait(min(left, _LOOK_SECONDS))
            self._news.clear()
            frames, behind = self._mailbox.take()
            for frame in frames:
                ending = self._ending(frame)
                if ending is not None:
                    return ending
            if behind or not heard:
                # Something may have been missed: the database knows what became of the message.
                ending = self._stored_ending()
                if ending is not None:
                    return ending
        return None

    def _ending(self, frame: Frame) -> Ending | None:
        if (frame.event_type, frame.status) not in _ENDINGS or self._message_id.encode() not in frame.body:
            return None
        event = orjson.loads(frame.body)
        if event["message_id"] != self._message_id:
            return None
        if frame.event_type == "error":
            return Ending(None, event["reason"] or "error", event["event_data"]["error_message"])
        return self._stored_ending()

    def _stored_ending(self) -> Ending | None:
        store = self._state.store
        asked = conversations.find_message(store, self._message_id)
        if asked is None:
            return Ending(None, "deleted", "The conversation was deleted.")
        if asked.status in {"failed", "cancelled"}:
            return Ending(None, asked.reason or "error", reason_text(asked.reason or "error", asked.language))
        answered = conversations.find_message(store, self._message_id, ASSISTANT)
        return Ending(answered) if answered is not None and not answered.partial else None
