"""What the document index in PostgreSQL writes, as SQL."""

from __future__ import annotations

from sqlalchemy import text

TURN = text("SELECT pg_advisory_xact_lock(7364414)")
"""Waits until no other program adds or removes; any number, the same for all. Without it the counts could deadlock."""

ADD_DOCUMENT = text("""
INSERT INTO documents (collection, path, title, url, text, language, digest, added_at)
VALUES (:collection, :path, :title, :url, :text, :language, :digest, :added_at) RETURNING id
""")

ADD_CHUNK = text("""
INSERT INTO document_chunks (chunk_id, document_id, heading, text, start, stop)
VALUES (:chunk_id, :document, :heading, :text, :start, :stop) RETURNING id
""")

ADD_WORDS = text("""
INSERT INTO document_words (chunk, collection, length, words)
VALUES (:chunk, :collection, :length, CAST(:words AS tsvector))
""")

_TERMS = """
SELECT term, count(*) AS times FROM document_chunks AS c JOIN document_words AS w ON w.chunk = c.id
CROSS JOIN LATERAL unnest(tsvector_to_array(w.words)) AS term WHERE c.document_id = ANY(:documents) GROUP BY term
"""

ADD_TERMS = text(f"""
INSERT INTO document_terms (term, chunks) {_TERMS}
ON CONFLICT (term) DO UPDATE SET chunks = document_terms.chunks + excluded.chunks
""")  # nosec

TAKE_TERMS_BACK = text(f"""
UPDATE document_terms AS t SET chunks = t.chunks - gone.times FROM ({_TERMS}) AS gone WHERE t.term = gone.term
""")  # noqa: S608  # nosec

DELETE_TERMS = text("DELETE FROM document_terms WHERE chunks <= 0")

DELETE_WORDS = text("""
DELETE FROM document_words AS w USING document_chunks AS c
WHERE c.id = w.chunk AND c.document_id = ANY(:documents) RETURNING w.length
""")

DELETE_CHUNKS = text("DELETE FROM document_chunks WHERE document_id = ANY(:documents)")

ADD_COUNTER = text("""
INSERT INTO document_counters (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = document_counters.value + excluded.value
""")
