"""Administrators' passwords and sessions: argon2id for what a person has thought up, random tokens for the rest."""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections.abc import Collection

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pipeline.errors import KeyRefused
from pipeline.settings import Settings
from pipeline.store import Store, administrators
from web.policy import ALL, LOGIN, Principal

SHORTEST_PASSWORD_CHARACTERS = 12
LONGEST_PASSWORD_CHARACTERS = 1_000
_TOKEN_BYTES = 32
_SEEN_EVERY_SECONDS = 60
_SHOWN_CHARACTERS = 32
"""Of a token's digest, which leads nobody to the token: so much names the login that has opened a feed."""
_hasher = PasswordHasher()


def _digest(token: str) -> str:
    # A random token of 256 bits needs no slow digest.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Administrators:
    """Who may log in, and who is."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def create(self, name: str, password: str) -> bool:
        """Makes an administrator; False: there is one of that name. Raises KeyRefused."""
        if not 1 <= len(name) <= 100 or not name.isprintable() or name != name.strip():
            raise KeyRefused("an administrator's name has 1 to 100 characters that can be seen")
        return administrators.add(self._store, name, _hashed(password))

    def change_password(self, name: str, password: str) -> bool:
        """Changes a password, which ends all sessions; False: there is none of that name. Raises KeyRefused."""
        return administrators.change_password(self._store, name, _hashed(password))

    def log_in(self, name: str, password: str, old_token: str = "") -> str | None:  # nosec
        """The token of a new session, in place of an old one; None for a wrong name or password.

        A name that is not known takes the same time as a wrong password.
        """
        stored = administrators.password_of(self._store, name)
        if not _is(stored or _nobodys(), password) or stored is None:
            return None
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        longest = datetime.timedelta(seconds=self._settings.admin_session_seconds)
        if old_token:
            self.log_out(old_token)
        now = datetime.datetime.now(datetime.UTC)
        administrators.begin_session(self._store, _digest(token), name, now - longest)
        return token

    def knows(self, name: str) -> bool:
        """Whether there is an administrator of that name. Only for what strangers never see."""
        return administrators.password_of(self._store, name) is not None

    def by_token(self, token: str) -> Principal | None:
        """The administrator who is logged in by this token; None when the session has ended."""
        digest = _digest(token)
        found = administrators.find_session(self._store, digest)
        if found is None:
            return None
        now = datetime.datetime.now(datetime.UTC)
        idle_seconds = (now - found.seen_at).total_seconds()
        ends = found.created_at + datetime.timedelta(seconds=self._settings.admin_session_seconds)
        if now >= ends or idle_seconds >= self._settings.admin_idle_seconds:
            administrators.end_session(self._store, digest)
            return None
        if idle_seconds >= min(_SEEN_EVERY_SECONDS, self._settings.admin_idle_seconds / 4):
            administrators.note_seen(self._store, digest)
        key_id = f"{LOGIN}{digest[:_SHOWN_CHARACTERS]}"
        return Principal(f"admin:{found.name}", ALL, expires_at=ends.timestamp(), key_id=key_id)

    def log_out(self, token: str) -> None:
        """Ends a session."""
        administrators.end_session(self._store, _digest(token))


def ended_logins(store: Store, logins: Collection[str]) -> frozenset[str]:
    """Those of the logins (as a principal's `key_id`) that are over. Raises StoreUnavailable."""
    living = administrators.living_sessions(store, [login.removeprefix(LOGIN) for login in logins])
    return frozenset(login for login in logins if login.removeprefix(LOGIN) not in living)


def _hashed(password: str) -> str:
    if not SHORTEST_PASSWORD_CHARACTERS <= len(password) <= LONGEST_PASSWORD_CHARACTERS:
        raise KeyRefused(f"a password has at least {SHORTEST_PASSWORD_CHARACTERS} characters", "password")
    return _hasher.hash(password)


_cached: list[str] = []


def _nobodys() -> str:
    """The digest of a password that nobody has, made once in a process, with the parameters of all others."""
    if not _cached:
        _cached.append(_hasher.hash(secrets.token_urlsafe(_TOKEN_BYTES)))
    return _cached[0]


def _is(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
