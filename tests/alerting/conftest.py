"""The bus and the database are those of the tests of subscriptions."""

from __future__ import annotations

from tests.subscriptions.conftest import delivering, mails, make, migrated, receiver, subscriptions_valkey

__all__ = ["delivering", "mails", "make", "migrated", "receiver", "subscriptions_valkey"]
