"""The record in SQL: sessions, messages and events in SQLite or PostgreSQL. The only room that says SQL."""

from pipeline.store.engine import Store, open_store

__all__ = ["Store", "open_store"]
