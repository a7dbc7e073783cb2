"""Stored keys in both databases: changes of several processes never hide each other."""

from __future__ import annotations

import dataclasses
import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.errors import KeyRefused
from pipeline.store import Store, keys
from pipeline.store.keys import ApiKey

NOW = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def _key(key_id: str, **more: object) -> ApiKey:
    key = ApiKey(key_id, key_id, "0" * 64, "n", "events:read", None, "test", NOW, None)
    return dataclasses.replace(key, **more)  # type: ignore[arg-type]


def test_what_is_stored_comes_back(store: Store) -> None:
    """A key would open something else after a restart."""
    key = _key("aaaaaaaa", user_id="anna", expires_at=datetime.datetime.now(datetime.UTC) + HOUR)
    keys.add(store, key, 10)
    assert keys.find(store, "aaaaaaaa") == key
    assert keys.living(store)[1] == [key]
    assert keys.find(store, "bbbbbbbb") is None


def test_every_change_of_several_at_once_is_a_version_of_its_own(store: Store) -> None:
    """A web process would overlook a revocation that came together with another one."""
    before = keys.version(store)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: keys.add(store, _key(f"{number:08}"), 100), range(8)))
        list(pool.map(lambda number: keys.revoke(store, f"{number:08}"), range(8)))
    assert keys.version(store) == before + 16
    assert keys.living(store)[1] == []


def test_revoked_and_expired_keys_do_not_live(store: Store) -> None:
    """A revoked key would come back with the next look."""
    keys.add(store, _key("aaaaaaaa"), 10)
    keys.add(store, _key("bbbbbbbb", expires_at=NOW), 10)
    assert keys.revoke(store, "aaaaaaaa")
    assert keys.revoke(store, "aaaaaaaa")
    assert not keys.revoke(store, "cccccccc")
    assert keys.living(store)[1] == []
    assert {key.key_id for key in keys.listed(store)} == {"aaaaaaaa", "bbbbbbbb"}


def test_two_keys_of_one_line_live_at_most(store: Store) -> None:
    """Old keys would pile up with each rotation, or the rotation would end the one in use."""
    keys.add(store, _key("aaaaaaaa"), 10)
    keys.rotate(store, "aaaaaaaa", _key("bbbbbbbb", family="aaaaaaaa", created_at=NOW + HOUR), HOUR)
    with pytest.raises(KeyRefused):
        keys.rotate(store, "aaaaaaaa", _key("cccccccc", family="aaaaaaaa", created_at=NOW + 2 * HOUR), HOUR)
    keys.rotate(store, "bbbbbbbb", _key("cccccccc", family="aaaaaaaa", created_at=NOW + 2 * HOUR), HOUR)
    assert {key.key_id for key in keys.living(store)[1]} == {"bbbbbbbb", "cccccccc"}


def test_the_last_use_never_goes_back(store: Store) -> None:
    """Of two web processes the slower one would set the time back."""
    keys.add(store, _key("aaaaaaaa"), 10)
    keys.note_use(store, {"aaaaaaaa": NOW + HOUR, "gone": NOW})
    keys.note_use(store, {"aaaaaaaa": NOW})
    found = keys.find(store, "aaaaaaaa")
    assert found is not None
    assert found.last_used_at == NOW + HOUR
