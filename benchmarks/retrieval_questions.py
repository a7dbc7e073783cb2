"""Questions about documents: read from a file, or made of the documents' headings in other words."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import UnsupportedDocument
from tasks.rag.chunks import sections
from tasks.rag.formats import SUFFIXES
from tasks.rag.plaintext import PlainText
from tasks.rag.reading import FileReader
from tasks.rag.sentences import sentence_spans
from tasks.rag.terms import content_words

_TEMPLATES = (
    "What do I need to know about {}?",
    "Where can I read about {}?",
    "How does it work with {}?",
    "Could you explain {} to me?",
)
# Everyday words for such that headings like; both ways round a search by words has to do without.
_OTHER_WORDS = {
    "add": "put in",
    "apply": "ask",
    "begin": "start",
    "benefits": "advantages",
    "buy": "purchase",
    "change": "modify",
    "contact": "reach",
    "create": "make",
    "delete": "remove",
    "employee": "staff member",
    "employees": "staff",
    "guide": "instructions",
    "help": "assistance",
    "hiring": "recruiting",
    "install": "set up",
    "meeting": "appointment",
    "meetings": "appointments",
    "requesting": "asking for",
    "responsibilities": "duties",
    "rules": "regulations",
    "start": "begin",
    "travel": "trips",
    "use": "work with",
    "using": "working with",
    "vacation": "holiday",
}
_LEAST_WORDS = 2
_ANSWER_CHARACTERS = range(40, 300)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A question, the document that answers it, and words of that document that an answer must hold."""

    question: str
    path: str
    answer: str


def half_of(path: str) -> int:
    """0 or 1: in which half a document is, which depends on nothing but its path."""
    return zlib.crc32(path.encode("utf-8", "surrogatepass")) % 2


def documents(folder: Path) -> Iterator[tuple[str, PlainText]]:
    """The documents below the folder, by path; what cannot be read is left out."""
    with FileReader() as reader:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix.lower() in SUFFIXES:
                with contextlib.suppress(UnsupportedDocument):
                    yield file.relative_to(folder).as_posix(), reader.read(file)


def from_file(file: Path) -> list[Asked]:
    """The questions of a file with a JSON object a line: `question`, `path`, `answer`."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Asked(**{k: json.loads(line)[k] for k in ("question", "path", "answer")}) for line in lines if line.strip()]


def to_file(asked: Sequence[Asked], file: Path) -> None:
    """Writes what `from_file` reads."""
    lines = (json.dumps(dataclasses.asdict(one), ensure_ascii=False) for one in asked)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def from_headings(folder: Path, limit: int) -> list[Asked]:
    """At most `limit` questions, spread over all documents: a heading in other words, answered by its first sentence.

    Headings that occur more than once, or say too little, are left out.
    """
    found: dict[str, list[Asked]] = {}
    for path, plain in documents(folder):
        for section in sections(plain):
            heading = section.heading.rpartition(" > ")[2]
            answer = _first_sentence(plain.text[section.start : section.end])
            if heading and answer and len(content_words(heading)) >= _LEAST_WORDS:
                found.setdefault(heading.lower(), []).append(Asked(_asked(heading), path, answer))
    only = [them[0] for them in found.values() if len(them) == 1]
    return sorted(only, key=lambda one: zlib.crc32(one.answer.encode()))[:limit]


def _first_sentence(text: str) -> str:
    for start, end in sentence_spans(text):
        said = " ".join(text[start:end].split())
        if len(said) in _ANSWER_CHARACTERS:
            return said
    return ""


def _asked(heading: str) -> str:
    said = " ".join(_OTHER_WORDS.get(word.strip(".,:?!").lower(), word) for word in heading.rstrip(".:?! ").split())
    template = _TEMPLATES[zlib.crc32(heading.encode()) % len(_TEMPLATES)]
    return template.format(said[0].lower() + said[1:] if said[1:2].islower() else said)
