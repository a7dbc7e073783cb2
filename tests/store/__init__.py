"""Tests of the record in SQL, on SQLite and on PostgreSQL."""
