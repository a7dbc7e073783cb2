"""How chunks are found in PostgreSQL: candidates by its text search, ranked by BM25 from the stored counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from pipeline.store.documents import Hit

TITLE_MARK = "^"
"""Before a stem: it occurs in a title or heading. Where a word is common, such chunks are looked at first."""
# As SQLite's FTS5 has them, so that both indexes rank alike.
_K1 = 1.2
_B = 0.75
_TITLE_WEIGHT = 2.0
_LEAST_IDF = 1e-6
# So many as a search of 100,000 chunks can rank in tens of milliseconds; fewer find less, more take longer.
_SURE_CANDIDATES = 1_000
_OTHER_CANDIDATES = 300
_RANKED_EXACTLY = 50
_ROUGH_TERMS = 8

_SEARCH = """
WITH candidates AS (
    (SELECT chunk, length, words FROM document_words
     WHERE words @@ CAST(:sure AS tsquery) AND collection = :collection LIMIT :sure_limit)
    UNION ALL
    (SELECT chunk, length, words FROM document_words
     WHERE words @@ CAST(:other AS tsquery) AND NOT words @@ CAST(:sure AS tsquery) AND collection = :collection
     LIMIT :other_limit)
), best AS (
    SELECT chunk, length, words FROM candidates
    ORDER BY (ROUGH) / (1 - :b + :b * length / :average) DESC, chunk LIMIT :exactly
), counted AS (
    SELECT best.chunk, best.length, found.lexeme,
        (SELECT sum(CASE weight WHEN 'A' THEN :title ELSE 1.0 END) FROM unnest(found.weights) AS weight) AS times
    FROM best CROSS JOIN LATERAL unnest(best.words) AS found
    WHERE found.lexeme = ANY(CAST(:terms AS text[]))
), scored AS (
    SELECT chunk, sum(idf * times * (:k1 + 1) / (times + :k1 * (1 - :b + :b * length / :average))) AS score
    FROM counted JOIN unnest(CAST(:terms AS text[]), CAST(:idfs AS float8[])) AS asked (lexeme, idf) USING (lexeme)
    GROUP BY chunk ORDER BY score DESC, chunk LIMIT :limit
)
SELECT c.chunk_id, d.collection, d.path, d.title, c.heading, d.url, c.text, c.start, c.stop, scored.score
FROM scored JOIN document_chunks AS c ON c.id = scored.chunk JOIN documents AS d ON d.id = c.document_id
ORDER BY scored.score DESC, c.id
"""


def search(
    connection: Connection,
    collection: str,
    stems: Sequence[str],
    counts: Mapping[str, int],
    totals: tuple[int, int],
    limit: int,
) -> list[Hit]:
    """The best chunks for the stems.

    `counts` tells in how many chunks a stem occurs, or a stem behind TITLE_MARK; `totals` how many chunks and words
    there are.
    """
    chunks, words = totals
    terms = sorted((stem for stem in stems if counts.get(stem)), key=lambda stem: counts[stem])
    if not terms or not chunks:
        return []
    idfs = [max(_LEAST_IDF, math.log((chunks - counts[term] + 0.5) / (counts[term] + 0.5))) for term in terms]
    sure = _sure(terms, counts)
    rough = range(min(len(terms), _ROUGH_TERMS))
    # Not a word of it is a user's: they are all parameters.
    ranked = " + ".join(f":idf{n} * ts_rank('{{0.5, 0.5, 0.5, 1}}', words, CAST(:term{n} AS tsquery))" for n in rough)
    parameters = {
        "collection": collection,
        "sure": _query(sure),
        "other": _query(terms),
        "sure_limit": _SURE_CANDIDATES,
        "other_limit": _OTHER_CANDIDATES,
        "exactly": max(_RANKED_EXACTLY, limit),
        "average": max(1.0, words / chunks),
        "terms": terms,
        "idfs": idfs,
        "limit": limit,
        "b": _B,
        "k1": _K1,
        "title": _TITLE_WEIGHT,
        **{f"idf{n}": idfs[n] for n in rough},
        **{f"term{n}": _query([terms[n]]) for n in rough},
    }
    return [Hit(*row) for row in connection.execute(text(_SEARCH.replace("ROUGH", ranked)), parameters)]


def _sure(terms: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """The rarest of the terms and of the same in titles: as many as occur in few enough chunks, at least one."""
    marked = [TITLE_MARK + term for term in terms]
    every = sorted((term for term in (*terms, *marked) if counts.get(term)), key=lambda term: counts[term])
    taken, occurs = every[:1], counts[every[0]]
    for term in every[1:]:
        occurs += counts[term]
        if occurs > _SURE_CANDIDATES:
            break
        taken.append(term)
    return taken


def _query(terms: Sequence[str]) -> str:
    return " | ".join(lexeme(term) for term in terms)


def lexeme(term: str) -> str:
    """The term as PostgreSQL reads it in a tsvector or tsquery."""
    return "'" + term.replace("\\", "\\\\").replace("'", "''") + "'"
