"""Which sessions' channels are read at a relay, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipeline.bus.keys import session_channel
from web.feed.followed import Followed
from web.relay.client import Client, Following, Topic


class Topics:
    """All channels. `changed` is told which one is followed from now on (True) or no more (False)."""

    def __init__(self, changed: Callable[[str, bool], None]) -> None:
        self._changed = changed
        self._topics: dict[str, Topic] = {}

    @property
    def channels(self) -> Iterable[str]:
        """The channels that are read."""
        return self._topics

    def get(self, channel: str) -> Topic | None:
        """A channel that is read."""
        return self._topics.get(channel)

    def join(self, client: Client, followed: Followed) -> Following:
        """Has a client follow a session."""
        channel = session_channel(followed.wish.session_id)
        topic = self._topics.get(channel) or Topic(channel)
        following = Following(client, followed, topic)
        topic.members[following] = None
        client.followings.append(following)
        if channel not in self._topics:
            self._topics[channel] = topic
            self._changed(channel, True)
        return following

    def leave(self, following: Following) -> None:
        """Has a client follow a session no more."""
        following.gone = True
        following.client.followings.remove(following)
        topic = following.topic
        if topic.members.pop(following, 0) is None and not topic.members:
            del self._topics[topic.channel]
            self._changed(topic.channel, False)

    def lose(self) -> list[Following]:
        """Redis is lost: nothing is followed any more. Gives whom that touches."""
        touched: list[Following] = []
        for topic in self._topics.values():
            topic.confirmed, topic.away = False, True
            touched += topic.members
        return touched
