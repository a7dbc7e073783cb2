"""The stored keys as one web process knows them: asked for at most twice a second, however many requests there are."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import logging
import re
import secrets
import string
import threading
import time
from collections.abc import Iterable

from pipeline.errors import KeyRefused, SettingError, StoreUnavailable
from pipeline.settings import Settings
from pipeline.store import Store, keys
from pipeline.store.keys import ApiKey
from web.administrators import ended_logins
from web.policy import LOGIN, OF_A_KEY, Principal
from web.up.keys import kept

logger = logging.getLogger(__name__)
_BASE62 = string.digits + string.ascii_letters
_PREFIX_CHARACTERS = 8
_SECRET_CHARACTERS = 43
"""256 bits."""
_KEY = re.compile(rf"sf_([0-9A-Za-z]{{{_PREFIX_CHARACTERS}}})_[0-9A-Za-z]{{{_SECRET_CHARACTERS}}}")
RESERVED = ("key:", "visitor:", "admin:")
"""What the names of principals that are no users begin with."""


def _random(count: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(count))


def _digest(pepper: str, key: str) -> str:
    return hmac.new(pepper.encode(), key.encode(), hashlib.sha256).hexdigest()


def _pepper(settings: Settings) -> str:
    """The pepper of the settings or the home folder, made where there is none. Raises SettingError."""
    if settings.key_pepper:
        return settings.key_pepper
    settings.home_path.mkdir(parents=True, exist_ok=True)
    return kept(settings.home_path / "key_pepper")


def key_id_of(key: str) -> str | None:
    """The id that stands in a key, which is no secret; None for what has not the form of a stored key."""
    match = _KEY.fullmatch(key)
    return None if match is None else match[1]


class Locksmith:
    """Makes, rotates and revokes stored keys. A key is given once, when it is made."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def create(
        self,
        name: str,
        scopes: list[str],
        created_by: str,
        user_id: str | None = None,
        expires_at: datetime.datetime | None = None,
    ) -> tuple[str, ApiKey]:
        """A new key, and its row. Raises KeyRefused and SettingError."""
        unknown = sorted(set(scopes) - set(OF_A_KEY))
        if unknown or not scopes:
            raise KeyRefused(f"a key has scopes out of {', '.join(OF_A_KEY)}", "scopes")
        if user_id is not None and (not user_id or user_id.startswith(RESERVED)):
            raise KeyRefused(f"a user's name must not be empty, nor begin with {', '.join(RESERVED)}", "user_id")
        now = datetime.datetime.now(datetime.UTC)
        if expires_at is not None and expires_at <= now:
            raise KeyRefused("the key would have expired already", "expires_at")
        words = " ".join(scope for scope in OF_A_KEY if scope in scopes)
        key_id = _random(_PREFIX_CHARACTERS)
        key, row = self._made(key_id, ApiKey(key_id, key_id, "", name, words, user_id, created_by, now, expires_at))
        keys.add(self._store, row, self._settings.keys_limit)
        return key, row

    def rotate(self, key_id: str, created_by: str, overlap_seconds: int | None = None) -> tuple[str, ApiKey] | None:
        """A new key in a key's place, which lives on for a while; None: there is no such key. Raises KeyRefused."""
        old = keys.find(self._store, key_id)
        if old is None:
            return None
        new_id, now = _random(_PREFIX_CHARACTERS), datetime.datetime.now(datetime.UTC)
        row = ApiKey(new_id, old.family, "", old.name, old.scopes, old.user_id, created_by, now, old.expires_at)
        key, row = self._made(new_id, row)
        seconds = self._settings.key_overlap_seconds if overlap_seconds is None else overlap_seconds
        keys.rotate(self._store, key_id, row, datetime.timedelta(seconds=seconds))
        return key, row

    def revoke(self, key_id: str) -> bool:
        """Every web process refuses the key within a second; False: there is no such key."""
        return keys.revoke(self._store, key_id)

    def _made(self, key_id: str, row: ApiKey) -> tuple[str, ApiKey]:
        key = f"sf_{key_id}_{_random(_SECRET_CHARACTERS)}"
        fields = {**row.__dict__, "digest": _digest(_pepper(self._settings), key)}
        return key, ApiKey(**fields)


class KeyRing:
    """Looks keys up without asking the database for each: all living ones are known, so unknown ones cost nothing."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._lock = threading.Lock()
        """Lets one thread ask the database while the others wait for what it learns."""
        self._version = -1
        self._keys: dict[str, ApiKey] = {}
        self._asked_at = -float("inf")
        self._used: dict[str, datetime.datetime] = {}
        self._noted_at = -float("inf")
        self._pepper = ""

    def find(self, key: str) -> Principal | None:
        """The principal of a stored key that lives. Raises StoreUnavailable when nobody can tell."""
        match = _KEY.fullmatch(key)
        if match is None:
            return None
        found = self._living(match[1])
        # An unknown key is compared, too, so that it takes no other time than a wrong one.
        digest = found.digest if found is not None else ""
        if not hmac.compare_digest(digest.ljust(64), self._digest(key)) or found is None:
            return None
        self._used[found.key_id] = datetime.datetime.now(datetime.UTC)
        return _principal(found)

    def lives(self, key_id: str) -> bool:
        """Whether a stored key, or an administrator's login, still opens anything. Raises StoreUnavailable."""
        if key_id.startswith(LOGIN):
            return not ended_logins(self._store, [key_id])
        return self._living(key_id) is not None

    def ended(self, key_ids: Iterable[str]) -> frozenset[str]:
        """Those of the keys and logins that open nothing any more, by a look made now. Raises StoreUnavailable."""
        asked = frozenset(key_ids)
        logins = frozenset(key_id for key_id in asked if key_id.startswith(LOGIN))
        ended = ended_logins(self._store, logins) if logins else logins
        self.look_again()
        known, now = self._known(), datetime.datetime.now(datetime.UTC)
        return ended | {key_id for key_id in asked - logins if key_id not in known or not known[key_id].lives_at(now)}

    def look_again(self) -> None:
        """The keys were changed by this process: the next request is not to wait until that is noticed."""
        with self._lock:
            self._asked_at = -float("inf")

    def _living(self, key_id: str) -> ApiKey | None:
        found = self._known().get(key_id)
        return found if found is not None and found.lives_at(datetime.datetime.now(datetime.UTC)) else None

    def _known(self) -> dict[str, ApiKey]:
        with self._lock:
            asked_at = time.monotonic()
            if asked_at - self._asked_at >= self._settings.key_cache_ms / 1000:
                if keys.version(self._store) != self._version:
                    self._version, living = keys.living(self._store)
                    self._keys = {key.key_id: key for key in living}
                # From before the question: an answer that took its time is as old as that.
                self._asked_at = asked_at
            return self._keys

    def _digest(self, key: str) -> str:
        if not self._pepper:
            try:
                self._pepper = _pepper(self._settings)
            except (SettingError, OSError) as error:
                logger.error("stored keys cannot be checked: %s", error)
                return "-" * 64
        return _digest(self._pepper, key)

    def note_use(self) -> None:
        """Writes down when keys were used last, once in a while; called when a request has been answered."""
        if not self._used or time.monotonic() - self._noted_at < self._settings.key_last_used_seconds:
            return
        with self._lock:
            used, self._used, self._noted_at = self._used, {}, time.monotonic()
        try:
            keys.note_use(self._store, dict(used))
        except StoreUnavailable as error:
            logger.warning("it could not be noted when keys were used: %s", error)


def _principal(key: ApiKey) -> Principal:
    scopes = frozenset().union(*(OF_A_KEY.get(name, frozenset()) for name in key.scopes.split()))
    expires_at = key.expires_at.timestamp() if key.expires_at is not None else None
    who = key.user_id or f"key:{key.family}"
    return Principal(who, scopes, owns_only=key.user_id is not None, expires_at=expires_at, key_id=key.key_id)
