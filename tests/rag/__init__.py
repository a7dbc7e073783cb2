"""Tests of documents, retrieval and quoted answers."""
