"""Which channels are read at a relay, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from web.feed.followed import Followed
from web.relay.client import Client, Following, Topic
from web.relay.kept import Kept


class Topics:
    """All channels. `changed` is told which one is followed from now on (True) or no more (False)."""

    def __init__(self, changed: Callable[[str, bool], None]) -> None:
        self._changed = changed
        self._topics: dict[str, Topic] = {}
        self._kept: dict[str, None] = {}
        """The channels that are kept for clients on their way; see `web.relay.moves`."""

    @property
    def channels(self) -> Iterable[str]:
        """The channels that are read."""
        return self._topics

    def get(self, channel: str) -> Topic | None:
        """A channel that is read."""
        return self._topics.get(channel)

    def join(self, client: Client, followed: Followed) -> Following:
        """Has a client follow a session, or what else it has asked for."""
        topics = tuple(map(self._topic, followed.wish.channels))
        following = Following(client, followed, topics)
        for topic in topics:
            topic.members[following] = None
        client.followings.append(following)
        return following

    def _topic(self, channel: str) -> Topic:
        topic = self._topics.get(channel)
        if topic is None:
            topic = self._topics[channel] = Topic(channel)
            self._changed(channel, True)
        return topic

    def leave(self, following: Following) -> None:
        """Has a client follow it no more."""
        following.gone = True
        following.client.followings.remove(following)
        for topic in following.topics:
            if topic.members.pop(following, 0) is None:
                self._leave_if_unread(topic)

    def _leave_if_unread(self, topic: Topic) -> None:
        if not topic.members and topic.kept is None:
            del self._topics[topic.channel]
            self._changed(topic.channel, False)

    def keep(self, channel: str, kept: Kept) -> None:
        """Keeps what is announced on a channel from now on, in what is given, unless it is kept already."""
        topic = self._topic(channel)
        if topic.kept is None:
            topic.kept = kept
            self._kept[channel] = None

    def keep_no_more(self) -> None:
        """Keeps nothing any more."""
        kept, self._kept = self._kept, {}
        for channel in kept:
            self._topics[channel].kept = None
            self._leave_if_unread(self._topics[channel])

    @property
    def awaits_kept(self) -> bool:
        """Whether Redis has yet to confirm a channel that is kept."""
        return any(not self._topics[channel].confirmed for channel in self._kept)

    def miss_kept(self) -> None:
        """Something may have been announced that was not kept."""
        for channel in self._kept:
            kept = self._topics[channel].kept
            if kept is not None:
                kept.miss()

    def lose(self) -> list[Following]:
        """Redis is lost: nothing is followed any more. Gives whom that touches."""
        touched: list[Following] = []
        self.miss_kept()
        for topic in self._topics.values():
            topic.confirmed, topic.away = False, True
            touched += topic.members
        return touched
